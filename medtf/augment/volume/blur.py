"""Gaussian blur."""

import keras
from keras import ops

from medtf.augment.volume.layer import IntensityLayer
from medtf.augment.volume.separable import along


@keras.saving.register_keras_serializable(package="medtf")
class RandomBlur(IntensityLayer):
    """Smooth a volume by a Gaussian whose width is drawn for each axis.

    Stands for scans of coarser voxels that were interpolated, and for smoothing filters of the scanner. At the edges
    the volume is mirrored, so that its mean stays.

    Args:
        sigma: voxels, 0 or more: the largest standard deviation; each axis draws its own, uniform between 0 and it.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomBlur(1.0)(volumes, training=True)
    """

    strengths = ("sigma",)

    def __init__(self, sigma: float = 1.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.sigma = self.strength("sigma", sigma)
        self.warn_if_idle()

    def draw(self, shape):
        """`sigma`, (batch, 3), voxels."""
        return {
            "sigma": keras.random.uniform((shape[0], 3), dtype="float32", seed=self.seed_generator) * self.sigma,
        }

    def change(self, volumes, draws):
        """Three products with matrices of Gaussians."""
        sigma = ops.convert_to_tensor(draws["sigma"])
        sides = ops.shape(volumes)[1:4]
        return along(volumes, [_gaussians(side, sigma[:, axis]) for axis, side in enumerate(sides)])


def _gaussians(side, sigma):
    """(batch, side, side): rows of sum 1; what reaches beyond an edge is folded back (scipy's mode `reflect`)."""
    step = ops.cast(ops.arange(side), "float32")
    away = step[:, None] - step[None, :]
    beyond = step[:, None] + step[None, :] + 1.0  # to the mirror image beyond the first voxel
    scale = -0.5 / ops.square(ops.maximum(sigma, 1e-2))[:, None, None]  # of 0.01 all but the middle is exactly 0
    last = 2.0 * ops.cast(side, "float32") - beyond  # to the mirror image beyond the last voxel
    weights = sum(ops.exp(ops.square(distance)[None] * scale) for distance in (away, beyond, last))
    return weights / ops.sum(weights, axis=2, keepdims=True)
