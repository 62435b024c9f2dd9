"""Intervals of proportions, made without drawing: Wilson's score interval, and what follows from it.

A bootstrap of 20 right answers out of 20 gives 1 on every draw, an interval of no width; Wilson's (1927, J Am Stat Assoc 22:209) does
not. Where patients have several rows, these count for fewer: the variance of the proportion over patients says for how many.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from medtf.evaluate.statistics.intervals import LEVEL, Interval


def wilson(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion in [0, 1] of n > 0, which need not be whole; scipy has the one for whole n."""
    z2 = stats.norm.ppf((1 + level) / 2) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    # at 0 and 1 one end is that number itself, whatever rounding makes of it
    return (0.0 if share == 0 else float(middle - half)), (1.0 if share == 1 else float(middle + half))


def share_interval(hits: np.ndarray, units: np.ndarray) -> Interval | None:
    """Interval of the mean of hits.

    Args:
        hits: (n,) 0 or 1, of the rows that count. units: (n,) int, the patient of each.

    Returns:
        with one row a patient Wilson's; else Wilson's at the effective number of rows; None without rows.
    """
    if not len(hits):
        return None
    share, (n, patients) = float(np.mean(hits)), effective_number(hits, units)
    return Interval(*wilson(share, n), "wilson" if patients == len(hits) else "wilson_patients")


def effective_number(hits: np.ndarray, units: np.ndarray) -> tuple[float, int]:
    """For how many independent rows these count, and the number of patients.

    n / design effect, where the design effect is the variance of the proportion as a ratio of sums over patients, divided by p (1 - p) / n
    (Rao and Scott 1992, Biometrics 48:577); less for few patients, whose variance is uncertain (Korn and Graubard 1998, Surv Methodol
    24:193); never more than n. At 0 and 1 the variance says nothing, and each patient counts once.
    """
    _, codes, sizes = np.unique(units, return_inverse=True, return_counts=True)
    n, patients = len(codes), len(sizes)
    share = float(np.mean(hits))
    if patients == n or patients == 1 or share in (0, 1):
        return float(patients), patients
    apart = np.bincount(codes, weights=np.asarray(hits, dtype=np.float64)) - share * sizes
    variance = patients / (patients - 1) * (apart @ apart) / n**2
    upper = (1 + LEVEL) / 2
    few = (stats.norm.ppf(upper) / stats.t.ppf(upper, patients - 1)) ** 2
    return float(n if variance == 0 else min(n, few * share * (1 - share) / variance)), patients


def f1_interval(truth: np.ndarray, called: np.ndarray, units: np.ndarray) -> Interval | None:
    """Interval of F1, all (n,).

    F1 = 2 J / (1 + J) grows with J = tp / (tp + fp + fn), a proportion of the rows that are positive or called so (Lam, Gopal and Qian
    2023, arXiv 2309.14621).
    """
    either = (truth == 1) | (called == 1)
    found = share_interval(((truth == 1) & (called == 1))[either], units[either])
    return found and Interval(*(2 * j / (1 + j) for j in found[:2]), found.method)


def at_the_edge(value: float | None, follows: Callable, *shares: Interval | None) -> Interval | None:
    """Interval of a number at 0 or 1 that grows with each of some proportions, where a bootstrap's has no width; else None.

    Args:
        value: the number. follows: gives it from the proportions.
        shares: their intervals. All lower limits together are less likely than each by itself: the interval is too wide rather than
            too narrow.
    """
    if value is None or value not in (0, 1) or None in shares:
        return None
    low, high = (float(np.clip(follows(*ends), 0, 1)) for ends in zip(*(s[:2] for s in shares), strict=True))
    return Interval(min(low, value), max(high, value), "from_wilson")
