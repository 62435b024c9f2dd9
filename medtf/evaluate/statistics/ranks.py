"""Spearman's rank correlation under many weightings at once: what scipy does for one sample at a time.

In a bootstrap draw a row stands as often as its weight says, so its rank depends on the draw. Midranks of the expanded
sample follow from running sums of the weights in sorted order: the result is exact, ties included, and nothing is expanded.
"""

import numpy as np
from scipy import sparse


class Midranks:
    """Values sorted once, ties grouped, then ranked under as many weightings as wished.

    Args:
        values: (n,) float, n >= 1.
        units: (n,) int, 0, 1, 2, ...: what is weighted, as patients are; None: each row by itself.
    """

    def __init__(self, values: np.ndarray, units: np.ndarray | None = None):
        distinct, self.group = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
        units = np.arange(len(self.group)) if units is None else np.asarray(units)
        shape = (len(distinct), int(units.max()) + 1)
        self.counts = sparse.csr_array((np.ones(len(units)), (self.group, units)), shape=shape)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Midranks (r, n), 1 for the lowest, of whole weights (r, units) >= 0; equal values share the mean of their ranks."""
        sums = self.counts @ np.ascontiguousarray(weights.T, dtype=np.float64)
        return (centred(sums)[self.group] + (sums.sum(axis=0) + 1) / 2).T

    def spread(self, sums: np.ndarray) -> np.ndarray:
        """Sum (r,) of squared ranks about their mean: (W^3 - W) / 12, less what ties take away (Kendall 1945)."""
        total = sums.sum(axis=0)
        return (total**3 - np.einsum("gr,gr,gr->r", sums, sums, sums)) / 12


def centred(sums: np.ndarray) -> np.ndarray:
    """Midranks less their mean (distinct values, r), from how often each value stands in each draw."""
    ranks = np.cumsum(sums, axis=0)
    total = ranks[-1].copy()
    ranks -= sums / 2
    ranks -= total / 2
    return ranks


class Spearman:
    """Spearman r (r,) of two variables under weights (r, units); NaN where a draw leaves one of them without spread."""

    def __init__(self, first: np.ndarray, second: np.ndarray, units: np.ndarray | None = None):
        self.first, self.second = Midranks(first, units), Midranks(second, units)
        self.units = np.arange(len(self.first.group)) if units is None else np.asarray(units)
        # in the order of the first variable, whose ranks are then read one after another
        self.order = np.argsort(self.first.group, kind="stable")
        self.starts = np.flatnonzero(np.diff(self.first.group[self.order], prepend=-1))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Pearson r of the midranks, weighted."""
        weights = np.ascontiguousarray(weights.T, dtype=np.float64)
        x, y = self.first.counts @ weights, self.second.counts @ weights
        spread = self.first.spread(x) * self.second.spread(y)
        seconds = centred(y).take(self.second.group[self.order], axis=0)  # (n, r)
        seconds *= weights.take(self.units[self.order], axis=0)
        if len(self.starts) < len(self.order):
            seconds = np.add.reduceat(seconds, self.starts, axis=0)
        products = np.einsum("gr,gr->r", centred(x), seconds)
        with np.errstate(invalid="ignore", divide="ignore"):
            return products / np.sqrt(np.where(spread > 1e-9, spread, np.nan))
