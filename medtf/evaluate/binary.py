"""Metrics of a binary target: ranking, probabilities, and what a threshold makes of them."""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, log_loss, roc_auc_score

from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, by_unit, logit_interval, measured
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.ranking import Ranking
from medtf.evaluate.statistics.rates import at_the_edge, f1_interval, share_interval

# As Keras does: float32 cannot tell 1 - 1e-8 from 1, and one certain error would make the log loss infinite.
CLIP = 1e-7

_RANKED = ("prevalence", "auc", "average_precision", "log_loss", "brier")
_AT_THRESHOLD = (
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "recall",
    "f1",
    "false_negative_rate_of_positives",
    "false_negatives_of_all",
)

_BOTH = "needs positive and negative examples; this fold has one class only"
_REASONS = {
    **dict.fromkeys(("auc", "average_precision", "balanced_accuracy"), _BOTH),
    **dict.fromkeys(("sensitivity", "recall", "false_negative_rate_of_positives"), "no positive example"),
    "specificity": "no negative example",
    "precision": "no example is called positive at the threshold",
    "f1": "no positive example, and none called positive",
    "ppv": "nothing would be called positive, or a class is missing",
    "npv": "nothing would be called negative, or a class is missing",
}


def judge_binary(
    known: Sample, threshold: float | np.ndarray, bootstrap: PatientBootstrap, prevalences: dict[str, float | None]
) -> tuple[dict, Draws | None]:
    """All metrics of one binary target.

    Args:
        known: its examples with a label.
        threshold: called positive from here on (probability >= threshold); or (n,), one a row, as a cross-validation has them.
        bootstrap: the draws of the fold's patients.
        prevalences: {name: prevalence in (0, 1), or None for that of the data} at which to give predictive values.

    Returns:
        the metrics, and the draws of the log loss, from which the weighted one over all targets is made.
    """
    values, confusion = _values(known, threshold, prevalences)
    units = bootstrap.units(known.at)
    statistic = _statistic(known, threshold, prevalences, units)
    replicates = bootstrap.replicate(statistic, known.at, by_patient=True) if len(known.truth) else {}
    own = _own(known, threshold, prevalences, values, units)
    # near 1 the draws of these lean on it
    for name in ("average_precision", *(f"{kind}@{where}" for kind in ("ppv", "npv") for where in prevalences)):
        own[name] = own.get(name) or logit_interval(values.get(name), replicates.get(name))
    why_not = bootstrap.why_not(known.at)

    def metric(name):
        empty = "no example with a known label"
        undefined = _REASONS.get(name.partition("@")[0], empty) if len(known.truth) else empty
        return measured(values.get(name), replicates.get(name), undefined=undefined, why_not=why_not, own=own.get(name))

    positives = confusion["tp"] + confusion["fn"]
    result = {"n": len(known.truth), "patients": known.patients, "positives": positives, "unknown": known.unknown}
    result["positive_patients"] = len(np.unique(units[known.truth == 1]))
    result |= {name: metric(name) for name in (*_RANKED, *_AT_THRESHOLD)}
    result["confusion"] = confusion
    for kind in ("ppv", "npv"):
        result[kind] = {
            f"at_{where}_prevalence": {"prevalence": _or_none(values, prevalence), **metric(f"{kind}@{where}")}
            for where, prevalence in prevalences.items()
        }
    return result, replicates.get("log_loss")


def at_threshold(tn, fp, fn, tp) -> dict:
    """Rates of a 2x2 table; numbers or arrays (r,) of (weighted) counts. NaN where nothing is counted.

    Two definitions of the false negatives are printed because papers use both: the share of positives that are missed
    (fn / positives, the miss rate) and the share of all examples that are missed positives (fn / all).
    """
    tn, fp, fn, tp = (np.asarray(count, dtype=np.float64) for count in (tn, fp, fn, tp))
    sensitivity, specificity = _share(tp, tp + fn), _share(tn, tn + fp)
    total = tn + fp + fn + tp
    return {
        "accuracy": _share(tp + tn, total),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": _share(tp, tp + fp),
        "recall": sensitivity,
        "f1": _share(2 * tp, 2 * tp + fp + fn),
        "false_negative_rate_of_positives": _share(fn, tp + fn),
        "false_negatives_of_all": _share(fn, total),
    }


def predictive_values(sensitivity, specificity, prevalence) -> dict:
    """Positive and negative predictive value by Bayes; numbers or arrays, all in [0, 1]."""
    sensitivity, specificity, prevalence = (
        np.asarray(x, dtype=np.float64) for x in (sensitivity, specificity, prevalence)
    )
    healthy = 1 - prevalence
    return {
        "ppv": _share(sensitivity * prevalence, sensitivity * prevalence + (1 - specificity) * healthy),
        "npv": _share(specificity * healthy, specificity * healthy + (1 - sensitivity) * prevalence),
    }


