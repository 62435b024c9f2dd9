"""Several settings on the same test examples, each trained once or with several seeds: the mean of a number, and paired differences.

A setting is whatever was varied: where the weights came from, how many labels there were. Patients are drawn, and a drawn patient brings
the answers of every setting and every seed, so intervals and p values speak of other patients; how far seeds lie apart is told beside them.
"""

from collections.abc import Callable, Hashable, Iterable

import numpy as np

from medtf.evaluate.metrics import MAIN
from medtf.evaluate.paired_metrics import METRICS
from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.paired import bootstrap_p, holm
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.ranking import Ranking
from medtf.evaluate.statistics.rates import share_interval

REPLICATES = 2000
OF_A_COMPARISON = 400  # Holm multiplies by the comparisons, and the smallest p that draws can give is 2 / draws
ONE_CLASS = "needs examples of both classes"


def together(
    kind: str,
    truth: np.ndarray,
    patients,
    answers: dict[Hashable, np.ndarray],
    pairs: Iterable[tuple[Hashable, Hashable]] = (),
    *,
    replicates: int = REPLICATES,
) -> tuple[dict[Hashable, dict], list[dict]]:
    """The number that a target is known by (metrics.MAIN: AUC, accuracy or mean absolute error) of every setting.

    Args:
        kind: binary, multiclass or regression.
        truth: (n,) float64: 0/1, class index or value; all known.
        patients: (n,) id of each example's patient.
        answers: {setting: (seeds, n) probabilities or values, or of classes (seeds, n, k)}.
        pairs: settings to compare, the first less the second.
        replicates: draws of the patients, at least; more for many pairs.
    Returns:
        {setting: `value`, the mean over its seeds, `low` and `high`, and `seeds`, the number of each seed}; for every pair `value`, `low`,
        `high`, `p` (two-sided, paired bootstrap) and `p_holm`, adjusted over all pairs.
    """
    pairs, truth = list(pairs), np.asarray(truth, np.float64)
    bootstrap = PatientBootstrap(patients, replicates=replicates and max(replicates, OF_A_COMPARISON * len(pairs)))
    units = bootstrap.units()
    statistics = {key: [_statistic(kind, truth, one, units) for one in every] for key, every in answers.items()}

    def means(weights):
        return {key: np.mean([one(weights) for one in every], axis=0) for key, every in statistics.items()}

    whole = np.ones((1, bootstrap.patients))
    draws = bootstrap.replicate(means, by_patient=True)
    undefined, why_not = {"undefined": ONE_CLASS}, bootstrap.why_not()
    found = {}
    for key, every in statistics.items():
        seeds = [float(one(whole)[0]) for one in every]
        own = _own(kind, truth, answers[key][0], units) if len(seeds) == 1 else None
        number = measured(np.mean(seeds), draws.get(key), why_not=why_not, own=own, **undefined)
        found[key] = number | {"seeds": [one if np.isfinite(one) else None for one in seeds]}
    differences = []
    for a, b in pairs:
        values = [found[key]["value"] for key in (a, b)]
        value = None if None in values else values[0] - values[1]
        # percentile: the interval that the bootstrap's p agrees with
        drawn = Draws((draws[a] - draws[b]).replicates, None, "percentile", draws[a].level) if draws else None
        number = measured(value, drawn, why_not=why_not, **undefined)
        differences.append(number | {"p": bootstrap_p(drawn) if drawn is not None and value is not None else None})
    return found, with_holm(differences)


def with_holm(differences: list[dict]) -> list[dict]:
    """The same with `p_holm`, adjusted over all of them."""
    adjusted = holm([one["p"] for one in differences])
    return [one | {"p_holm": p} for one, p in zip(differences, adjusted, strict=True)]


def label_of(kind: str) -> str:
    """What the number is called inside a sentence."""
    return METRICS[kind][MAIN[kind]].label


def _statistic(kind: str, truth: np.ndarray, answer: np.ndarray, units: np.ndarray) -> Callable:
    """Weights (r, patients) -> (r,)."""
    if kind == "binary":
        ranking = Ranking(truth, answer, units)
        return lambda weights: ranking(weights, precision=False)[0]
    each = answer.argmax(axis=1) == truth if kind == "multiclass" else np.abs(answer - truth)
    sums = by_unit(np.column_stack([each, np.ones(len(each))]).astype(np.float64), units)

    def mean(weights):
        total, count = (weights @ sums).T
        return total / count

    return mean


def _own(kind: str, truth: np.ndarray, answer: np.ndarray, units: np.ndarray) -> Interval | None:
    """The interval that a report gives where there is one training: DeLong's, clustered by patient, and Wilson's."""
    if kind == "binary":
        return auc_interval(truth, answer, units)
    return share_interval(answer.argmax(axis=1) == truth, units) if kind == "multiclass" else None
