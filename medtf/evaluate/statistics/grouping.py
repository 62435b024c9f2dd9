"""Groups of neighbouring values, and their sums under many weightings of the patients at once."""

import numpy as np
from scipy import sparse

MANY = 100  # groups asked for to save work, not to be looked at: each value may then have one of its own


def equal_mass(values: np.ndarray, groups: int) -> np.ndarray:
    """Groups of about equally many neighbouring values; equal values are never parted.

    A value that stands many times goes whole to the group in which the middle of its copies falls, so there may be fewer groups than
    asked for: constant values make one.

    Args:
        values: (n,) finite, n >= 1. groups: how many at most.

    Returns:
        (n,) int64: 0, 1, ... in rising order of the values, none left empty.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) <= groups and groups > MANY:
        return place  # a group for each value: exact
    middle = np.cumsum(counts) - counts / 2
    wanted = np.minimum((groups * middle / len(values)).astype(np.int64), groups - 1)
    return np.unique(wanted, return_inverse=True)[1][place]


class Sums:
    """Weighted sums of columns within groups, for as many weightings as wished.

    Args:
        columns: (n, c) float64, what is summed. codes: (n,) group of each row. units: (n,) int, patient of each row, 0, 1, ...
    """

    def __init__(self, columns: np.ndarray, codes: np.ndarray, units: np.ndarray):
        self.columns = columns.shape[1]
        self.groups = int(codes.max()) + 1
        rows = (codes[:, None] + self.groups * np.arange(self.columns)).ravel()
        shape = (self.groups * self.columns, int(units.max()) + 1)
        self.matrix = sparse.csr_array((columns.ravel(), (rows, np.repeat(units, self.columns))), shape=shape)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """(c, r, groups) of weights (r, patients)."""
        found = self.matrix @ np.ascontiguousarray(weights.T)  # (c * groups, r)
        return found.reshape(self.columns, self.groups, -1).transpose(0, 2, 1)

    def once(self) -> np.ndarray:
        """(c, groups): every patient once, which are the plain sums."""
        return self(np.ones((1, self.matrix.shape[1])))[:, 0]
