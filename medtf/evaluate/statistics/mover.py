"""Interval of a weighted difference of two proportions, made without drawing: the method of variance estimates recovery.

With a handful of false positives a bootstrap sees too few of the values that might have been, and with none it sees one. Wilson's
limits of either proportion know better; the distance of the difference to its ends follows from theirs as that of independent, or
correlated, estimates (Newcombe 1998, Stat Med 17:873, method 10; Zou and Donner 2008, Stat Med 27:1693).
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from medtf.evaluate.statistics.intervals import LEVEL, Interval
from medtf.evaluate.statistics.rates import wilson


class Share(NamedTuple):
    """A proportion of rows, its limits over patients, and what each patient adds to its error."""

    value: float
    low: float
    high: float
    apart: np.ndarray  # (patients,) hits less those expected of the patient's rows

    def times(self, factor: float) -> "Share":
        """The proportion and its limits times a number of at least 0."""
        return Share(self.value * factor, self.low * factor, self.high * factor, self.apart)


def share(hits: np.ndarray, sizes: np.ndarray) -> Share:
    """Wilson's limits of hits.sum() / sizes.sum(), at the effective number of rows (as `rates.effective_number` counts them).

    Args:
        hits: (patients,) float64, rows of each patient that are hits. sizes: (patients,) rows of each that count; not all 0.
    """
    n, patients = float(sizes.sum()), int((sizes > 0).sum())
    value = float(hits.sum() / n)
    apart = hits - value * sizes
    effective = n
    if patients < n:
        effective = float(patients)
        variance = float(apart @ apart) * patients / (patients - 1) / n**2 if patients > 1 else 0.0
        if variance > 0 and 0 < value < 1:
            upper = (1 + LEVEL) / 2
            few = (stats.norm.ppf(upper) / stats.t.ppf(upper, patients - 1)) ** 2
            effective = min(n, few * value * (1 - value) / variance)
    return Share(value, *wilson(value, effective), apart)


def difference(first: Share, second: Share) -> Interval:
    """Interval of first - second, of the same patients in the same order."""
    scale = np.sqrt((first.apart @ first.apart) * (second.apart @ second.apart))
    together = float(np.clip(first.apart @ second.apart / scale, -1, 1)) if scale > 0 else 0.0

    def distance(one: float, other: float) -> float:
        return float(np.sqrt(max(0.0, one**2 + other**2 - 2 * together * one * other)))

    value = first.value - second.value
    low = value - distance(first.value - first.low, second.high - second.value)
    high = value + distance(first.high - first.value, second.value - second.low)
    return Interval(low, high, "mover")
