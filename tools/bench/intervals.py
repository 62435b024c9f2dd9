"""How long intervals take: intervals.py [predictions [patients [replicates]]]; 100,000, 10,000 and 2,000 unless told.

All metrics of a binary, a regression and a 5-class target, per example and per patient, with the memory they took; DeLong's variance of a
million predictions; and, as a peer, scikit-learn and SciPy in a loop over 20 of the same replicates, scaled up to all.
"""

import resource
import sys
import time

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as sk

from medtf.config import Target
from medtf.evaluate.binary import judge_binary
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import per_patient, sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.statistics.delong import auc_variance
from medtf.evaluate.statistics.intervals import PatientBootstrap

PEER = 20  # replicates that the peer's loop really does
CLASSES = list("abcde")
TARGETS = {
    "binary": Target(kind="binary"),
    "regression": Target(kind="regression"),
    "multiclass": Target(kind="multiclass", classes=CLASSES),
}


def predictions(n: int, patients: int) -> pd.DataFrame:
    """Synthetic predictions of three targets; 14 % positives, a patient's rows alike."""
    generator = np.random.default_rng(0)
    patient = np.sort(generator.integers(0, patients, n))
    own = generator.normal(size=patients)[patient]
    noise = generator.normal(size=(n, 8))
    positive = own + noise[:, 0] > 1.5
    truth = np.clip(np.round(1.2 * own + noise[:, 1] + 2), 0, 4)
    logits = noise[:, 3:] + 1.5 * np.eye(5)[truth.astype(int)]
    frame = pd.DataFrame({"row": np.arange(n), "patient": patient})
    frame["binary"], frame["binary_true"] = 1 / (1 + np.exp(1 - 2 * positive - noise[:, 2])), positive.astype(float)
    frame["regression_true"] = 50 + 10 * own + 3 * noise[:, 1]
    frame["regression"] = frame["regression_true"] + 5 * noise[:, 2]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return frame.assign(multiclass_true=truth, **{f"multiclass_{i}": chances[:, i] for i in range(5)})


def judged(kind: str, frame: pd.DataFrame, replicates: int) -> dict:
    """As medtf.evaluate.judge does."""
    bootstrap = PatientBootstrap(frame["patient"], replicates=replicates)
    known = sample(frame, kind, TARGETS[kind])
    if kind == "binary":
        return judge_binary(known, 0.5, bootstrap, {"data": None, "given": 0.05})[0]
    if kind == "multiclass":
        return judge_multiclass(known, CLASSES, bootstrap)
    return judge_regression(known, bootstrap, training_mean=50.0)


def peer(kind: str, frame: pd.DataFrame, replicates: int) -> float:
    """Seconds that the same replicates of fewer metrics take in a loop."""
    bootstrap = PatientBootstrap(frame["patient"], replicates=PEER)
    known = sample(frame, kind, TARGETS[kind])
    truth, predicted = known.truth, known.prediction
    start = time.perf_counter()
    for counts in np.concatenate(list(bootstrap.counts())):
        rows = np.repeat(np.arange(len(truth)), counts[bootstrap.codes])
        t, p = truth[rows], predicted[rows]
        if kind == "binary":
            called = p >= 0.5
            _ = sk.roc_auc_score(t, p), sk.average_precision_score(t, p), sk.log_loss(t, p), sk.brier_score_loss(t, p)
            _ = sk.accuracy_score(t, called), sk.balanced_accuracy_score(t, called), sk.f1_score(t, called)
            _ = sk.recall_score(t, called), sk.precision_score(t, called), sk.confusion_matrix(t, called)
        elif kind == "multiclass":
            called = p.argmax(axis=1)
            _ = sk.roc_auc_score(t, p, multi_class="ovr", average=None), sk.log_loss(t, p), sk.accuracy_score(t, called)
            _ = sk.balanced_accuracy_score(t, called), sk.cohen_kappa_score(t, called), sk.confusion_matrix(t, called)
        else:
            _ = sk.mean_absolute_error(t, p), sk.root_mean_squared_error(t, p), sk.r2_score(t, p)
            _ = stats.pearsonr(t, p), stats.spearmanr(t, p), stats.pearsonr(t, p - t)
    return (time.perf_counter() - start) * replicates / PEER


def main(n: int = 100_000, patients: int = 10_000, replicates: int = 2000) -> None:
    """Measure and print `name: value unit` lines."""
    frame = predictions(n, patients)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"predictions: {n} rows of {frame['patient'].nunique()} patients, {replicates} replicates")
    for kind, target in TARGETS.items():
        start, cpu = time.perf_counter(), time.process_time()
        judged(kind, frame, replicates)
        judged(kind, per_patient(frame, kind, target, "max"), replicates)
        print(f"{kind}, per example and per patient: {time.perf_counter() - start:.1f} s", flush=True)
        print(f"{kind}, processor time: {time.process_time() - cpu:.1f} s", flush=True)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"memory above the predictions: {more:.0f} MiB")
    generator = np.random.default_rng(0)
    truth = (generator.random(1_000_000) < 0.14).astype(float)
    scores = generator.normal(size=1_000_000) + truth
    people = generator.integers(0, 100_000, 1_000_000)
    for name, ids in (("a row each", None), ("clustered by patient", people)):
        start = time.perf_counter()
        auc_variance(truth, scores, ids)
        print(f"DeLong, a million predictions, {name}: {time.perf_counter() - start:.2f} s", flush=True)
    for kind in TARGETS:
        print(
            f"peer, {kind}, per example alone, from {PEER} replicates: {peer(kind, frame, replicates):.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
