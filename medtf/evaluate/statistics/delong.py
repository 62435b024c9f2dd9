"""Variance of an AUC and the paired test of two, without drawing (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).

An AUC is the share of (positive, negative) pairs in the right order, so each example has a share of its own: of a positive, the negatives
below it; of a negative, the positives above it. Midranks give all shares in O(n log n) (Sun and Xu 2014, IEEE Signal Process Lett 21:1389).
Where a patient has several rows, the shares are summed by patient first (Obuchowski 1997, Biometrics 53:567); with one row each that is
DeLong's variance, number for number.
"""

import numpy as np
from scipy import stats

LEVEL = 0.95
ONE_CLASS = "needs positive and negative examples; there is one class only"
TOO_FEW = "needs two patients with positive examples and two with negative ones"
NO_VARIANCE = (
    "both AUCs have a variance of 0, as perfect, inverted and constant predictions have: DeLong's test has no answer"
)
ALIKE = "both order positives and negatives alike: there is no variance to make an interval from"


def auc_variance(truth, score, patients=None) -> tuple[float, float]:
    """An AUC and the variance of its estimate.

    Args:
        truth: (n,) 0 or 1. score: (n,) finite, higher = more likely positive.
        patients: (n,) id of each row's patient; None: every row is a patient of its own.
    Returns:
        AUC in [0, 1], NaN with one class only; variance >= 0, NaN also where fewer than two patients have positive or negative rows.
        0 is a true answer: of perfect, inverted and constant scores.
    """
    aucs, matrix = covariance(truth, np.asarray(score)[None], patients)
    return float(aucs[0]), float(matrix[0, 0])


def covariance(truth, scores, patients=None) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of several scores on the same rows, and how their estimates vary together.

    Args:
        truth: (n,) 0 or 1. scores: (k, n). patients: (n,) or None, as `auc_variance`.
    Returns:
        aucs (k,), covariance (k, k), float64; NaN as in `auc_variance`.
    """
    shares = _shares(truth, scores, patients)
    k = len(scores)
    if shares is None:
        return np.full(k, np.nan), np.full((k, k), np.nan)
    aucs, of_positives, of_negatives, counted = shares
    return aucs, _spread(of_positives, of_negatives, counted)


def paired_test(truth, a, b, patients=None) -> dict:
    """DeLong's two-sided test of one AUC against another on the same rows.

    Args:
        truth: (n,) 0 or 1. a, b: (n,) scores. patients: (n,) or None, as `auc_variance`.
    Returns:
        `difference` (AUC of a - AUC of b), `z`, `p`, the ends `low` and `high` of its 95 % interval (cut at -1 and 1), `method`.
        What is undefined is None, with a `reason`: one class only; fewer than two patients of a class; a variance of 0, where p is 1 if
        the AUCs are equal (identical runs, two perfect ones) and None if not.
    """
    found = dict.fromkeys(("difference", "z", "p", "low", "high")) | {"method": method(patients)}
    shares = _shares(truth, (a, b), patients)
    if shares is None:
        return found | {"reason": ONE_CLASS}
    aucs, of_positives, of_negatives, counted = shares
    found["difference"] = difference = float(aucs[0] - aucs[1])
    # shares are subtracted before they are squared: equal runs give exactly 0
    variance = _spread(of_positives[:1] - of_positives[1:], of_negatives[:1] - of_negatives[1:], counted)[0, 0]
    if np.isnan(variance):
        return found | {"reason": TOO_FEW}
    if variance == 0:
        return found | ({"p": 1.0, "reason": ALIKE} if difference == 0 else {"reason": NO_VARIANCE})
    error = float(np.sqrt(variance))
    half = stats.norm.ppf((1 + LEVEL) / 2) * error
    found |= {"z": difference / error, "p": float(2 * stats.norm.sf(abs(difference) / error))}
    return found | {"low": float(max(-1.0, difference - half)), "high": float(min(1.0, difference + half))}


def method(patients=None) -> str:
    """How the variance was made: DeLong's own form, or Obuchowski's where a patient has several rows."""
    patients = np.empty(0) if patients is None else np.asarray(patients)
    return "DeLong 1988" if len(np.unique(patients)) == len(patients) else "Obuchowski 1997, clustered by patient"


def _shares(truth, scores, patients):
    """AUCs (k,), each patient's sum of its positives' and of its negatives' shares less what is expected of so many rows.

    Returns:
        aucs (k,), (k, patients) twice, and how many patients there are: with positives, with negatives, in all. None: one class only.
    """
    positive = np.asarray(truth) == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return None
    if patients is None:
        codes, total = np.arange(len(positive)), len(positive)
    else:
        unique, codes = np.unique(np.asarray(patients), return_inverse=True)
        total = len(unique)
    rows_of_positives = np.bincount(codes[positive], minlength=total)
    rows_of_negatives = np.bincount(codes[~positive], minlength=total)
    aucs, of_positives, of_negatives = [], [], []
    for score in np.asarray(scores, dtype=np.float64):
        ranks = stats.rankdata(
            score
        )  # midranks are halves, so all sums below are exact and a variance of 0 is a true 0
        below = ranks[positive] - stats.rankdata(score[positive])  # (m,) negatives below each positive, ties by half
        above = m - (ranks[~positive] - stats.rankdata(score[~positive]))  # (n,) positives above each negative
        aucs.append(below.sum() / m / n)
        for each, sides, rows, others, mine in (
            (below, of_positives, rows_of_positives, n, codes[positive]),
            (above, of_negatives, rows_of_negatives, m, codes[~positive]),
        ):
            sums = np.bincount(mine, weights=each, minlength=total)
            sides.append((sums - rows * each.mean()) / (others * len(each)))
    counted = int((rows_of_positives > 0).sum()), int((rows_of_negatives > 0).sum()), total
    return np.array(aucs), np.array(of_positives), np.array(of_negatives), counted


def _spread(of_positives: np.ndarray, of_negatives: np.ndarray, counted: tuple[int, int, int]) -> np.ndarray:
    """Covariance (k, k) from shares (k, patients): Obuchowski's S10 / m + S01 / n + 2 S11 / (m n)."""
    with_positives, with_negatives, total = counted
    if with_positives < 2 or with_negatives < 2:
        return np.full((len(of_positives),) * 2, np.nan)
    within = of_positives @ of_positives.T * with_positives / (with_positives - 1)
    within = within + of_negatives @ of_negatives.T * with_negatives / (with_negatives - 1)
    across = of_positives @ of_negatives.T * total / (total - 1)
    found = within + across + across.T
    # the three counts differ a little, so what should cancel may end below 0
    np.fill_diagonal(found, np.maximum(np.diagonal(found), 0))
    return found
