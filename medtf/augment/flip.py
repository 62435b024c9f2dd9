"""Left-right flip."""

import keras
from keras import ops

from medtf.augment.layer import RandomLayer, by_example


@keras.saving.register_keras_serializable(package="medtf")
class RandomFlip(RandomLayer):
    """Mirror an image left to right, each with `probability`.

    A head is nearly symmetrical, so a mirrored slice is a plausible one. A chest is not: the heart changes sides, and
    labels that name a side become wrong.

    Args:
        probability: that an image is flipped, in [0, 1].
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomFlip(0.5, seed=0)(images, training=True)
    """

    strengths = ("probability",)

    def __init__(self, probability: float = 0.5, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.probability = self.strength("probability", probability, top=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`flip`, (batch,) bool."""
        return {"flip": keras.random.uniform((shape[0],), dtype="float32", seed=self.seed_generator) < self.probability}

    def apply(self, images, draws):
        """Mirror the images where `flip`."""
        return ops.where(by_example(draws["flip"], "bool"), ops.flip(images, axis=2), images)
