"""An annotation put elsewhere: onto another picture's grid, or shifted within its own."""

import numpy as np

KEPT = 0.5  # share of an annotation that a shift must leave inside the brain
TRIES = 200


def onto(positions: np.ndarray, shape: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    """The annotated pixels of another picture at the same relative place of this one.

    Args:
        positions: (k,) int, of the annotation in its own flattened grid. shape: of that grid. other: grid to move it to, of equal rank.
    Returns:
        (k',) int, positions in the other flattened grid, at least one.
    """
    if tuple(shape) == tuple(other):
        return positions
    mask = np.zeros(shape, bool)
    mask.flat[positions] = True
    nearest = [np.minimum((np.arange(n) + 0.5) * m // n, m - 1).astype(int) for n, m in zip(other, shape, strict=True)]
    moved = np.flatnonzero(mask[np.ix_(*nearest)])
    if len(moved):
        return moved
    # smaller than a pixel of the coarser grid: it is where its pixels fall
    places = np.unravel_index(positions, shape)
    falls = [((p + 0.5) * n // m).astype(int) for p, n, m in zip(places, other, shape, strict=True)]
    return np.unique(np.ravel_multi_index(falls, other))


class Movable:
    """An annotation that can be shifted cyclically within the picture, or within the box around the brain.

    What leaves the box on one side comes in on the other, so the number of pixels stays; with a brain, those that land beside it are lost.

    Args:
        mask: bool, the annotation. brain: bool, same shape, or None.
    """

    def __init__(self, mask: np.ndarray, brain: np.ndarray | None = None):
        self.shape = mask.shape
        self.brain = None if brain is None else np.asarray(brain, bool).ravel()
        low, high = np.zeros(mask.ndim, int), np.array(mask.shape)
        if brain is not None:
            mask = mask & brain
            places = [
                np.flatnonzero(np.asarray(brain).any(axis=tuple(set(range(mask.ndim)) - {i}))) for i in range(mask.ndim)
            ]
            low, high = np.array([p[0] for p in places]), np.array([p[-1] + 1 for p in places])
        self.low, self.box = low, high - low
        self.places = np.argwhere(mask) - low  # (k, axes)

    def positions(self, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the annotation lies after each shift.

        Args:
            shifts: (s, axes) int.
        Returns:
            (s, k) positions in the flattened picture; (s, k) bool, which of them count; and (s,) bool, whether the shift moves the annotation and
            leaves enough of it in the brain.
        """
        moved = (self.places[None] + shifts[:, None]) % self.box + self.low
        flat = np.ravel_multi_index(np.moveaxis(moved, -1, 0), self.shape)
        good = (shifts % self.box != 0).any(axis=1)
        counts = np.ones(flat.shape, bool) if self.brain is None else self.brain[flat]
        return flat, counts, good & (counts.mean(axis=1) >= KEPT)


def shifted(mask: np.ndarray, rng: np.random.Generator, brain: np.ndarray | None = None) -> np.ndarray:
    """The same annotation elsewhere: shifted cyclically within the picture, or within the box around the brain.

    Args:
        mask: bool, the annotation. rng: draws the shift, evenly over all but none. brain: bool, same shape; None: the whole picture.
    Returns:
        bool, same shape. With a brain at least half of the annotation lies inside, and the rest is cut off.
    Raises:
        ValueError: no shift was found that leaves half of it in the brain.
    """
    movable = Movable(mask, brain)
    for _ in range(TRIES):
        flat, counts, good = movable.positions(rng.integers(0, movable.box)[None])
        if good[0]:
            found = np.zeros(mask.shape, bool)
            found.flat[flat[counts]] = True
            return found
    raise ValueError(f"{TRIES} shifts of the annotation left less than half of it in the brain, or did not move it")
