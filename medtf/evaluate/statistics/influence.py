"""How much each row moves a number: from that follow variances which respect patients, and covariances of groups that share some.

The influence of a row is the derivative of a statistic with respect to the row's weight. Summed by patient and squared it gives the
statistic's variance (the infinitesimal jackknife, Jaeckel 1972; the clustered form is the sandwich of Liang and Zeger 1986). Of an AUC with
one row a patient it is DeLong's variance, number for number.

Every function gives the value and the influence (n,) of each row; influences hold the factor c / (c - 1) for c patients, under a root.
"""

import numpy as np
from scipy import stats


def of_mean(values: np.ndarray, patients: np.ndarray, centre: float | None = None) -> tuple[float, np.ndarray]:
    """Mean of (n,) values; `centre` takes the place of their own mean in the influence, as under the null hypothesis that all groups share it."""
    mean = float(values.mean())
    return mean, _corrected((values - (mean if centre is None else centre)) / len(values), patients)


def of_auc(positive: np.ndarray, score: np.ndarray, patients: np.ndarray) -> tuple[float, np.ndarray]:
    """AUC of (n,) scores; a positive's own share is that of the negatives below it, a negative's that of the positives above it."""
    positive = np.asarray(positive, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    ranks = stats.rankdata(score)
    below = (ranks[positive] - stats.rankdata(score[positive])) / n
    above = 1 - (ranks[~positive] - stats.rankdata(score[~positive])) / m
    auc = float(below.mean())
    influence = np.empty(m + n)
    influence[positive] = _corrected((below - auc) / m, patients[positive])
    influence[~positive] = _corrected((above - auc) / n, patients[~positive])
    return auc, influence


def of_balanced(right: np.ndarray, classes: np.ndarray, k: int, patients: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over k classes of the share of `right` (n,) calls among those of class i; every class has a row."""
    total, influence = 0.0, np.zeros(len(right))
    for i in range(k):
        rows = classes == i
        share, influence[rows] = of_mean(right[rows], patients[rows])
        total += share
    return total / k, influence / k


def of_macro_auc(classes: np.ndarray, scores: np.ndarray, patients: np.ndarray) -> tuple[float, np.ndarray]:
    """Plain mean of the AUCs of each class against the rest; classes (n,) int, scores (n, k), every class has a row."""
    k = scores.shape[1]
    each = [of_auc(classes == i, scores[:, i], patients) for i in range(k)]
    return float(np.mean([auc for auc, _ in each])), np.mean([influence for _, influence in each], axis=0)


def of_r(truth: np.ndarray, prediction: np.ndarray, patients: np.ndarray) -> tuple[float, np.ndarray]:
    """Pearson r; neither (n,) array is constant, and there are three patients or more.

    Here the influence is that of leaving a patient out (the jackknife, Tukey 1958), and stands in the patient's first row: with few patients
    the derivative promises too small a variance.
    """
    x, y = ((values - values.mean()) / values.std() for values in (truth, prediction))
    first, codes = np.unique(patients, return_index=True, return_inverse=True)[1:]
    sums = np.stack([np.bincount(codes, values) for values in (np.ones_like(x), x, y, x * x, y * y, x * y)])
    n, mx, my, xx, yy, xy = (without := sums.sum(axis=1, keepdims=True) - sums)[0], *(without[1:] / without[0])
    with np.errstate(invalid="ignore", divide="ignore"):  # equal values but for one patient
        left = (xy - mx * my) / np.sqrt((xx - mx**2) * (yy - my**2))
    people = len(n)
    influence = np.zeros(len(x))
    influence[first] = (left.mean() - left) * np.sqrt((people - 1) / people)
    return float(np.mean(x * y)), influence


def covariance(influences: list[np.ndarray], patients: list[np.ndarray]) -> np.ndarray:
    """Covariance (k, k) of k numbers, float64.

    Args:
        influences: k arrays (n_i,). patients: k arrays (n_i,), integer codes from 0 of the rows' patients, one coding for all.
    """
    count = 1 + max(int(codes.max()) for codes in patients)
    sums = np.stack([np.bincount(codes, values, count) for values, codes in zip(influences, patients, strict=True)])
    return sums @ sums.T


def _corrected(influence: np.ndarray, patients: np.ndarray) -> np.ndarray:
    clusters = len(np.unique(patients))
    return influence * np.sqrt(clusters / (clusters - 1)) if clusters > 1 else influence * np.nan
