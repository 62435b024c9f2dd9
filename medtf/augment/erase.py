"""Erased rectangles."""

import math

import keras
from keras import ops

from medtf.augment.layer import RandomLayer, by_example


@keras.saving.register_keras_serializable(package="medtf")
class RandomErase(RandomLayer):
    """Fill one rectangle of an image with 0 (air), each image with `probability`.

    So that the network does not lean on one spot, such as a laterality marker. Beware of small findings: the
    rectangle may hide all that the label speaks of.

    Zhong et al. 2020, Random Erasing Data Augmentation, arXiv 1708.04896: `AREA` begins and `RATIO` reaches as there;
    `AREA` ends at a fifth of the image, not at two fifths.

    Args:
        probability: that an image is erased in, in [0, 1].
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomErase(0.25)(images, training=True)
    """

    AREA = (0.02, 0.20)  # share of the image, uniform
    RATIO = 0.3  # height to width lies between this and its inverse, log-uniform; with these areas it always fits
    strengths = ("probability",)

    def __init__(self, probability: float = 0.25, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.probability = self.strength("probability", probability, top=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`chosen` (bool) and the rectangle's `top`, `left`, `height`, `width` as shares of the side, each (batch,)."""
        unit = keras.random.uniform((5, shape[0]), dtype="float32", seed=self.seed_generator)
        area = self.AREA[0] + unit[1] * (self.AREA[1] - self.AREA[0])
        root = ops.exp((unit[2] - 0.5) * -math.log(self.RATIO))  # of the ratio
        height, width = ops.sqrt(area) * root, ops.sqrt(area) / root
        return {
            "chosen": unit[0] < self.probability,
            "top": unit[3] * (1.0 - height),
            "left": unit[4] * (1.0 - width),
            "height": height,
            "width": width,
        }

    def apply(self, images, draws):
        """0 inside the rectangles of the chosen images."""
        # float32 for places, whatever the images are
        top, left, height, width = (by_example(draws[name], "float32") for name in ("top", "left", "height", "width"))
        rows = ops.reshape(_middles(ops.shape(images)[1]), (1, -1, 1, 1))
        columns = ops.reshape(_middles(ops.shape(images)[2]), (1, 1, -1, 1))
        in_rows = ops.logical_and(rows >= top, rows < top + height)
        in_columns = ops.logical_and(columns >= left, columns < left + width)
        inside = ops.logical_and(in_rows, in_columns)  # (batch, height, width, 1)
        inside = ops.logical_and(inside, by_example(draws["chosen"], "bool"))
        return ops.where(inside, ops.zeros_like(images), images)


def _middles(side):
    """The middles of `side` pixels as shares of the side, (side,)."""
    return (ops.cast(ops.arange(side), "float32") + 0.5) / ops.cast(side, "float32")
