"""Spearman's rank correlation under many weightings at once: what scipy does for one sample at a time.

In a bootstrap draw a row stands as often as its weight says, so its rank depends on the draw. Midranks of the expanded
sample follow from running sums of the weights in sorted order: the result is exact, ties included, and nothing is expanded.
"""

import numpy as np


class Midranks:
    """Values sorted once, ties grouped, then ranked under as many weightings as wished.

    Args:
        values: (n,) float, n >= 1.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values, dtype=np.float64)
        self.order = np.argsort(values, kind="stable")
        ranked = values[self.order]
        new = np.r_[True, ranked[1:] != ranked[:-1]]
        self.starts = np.flatnonzero(new)
        self.group = np.empty(len(values), dtype=np.int64)
        self.group[self.order] = np.cumsum(new) - 1

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Midranks (r, n), 1 for the lowest, of whole weights (r, n) >= 0; equal values share the mean of their ranks."""
        sums = np.add.reduceat(weights[:, self.order], self.starts, axis=1)  # (r, distinct values)
        middle = np.cumsum(sums, axis=1) - (sums - 1) / 2
        return middle[:, self.group]


class Spearman:
    """Spearman r (r,) of two variables under weights (r, n); NaN where a draw leaves one of them without spread."""

    def __init__(self, first: np.ndarray, second: np.ndarray):
        self.first, self.second = Midranks(first), Midranks(second)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Pearson r of the midranks, weighted."""
        total = weights.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = []
            for ranks in (self.first(weights), self.second(weights)):
                centred.append(ranks - np.einsum("rn,rn->r", weights, ranks)[:, None] / total)
            x, y = centred
            products = [np.einsum("rn,rn,rn->r", weights, a, b) for a, b in ((x, y), (x, x), (y, y))]
            spread = products[1] * products[2]
            return products[0] / np.sqrt(np.where(spread > 1e-9, spread, np.nan))
