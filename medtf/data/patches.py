"""Which patches an epoch sees, and where they begin: integers alone, so that a resumed run sees what it would have seen.

The stream of an epoch: volumes in the epoch's order, `volumes_mixed` of them open at once, one patch from each in turn. What is drawn for
a volume's patches is seeded by its *turn*: how many volumes the training has opened before it.
"""

import numpy as np

from medtf.config import Patches
from medtf.data.volume_grid import tiles

CANDIDATES = 16  # voxels tried for one that lies in the foreground


class Starts:
    """First voxels of the patches of a table's volumes."""

    def __init__(self, shapes: np.ndarray, size, how: Patches, seed: int):
        self.how, self.seed, self.size, self.shapes = how, seed, np.asarray(size), shapes
        self.tiles = [tiles(shape, size, how.overlap) for shape in shapes] if how.sampler == "grid" else []

    def of_volume(self, row: int, turn: int) -> np.ndarray:
        """int32 (patches_per_volume, n, 3) of RAS+: where each patch may begin, best first unless the volume says otherwise.

        Args:
            row: of the table.
            turn: how many volumes the training has opened before this one; it seeds what is drawn.
        """
        per, rng = self.how.patches_per_volume, np.random.default_rng(np.random.SeedSequence([self.seed, turn, 0x9A7C]))
        if self.how.sampler == "grid":  # the tiles in an order drawn anew, over and over
            order = rng.permutation(len(self.tiles[row]))
            return self.tiles[row][np.resize(order, per)][:, None].astype(np.int32)
        count = CANDIDATES if self.how.sampler == "foreground" else 1
        free = self.shapes[row] - self.size
        drawn = rng.integers(0, np.maximum(free, 0) + 1, (per, count, 3))
        # where the patch is larger than the volume it lies about its middle
        return np.where(free < 0, free // 2, drawn).astype(np.int32)


def volumes_left(rows: np.ndarray, how: Patches, *, epoch: int, first: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The volumes that an epoch still has to cut after `first` patches.

    Returns:
        int64 (m,) rows, int64 (m,) the turn of each, and how many patches of these volumes are already done with.
    """
    together = how.volumes_mixed * how.patches_per_volume
    ordinals = np.arange(first // together * how.volumes_mixed, len(rows))
    return rows[ordinals].astype(np.int64), epoch * len(rows) + ordinals, first % together


def stream(left: int, how: Patches, done: int) -> tuple[np.ndarray, np.ndarray]:
    """int64 (m,) which of `left` volumes, and int64 (m,) which of its patches, in the order they come; the first `done` are left away."""
    numbers = np.arange(how.patches_per_volume)[:, None]
    groups = [np.arange(g, min(g + how.volumes_mixed, left))[None] for g in range(0, left, how.volumes_mixed)]
    found = [np.broadcast_arrays(group, numbers) for group in groups]
    volume, number = (np.concatenate([part[i].ravel() for part in found] or [np.zeros(0, int)]) for i in (0, 1))
    return volume[done:], number[done:]
