"""A test of equal AUCs for groups in which the AUC is 0 or 1: there a variance is 0, and a test that divides by it has no answer.

If the groups do not matter, whose group is whose may be shuffled. Patients are shuffled among those of their own class, so that a group keeps
its numbers of positives and negatives, and the spread of the groups' AUCs is compared with that of the shuffled ones.
"""

import numpy as np

from medtf.evaluate.group_metrics import Rows
from medtf.evaluate.statistics.heterogeneity import tested, untested
from medtf.evaluate.statistics.ranking import Ranking

DRAWS = 1999
_CELLS = 4_000_000  # of one block of weights, 32 MB
_MOST_ROWS = 50_000  # beyond, the shuffles take longer than the rest of the judgement


def of_auc(groups: list[Rows]) -> dict:
    """One p for k groups of binary or multiclass rows, which share no patient (macro AUC with several classes)."""
    method = f"permutation test of the AUCs' spread, {DRAWS:,} shuffles of patients within their class"
    truth = np.concatenate([rows.truth for rows in groups])
    if len(truth) > _MOST_ROWS:
        return untested(
            f"a group's AUC is 0 or 1, and with more than {_MOST_ROWS:,} examples nothing is shuffled", method
        )
    prediction = np.concatenate([rows.prediction for rows in groups])
    codes = np.unique(np.concatenate([rows.patients for rows in groups]), return_inverse=True)[1]
    group = np.empty(codes.max() + 1, int)
    group[codes] = np.repeat(np.arange(len(groups)), [len(rows.truth) for rows in groups])
    strata = np.full(len(group), -1.0)
    np.maximum.at(strata, codes, truth)  # of a patient with several classes, the highest
    if groups[0].kind == "binary":
        rankings = [Ranking(truth, prediction, codes)]
    else:
        rankings = [Ranking(truth == i, prediction[:, i], codes) for i in range(prediction.shape[1])]
    found = _spread(group[None], rankings, len(groups))[0]
    shuffled = [_spread(block, rankings, len(groups)) for block in _shuffles(group, strata, len(truth))]
    spreads = np.concatenate(shuffled)
    spreads = spreads[~np.isnan(spreads)]  # a group without a class, where patients hold several classes
    reached = (spreads >= found - 1e-12).sum() + 1
    return tested(None, None, reached / (len(spreads) + 1), method)


def _shuffles(group: np.ndarray, strata: np.ndarray, rows: int):
    """Blocks (r, patients) of the groups, shuffled within the strata."""
    generator = np.random.default_rng(0)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    block = max(1, _CELLS // max(1, rows))
    for start in range(0, DRAWS, block):
        drawn = np.tile(group, (min(block, DRAWS - start), 1))
        for people in members:
            drawn[:, people] = generator.permuted(drawn[:, people], axis=1)
        yield drawn


def _spread(group: np.ndarray, rankings: list[Ranking], k: int) -> np.ndarray:
    """Variance of the k groups' AUCs, weighted by their people, (r,); group (r, patients)."""
    aucs = []
    for i in range(k):
        weights = (group == i).astype(np.float64)
        aucs.append(np.mean([ranking(weights, precision=False)[0] for ranking in rankings], axis=0))
    share = np.bincount(group[0], minlength=k) / group.shape[1]
    aucs = np.stack(aucs, axis=1)
    mean = aucs @ share
    return (aucs - mean[:, None]) ** 2 @ share
