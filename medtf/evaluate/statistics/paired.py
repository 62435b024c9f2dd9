"""What any two runs on the same people can be tested by: signed ranks, the paired bootstrap, and Holm's correction of several pairs."""

import numpy as np
from scipy import stats

ALPHA = 0.05


def signed_rank(a: np.ndarray, b: np.ndarray) -> dict:
    """Wilcoxon's signed-rank test (1945) of paired absolute errors (n,), two-sided; equal pairs are dropped, as he did.

    Returns:
        `wilcoxon` (statistic, p, `favours` a, b or None, `equal` pairs), `median_difference` (a - b), `share_nearer` of people for whom a
        is nearer, b is nearer.
    """
    difference = a - b
    moved = difference[difference != 0]
    found = {"statistic": None, "p": 1.0, "favours": None, "equal": len(difference) - len(moved)}
    if len(moved):
        tested = stats.wilcoxon(moved)
        ranks = stats.rankdata(np.abs(moved))
        lean = ranks[moved < 0].sum() - ranks[moved > 0].sum()  # above 0: a's errors are the smaller ones
        favours = "a" if lean > 0 else "b" if lean < 0 else None
        found |= {"statistic": float(tested.statistic), "p": float(tested.pvalue), "favours": favours}
    nearer = {"a": float((difference < 0).mean()), "b": float((difference > 0).mean())}
    return {"wilcoxon": found, "median_difference": float(np.median(difference)), "share_nearer": nearer}


def bootstrap_p(differences) -> float | None:
    """Two-sided p of no difference: twice the smaller share of draws (Draws or (r,)) on either side of 0, the sample as one draw more.

    It agrees with the percentile interval (Davison and Hinkley 1997, chapter 4, for the one more). None where a tenth is undefined.
    """
    differences = np.asarray(differences, dtype=np.float64)
    defined = differences[~np.isnan(differences)]
    if len(defined) < 0.9 * len(differences) or not len(defined):
        return None
    below, above = (defined <= 0).sum() + 1, (defined >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (len(defined) + 1)))


def holm(ps: list[float | None]) -> list[float | None]:
    """Holm's step-down adjustment (1979, Scand J Stat 6:65); undefined ones stay so, and do not count."""
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    adjusted, highest = list(ps), 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = highest
    return adjusted