def _values(known: Sample, threshold: float | np.ndarray, prevalences: dict) -> tuple[dict, dict]:
    """Point values, by scikit-learn where it has them, and the 2x2 table."""
    truth, probability = known.truth.astype(int), known.prediction
    if not len(truth):
        return {}, dict.fromkeys(("tn", "fp", "fn", "tp"), 0)
    counts = confusion_matrix(truth, probability >= threshold, labels=[0, 1]).ravel()
    values = {
        "prevalence": truth.mean(),
        "log_loss": log_loss(truth, np.clip(probability, CLIP, 1 - CLIP), labels=[0, 1]),
        "brier": brier_score_loss(truth, probability, labels=[0, 1])
        if truth.min() == truth.max()
        else brier_score_loss(truth, probability),
        **at_threshold(*counts),
    }
    if 0 < truth.mean() < 1:
        values["auc"] = roc_auc_score(truth, probability)
        values["average_precision"] = min(1.0, average_precision_score(truth, probability))  # its sum may round past 1
    values |= _at_prevalences(values, prevalences)
    return values, dict(zip(("tn", "fp", "fn", "tp"), map(int, counts), strict=True))


def _statistic(known: Sample, threshold: float | np.ndarray, prevalences: dict, units: np.ndarray):
    """The same numbers under weights (r, patients), for the bootstrap."""
    truth, probability = known.truth, known.prediction
    ranking = Ranking(truth, probability, units)
    called = (probability >= threshold).astype(np.float64)
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    linear = by_unit(np.column_stack([
        (1 - truth) * (1 - called), (1 - truth) * called, truth * (1 - called), truth * called,
        -np.log(np.where(truth == 1, clipped, 1 - clipped)), (probability - truth) ** 2, truth, np.ones_like(truth),
    ]), units)  # fmt: skip

    def statistic(weights):
        tn, fp, fn, tp, loss, squared, positives, total = (weights @ linear).T
        values = {
            "prevalence": _share(positives, total),
            "log_loss": _share(loss, total),
            "brier": _share(squared, total),
        }
        values |= at_threshold(tn, fp, fn, tp)
        values["auc"], values["average_precision"] = ranking(weights)
        return values | _at_prevalences(values, prevalences)

    return statistic


def _own(
    known: Sample, threshold: float | np.ndarray, prevalences: dict, values: dict, units
) -> dict[str, Interval | None]:
    """Intervals that need no draws: DeLong's of the AUC, Wilson's of the proportions."""
    if not len(known.truth):
        return {}
    truth = known.truth == 1
    called = known.prediction >= threshold

    def share(hits, of):
        return share_interval(hits[of], units[of])

    everyone = np.ones_like(truth)
    sensitivity, specificity = share(called, truth), share(~called, ~truth)
    found = {
        "prevalence": share(truth, everyone),
        "auc": auc_interval(known.truth, known.prediction, units),
        "accuracy": share(called == truth, everyone),
        "sensitivity": sensitivity,
        "recall": sensitivity,
        "specificity": specificity,
        "precision": share(truth, called),
        "f1": f1_interval(truth, called, units),
        "false_negative_rate_of_positives": share(~called, truth),
        "false_negatives_of_all": share(truth & ~called, everyone),
        "balanced_accuracy": at_the_edge(
            values["balanced_accuracy"], lambda a, b: (a + b) / 2, sensitivity, specificity
        ),
    }
    for where, prevalence in prevalences.items():
        if prevalence is None:
            found |= {f"ppv@{where}": found["precision"], f"npv@{where}": share(~truth, ~called)}
            continue
        for kind in ("ppv", "npv"):
            name = f"{kind}@{where}"
            found[name] = at_the_edge(values[name], _bayes(kind, prevalence), sensitivity, specificity)
    return found


def _bayes(kind: str, prevalence: float):
    return lambda sensitivity, specificity: predictive_values(sensitivity, specificity, prevalence)[kind]


def _at_prevalences(values: dict, prevalences: dict) -> dict:
    found = {}
    for where, prevalence in prevalences.items():
        at = values["prevalence"] if prevalence is None else prevalence
        for kind, value in predictive_values(values["sensitivity"], values["specificity"], at).items():
            found[f"{kind}@{where}"] = value
    return found


def _or_none(values: dict, prevalence: float | None) -> float | None:
    at = values.get("prevalence") if prevalence is None else prevalence
    return None if at is None else float(at)


def _share(part, whole):
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=np.asarray(whole) > 0)
