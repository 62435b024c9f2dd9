"""Gaussian noise of volumes."""

import keras
from keras import ops

from medtf.augment.normal import normal
from medtf.augment.volume.layer import IntensityLayer, by_volume, mean_and_deviation


@keras.saving.register_keras_serializable(package="medtf")
class RandomNoise3D(IntensityLayer):
    """Add Gaussian noise to every voxel, of a deviation that is drawn for each volume.

    What is left of a scanner's noise where the signal is well above it; for air, and for weak signals, see
    `RandomRicianNoise`.

    Args:
        deviation: in [0, 1), of the volume's own standard deviation: the largest noise; each volume's is uniform
            between 0 and it, so that clean volumes are seen too.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomNoise3D(0.1)(volumes, training=True)
    """

    strengths = ("deviation",)

    def __init__(self, deviation: float = 0.1, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.deviation = self.strength("deviation", deviation, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`deviation` (batch,), of the volume's, and `noise` of deviation 1, of the volumes' shape."""
        unit = keras.random.uniform((shape[0],), dtype="float32", seed=self.seed_generator)
        return {"deviation": unit * self.deviation, "noise": normal(shape, self.seed_generator)}

    def change(self, volumes, draws):
        """volume + noise * deviation."""
        _, deviation = mean_and_deviation(volumes)
        deviation = ops.cast(deviation * by_volume(draws["deviation"]), volumes.dtype)
        return volumes + ops.cast(draws["noise"], volumes.dtype) * deviation
