"""Intervals of an AUC and of correlations, made without drawing."""

import numpy as np
from scipy import optimize, stats

from medtf.evaluate.statistics.delong import auc_variance
from medtf.evaluate.statistics.intervals import LEVEL, Interval

Z = float(stats.norm.ppf((1 + LEVEL) / 2))


def auc_interval(truth: np.ndarray, scores: np.ndarray, units: np.ndarray) -> Interval | None:
    """DeLong's interval on the logit scale, clustered by patient where these have several rows.

    The logit is nearer to normal than an AUC next to 1, and its interval stays between 0 and 1. Of clusters the variance is known less
    well: Student's t at the patients of the rarer class instead of 1.96. At exactly 0 or 1 DeLong's variance is 0: Newcombe's interval
    at the number of patients.

    Args:
        truth: (n,) 0 or 1. scores: (n,) float. units: (n,) int, the patient of each.

    Returns:
        None with fewer than two patients of a class, and where the variance is 0 otherwise (constant scores).
    """
    one_each = len(np.unique(units)) == len(units)
    auc, variance = auc_variance(truth, scores, None if one_each else units)
    if np.isnan(variance):
        return None
    people = [len(np.unique(units[truth == label])) for label in (1, 0)]
    if auc in (0, 1):
        low = newcombe_low(*people)
        return Interval(low, 1.0, "newcombe") if auc == 1 else Interval(0.0, 1 - low, "newcombe")
    if variance == 0:
        return None
    z = Z if one_each else stats.t.ppf((1 + LEVEL) / 2, min(people) - 1)
    logit, half = np.log(auc / (1 - auc)), z * np.sqrt(variance) / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (logit - half, logit + half))
    return Interval(low, high, "delong" if one_each else "obuchowski")


def newcombe_low(positives: int, negatives: int) -> float:
    """Lower 95 % limit of an AUC of exactly 1 (Newcombe 2006, Stat Med 25:559, method 5).

    A score interval: the AUC below 1 whose own variance (Hanley and McNeil 1982, for exponential scores, with the mean of both numbers)
    puts 1 at 1.96 standard errors from it.
    """
    more = (positives + negatives) / 2 - 1

    def excess(auc):
        variance = auc * (1 + more * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (positives * negatives)
        return (1 - auc) - Z**2 * variance

    return float(optimize.brentq(excess, 0, 1))


def fisher(r: float, n: int) -> tuple[float, float] | None:
    """Fisher's z interval of Pearson's r of two normal variables: standard error 1 / root(n - 3) (Fisher 1921, Metron 1:3)."""
    return _by_z(r, Z / np.sqrt(n - 3)) if n > 3 else None


def pearson_interval(first: np.ndarray, second: np.ndarray, units: np.ndarray) -> Interval | None:
    """Fisher's z interval of Pearson's r, for variables of any distribution and patients of several rows.

    1 / (n - 3) is the variance of z where both variables are normal. Ages are rather uniform, and of these that interval holds the truth
    too often (98 %); of several rows a patient, too seldom (80 %). So it is multiplied by what the influence of each patient on r makes of
    it (Hawkins 1989, Am Stat 43:235; Bishara, Li and Nash 2018, Br J Math Stat Psychol 71:167), which is 1 for normal variables.

    Args:
        first, second: (n,) float. units: (n,) int, the patient of each.
    Returns:
        None below 4 patients, without spread, and at r = -1 and 1.
    """
    patients, n = len(np.unique(units)), len(first)
    if patients < 4 or not np.ptp(first) or not np.ptp(second):
        return None
    x, y = ((v - v.mean()) / v.std() for v in (first, second))
    r = float(np.mean(x * y))
    if abs(r) >= 1 - 1e-12:
        return None
    influence = np.bincount(units, weights=x * y - r * (x**2 + y**2) / 2) / (1 - r**2)
    variance = (influence @ influence) / n**2 * patients**2 / ((patients - 1) * (patients - 3))
    return Interval(*_by_z(r, stats.t.ppf((1 + LEVEL) / 2, patients - 1) * np.sqrt(variance)), "fisher_z")


def _by_z(r: float, half: float) -> tuple[float, float]:
    low, high = np.tanh(np.arctanh(r) + half * np.array([-1, 1]))
    return float(low), float(high)
