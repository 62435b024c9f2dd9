"""Contrast and brightness."""

import keras
from keras import ops

from medtf.augment.layer import RandomLayer, by_example


@keras.saving.register_keras_serializable(package="medtf")
class RandomIntensity(RandomLayer):
    """Stretch an image about its mean (contrast), then shift it (brightness); clipped to [0, 1].

    Stands for scanners that differ in gain and offset. One factor and one shift an image; the mean is each channel's
    own, since channels are windows of different widths.

    Args:
        contrast: share in [0, 1); the factor is uniform in 1 +-contrast.
        brightness: in [0, 1), of channels in [0, 1]; the shift is uniform in +-brightness.
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), in [0, 1].

    Output shape:
        As the input.

    Example:
        >>> RandomIntensity(contrast=0.2, brightness=0.1)(images, training=True)
    """

    strengths = ("contrast", "brightness")

    def __init__(self, contrast: float = 0.0, brightness: float = 0.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.contrast = self.strength("contrast", contrast, below=1)
        self.brightness = self.strength("brightness", brightness, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`factor` and `shift`, each (batch,)."""
        unit = keras.random.uniform((2, shape[0]), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {"factor": 1.0 + unit[0] * self.contrast, "shift": unit[1] * self.brightness}

    def apply(self, images, draws):
        """(image - mean) * factor + mean + shift, clipped."""
        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        factor, shift = (by_example(draws[name], images.dtype) for name in ("factor", "shift"))
        return ops.clip((images - mean) * factor + mean + shift, 0.0, 1.0)
