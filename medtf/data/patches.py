"""Which patches an epoch sees, and where they begin: integers alone, so that a resumed run sees what it would have seen.

The stream of an epoch: volumes in the epoch's order, `volumes_mixed` of them open at once, one patch from each in turn. Each patch has a
*place*, unique over the training, which seeds what is drawn for it.
"""

import numpy as np
import tensorflow as tf

from medtf.config import Patches
from medtf.data.volume_grid import tiles

CANDIDATES = 16  # voxels tried for one that lies in the foreground


class Starts:
    """First voxels of the patches of a table's volumes."""

    def __init__(self, shapes: np.ndarray, size, how: Patches, seed: int):
        self.how, self.seed, self.size = how, seed, np.asarray(size)
        with tf.device("cpu"):
            self.shapes = tf.constant(shapes, tf.int32)
            if how.sampler == "grid":
                made = [tiles(shape, size, how.overlap) for shape in shapes]
                self.tiles = tf.constant(np.concatenate(made), tf.int32)
                self.counts = tf.constant([len(m) for m in made], tf.int32)
                self.firsts = tf.constant(np.cumsum([0, *(len(m) for m in made)])[:-1], tf.int32)

    def candidates(self, row, place) -> tf.Tensor:
        """int32 (n, 3) of RAS+: where this patch may begin, best first unless the volume says otherwise (`foreground`)."""
        if self.how.sampler == "grid":
            return self._tile(row, place)[None]
        count = CANDIDATES if self.how.sampler == "foreground" else 1
        free = tf.gather(self.shapes, row) - self.size
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(place, tf.int64)])
        drawn = tf.random.stateless_uniform((count, 3), seed)
        starts = tf.cast(tf.floor(drawn * tf.cast(tf.maximum(free, 0) + 1, tf.float32)), tf.int32)
        # where the patch is larger than the volume it lies about its middle
        return tf.where(free < 0, free // 2, tf.minimum(starts, tf.maximum(free, 0)))

    def _tile(self, row, place):
        """The n-th of the volume's tiles in an order drawn for this volume and epoch."""
        turn, number = place // self.how.patches_per_volume, place % self.how.patches_per_volume
        count = tf.gather(self.counts, row)
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(turn, tf.int64)])
        order = tf.argsort(tf.random.stateless_uniform((count,), seed))
        which = tf.gather(order, tf.cast(number, tf.int32) % count)
        return tf.gather(self.tiles, tf.gather(self.firsts, row) + which)


def volumes_left(rows: np.ndarray, how: Patches, *, epoch: int, first: int) -> tuple[np.ndarray, np.ndarray, np.int64]:
    """The volumes that an epoch still has to cut after `first` patches.

    Returns:
        int64 (m,) rows, int64 (m,) the place of each one's first patch, and how many patches of these volumes are already done with.
    """
    together = how.volumes_mixed * how.patches_per_volume
    begin = first // together * how.volumes_mixed
    ordinals = np.arange(begin, len(rows))
    places = (epoch * len(rows) + ordinals) * how.patches_per_volume
    return rows[ordinals].astype(np.int64), places.astype(np.int64), np.int64(first % together)


def stream(rows: np.ndarray, how: Patches, *, epoch: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """int64 (m,) row and int64 (m,) place of each patch of an epoch, from patch number `first` on.

    Args:
        rows: int64 (n,), the epoch's order of volumes.
        how: `patches_per_volume` and `volumes_mixed` count.
        epoch: from 0.
        first: patches that the epoch has already given.
    """
    left, places, done = volumes_left(rows, how, epoch=epoch, first=first)
    numbers = np.arange(how.patches_per_volume)[:, None]
    groups = [slice(g, g + how.volumes_mixed) for g in range(0, len(left), how.volumes_mixed)]
    found = [np.broadcast_arrays(left[None, g], places[None, g] + numbers) for g in groups]
    whole = [np.concatenate([part[i].ravel() for part in found] or [np.zeros(0, np.int64)]) for i in (0, 1)]
    return whole[0][done:].astype(np.int64), whole[1][done:].astype(np.int64)
