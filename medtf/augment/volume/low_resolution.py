"""Low resolution along one axis: thick slices."""

import keras
from keras import ops

from medtf.augment.volume.layer import IntensityLayer
from medtf.augment.volume.separable import along


@keras.saving.register_keras_serializable(package="medtf")
class RandomLowResolution(IntensityLayer):
    """Average a volume over thick slices along a random axis, and interpolate it back.

    Clinical scans have slices of 3 to 5 mm beside pixels of 1 mm. Billot et al. 2023, SynthSeg, Medical Image Analysis
    86:102789; TorchIO's RandomAnisotropy, which picks the nearest voxel where this takes the mean over the slice.

    Args:
        factor: 0 or more: the largest thickness of a slice less 1; the thickness is uniform in 1 to 1 + factor
            voxels.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomLowResolution(3.0)(volumes, training=True)  # slices of up to four voxels
    """

    strengths = ("factor",)

    def __init__(self, factor: float = 1.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = self.strength("factor", factor)
        self.warn_if_idle()

    def draw(self, shape):
        """`thickness` (voxels) and `axis` (0, 1 or 2), each (batch,)."""
        unit = keras.random.uniform((2, shape[0]), dtype="float32", seed=self.seed_generator)
        return {
            "thickness": 1.0 + unit[0] * self.factor,
            "axis": ops.cast(ops.minimum(ops.floor(unit[1] * 3), 2), "int32"),
        }

    def change(self, volumes, draws):
        """A product with one matrix: mean over slices, then linear between their middles."""
        thickness, axis = ops.convert_to_tensor(draws["thickness"]), ops.convert_to_tensor(draws["axis"])
        matrices = [
            _slices(side, ops.where(axis == number, thickness, 1.0))
            for number, side in enumerate(ops.shape(volumes)[1:4])
        ]
        return along(volumes, matrices)


def _slices(side, thickness):
    """(batch, side, side), rows of sum 1; of thickness 1 it is the identity."""
    count = ops.cast(side, "float32")
    step = ops.cast(ops.arange(side), "float32")
    thick = thickness[:, None, None]
    # slice k lies between edges k and k + 1, in voxels; the stack is centred; what lies outside has a width of 0
    number = ops.ceil(count / thick - 1e-4)
    start = (count - number * thick) / 2.0
    low = ops.maximum(start + step[None, :, None] * thick, 0.0)
    high = ops.minimum(start + (step[None, :, None] + 1.0) * thick, count)
    overlap = ops.minimum(high, step + 1.0) - ops.maximum(low, step)  # (batch, slice, voxel)
    mean = ops.maximum(overlap, 0.0) / ops.maximum(high - low, 1e-3)
    middle = ops.swapaxes(start + (step[None, :, None] + 0.5) * thick, 1, 2)  # (batch, 1, slice)
    there = ops.swapaxes(high - low, 1, 2) > 1e-3
    between = ops.maximum(1.0 - ops.abs(step[None, :, None] + 0.5 - middle) / thick, 0.0)  # (batch, voxel, slice)
    between = ops.where(there, between, 0.0)
    return ops.matmul(between / ops.sum(between, axis=2, keepdims=True), mean)
