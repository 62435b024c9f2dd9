"""Rotation, zoom and translation in one resampling."""

import math

import keras
from keras import ops

from medtf.augment.layer import RandomLayer


@keras.saving.register_keras_serializable(package="medtf")
class RandomAffine(RandomLayer):
    """Rotate about the centre, zoom and translate, in one bilinear resampling; what comes from outside is 0 (air).

    One resampling blurs once, and costs once. It is written with gathers from the flattened batch, which XLA compiles;
    TensorFlow's `ImageProjectiveTransformV3` behind Keras's layers is not.

    Args:
        rotate: degrees in [0, 180]; the angle is uniform in +-rotate, positive counter-clockwise.
        zoom: share in [0, 1); the factor is uniform in 1 +-zoom, above 1 magnifies.
        translate: share of the side in [0, 1); each axis is uniform in +-translate, positive down and right.
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels); pixels are taken as square.

    Output shape:
        As the input.

    Example:
        >>> RandomAffine(rotate=10, zoom=0.1)(images, training=True)
    """

    strengths = ("rotate", "zoom", "translate")

    def __init__(self, rotate: float = 0.0, zoom: float = 0.0, translate: float = 0.0, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.rotate = self.strength("rotate", rotate, top=180)
        self.zoom = self.strength("zoom", zoom, below=1)
        self.translate = self.strength("translate", translate, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`angle` (radians), `zoom` (factor), `down` and `right` (shares of the side), each (batch,)."""
        unit = keras.random.uniform((4, shape[0]), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {
            "angle": unit[0] * math.radians(self.rotate),
            "zoom": 1.0 + unit[1] * self.zoom,
            "down": unit[2] * self.translate,
            "right": unit[3] * self.translate,
        }

    def apply(self, images, draws):
        """Resample: every output pixel takes its value from where the inverse map sends it."""
        batch, height, width, channels = ops.shape(images)
        row, column = _source(height, width, draws)  # (batch, height, width), in pixels of the padded image
        top, left = ops.floor(row), ops.floor(column)
        down, right = (ops.cast((a - b)[..., None], images.dtype) for a, b in ((row, top), (column, left)))

        # a border of zeros makes the outside 0 with no test by pixel
        stride = width + 3
        pixels = ops.reshape(ops.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0))), (-1, channels))
        # a pixel beside its right neighbour: two gathers in place of four; twice as fast as four where XLA is off
        pairs = ops.concatenate([pixels, ops.roll(pixels, -1, axis=0)], axis=-1)
        first = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1)) * ((height + 3) * stride)
        index = first + ops.cast(top, "int32") * stride + ops.cast(left, "int32")
        upper = ops.take(pairs, index, axis=0)  # (batch, height, width, 2 * channels)
        lower = ops.take(pairs, index + stride, axis=0)
        both = upper + (lower - upper) * down
        return both[..., :channels] + (both[..., channels:] - both[..., :channels]) * right


def _source(height, width, draws):
    """Where each output pixel comes from: rows and columns, (batch, height, width), 0 to side + 1, 0 the border."""
    angle, zoom, down, right = (ops.reshape(draws[name], (-1, 1, 1)) for name in ("angle", "zoom", "down", "right"))
    y, x = ops.cast(ops.arange(height), "float32"), ops.cast(ops.arange(width), "float32")
    height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
    middle, centre = (height - 1.0) / 2.0, (width - 1.0) / 2.0
    y = ops.reshape(y, (1, -1, 1)) - middle - down * height  # (batch, height, 1)
    x = ops.reshape(x, (1, 1, -1)) - centre - right * width  # (batch, 1, width)
    cosine, sine = ops.cos(angle) / zoom, ops.sin(angle) / zoom
    row = (cosine * y + middle + 1.0) + sine * x
    column = (centre + 1.0 - sine * y) + cosine * x
    return ops.clip(row, 0.0, height + 1.0), ops.clip(column, 0.0, width + 1.0)
