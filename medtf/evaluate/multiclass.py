"""Metrics of a target with k classes."""

import warnings

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)

from medtf.evaluate.binary import CLIP
from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.rank_intervals import auc_interval
from medtf.evaluate.statistics.ranking import Ranking
from medtf.evaluate.statistics.rates import at_the_edge, share_interval

_NAMES = ("accuracy", "balanced_accuracy", "auc_macro", "auc_weighted", "log_loss", "cohen_kappa")
_PER_CLASS = ("prevalence", "sensitivity", "specificity", "precision", "npv", "auc")
_REASONS = {
    "auc_macro": "a class is missing from this fold",
    "auc_weighted": "one class only",
    "cohen_kappa": "one class only, in labels and calls",
    "sensitivity": "no example of this class",
    "specificity": "no example of another class",
    "precision": "no example is called this class",
    "npv": "every example is called this class",
    "auc": "needs examples of this class and of others",
}


def judge_multiclass(known: Sample, classes: list[str], bootstrap: PatientBootstrap) -> dict:
    """All metrics of one multiclass target; the class called is the most probable one, the first of equals."""
    k = len(classes)
    values = _values(known, k)
    units = bootstrap.units(known.at)
    statistic = _statistic(known, k, units)
    replicates = bootstrap.replicate(statistic, known.at, by_patient=True) if len(known.truth) else {}
    own = _own(known, k, values, units)
    why_not = bootstrap.why_not(known.at)

    def metric(name):
        empty = "no example with a known label"
        undefined = _REASONS.get(name.partition("@")[0], empty) if len(known.truth) else empty
        return measured(values.get(name), replicates.get(name), undefined=undefined, why_not=why_not, own=own.get(name))

    counts = (
        confusion_matrix(known.truth.astype(int), _called(known), labels=range(k))
        if len(known.truth)
        else np.zeros((k, k), int)
    )
    result = {"n": len(known.truth), "patients": known.patients, "unknown": known.unknown, "classes": list(classes)}
    result |= {name: metric(name) for name in _NAMES}
    result["confusion"] = counts.tolist()  # rows: true class, columns: called class
    result["per_class"] = {
        label: {"n": int(counts[i].sum())} | {name: metric(f"{name}@{i}") for name in _PER_CLASS}
        for i, label in enumerate(classes)
    }
    return result


def from_confusion(counts: np.ndarray) -> dict:
    """What follows from tables (r, k, k), true x called: accuracies, kappa, each class's rates against the others."""
    total, true, called = counts.sum(axis=(1, 2)), counts.sum(axis=2), counts.sum(axis=1)
    right = np.einsum("rii->ri", counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, precision = right / true, right / called  # (r, k)
        others = total[:, None] - true - called + right  # of other classes, and called so
        specificity, npv = others / (total[:, None] - true), others / (total[:, None] - called)
        prevalence = true / total[:, None]
        observed, expected = right.sum(axis=1) / total, (true * called).sum(axis=1) / total**2
        kappa = np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)
        # over the classes that are there, as scikit-learn does
        balanced = np.where(true > 0, sensitivity, 0).sum(axis=1) / (true > 0).sum(axis=1)
    values = {"accuracy": observed, "balanced_accuracy": balanced, "cohen_kappa": kappa}
    of_class = {
        "prevalence": prevalence,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": precision,
        "npv": npv,
    }
    for name, rates in of_class.items():
        values |= {f"{name}@{i}": rates[:, i] for i in range(counts.shape[1])}
    return values


def _called(known: Sample) -> np.ndarray:
    return known.prediction.argmax(axis=1)


def _normalised(known: Sample) -> np.ndarray:
    clipped = np.clip(known.prediction, CLIP, 1)
    return clipped / clipped.sum(axis=1, keepdims=True)


