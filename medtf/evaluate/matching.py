"""AUC among people of equal head size.

Men's heads are larger, so a network can tell sex by size alone. Each person of the rarer class is paired with the nearest one of the
other class, no further away than a caliper of 0.2 standard deviations, nobody twice, in an order drawn with a seed (Austin 2011,
Pharm Stat 10:150; here on the size itself: there is one covariate). What the AUC keeps in the pairs does not come from size.
"""

import bisect

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from medtf.evaluate.statistics.intervals import SEED, PatientBootstrap, measured
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.ranking import Ranking

CALIPER = 0.2  # of the standard deviation within the classes
FEWEST = 10  # pairs; an AUC of fewer says little
NAMED = {"sex", "gender", "male", "female"}  # targets that are matched without being asked


def wanted(match_on: str, target: str) -> str | None:
    """The column to match this target on, or None. `auto`: foreground_ml for a target whose name says sex."""
    if match_on == "auto":
        return "foreground_ml" if NAMED & set(target.lower().split("_")) else None
    return None if match_on == "none" else match_on


def pairs(truth: np.ndarray, size: np.ndarray, *, caliper: float, seed: int = SEED) -> np.ndarray:
    """(k, 2) positions of (positive, negative) people whose sizes differ by at most `caliper`, in the unit of `size`.

    Args:
        truth: (n,) 0 or 1. size: (n,) float, finite. seed: of the order in which people choose.
    """
    positive, negative = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    few, many = (positive, negative) if len(positive) <= len(negative) else (negative, positive)
    left = sorted((float(size[i]), int(i)) for i in many)
    found = []
    for i in np.random.default_rng(seed).permutation(few):
        at = bisect.bisect_left(left, (float(size[i]), -1))
        near = [j for j in (at - 1, at) if 0 <= j < len(left)]
        best = min(near, key=lambda j: abs(left[j][0] - size[i]), default=None)
        if best is not None and abs(left[best][0] - size[i]) <= caliper:
            other = left.pop(best)[1]
            found.append((int(i), other) if few is positive else (other, int(i)))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def judge_matched(people: pd.DataFrame, name: str, column: str, *, replicates: int, intervals: str = "auto") -> dict:
    """AUC of the model and of the size alone, before and after matching.

    Args:
        people: one row a patient: `patient`, `<name>` (probability), `<name>_true` (0, 1), `size` (NaN = unknown).
        column: what `size` is called in the table.
        replicates, intervals: of the bootstrap (PatientBootstrap); after matching it draws pairs, which belong together (Austin and Small 2014).
    """
    there = people[people["size"].notna()].sort_values("patient", kind="stable")
    truth, score, size = (there[c].to_numpy(np.float64) for c in (f"{name}_true", name, "size"))
    found = {"on": column, "people": len(there), "without": len(people) - len(there)}
    if len(np.unique(truth)) < 2:
        return found | {"reason": f"of the people whose {column} is known, all are of one class"}
    spread = np.sqrt(np.mean([size[truth == label].var() for label in (0, 1)]))
    caliper = CALIPER * spread
    matched = pairs(truth, size, caliper=caliper)
    found |= {"caliper_sd": CALIPER, "caliper": float(caliper), "pairs": len(matched)}
    before = PatientBootstrap(there["patient"], replicates=replicates, intervals=intervals)
    found["difference"] = float(size[truth == 1].mean() - size[truth == 0].mean())
    found["auc"] = _auc(truth, score, before)
    found["size_auc"] = _auc(truth, size, before)
    if len(matched) < FEWEST:
        return found | {"reason": f"only {len(matched)} pairs within the caliper; expected at least {FEWEST}"}
    couples = np.repeat(np.arange(len(matched)), 2)
    after = PatientBootstrap(couples, replicates=replicates, intervals=intervals)
    chosen = matched.ravel()
    found["difference_matched"] = float((size[matched[:, 0]] - size[matched[:, 1]]).mean())
    found["auc_matched"] = _auc(truth[chosen], score[chosen], after)
    found["size_auc_matched"] = _auc(truth[chosen], size[chosen], after)
    return found


def _auc(truth, scores, bootstrap: PatientBootstrap) -> dict:
    units = bootstrap.units()
    ranking = Ranking(truth, scores, units)
    draws = bootstrap.replicate(lambda weights: {"auc": ranking(weights, precision=False)[0]}, by_patient=True)
    own = auc_interval(truth, scores, units)
    return measured(roc_auc_score(truth, scores), draws.get("auc"), why_not=bootstrap.why_not(), own=own)
