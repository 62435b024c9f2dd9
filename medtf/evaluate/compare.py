"""Two or more runs on the same people: paired differences, their intervals, tests, and what they allow to be said.

People are the unit: each stands in once with every run's answer, so what makes a person hard for all runs cancels. Every number gets a
paired bootstrap over people; beside it stand DeLong's test of two AUCs (1988) and McNemar's of two runs' calls (1947) for classes, and
Wilcoxon's signed-rank test of the absolute errors (1945) for numbers with a unit. Several pairs are adjusted by Holm's method (1979), each
test by itself. One test of a kind decides (paired_metrics.DECIDES): a winner is named only where it and the bootstrap agree.
"""

from itertools import combinations, product

import numpy as np
import pandas as pd

from medtf.evaluate.paired_metrics import COMPARED, DECIDES, METRICS, NO_THRESHOLD, Answers, statistic, undefined
from medtf.evaluate.statistics.delong import paired_test
from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, measured
from medtf.evaluate.statistics.mcnemar import mcnemar
from medtf.evaluate.statistics.paired import ALPHA, bootstrap_p, holm, signed_rank
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.rates import share_interval

REPLICATES = 5000  # a p value of 0.001 needs more draws than an interval
REPLICATES_OF_A_PAIR = (
    400  # Holm multiplies by the pairs: the smallest p that draws can give, 2 / draws, must stay well below 0.05
)
ALSO_SHOWN = {"regression": ("bias",)}  # of each run; a difference of biases says little
TESTS = {"binary": ("delong", "mcnemar"), "multiclass": ("mcnemar",), "regression": ("wilcoxon",)}


def compare(
    people: pd.DataFrame,
    runs: list[str],
    kind: str,
    *,
    extra: tuple[str, ...] = (),
    replicates: int = REPLICATES,
) -> dict:
    """One target of several runs.

    Args:
        people: one row a person: `patient`, and for run i `truth_i` and `prediction_i` (value, or probability and 0/1), or of a multiclass
            target `prediction_i_0`, `prediction_i_1`, ... and the class index; of a binary one `threshold_i` too: without it, or with NaN in it,
            nothing that needs calls has a number.
        runs: their names, in order. kind: binary, multiclass or regression.
        extra: numbers of METRICS[kind] to compare beside COMPARED[kind]. replicates: of the bootstrap.
    Returns:
        {"decides", "compared", "runs": {name: {metric: {value, low, high}}}, "pairs": [...]}: see docs/metrics.md.
    """
    people = people.sort_values("patient", kind="stable")
    answers = [_answers(people, i) for i in range(len(runs))]
    compared = tuple(dict.fromkeys((*COMPARED[kind], *extra)))
    shown = tuple(dict.fromkeys((*compared, *ALSO_SHOWN.get(kind, ()))))
    numbers = statistic(kind, answers, shown)
    values = {name: value[0] for name, value in numbers(np.ones((1, len(people)))).items()}
    bootstrap = PatientBootstrap(people["patient"], replicates=replicates)
    draws = bootstrap.replicate(numbers)
    why_not = bootstrap.why_not()

    def number(value, drawn, metric, *of, own=None):
        reasons = [undefined(kind, metric, one) for one in of]
        reason = NO_THRESHOLD if NO_THRESHOLD in reasons else reasons[0]
        return measured(value, drawn, undefined=reason, why_not=why_not, own=own)

    found = {name: {} for name in runs}
    for (i, name), metric in product(enumerate(runs), shown):
        key, own = f"{metric}@{i}", _own(kind, metric, answers[i])
        found[name][metric] = number(values[key], draws.get(key), metric, answers[i], own=own)
    pairs = []
    for i, j in combinations(range(len(runs)), 2):
        pair = {"a": runs[i], "b": runs[j]}
        for metric in compared:
            first, second = f"{metric}@{i}", f"{metric}@{j}"
            difference = _percentile(draws[first] - draws[second]) if draws else None
            pair[metric] = number(values[first] - values[second], difference, metric, answers[i], answers[j])
            known = difference is not None and pair[metric]["value"] is not None
            pair[metric]["p"] = bootstrap_p(difference) if known else None
        pairs.append(pair | _tests(kind, answers[i], answers[j]))
    for test in (*compared, *TESTS[kind]):
        for pair, p in zip(pairs, holm([pair[test]["p"] for pair in pairs]), strict=True):
            pair[test]["p_holm"] = p
    for pair in pairs:
        pair["better"] = better(pair, kind)
    return {"decides": _decides(kind), "compared": list(compared), "runs": found, "pairs": pairs}


def better(pair: dict, kind: str) -> str | None:
    """The name of the better run, where the deciding test and the paired bootstrap both say so after adjustment; else None."""
    metric, test = COMPARED[kind][0], pair[DECIDES[kind][0]]
    difference = pair[metric]
    if any(p is None or p >= ALPHA for p in (difference["p_holm"], test["p_holm"])) or not difference["value"]:
        return None
    winner = "a" if (difference["value"] > 0) == METRICS[kind][metric].more else "b"
    return pair[winner] if test["favours"] == winner else None


def enough_replicates(runs: int) -> int:
    """How many draws the comparison of so many runs needs."""
    return max(REPLICATES, REPLICATES_OF_A_PAIR * runs * (runs - 1) // 2)


def _percentile(draws: Draws) -> Draws:
    """The same draws, to give a percentile interval: the one that the bootstrap's p agrees with."""
    return Draws(draws.replicates, draws.left_out, "percentile")


def _own(kind: str, metric: str, one: Answers) -> Interval | None:
    """A run's interval as its report has it: DeLong's, and Wilson's of shares; the others are drawn."""
    units, right = np.arange(len(one.truth)), one.right(kind)
    if metric == "auc":
        return auc_interval(one.truth, one.prediction, units)
    if right is None or metric not in ("accuracy", "sensitivity", "specificity"):
        return None
    rows = units if metric == "accuracy" else np.flatnonzero(one.truth == (metric == "sensitivity"))
    return share_interval(right[rows], rows)


def _decides(kind: str) -> dict:
    test, called, what = DECIDES[kind]
    return {"test": test, "called": called, "of": what, "metric": COMPARED[kind][0], "level": ALPHA}


def _answers(people: pd.DataFrame, i: int) -> Answers:
    columns = [name for name in people if name == f"prediction_{i}" or name.startswith(f"prediction_{i}_")]
    predicted = people[columns].to_numpy(np.float64)
    truth = people[f"truth_{i}"].to_numpy(np.float64)
    threshold = people[f"threshold_{i}"].to_numpy(np.float64) if f"threshold_{i}" in people else None
    if threshold is not None and np.isnan(threshold).any():
        threshold = None
    return Answers(truth, predicted[:, 0] if columns == [f"prediction_{i}"] else predicted, threshold)


def _tests(kind: str, a: Answers, b: Answers) -> dict:
    """Every test of a kind but the bootstrap, each with `p` and `favours` (a, b or None)."""
    if kind == "regression":
        return signed_rank(np.abs(a.prediction - a.truth), np.abs(b.prediction - b.truth))
    found = {}
    if kind == "binary":
        found["delong"] = paired_test(a.truth, a.prediction, b.prediction)
        difference = found["delong"]["difference"]
        found["delong"]["favours"] = "a" if (difference or 0) > 0 else "b" if (difference or 0) < 0 else None
    calls = a.right(kind), b.right(kind)
    if any(call is None for call in calls):
        return found | {"mcnemar": {"p": None, "p_exact": None, "favours": None, "reason": NO_THRESHOLD}}
    return found | {"mcnemar": mcnemar(*calls)}
