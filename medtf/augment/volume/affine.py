"""Rotation, zoom and translation of volumes in one resampling."""

import math

import keras
from keras import ops

from medtf.augment.volume.layer import VolumeLayer
from medtf.augment.volume.resample import moved, nearest, rotation, trilinear


@keras.saving.register_keras_serializable(package="medtf")
class RandomAffine3D(VolumeLayer):
    """Rotate a volume about its middle, zoom and translate it, in one trilinear resampling.

    Stands for how a head lies in the scanner, and for its size. One resampling blurs once. What comes from outside is
    the volume's background: repeating the edge would draw streaks out of a neck that the field of view cuts. Sex and
    head size go together: a zoom takes that short cut away, for better or worse.

    Args:
        rotate: degrees in [0, 180]; the turns about the left-right, the posterior-anterior and the inferior-superior
            axis are each uniform in +-rotate, made in this order, right-handed.
        zoom: share in [0, 1); the factor, one for all axes, is uniform in 1 +-zoom, above 1 magnifies.
        translate: share of the side in [0, 1); each axis is uniform in +-translate, positive to the right, front, top.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels); voxels are taken as cubes.

    Output shape:
        As the input.

    Example:
        >>> layer = RandomAffine3D(rotate=10, zoom=0.1)
        >>> draws = layer.draw(volumes.shape)
        >>> volumes, masks = layer.apply(volumes, draws), layer.apply_mask(masks, draws)
    """

    strengths = ("rotate", "zoom", "translate")

    def __init__(self, rotate: float = 0.0, zoom: float = 0.0, translate: float = 0.0, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.rotate = self.strength("rotate", rotate, top=180)
        self.zoom = self.strength("zoom", zoom, below=1)
        self.translate = self.strength("translate", translate, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`angles` (batch, 3) in radians, `zoom` (batch,) a factor, `shift` (batch, 3) in shares of the sides."""
        unit = keras.random.uniform((shape[0], 7), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {
            "angles": unit[:, :3] * math.radians(self.rotate),
            "zoom": 1.0 + unit[:, 3] * self.zoom,
            "shift": unit[:, 4:] * self.translate,
        }

    def apply(self, volumes, draws):
        """Resample: every output voxel takes its value from where the inverse map sends it."""
        return trilinear(volumes, self.points(ops.shape(volumes), draws))

    def apply_mask(self, masks, draws):
        """The same move; each voxel takes the value nearest to its source, 0 from outside."""
        return nearest(masks, self.points(ops.shape(masks), draws))

    @staticmethod
    def points(shape, draws):
        """Where each voxel of volumes of `shape` comes from: see `moved`."""
        angles, zoom, shift = (ops.convert_to_tensor(draws[name]) for name in ("angles", "zoom", "shift"))
        inverse = ops.swapaxes(rotation(angles), 1, 2) / zoom[:, None, None]
        sides = ops.stack([ops.cast(side, "float32") for side in shape[1:4]])
        return moved(shape, inverse, shift * sides)
