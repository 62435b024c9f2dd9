"""What proxy tasks draw: numbers for each example, the same on TensorFlow and JAX, and the same in every validation."""

import keras
from keras import ops

from medtf.pretrain.masking import draws


class Draws(keras.layers.Layer):
    """Numbers for each example of a batch: others at each call in training, the same at each call elsewhere.

    They are hashes of (seed, count of the training calls, example, place), as in `medtf.pretrain.masking`. The count is a weight, so a
    resumed training draws what the uninterrupted one would have drawn; outside training it is 0, which no training call is.

    Args:
        places: numbers for each example.
        seed: of all of them.
        **kwargs: of `keras.layers.Layer`.

    Output shape:
        (batch, places), int32, uniform in [0, 2^31).
    """

    def __init__(self, places: int, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.places, self.seed = places, seed
        self.step = self.add_weight(shape=(), dtype="uint32", initializer="zeros", trainable=False, name="step")

    def call(self, images, training=False):
        """For as many examples as `images` holds."""
        step = ops.zeros((), "uint32")
        if training:
            self.step.assign(self.step + ops.ones((), "uint32"))
            step = ops.convert_to_tensor(self.step)
        found = draws(self.seed, step, ops.shape(images)[0], self.places)
        return ops.cast(ops.right_shift(found, ops.ones((), "uint32")), "int32")

    def get_config(self) -> dict:
        """Places and seed."""
        return {**super().get_config(), "places": self.places, "seed": self.seed}


def number_of(images):
    """Int32 (batch,): a whole number that each image itself tells, the same wherever it stands and on every backend.

    Args:
        images: (batch, height, width, channels) in [0, 1].
    """
    return ops.sum(ops.cast(ops.round(ops.cast(images, "float32") * 255), "int32"), axis=(1, 2, 3))


def below(numbers, count: int):
    """Uniform int32 in [0, 2^31) to uniform int32 in [0, count)."""
    return ops.mod(numbers, count)


def gathered(images, sources):
    """Each pixel from where `sources` says.

    Args:
        images: (batch, height, width, channels).
        sources: int32 (batch, height * width), row * width + column of the pixel that comes there.

    Returns:
        As `images`. One gather from a flat list of pixels: it compiles on both backends.
    """
    batch, height, width, channels = ops.shape(images)
    pixels = height * width
    flat = sources + ops.arange(batch, dtype="int32")[:, None] * pixels
    found = ops.take(ops.reshape(images, (-1, channels)), ops.reshape(flat, (-1,)), axis=0)
    return ops.reshape(found, (-1, height, width, channels))
