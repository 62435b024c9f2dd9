"""Orders of tiles that are far from each other, so that each can be told from all others."""

import itertools
import math

import numpy as np

from medtf.errors import AskedWronglyError

ALL = 9  # tiles of which every order is looked at: 362,880
SAMPLE = 50_000  # orders that are looked at where there are more tiles


def orders(grid: int, count: int, *, seed: int = 0) -> np.ndarray:
    """The picture as it is, and `count` - 1 other orders of its tiles, chosen one after the other, each as far as can be from those before.

    Far by the Hamming distance: how many tiles lie elsewhere. As Noroozi 2016 (arXiv 1603.09246, algorithm 1), who begin with an order at
    random and go by the mean distance to all that are chosen; here the least distance counts first and the mean decides among equals, since
    by the mean alone an order next to a chosen one can win. The seed decides what is left equal. Carlucci 2019 (arXiv 1903.06864) keep the
    picture as it is among the classes too.

    Args:
        grid: tiles a side. Of 4 x 4 tiles `SAMPLE` orders at random are looked at, not all 2e13.
        count: how many, 2 or more.
        seed: the same one gives the same orders.

    Returns:
        int32 (count, grid * grid): at place p lies tile `orders[i, p]`; the first row is 0, 1, 2, ...

    Raises:
        AskedWronglyError: there are not so many orders.
    """
    tiles = grid * grid
    if count > math.factorial(tiles):
        raise AskedWronglyError(
            f"pretrain.permutations: {grid} x {grid} tiles have {math.factorial(tiles)} orders, and {count} were asked for: lower it, or"
            f" raise pretrain.grid to {grid + 1}"
        )
    candidates = _candidates(tiles, np.random.default_rng(seed))
    chosen = [np.arange(tiles)]
    least = np.full(candidates.shape[1], tiles, np.int64)
    total = np.zeros(candidates.shape[1], np.int64)
    while len(chosen) < count:
        distance = np.zeros(candidates.shape[1], np.int8)
        for place, tile in enumerate(chosen[-1]):
            distance += candidates[place] != tile
        np.minimum(least, distance, out=least)
        total += distance
        # a mean is below `tiles`, so that it never outweighs the least distance; what was chosen has distance 0 and comes last
        best = int((least * tiles * len(chosen) + total).argmax())
        chosen.append(candidates[:, best].astype(np.int64))
    return np.stack(chosen).astype(np.int32)


def _candidates(tiles: int, rng: np.random.Generator) -> np.ndarray:
    """int8 (tiles, n), one order a column, in an order that the seed draws."""
    if tiles <= ALL:
        every = itertools.chain.from_iterable(itertools.permutations(range(tiles)))
        every = np.fromiter(every, np.int8, tiles * math.factorial(tiles)).reshape(-1, tiles)
        return np.ascontiguousarray(rng.permutation(every).T)
    drawn = np.tile(np.arange(tiles, dtype=np.int8), (SAMPLE, 1))
    return np.ascontiguousarray(rng.permuted(drawn, axis=1).T)
