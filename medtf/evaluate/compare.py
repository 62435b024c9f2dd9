"""Two or more runs on the same people: paired differences, their intervals, tests, and what they allow to be said.

People are the unit: each stands in once with every run's answer, so what makes a person hard for all runs cancels. Numbers with a unit:
Wilcoxon's signed-rank test on the absolute errors (Wilcoxon 1945), and a paired bootstrap over people of the differences in mean absolute
error, root mean squared error and r. Binary: the paired bootstrap of the difference in AUC, Brier score and log loss. Several pairs are
adjusted by Holm's method (1979), each test by itself. A winner is named only where every test of a target that decides agrees.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from medtf.evaluate.binary import CLIP
from medtf.evaluate.intervals import PatientBootstrap, measured
from medtf.evaluate.ranking import Ranking

REPLICATES = 5000  # a p value of 0.001 needs more draws than an interval
ALPHA = 0.05
# metric -> (what a reader calls it, whether more is better); the first of each kind decides
METRICS = {
    "regression": {
        "mean_absolute_error": ("mean absolute error", False),
        "root_mean_squared_error": ("root mean squared error", False),
        "pearson_r": ("Pearson r", True),
        "bias": ("bias", None),
    },
    "binary": {"auc": ("AUC", True), "brier": ("Brier score", False), "log_loss": ("log loss", False)},
}
COMPARED = {
    "regression": ("mean_absolute_error", "root_mean_squared_error", "pearson_r"),
    "binary": ("auc", "brier", "log_loss"),
}


def compare(people: pd.DataFrame, runs: list[str], kind: str, *, replicates: int = REPLICATES) -> dict:
    """One target of several runs.

    Args:
        people: one row a person: `patient`, and for run i `prediction_i` and `truth_i` (value, or probability and 0/1).
        runs: their names, in order. kind: regression or binary. replicates: of the bootstrap.
    Returns:
        {"runs": {name: {metric: {value, low, high}}}, "pairs": [...]}: see docs/metrics.md.
    """
    people = people.sort_values("patient", kind="stable")
    arrays = [
        (people[f"truth_{i}"].to_numpy(float), people[f"prediction_{i}"].to_numpy(float)) for i in range(len(runs))
    ]
    statistic = _regression(arrays) if kind == "regression" else _binary(arrays)
    values = {name: value[0] for name, value in statistic(np.ones((1, len(people)))).items()}
    bootstrap = PatientBootstrap(people["patient"], replicates=replicates)
    draws = bootstrap.replicate(statistic)
    undefined = "one class only, or values that are all equal"
    found = {
        name: {
            metric: measured(values[f"{metric}@{i}"], draws.get(f"{metric}@{i}"), undefined=undefined)
            for metric in METRICS[kind]
        }
        for i, name in enumerate(runs)
    }
    pairs = []
    for i, j in combinations(range(len(runs)), 2):
        pair = {"a": runs[i], "b": runs[j]}
        for metric in COMPARED[kind]:
            first, second = f"{metric}@{i}", f"{metric}@{j}"
            difference = draws[first] - draws[second]
            pair[metric] = measured(values[first] - values[second], difference, undefined=undefined)
            pair[metric]["p"] = bootstrap_p(difference)
        if kind == "regression":
            pair |= signed_rank(*(np.abs(p - t) for t, p in (arrays[i], arrays[j])))
        pairs.append(pair)
    for test in (*COMPARED[kind], *(["wilcoxon"] if kind == "regression" else [])):
        for pair, p in zip(pairs, holm([pair[test]["p"] for pair in pairs]), strict=True):
            pair[test]["p_holm"] = p
    for pair in pairs:
        pair["better"] = better(pair, kind)
    return {"runs": found, "pairs": pairs}


def signed_rank(a: np.ndarray, b: np.ndarray) -> dict:
    """Wilcoxon's signed-rank test of paired absolute errors (n,), two-sided; equal pairs are dropped, as he did.

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


def bootstrap_p(differences: np.ndarray) -> float | None:
    """Two-sided p of no difference: twice the smaller share of draws (r,) on either side of 0, the sample counted as one draw more.

    It agrees with the percentile interval (Davison and Hinkley 1997, chapter 4, for the one more). None where a tenth is undefined.
    """
    defined = differences[~np.isnan(differences)]
    if len(defined) < 0.9 * len(differences) or not len(defined):
        return None
    below, above = (defined <= 0).sum() + 1, (defined >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (len(defined) + 1)))


def holm(ps: list[float | None]) -> list[float | None]:
    """Holm's step-down adjustment (1979); undefined ones stay so, and do not count."""
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    adjusted, highest = list(ps), 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = highest
    return adjusted


def better(pair: dict, kind: str) -> str | None:
    """The name of the better run, where every deciding test says so after adjustment; else None."""
    metric = COMPARED[kind][0]
    difference = pair[metric]
    if difference["value"] is None or difference["p_holm"] is None or difference["p_holm"] >= ALPHA:
        return None
    more = METRICS[kind][metric][1]
    winner = "a" if (difference["value"] > 0) == more else "b"
    if kind == "regression" and (pair["wilcoxon"]["p_holm"] >= ALPHA or pair["wilcoxon"]["favours"] != winner):
        return None
    return pair[winner]


def _regression(arrays):
    """{metric@run: (r,)} under weights (r, n)."""
    columns = []
    for truth, predicted in arrays:
        t, p, error = truth - truth.mean(), predicted - predicted.mean(), predicted - truth
        columns += [np.abs(error), error, error**2, t, p, t**2, p**2, t * p]
    linear = np.column_stack([np.ones(len(arrays[0][0])), *columns])

    def statistic(weights):
        sums = weights @ linear
        found = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (sums[:, 1:] / sums[:, :1]).T
            for i in range(len(arrays)):
                absolute, error, squared, t, p, tt, pp, tp = means[8 * i : 8 * i + 8]
                spread_t = np.where(tt - t**2 > 1e-12 * tt, tt - t**2, np.nan)
                spread_p = np.where(pp - p**2 > 1e-12 * pp, pp - p**2, np.nan)
                found |= {
                    f"mean_absolute_error@{i}": absolute,
                    f"root_mean_squared_error@{i}": np.sqrt(squared),
                    f"pearson_r@{i}": (tp - t * p) / np.sqrt(spread_t * spread_p),
                    f"bias@{i}": error,
                }
        return found

    return statistic


def _binary(arrays):
    """{metric@run: (r,)} under weights (r, n)."""
    rankings = [Ranking(truth, probability) for truth, probability in arrays]
    columns = []
    for truth, probability in arrays:
        clipped = np.clip(probability, CLIP, 1 - CLIP)
        columns += [(probability - truth) ** 2, -np.log(np.where(truth == 1, clipped, 1 - clipped))]
    linear = np.column_stack(columns)

    def statistic(weights):
        means = (weights @ linear / weights.sum(axis=1, keepdims=True)).T
        found = {}
        for i, ranking in enumerate(rankings):
            found |= {f"auc@{i}": ranking(weights)[0], f"brier@{i}": means[2 * i], f"log_loss@{i}": means[2 * i + 1]}
        return found

    return statistic
