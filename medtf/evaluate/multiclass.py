"""Metrics of a target with k classes."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)

from medtf.evaluate.binary import CLIP
from medtf.evaluate.intervals import PatientBootstrap, measured
from medtf.evaluate.predictions import Sample
from medtf.evaluate.ranking import Ranking

_NAMES = ("accuracy", "balanced_accuracy", "auc_macro", "auc_weighted", "log_loss", "cohen_kappa")
_PER_CLASS = ("sensitivity", "precision", "auc")
_REASONS = {
    "auc_macro": "a class is missing from this fold",
    "auc_weighted": "one class only",
    "cohen_kappa": "one class only, in labels and calls",
    "sensitivity": "no example of this class",
    "precision": "no example is called this class",
    "auc": "needs examples of this class and of others",
}


def judge_multiclass(known: Sample, classes: list[str], bootstrap: PatientBootstrap) -> dict:
    """All metrics of one multiclass target; the class called is the most probable one, the first of equals."""
    k = len(classes)
    values = _values(known, k)
    replicates = bootstrap.replicate(_statistic(known, k), known.at) if len(known.truth) else {}
    why_not = bootstrap.why_not(known.at)

    def metric(name):
        empty = "no example with a known label"
        undefined = _REASONS.get(name.partition("@")[0], empty) if len(known.truth) else empty
        return measured(values.get(name), replicates.get(name), undefined=undefined, why_not=why_not)

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
    """What follows from tables (r, k, k), true x called: accuracies, kappa, each class's sensitivity and precision."""
    total, true, called = counts.sum(axis=(1, 2)), counts.sum(axis=2), counts.sum(axis=1)
    right = np.einsum("rii->ri", counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, precision = right / true, right / called  # (r, k)
        observed, expected = right.sum(axis=1) / total, (true * called).sum(axis=1) / total**2
        kappa = np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw without any row of this target
        balanced = np.nanmean(sensitivity, axis=1)  # over the classes that are there, as scikit-learn does
    values = {"accuracy": observed, "balanced_accuracy": balanced, "cohen_kappa": kappa}
    for i in range(counts.shape[1]):
        values |= {f"sensitivity@{i}": sensitivity[:, i], f"precision@{i}": precision[:, i]}
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


def _statistic(known: Sample, k: int):
    """The same numbers under weights (r, n), for the bootstrap."""
    truth, n = known.truth.astype(int), len(known.truth)
    cells = sparse.csr_array((np.ones(n), (k * truth + _called(known), np.arange(n))), shape=(k * k, n))
    loss = -np.log(_normalised(known)[np.arange(n), truth])
    rankings = [Ranking(truth == i, known.prediction[:, i]) for i in range(k)]

    def statistic(weights):
        counts = (cells @ weights.T).T.reshape(-1, k, k)
        total = weights.sum(axis=1)
        aucs = np.column_stack([ranking(weights)[0] for ranking in rankings])
        values = from_confusion(counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            values["log_loss"] = weights @ loss / total
            values |= _averaged(aucs, counts.sum(axis=2) / total[:, None])
        return values | {f"auc@{i}": aucs[:, i] for i in range(k)}

    return statistic
