"""What each rule of aggregation would give, side by side: examples become patients by the largest, the mean, the top k or noisy-or.

The rule that is used comes from the config. The best one of a test fold is best by luck too, so beside each stands its value on the
validation fold, where it may be chosen.
"""

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.evaluate.aggregate import gather, median
from medtf.evaluate.group_metrics import shown
from medtf.evaluate.predictions import Sample, columns, of_fold, per_patient, sample
from medtf.evaluate.statistics.delong import paired_test
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.ranking import Ranking
from medtf.schema_evaluate import Aggregate

MAIN = {"binary": "auc", "multiclass": "auc_macro", "regression": "mean_absolute_error"}
_WHY = {
    "auc": "needs positive and negative patients",
    "auc_macro": "a class is missing among the patients",
}


def section(
    frame: pd.DataFrame,
    name: str,
    target: Target,
    aggregate: Aggregate | str,
    *,
    replicates: int,
    intervals: str = "auto",
    valid: pd.DataFrame | None = None,
) -> dict:
    """{"used", "metric", "patients", "rules": {rule: its numbers}, "best_on_validation", "words"}; empty where each patient has one example.

    Args:
        frame: predictions of the fold. name, target: of them.
        aggregate: the rule of the config. Binary targets alone obey it; the others are averaged.
        replicates, intervals: of the bootstrap over patients.
        valid: predictions of the validation fold, or None.
    """
    known = sample(frame, name, target)
    if known.patients == len(known.truth):
        return {}
    rules, used = _rules(target, Aggregate.of(aggregate))
    metric = MAIN[target.kind]
    draws = {"replicates": replicates, "intervals": intervals}
    found = {rule: _numbers(_people(frame, name, target, rule), target, draws) for rule in rules}
    if target.kind == "binary":
        _differences(frame, name, target, found, used)
    others = of_fold(valid, "valid") if valid is not None and len(valid) else None
    if others is not None and len(others):
        for rule, numbers in found.items():
            numbers["valid"] = _numbers(_people(others, name, target, rule), target, draws, alone=True)[metric]
    result = {
        "used": used,
        "metric": metric,
        "patients": len(_people(frame, name, target, used)[1].truth),
        "rules": found,
    }
    result["best_on_validation"] = _best(found, more=metric != "mean_absolute_error")
    return result | {"words": in_words(result)}


def in_words(found: dict) -> str:
    """Which rule the validation fold would choose, and what that means for the one in use; empty where it cannot be told."""
    best, used = found["best_on_validation"], found["used"]
    if best is None:
        return "Which rule to use is for the validation fold to say, which is not at hand: the best one here is best by luck too."
    if best == used:
        return f"The rule in use, {used}, is also the best on the validation fold."
    return (
        f"The rule in use is {used}; on the validation fold {best} does better. A change belongs into the config before "
        "the test fold is judged, not after."
    )


def _rules(target: Target, aggregate: Aggregate) -> tuple[list[str], str]:
    """All rules of this kind of target, and the one in use."""
    if target.kind == "regression":
        return ["mean", "median"], "mean"
    top = aggregate.text if aggregate.how == "top" else "top 3"
    if target.kind == "multiclass":  # 1 - product of 1 - p has no meaning for classes of which one must be true
        return ["mean", "max", top], "mean"
    return ["max", "mean", top, "noisy_or"], aggregate.text


