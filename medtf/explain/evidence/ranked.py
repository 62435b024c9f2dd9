"""One heat map, sorted once, then held against as many annotations as wished.

Every measure of measures.py follows from a few counts: how many pixels are at least as hot as an annotated one, and how many of these are
annotated. So after one sort of the map an annotation costs a sort of its own pixels alone, and nothing is rounded or put into bins.
"""

import numpy as np
from scipy.special import gammaln

THRESHOLDS = np.arange(1, 10, dtype=np.float32) / np.float32(10)  # 0.1 ... 0.9, in the map's own precision


class Ranked:
    """A heat map, ready to be judged.

    Args:
        heat: float32 of any rank, in [0, 1]. One that is 0 everywhere knows nothing, and is judged as one that is 1 everywhere.
        brain: bool, same shape: the pixels that count; None: all.
    Raises:
        ValueError: not finite or outside [0, 1]; `brain` of another shape, or False everywhere.
    """

    def __init__(self, heat: np.ndarray, brain: np.ndarray | None = None):
        heat = np.asarray(heat, dtype=np.float32)
        self.shape = heat.shape
        self.counted = None if brain is None else _counted(heat, brain)
        values = heat.ravel() if self.counted is None else heat.ravel()[self.counted]
        self.sorted = np.sort(values)  # NaN would come last
        if not len(values) or not (self.sorted[0] >= 0 and self.sorted[-1] <= 1 + 1e-6):
            raise ValueError("the heat map holds values that are not in [0, 1]: divide it by its maximum first")
        self.empty = bool(self.sorted[-1] == 0)
        self.values = np.ones(heat.size, np.float32) if self.empty else heat.ravel()
        if self.empty:
            self.sorted = np.ones_like(self.sorted)
        self.pixels = len(self.sorted)
        self.total = self.sorted.sum(dtype=np.float64)
        self._map = None

    def hotter(self, values, *, or_equal: bool) -> np.ndarray:
        """How many pixels are hotter than each value, or at least as hot."""
        return self.pixels - np.searchsorted(self.sorted, values, side="left" if or_equal else "right")

    def against(self, positions: np.ndarray, sizes) -> dict[str, np.ndarray]:
        """Measures of the map against several annotations.

        Args:
            positions: (sum of sizes,) int, annotated pixels in the flattened grid, one annotation after the other, none twice.
            sizes: (m,) int, how many belong to each.
        Returns:
            {measure: (m,) float64}; NaN where no pixel of an annotation counts.
        """
        sizes = np.asarray(sizes, dtype=np.int64)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        if self.counted is not None:
            there = self.counted[positions]
            positions, owner = positions[there], owner[there]
            sizes = np.bincount(owner, minlength=len(sizes))
        values = self.values[positions]
        with np.errstate(invalid="ignore", divide="ignore"):
            mass = np.bincount(owner, weights=values, minlength=len(sizes)) / self.total
            mass[sizes == 0] = np.nan
            area = np.where(sizes, sizes, np.nan) / self.pixels
            found = self._counts(self._reached(positions, values), owner, sizes)
        return found | {"mass": mass, "rank": found["dice"].copy(), "area": area, "mass_over_area": mass / area}

    def _reached(self, positions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(k,) int: how many pixels are called once this one is; looked up in a map of them where many annotations share the pixels."""
        if len(positions) < len(self.values):
            return self.hotter(values, or_equal=True)
        if self._map is None:
            self._map = self.hotter(self.values, or_equal=True)
        return self._map[positions]

    def _counts(self, reached, owner, sizes) -> dict[str, np.ndarray]:
        """What follows from the order of the pixels alone, and from thresholds."""
        small = np.int32 if len(sizes) * (self.pixels + 1) < 2**31 else np.int64  # sorted twice as fast
        base = (np.arange(len(sizes)) * (self.pixels + 1)).astype(small)
        keys = base[owner] + reached.astype(small)
        keys.sort()  # by annotation, then from the hottest
        starts = np.cumsum(sizes) - sizes

        def among(k):  # annotated pixels among the k hottest, k falling between two groups of ties
            return np.searchsorted(keys, base + np.asarray(k, small), side="right") - starts

        n = np.where(sizes, sizes, np.nan)
        hottest = self.hotter(self.sorted[-1], or_equal=True)
        called = self.hotter(THRESHOLDS, or_equal=True)
        hits = np.stack([among(k) for k in called])  # (thresholds, m)
        cut = self.sorted[self.pixels - np.maximum(sizes, 1)]  # as many pixels as the annotation has
        above, upto = self.hotter(cut, or_equal=False), self.hotter(cut, or_equal=True)
        sure = among(above)
        tied = {"tied": upto - above, "inside": among(upto) - sure, "taken": sizes - above}
        overlap = sure + tied["taken"] * tied["inside"] / tied["tied"]
        return {
            "pointing": among(hottest) / hottest + 0 * n,
            "iou": expected_iou(sure, **tied, area=sizes) + 0 * n,
            "dice": overlap / n,
            "iou_mean": (hits / (called[:, None] + n - hits)).mean(axis=0),
            "dice_mean": (2 * hits / (called[:, None] + n)).mean(axis=0),
            "average_precision": _average_precision(keys, base, starts, owner) / n,
        }


def _average_precision(keys, base, starts, owner) -> np.ndarray:
    """(m,) sum over annotated pixels of the precision once they are called; tied ones are called together, as scikit-learn does."""
    last = np.flatnonzero(np.r_[keys[1:] != keys[:-1], True][: len(keys)])
    true = np.repeat(last + 1, np.diff(last, prepend=-1)) - starts[owner]
    return np.bincount(owner, weights=true / (keys - base[owner]), minlength=len(base))


def expected_iou(sure, *, taken, tied, inside, area) -> np.ndarray:
    """Mean intersection over union of two sets of equal size, over all ways to break the ties at the cut.

    All arguments (m,) int. The overlap is `sure` and a hypergeometric number: `taken` pixels of `tied` ones, of which `inside` are annotated.
    Its terms are summed up to nine standard deviations from the mean, beyond which rounding is all there is.
    """
    mean = taken * inside / tied
    variance = mean * (1 - inside / tied) * (tied - taken) / np.maximum(tied - 1, 1)
    found = (sure + mean) / (2 * area - sure - mean)
    open_ = np.flatnonzero(variance > 0)
    if not len(open_):
        return found
    sure, taken, tied, inside, area = (part[open_, None] for part in (sure, taken, tied, inside, area))
    reach = np.ceil(9 * np.sqrt(variance[open_, None])) + 9
    low = np.maximum(np.floor(mean[open_, None] - reach), np.maximum(0, taken - (tied - inside)))
    high = np.minimum(np.ceil(mean[open_, None] + reach), np.minimum(taken, inside))
    k = low + np.arange(int((high - low).max()) + 1)
    outside = k > high
    k = np.minimum(k, high)
    logs = -(gammaln(k + 1) + gammaln(inside - k + 1) + gammaln(taken - k + 1) + gammaln(tied - inside - taken + k + 1))
    logs[outside] = -np.inf
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    overlap = sure + k
    found[open_] = (weights * overlap / (2 * area - overlap)).sum(axis=1) / weights.sum(axis=1)
    return found


def _counted(heat: np.ndarray, brain: np.ndarray) -> np.ndarray:
    brain = np.asarray(brain)
    if brain.shape != heat.shape:
        raise ValueError(f"the heat map is {heat.shape}, the brain {brain.shape}: expected equal shapes")
    if not brain.any():
        raise ValueError("the brain is empty: no pixel is left to judge")
    return brain.astype(bool).ravel()