def _averaged(aucs: np.ndarray, shares: np.ndarray) -> dict:
    """The plain mean of one-vs-rest AUCs (r, k), and their mean weighted by the classes' shares (r, k)."""
    present = shares > 0
    weighted = np.where(present, np.nan_to_num(aucs) * shares, 0).sum(axis=1)
    weighted = np.where(present.sum(axis=1) > 1, weighted, np.nan)
    return {"auc_macro": np.where(present.all(axis=1), aucs.mean(axis=1), np.nan), "auc_weighted": weighted}


def _values(known: Sample, k: int) -> dict:
    if not len(known.truth):
        return {}
    truth, called = known.truth.astype(int), _called(known)
    counts = confusion_matrix(truth, called, labels=range(k))[None]
    values = {name: value[0] for name, value in from_confusion(counts).items()}
    values["accuracy"] = accuracy_score(truth, called)
    if len(np.union1d(truth, called)) > 1:
        values["cohen_kappa"] = cohen_kappa_score(truth, called)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that is called but absent
        values["balanced_accuracy"] = balanced_accuracy_score(truth, called)
    values["log_loss"] = log_loss(truth, _normalised(known), labels=list(range(k)))
    shares = np.bincount(truth, minlength=k) / len(truth)
    aucs = np.array(
        [roc_auc_score(truth == i, known.prediction[:, i]) if 0 < shares[i] < 1 else np.nan for i in range(k)]
    )
    averaged = _averaged(aucs[None], shares[None])
    return (
        values | {name: value[0] for name, value in averaged.items()} | {f"auc@{i}": auc for i, auc in enumerate(aucs)}
    )


def _statistic(known: Sample, k: int, units: np.ndarray):
    """The same numbers under weights (r, patients), for the bootstrap."""
    truth, n = known.truth.astype(int), len(known.truth)
    cells = np.zeros((n, k * k + 1))  # of the confusion matrix, one by one; then the loss
    cells[np.arange(n), k * truth + _called(known)] = 1
    cells[:, -1] = -np.log(_normalised(known)[np.arange(n), truth])
    linear = by_unit(cells, units)
    rankings = [Ranking(truth == i, known.prediction[:, i], units) for i in range(k)]

    def statistic(weights):
        sums = weights @ linear
        counts = sums[:, :-1].reshape(-1, k, k)
        total = counts.sum(axis=(1, 2))
        aucs = np.column_stack([ranking(weights, precision=False)[0] for ranking in rankings])
        values = from_confusion(counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            values["log_loss"] = sums[:, -1] / total
            values |= _averaged(aucs, counts.sum(axis=2) / total[:, None])
        return values | {f"auc@{i}": aucs[:, i] for i in range(k)}

    return statistic


def _own(known: Sample, k: int, values: dict, units: np.ndarray) -> dict[str, Interval | None]:
    """Intervals that need no draws: DeLong's of each class against the rest, Wilson's of the proportions."""
    if not len(known.truth):
        return {}
    truth, called = known.truth.astype(int), _called(known)
    right = truth == called
    found = {"accuracy": share_interval(right, units)}
    there = []
    for i in range(k):
        is_class, is_called = truth == i, called == i
        found[f"sensitivity@{i}"] = share_interval(right[is_class], units[is_class])
        found[f"precision@{i}"] = share_interval(right[is_called], units[is_called])
        found[f"prevalence@{i}"] = share_interval(is_class, units)
        found[f"specificity@{i}"] = share_interval(~is_called[~is_class], units[~is_class])
        found[f"npv@{i}"] = share_interval(~is_class[~is_called], units[~is_called])
        found[f"auc@{i}"] = auc_interval(is_class, known.prediction[:, i], units)
        there += [found[f"sensitivity@{i}"]] if is_class.any() else []
    found["balanced_accuracy"] = at_the_edge(values["balanced_accuracy"], lambda *s: sum(s) / len(s), *there)
    shares = np.bincount(truth, minlength=k) / len(truth)
    chance = float(shares @ np.bincount(called, minlength=k) / len(called))
    if values.get("cohen_kappa") == 1:
        found["cohen_kappa"] = at_the_edge(1, lambda a: (a - chance) / (1 - chance), found["accuracy"])
    return found
