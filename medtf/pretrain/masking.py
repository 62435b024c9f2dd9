"""Which patches are hidden: drawn by counting, so that TensorFlow and JAX hide the same ones.

`keras.random` gives other numbers on every backend, for each has a generator of its own. Here a number is a hash of (seed, step, example,
place), 32-bit integer arithmetic that is the same everywhere; it needs no state but the count of the steps, which the checkpoint keeps.
"""

import keras
import numpy as np
from keras import ops

GOLDEN = 0x9E3779B9  # 2^32 / golden ratio, odd: neighbouring counts lie far apart before they are mixed (Weyl sequence; Knuth, TAOCP 3, 6.4)
BITS = 31  # of a key that is sorted: what a non-negative int32 holds


def mixed(x):
    """A bijection of uint32 in which each bit of `x` turns each bit of the outcome with a chance near one half.

    It is `lowbias32` of C. Wellons's hash prospector (nullprogram.com, 2018; public domain).
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = _uint32(factor) * ops.bitwise_xor(x, ops.right_shift(x, _uint32(shift)))
    return ops.bitwise_xor(x, ops.right_shift(x, _uint32(16)))


def draws(seed: int, step, batch, places: int):
    """Uint32 (batch, places): a number for each place of each example, uniform over all 2^32.

    Args:
        seed: an integer.
        step: uint32 scalar, the count of the draw.
        batch: int, or an integer scalar tensor: examples.
        places: places of an example.
    """
    x = mixed(_uint32(seed))
    x = mixed(x + _uint32(GOLDEN) * ops.cast(step, "uint32"))
    examples = ops.cast(ops.arange(batch, dtype="int32"), "uint32")
    x = mixed(x + _uint32(GOLDEN) * examples)
    return mixed(x[:, None] + _uint32(GOLDEN * np.arange(1, places + 1, dtype=np.uint64))[None, :])


def visible_count(places: int, share: float) -> int:
    """round(places * (1 - share)), at least 1 and at most places - 1: there is always something to see and something to tell."""
    return min(max(round(places * (1 - share)), 1), places - 1)


def visible(seed: int, step, batch, places: int, *, share: float):
    """Hide a share of the places of each example, each place with the same chance.

    Args:
        seed, step, batch, places: as for `draws`.
        share: of the places to hide, in (0, 1).
    Returns:
        ids: int32 (batch, v), the visible places in a random order, v = visible_count(places, share).
        hidden: float32 (batch, places), 1 where a place is hidden.
        rank: int32 (batch, places), where each place stands in [visible places, hidden places]: taking those by `rank` puts every place back.
    """
    width = max(places - 1, 1).bit_length()
    # the last bits of a key are its place: no two keys are equal, so no backend's way with ties can show
    keys = ops.right_shift(draws(seed, step, batch, places), _uint32(32 - BITS + width))
    keys = ops.cast(keys * _uint32(2**width) + _uint32(np.arange(places))[None, :], "int32")
    order = ops.cast(ops.argsort(keys, axis=1), "int32")
    rank = ops.cast(ops.argsort(order, axis=1), "int32")
    count = visible_count(places, share)
    return order[:, :count], ops.cast(rank >= count, "float32"), rank


def taken(rows, ids):
    """Rows (batch, n, f) at `ids` int32 (batch, k): (batch, k, f). One plain gather, which costs less than `take_along_axis` there and back."""
    batch, n, features = ops.shape(rows)
    flat = ops.reshape(rows, (-1, features))
    first = ops.arange(batch, dtype="int32")[:, None] * n
    return ops.reshape(ops.take(flat, ops.reshape(ids + first, (-1,)), axis=0), (-1, ids.shape[1], features))


def squares(hidden, rows: int, columns: int, side: int):
    """Hidden places as pixels: (batch, rows * columns) -> (batch, rows * side, columns * side, 1)."""
    x = ops.reshape(hidden, (-1, rows, columns, 1))
    return ops.repeat(ops.repeat(x, side, axis=1), side, axis=2)


class Masks(keras.layers.Layer):
    """Draws masks: another one at each call in training, the same in every validation.

    The count of the training steps is a weight, so a resumed training draws what the uninterrupted one would have drawn. A validation is step 0,
    which no training step is: two epochs hide the same patches of an example at the same place of its batch, and their losses can be compared.

    Args:
        places: patches of an image.
        share: of them to hide, in (0, 1).
        seed: of all draws.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, places: int, share: float, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.places, self.share, self.seed = places, share, seed
        self.step = self.add_weight(shape=(), dtype="uint32", initializer="zeros", trainable=False, name="step")

    @property
    def visible_count(self) -> int:
        """Patches of an image that are seen."""
        return visible_count(self.places, self.share)

    def call(self, batch, training=False):
        """`visible` for as many examples as `batch`, a tensor, has."""
        step = _uint32(0)
        if training:
            self.step.assign(self.step + _uint32(1))
            step = ops.convert_to_tensor(self.step)
        return visible(self.seed, step, ops.shape(batch)[0], self.places, share=self.share)

    def get_config(self) -> dict:
        """Places, share and seed."""
        return {**super().get_config(), "places": self.places, "share": self.share, "seed": self.seed}


def _uint32(value):
    """An integer, or an array of them, modulo 2^32."""
    return ops.convert_to_tensor((np.asarray(value) & 0xFFFFFFFF).astype(np.uint32), "uint32")
