"""AUC and average precision under many weightings at once: what scikit-learn does for one weighting at a time."""

import numpy as np
from scipy import sparse


class Ranking:
    """Examples sorted by score once, ties grouped, then weighted as often as wished.

    Only scores that a positive example has are thresholds that matter; the negatives between two of them are counted together.

    Args:
        truth: (n,) 0 or 1.
        scores: (n,) float, higher = more likely positive.
        units: (n,) int, 0, 1, 2, ...: what is weighted, as patients are; None: each row by itself.
    """

    def __init__(self, truth: np.ndarray, scores: np.ndarray, units: np.ndarray | None = None):
        scores, positive = np.asarray(scores, dtype=np.float64), np.asarray(truth) == 1
        units = np.arange(len(scores)) if units is None else np.asarray(units)
        thresholds = np.unique(scores[positive])[::-1]  # (t,) from the highest
        t, shape = len(thresholds), (len(thresholds), int(units.max(initial=-1)) + 1)
        # the first threshold that calls an example positive; t: none does
        place = t - np.searchsorted(thresholds[::-1], scores, side="right")
        tied = ~positive & (place < t) & (scores == np.r_[thresholds, np.nan][place])
        below = ~positive & (place == t)
        self.positives = _counts(place, units, positive, shape)
        self.negatives = _counts(place, units, ~positive & ~below, shape)
        self.tied = _counts(place, units, tied, shape) if tied.any() else None
        self.below = np.bincount(units[below], minlength=shape[1]).astype(np.float64)

    def __call__(self, weights: np.ndarray, *, precision: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """AUC and average precision, each (r,), of weights (r, units) >= 0; NaN where positives or negatives weigh nothing.

        AUC is the weighted share of (positive, negative) pairs in the right order, a tie counting one half (Mann and
        Whitney). Average precision is the sum over thresholds of precision times the recall gained there, without
        interpolation; `precision=False` leaves it out.
        """
        below = weights @ self.below
        weights = np.ascontiguousarray(weights.T, dtype=np.float64)  # (units, r): sparse products run along r
        if not self.positives.shape[0]:
            return (np.full(weights.shape[1], np.nan),) * 2
        positive = self.positives @ weights  # (t, r)
        false = self.negatives @ weights
        np.cumsum(false, axis=0, out=false)
        negatives = false[-1] + below
        true = np.cumsum(positive, axis=0)
        positives = true[-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            both = np.where((positives > 0) & (negatives > 0), positives, np.nan)
            above = np.einsum("tr,tr->r", positive, false)  # pairs in the wrong order or tied
            if self.tied is not None:
                above -= np.einsum("tr,tr->r", positive, self.tied @ weights) / 2
            auc = 1 - above / (both * negatives)
            if not precision:
                return auc, None
            false += true  # called, in place
            np.divide(true, false, out=true, where=false > 0)
            # without negatives it is 1 whatever the model says: no measurement
            return auc, np.einsum("tr,tr->r", positive, true) / both


def _counts(place: np.ndarray, units: np.ndarray, chosen: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """(thresholds, units) float64: how many chosen rows of each unit lie at each place."""
    chosen = np.flatnonzero(chosen)
    return sparse.csr_array((np.ones(len(chosen)), (place[chosen], units[chosen])), shape=shape)