def _people(frame: pd.DataFrame, name: str, target: Target, rule: str) -> tuple[np.ndarray, Sample]:
    """Patient ids and their sample under one rule."""
    if target.kind == "binary" or rule == "mean":
        people = per_patient(frame, name, target, rule)
        return people["patient"].to_numpy(), sample(people, name, target)
    people = per_patient(frame, name, target, "mean")
    known = frame[frame[f"{name}_true"].notna() & frame["patient"].isin(people["patient"])]
    ids, codes = np.unique(known["patient"].to_numpy(), return_inverse=True)
    values = known[columns(name, target)].to_numpy(np.float64)
    if target.kind == "regression":
        gathered = median(values[:, 0], codes, len(ids))[:, None]
        truth = median(known[f"{name}_true"], codes, len(ids))
        people = people.assign(**{f"{name}_true": truth})
    else:
        gathered = gather(values, codes, len(ids), rule)
        gathered /= np.maximum(gathered.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    people[columns(name, target)] = gathered  # both are sorted by patient
    return people["patient"].to_numpy(), sample(people, name, target)


def _numbers(people: tuple[np.ndarray, Sample], target: Target, draws: dict, *, alone: bool = False) -> dict:
    """{metric: value and interval} of patients; `alone`: no more than the metric by which a rule is chosen."""
    patients, known = people
    if not len(known.truth):
        return {MAIN[target.kind]: measured(None, None, undefined="no patient with a known label")}
    bootstrap = PatientBootstrap(patients, **draws)
    own = {"auc": auc_interval(known.truth, known.prediction, bootstrap.units())} if target.kind == "binary" else {}
    statistic = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[target.kind](known)
    values = {metric: value[0] for metric, value in statistic(np.ones((1, len(known.truth)))).items()}
    if bootstrap.intervals == "auto" and own.get("auc") is not None:
        statistic = None if alone else _brier(known)  # an AUC has its own interval, and is slow to draw
    replicates, why_not = bootstrap.replicate(statistic) if statistic else {}, bootstrap.why_not()
    return {
        metric: shown(
            value,
            replicates.get(metric),
            undefined=_WHY.get(metric, "undefined here"),
            why_not=why_not,
            own=own.get(metric),
        )
        for metric, value in values.items()
        if not alone or metric == MAIN[target.kind]
    }


def _binary(known: Sample):
    ranking, brier = Ranking(known.truth, known.prediction), _brier(known)
    return lambda weights: {"auc": ranking(weights, precision=False)[0]} | brier(weights)


def _brier(known: Sample):
    squared = (known.prediction - known.truth) ** 2
    return lambda weights: {"brier": weights @ squared / weights.sum(axis=1)}


def _multiclass(known: Sample):
    k = known.prediction.shape[1]
    rankings = [Ranking(known.truth == i, known.prediction[:, i]) for i in range(k)]
    right = (known.prediction.argmax(axis=1) == known.truth).astype(np.float64)

    def statistic(weights):
        aucs = [ranking(weights, precision=False)[0] for ranking in rankings]
        return {"auc_macro": np.mean(aucs, axis=0), "accuracy": weights @ right / weights.sum(axis=1)}

    return statistic


def _regression(known: Sample):
    error = known.prediction - known.truth

    def statistic(weights):
        total = weights.sum(axis=1)
        return {"mean_absolute_error": weights @ np.abs(error) / total, "bias": weights @ error / total}

    return statistic


def _differences(frame, name, target, found: dict, used: str) -> None:
    """Each rule's AUC less that of the rule in use, on the same patients (DeLong 1988)."""
    base = _people(frame, name, target, used)[1]
    for rule, numbers in found.items():
        if rule == used:
            continue
        other = _people(frame, name, target, rule)[1]
        test = paired_test(base.truth, other.prediction, base.prediction)
        limits = {key: test[key] for key in ("low", "high", "p")} | (
            {} if test["low"] is None else {"method": "delong"}
        )
        numbers["difference"] = {"value": test["difference"], **limits}
        if test["low"] is None:
            numbers["difference"]["reason"] = test.get("reason", "undefined here")


def _best(found: dict, *, more: bool) -> str | None:
    """The rule with the best value on the validation fold; the one that stands first of equals."""
    values = {rule: numbers.get("valid", {}).get("value") for rule, numbers in found.items()}
    values = {rule: value for rule, value in values.items() if value is not None}
    if not values:
        return None
    return (max if more else min)(values, key=values.get)
