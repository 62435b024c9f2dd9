"""Rician noise: what Gaussian noise becomes in a magnitude image."""

import keras
from keras import ops

from medtf.augment.normal import normal
from medtf.augment.volume.layer import IntensityLayer, by_volume, lowest_value, mean_and_deviation


@keras.saving.register_keras_serializable(package="medtf")
class RandomRicianNoise(IntensityLayer):
    """Add Gaussian noise to the two channels of an MRI signal, and take the magnitude.

    A scanner measures a complex signal with Gaussian noise in both parts and shows its length. So air is not 0 but
    sigma * sqrt(pi / 2) in the mean, dark tissue is lifted, and only bright tissue sees noise that is nearly Gaussian.
    Gudbjartsson and Patz 1995, The Rician distribution of noisy MRI data, Magnetic Resonance in Medicine 34:910.

    The signal is the height above the volume's lowest value.

    Args:
        deviation: in [0, 1), of the volume's own standard deviation: the largest sigma of both channels; each
            volume's is uniform between 0 and it.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomRicianNoise(0.1)(volumes, training=True)
    """

    strengths = ("deviation",)

    def __init__(self, deviation: float = 0.1, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.deviation = self.strength("deviation", deviation, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`deviation` (batch,), of the volume's; `real` and `imaginary` of deviation 1, of the volumes' shape."""
        unit = keras.random.uniform((shape[0],), dtype="float32", seed=self.seed_generator)
        real, imaginary = (normal(shape, self.seed_generator) for _ in range(2))
        return {"deviation": unit * self.deviation, "real": real, "imaginary": imaginary}

    def change(self, volumes, draws):
        """lowest + sqrt((volume - lowest + real * sigma)**2 + (imaginary * sigma)**2)."""
        lowest = lowest_value(volumes)
        _, deviation = mean_and_deviation(volumes)
        sigma = ops.cast(deviation * by_volume(draws["deviation"]), volumes.dtype)
        real = volumes - lowest + ops.cast(draws["real"], volumes.dtype) * sigma
        imaginary = ops.cast(draws["imaginary"], volumes.dtype) * sigma
        return ops.sqrt(ops.square(real) + ops.square(imaginary)) + lowest
