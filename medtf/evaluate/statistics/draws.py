"""Bootstrap replicates of one metric, with the leave-out values that BCa intervals need beside them."""

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Draws(NDArrayOperatorsMixin):
    """What a metric was on each draw of the patients, and with some of them left out.

    Numbers of one bootstrap belong together draw by draw, so they may be added, subtracted, scaled or put through any element-wise
    function of NumPy: replicates and leave-out values go the same way. `np.asarray(draws)` gives the replicates alone.

    Args:
        replicates: (r,) float64, NaN where undefined.
        left_out: (g,) float64, the metric without the g-th patient (or group of patients); None: not known, so there is no BCa interval.
        intervals: auto, bca or percentile: which interval `measured` gives.
        level: of the draws, that their interval has to hold.

    Example:
        >>> Draws([1.0, 2.0], [1.5]) - Draws([0.5, 0.5], [0.5])
        Draws([0.5 1.5], left_out=[1.])
    """

    def __init__(self, replicates, left_out=None, intervals: str = "auto", level: float = 0.95):
        self.replicates = np.asarray(replicates)
        self.left_out = None if left_out is None else np.asarray(left_out)
        self.intervals = intervals
        self.level = level

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.replicates, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options or ufunc.nout != 1:
            return NotImplemented
        draws = [x for x in inputs if isinstance(x, Draws)]
        whole = all(isinstance(x, Draws) or np.ndim(x) == 0 for x in inputs) and all(
            x.left_out is not None for x in draws
        )
        with np.errstate(all="ignore"):  # 0 / 0 is NaN, an undefined draw, and counted as one
            replicates = ufunc(*(x.replicates if isinstance(x, Draws) else x for x in inputs))
            left_out = ufunc(*(x.left_out if isinstance(x, Draws) else x for x in inputs)) if whole else None
        return Draws(replicates, left_out, draws[0].intervals, draws[0].level)

    def __len__(self) -> int:
        return len(self.replicates)

    def __getitem__(self, key) -> np.ndarray:
        return self.replicates[np.asarray(key) if isinstance(key, Draws) else key]

    def __repr__(self) -> str:
        return f"Draws({self.replicates}, left_out={self.left_out})"
