"""The metrics that a cross-validation averages over its folds, under many weightings of the patients at once."""

import numpy as np

from medtf.config import Target
from medtf.evaluate.binary import CLIP, at_threshold
from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.intervals import by_unit
from medtf.evaluate.statistics.ranking import Ranking

KEYS = {
    "binary": ("auc", "average_precision", "log_loss", "brier", "sensitivity", "specificity", "accuracy", "balanced_accuracy"),
    "multiclass": ("auc_macro", "accuracy", "balanced_accuracy", "log_loss"),
    "regression": ("mean_absolute_error", "root_mean_squared_error", "bias", "pearson_r"),
}  # fmt: skip
RANKED = {"binary": "auc", "multiclass": "auc_macro"}  # what compares the scores of one example with another's


def statistic(known: Sample, target: Target, threshold, units: np.ndarray):
    """A function of weights (r, patients) >= 0 that gives {key: (r,)} for the keys of the target's kind, NaN where undefined.

    Args:
        known: examples with a label.
        target: of these.
        threshold: of a binary target, a number or (n,); None else.
        units: (n,) whose patient each example is, as `PatientBootstrap.units` numbers them.
    """
    if target.kind == "binary":
        return _binary(known, threshold, units)
    return _multiclass(known, target.units, units) if target.kind == "multiclass" else _regression(known, units)


def ranked(known: Sample, target: Target, units: np.ndarray):
    """The same for the metric of `RANKED` alone: (r, patients) -> (r,)."""
    if target.kind == "binary":
        ranking = Ranking(known.truth, known.prediction, units)
        return lambda weights: ranking(weights, precision=False)[0]
    rankings = [Ranking(known.truth == i, known.prediction[:, i], units) for i in range(target.units)]
    # the AUC of a class that is not there is NaN, and so is the mean with it
    return lambda weights: np.mean([ranking(weights, precision=False)[0] for ranking in rankings], axis=0)


def _binary(known: Sample, threshold, units):
    truth, probability = known.truth, known.prediction
    ranking = Ranking(truth, probability, units)
    called = (probability >= threshold).astype(np.float64)
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    loss = -np.log(np.where(truth == 1, clipped, 1 - clipped))
    cells = [(1 - truth) * (1 - called), (1 - truth) * called, truth * (1 - called), truth * called]
    sums = by_unit(np.column_stack([*cells, loss, (probability - truth) ** 2, np.ones_like(truth)]), units)

    def of(weights):
        tn, fp, fn, tp, losses, squares, total = (weights @ sums).T
        auc, average_precision = ranking(weights)
        rates = at_threshold(tn, fp, fn, tp)
        found = {"auc": auc, "average_precision": average_precision}
        found |= {"log_loss": _share(losses, total), "brier": _share(squares, total)}
        return found | {key: rates[key] for key in KEYS["binary"] if key in rates}

    return of


def _multiclass(known: Sample, k: int, units):
    truth = known.truth.astype(int)
    is_class = np.eye(k)[truth]  # (n, k)
    right = (known.prediction.argmax(axis=1) == truth).astype(np.float64)
    clipped = np.clip(known.prediction, CLIP, 1)
    loss = -np.log((clipped / clipped.sum(axis=1, keepdims=True))[np.arange(len(truth)), truth])
    sums = by_unit(np.column_stack([is_class, is_class * right[:, None], loss]), units)
    macro = ranked(known, Target(kind="multiclass", classes=tuple(range(k))), units)

    def of(weights):
        found = weights @ sums
        of_class, hits, losses = found[:, :k], found[:, k : 2 * k], found[:, -1]  # (r, k), (r, k), (r,)
        sensitivity = np.divide(hits, of_class, out=np.zeros_like(hits), where=of_class > 0)
        total = of_class.sum(axis=1)
        balanced = _share(sensitivity.sum(axis=1), (of_class > 0).sum(axis=1))  # over the classes that are there
        accuracy, loss = _share(hits.sum(axis=1), total), _share(losses, total)
        return {"auc_macro": macro(weights), "accuracy": accuracy, "balanced_accuracy": balanced, "log_loss": loss}

    return of


def _regression(known: Sample, units):
    error = known.prediction - known.truth
    # centred, so that the sums of squares below lose no digits
    truth, predicted = known.truth - known.truth.mean(), known.prediction - known.prediction.mean()
    columns = [np.abs(error), error**2, error, truth, predicted, truth**2, predicted**2, truth * predicted]
    sums = by_unit(np.column_stack([*columns, np.ones_like(error)]), units)
    flat = np.ptp(known.truth) == 0 or np.ptp(known.prediction) == 0

    def of(weights):
        *found, total = (weights @ sums).T
        absolute, squared, bias, t, p, tt, pp, tp = (_share(column, total) for column in found)
        # of centred squares this much is rounding: a draw of one patient's copies has no spread
        defined = (tt - t**2 > 1e-12 * tt) & (pp - p**2 > 1e-12 * pp) & (not flat)
        product = np.where(defined, (tt - t**2) * (pp - p**2), 1)
        r = np.where(defined, np.clip((tp - t * p) / np.sqrt(product), -1, 1), np.nan)
        found = {"mean_absolute_error": absolute, "root_mean_squared_error": np.sqrt(squared)}
        return found | {"bias": bias, "pearson_r": r}

    return of


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole (r,), NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
