"""Gaussian noise."""

import keras
from keras import ops

from medtf.augment.layer import RandomLayer
from medtf.augment.normal import normal


@keras.saving.register_keras_serializable(package="medtf")
class RandomNoise(RandomLayer):
    """Add Gaussian noise to every pixel and channel; clipped to [0, 1].

    Noise in CT is near to Gaussian; in magnitude MRI it is Rician, which is close to Gaussian where the signal is
    well above the noise.

    Args:
        deviation: standard deviation of the noise in [0, 1), of channels in [0, 1].
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), in [0, 1].

    Output shape:
        As the input.

    Example:
        >>> RandomNoise(0.02)(images, training=True)
    """

    strengths = ("deviation",)

    def __init__(self, deviation: float = 0.02, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.deviation = self.strength("deviation", deviation, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`noise`, of the images' shape."""
        return {"noise": normal(shape, self.seed_generator) * self.deviation}

    def apply(self, images, draws):
        """The sum of image and noise, clipped."""
        return ops.clip(images + ops.cast(draws["noise"], images.dtype), 0.0, 1.0)
