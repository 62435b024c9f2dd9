"""All ways to cut a ranking in two, and which of them a rule wants."""

import numpy as np
from sklearn.metrics import roc_curve

# Above every probability, in float32 too: predictions may be compared in either.
ABOVE_ALL = float(np.nextafter(np.float32(1), np.float32(2)))
_EQUAL = 1e-12  # shares that differ by less are equal but for rounding


class Cuts:
    """The m + 1 cuts between m distinct scores, from "none is called positive" (0) to "all are" (m).

    Args:
        truth: (n,) 0 or 1, both there. probability: (n,) in [0, 1].

    Attributes: `sensitivity` (m + 1,), rising; `specificity` (m + 1,), falling.
    """

    def __init__(self, truth: np.ndarray, probability: np.ndarray):
        false_rate, self.sensitivity, scores = roc_curve(truth, probability, drop_intermediate=False)
        self.specificity = 1 - false_rate
        self.scores = np.asarray(scores[1:], dtype=np.float64)  # descending; the first of roc_curve is infinite

    def value(self, cut: int) -> float:
        """The threshold of a cut: half-way between the lowest score called positive and the next lower one.

        Beyond the lowest score the next one is 0, beyond the highest it is 1. In (lower, upper], and also so in float32.
        """
        upper = self.scores[cut - 1] if cut else 1.0
        lower = self.scores[cut] if cut < len(self.scores) else 0.0
        if not cut and lower >= np.float32(1):
            return ABOVE_ALL
        if cut == len(self.scores) and upper == 0:
            return 0.0
        middle = (upper + lower) / 2
        return float(middle if np.float32(middle) > lower else upper)  # neighbouring floats have no middle

    def calls(self, cut: int) -> str:
        """`none`, `all` or `some` are called positive."""
        return "none" if cut == 0 else "all" if cut == len(self.scores) else "some"

    def youden(self) -> int | None:
        """The largest sensitivity + specificity - 1 (Youden 1950); of equal ones the most sensitive; None: none beats chance."""
        gain = self.sensitivity + self.specificity - 1
        return None if gain.max() <= _EQUAL else int(np.flatnonzero(gain >= gain.max() - _EQUAL)[-1])

    def at_least(self, share: str, wanted: float) -> int:
        """The cut with a `sensitivity` (or `specificity`) of at least `wanted`, and then the most of the other one.

        Of equal ones that with the most of the first. There is always one: calling all, or none, meets any such wish.
        """
        first, second = self.sensitivity, self.specificity
        if share == "specificity":
            first, second = second, first
        meets = np.flatnonzero(first >= wanted - _EQUAL)
        best = meets[second[meets] >= second[meets].max() - _EQUAL]
        return int(best[np.argmax(first[best])])

    def cost(self, miss: float, prevalence: float) -> np.ndarray:
        """(m + 1,) expected cost a person, in false alarms: miss (1 - sensitivity) p + (1 - specificity) (1 - p)."""
        return miss * (1 - self.sensitivity) * prevalence + (1 - self.specificity) * (1 - prevalence)

    def cheapest(self, miss: float, prevalence: float) -> int:
        """The cut of the least expected cost; of equal ones the most sensitive."""
        cost = self.cost(miss, prevalence)
        return int(np.flatnonzero(cost <= cost.min() + _EQUAL)[-1])
