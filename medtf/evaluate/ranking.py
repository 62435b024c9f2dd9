"""AUC and average precision under many weightings at once: what scikit-learn does for one weighting at a time."""

import numpy as np


class Ranking:
    """Examples sorted by score once, ties grouped, then weighted as often as wished.

    Args:
        truth: (n,) 0 or 1.
        scores: (n,) float, higher = more likely positive.
    """

    def __init__(self, truth: np.ndarray, scores: np.ndarray):
        self.order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
        ranked = np.asarray(scores, dtype=np.float64)[self.order]
        self.positive = np.asarray(truth, dtype=np.float64)[self.order]
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.arange(0)

    def __call__(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUC and average precision, each (r,), of weights (r, n) >= 0; NaN where positives or negatives weigh nothing.

        AUC is the weighted share of (positive, negative) pairs in the right order, a tie counting one half (Mann and
        Whitney). Average precision is the sum over thresholds of precision times the recall gained there, without
        interpolation.
        """
        weights = weights[:, self.order]
        positive = weights * self.positive
        negative = weights - positive
        if len(self.starts) < len(self.order):
            positive = np.add.reduceat(positive, self.starts, axis=1)  # (r, distinct scores)
            negative = np.add.reduceat(negative, self.starts, axis=1)
        true, false = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
        positives, negatives = true[:, -1], false[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            beaten = negatives[:, None] - false + negative / 2  # negatives ranked below, ties by half
            auc = np.einsum("rn,rn->r", positive, beaten) / (positives * negatives)
            called = true + false
            precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
            average_precision = np.einsum("rn,rn->r", positive, precision) / positives
        average_precision[negatives == 0] = np.nan  # 1 whatever the model says: no measurement
        return auc, average_precision
