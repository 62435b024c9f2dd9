"""Contrast and brightness of volumes."""

import keras
from keras import ops

from medtf.augment.volume.layer import IntensityLayer, by_volume, mean_and_deviation


@keras.saving.register_keras_serializable(package="medtf")
class RandomIntensity3D(IntensityLayer):
    """Stretch a volume about its mean (contrast), then shift it (brightness). Nothing is clipped.

    Stands for what is left of gain and offset after normalisation, as when a mask was drawn more widely.

    Args:
        contrast: share in [0, 1); the factor is uniform in 1 +-contrast.
        brightness: in [0, 1), of the volume's standard deviation; the shift is uniform in +-brightness.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomIntensity3D(contrast=0.2, brightness=0.1)(volumes, training=True)
    """

    strengths = ("contrast", "brightness")

    def __init__(self, contrast: float = 0.0, brightness: float = 0.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.contrast = self.strength("contrast", contrast, below=1)
        self.brightness = self.strength("brightness", brightness, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`factor` and `shift` (in standard deviations), each (batch,)."""
        unit = keras.random.uniform((2, shape[0]), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {"factor": 1.0 + unit[0] * self.contrast, "shift": unit[1] * self.brightness}

    def change(self, volumes, draws):
        """(volume - mean) * factor + mean + shift * deviation."""
        mean, deviation = mean_and_deviation(volumes)
        factor, shift = by_volume(draws["factor"]), by_volume(draws["shift"])
        constant = mean * (1.0 - factor) + shift * deviation  # one number a volume: the voxels are passed over once
        return volumes * ops.cast(factor, volumes.dtype) + ops.cast(constant, volumes.dtype)
