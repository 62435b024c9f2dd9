"""Elastic deformation by a grid of B-splines."""

import warnings

import keras
import numpy as np
from keras import ops

from medtf.augment.volume.layer import VolumeLayer
from medtf.augment.volume.resample import nearest, trilinear
from medtf.augment.volume.separable import expand


@keras.saving.register_keras_serializable(package="medtf")
class RandomElastic(VolumeLayer):
    """Bend a volume by a smooth random field: displacements of a coarse grid of control points, cubic B-splines between.

    Stands for anatomy that differs between people; for age, whose signal is the width of ventricles and sulci, keep it
    small. Rueckert et al. 1999, Nonrigid registration using free-form deformations, IEEE TMI 18:712; control points and
    their default number are those of TorchIO's RandomElasticDeformation (Perez-Garcia 2021), whose two outermost
    layers stay still as well, so that the edge of the volume moves by a fifth of `displacement` at most.

    B-splines are positive and sum to 1, so no voxel moves farther than the control points do. A displacement above
    0.4 of the points' spacing can fold the volume (Choi and Lee 2000, Injectivity conditions of 2D and 3D uniform cubic
    B-spline functions, Graphical Models 62:411), and the layer warns.

    Args:
        displacement: voxels, 0 or more; each control point moves uniform in +-displacement along each axis.
        points: control points an axis, at least 5; two of them lie outside the volume.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomElastic(5.0)(volumes, training=True)
    """

    LOCKED = 2  # layers of control points that stay still at each end
    FOLDING = 0.403  # of the points' spacing: 1 / 2.48, Choi and Lee 2000
    strengths = ("displacement",)

    def __init__(self, displacement: float = 5.0, *, points: int = 7, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.displacement = self.strength("displacement", displacement)
        if points < 2 * self.LOCKED + 1:
            raise ValueError(f"`points`: expected at least {2 * self.LOCKED + 1} control points, got {points!r}")
        self.points = int(points)
        self.warn_if_idle()

    def build(self, input_shape):
        """Warn where the displacement can fold a volume of this shape."""
        cells = self.points - 3
        sides = [side for side in input_shape[1:4] if side is not None]
        if sides and self.displacement > self.FOLDING * min(sides) / cells:
            warnings.warn(
                f"RandomElastic: a displacement of {self.displacement:g} voxels can fold a volume of {min(sides)} voxels; "
                f"it cannot up to {self.FOLDING * min(sides) / cells:.1f}",
                stacklevel=2,
            )

    def draw(self, shape):
        """`control`: (batch, 3, points, points, points), voxels."""
        free = np.zeros(self.points, "float32")
        free[self.LOCKED : self.points - self.LOCKED] = self.displacement
        free = np.cbrt(free[:, None, None] * free[:, None] * free)
        size = (shape[0], 3, self.points, self.points, self.points)
        unit = keras.random.uniform(size, -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {"control": unit * free}

    def apply(self, volumes, draws):
        """Every voxel takes its value from where it stood, trilinear; background from outside."""
        return trilinear(volumes, self.sources(ops.shape(volumes), draws))

    def apply_mask(self, masks, draws):
        """The same field; each voxel takes the value nearest to its source, 0 from outside."""
        return nearest(masks, self.sources(ops.shape(masks), draws))

    def sources(self, shape, draws):
        """Where each voxel of volumes of `shape` comes from: its own place and the field, three (batch, d, h, w)."""
        field = expand(ops.convert_to_tensor(draws["control"]), [splines(side, self.points) for side in shape[1:4]])
        places = [ops.cast(ops.arange(side), "float32") for side in shape[1:4]]
        return [
            field[:, 0] + places[0][None, :, None, None],
            field[:, 1] + places[1][None, None, :, None],
            field[:, 2] + places[2][None, None, None, :],
        ]

    def get_config(self):
        """Strength, seed and number of control points."""
        return {**super().get_config(), "points": self.points}


def splines(side, points: int):
    """The cubic B-splines of `points` control points at the middles of `side` voxels, (side, points), rows of sum 1."""
    place = (ops.cast(ops.arange(side), "float32") + 0.5) / ops.cast(side, "float32") * (points - 3.0) + 1.0
    distance = ops.abs(place[:, None] - ops.arange(points, dtype="float32"))
    near = 2.0 / 3.0 - ops.square(distance) * (1.0 - distance / 2.0)
    far = ops.power(ops.maximum(2.0 - distance, 0.0), 3) / 6.0
    return ops.where(distance < 1.0, near, far)
