"""Probabilities brought nearer to what happens, by a rule that is fitted on the validation fold.

Three rules, from stiff to supple. *temperature* (Guo 2017, arXiv 1706.04599) divides the logits by one number. *platt* (Platt 1999, Advances in
Large Margin Classifiers, 61) puts a line through the logits of each class. *isotonic* (Zadrozny and Elkan 2002, KDD, 694) is the rising staircase
nearest to the labels; below about a thousand examples it follows their chance (Niculescu-Mizil and Caruana 2005, ICML, 625).

Every example weighs alike, since the log loss and the Brier score that are judged are means over examples. Only probabilities are at hand, so a
logit is ln(p / (1 - p)), p kept 1e-7 away from 0 and 1.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.isotonic import IsotonicRegression

from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate.binary import CLIP
from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics import logistic

HOW = ("temperature", "platt", "isotonic")
FEWEST = 20  # patients of the validation fold; a rule of fewer follows their chance
STEEPEST = 1e3  # of one over the temperature, and its inverse: beyond, there is no end to it


def fit(known: Sample, how: str, kind: str) -> dict:
    """The parameters of a rule, as they stand in calibration.json.

    Args:
        known: examples of the validation fold with a label.
        how: temperature, platt or isotonic.
        kind: binary or multiclass.

    Returns:
        {"how", "kind", "n", "patients"} and `temperature`; or `slope`, `intercept`; or `from`, `to` (knots of the staircase, straight lines
        between them); of platt and isotonic with several classes `classes`, a list of such, whose answers are brought to the sum 1.
        {"how", "kind", "n", "patients", "reason"} where nothing can be fitted.

    Raises:
        AskedWronglyError: an unknown rule.
    """
    if how not in HOW:
        raise AskedWronglyError(f"evaluate.calibrate: {how!r} is no rule: {nearest(how, HOW)}")
    about = {"how": how, "kind": kind, "n": len(known.truth), "patients": known.patients}
    reason = _why_not(known, kind)
    if reason:
        return about | {"reason": reason}
    if how == "temperature":
        return about | _temperature(known.truth.astype(int), _log(known.prediction))
    one = _platt if how == "platt" else _isotonic
    if kind == "binary":
        return about | one(known.truth, known.prediction)
    each = [
        one((known.truth == i).astype(np.float64), known.prediction[:, i]) for i in range(known.prediction.shape[1])
    ]
    for i, found in enumerate(each):
        if "reason" in found:
            return about | {"reason": f"class {i}: {found['reason']}"}
    return about | {"classes": each}


def apply(parameters: dict, probabilities) -> np.ndarray:
    """Calibrated probabilities, float64, in the shape given.

    Args:
        parameters: as `fit` gives them. probabilities: (n,) of the positive class, or (n, k) of each class.

    Raises:
        MedtfError: parameters that hold no rule but a reason why there is none.
    """
    if "reason" in parameters:
        raise MedtfError(f"calibration: there is no rule to apply ({parameters['reason']}): use the raw probabilities")
    probabilities = np.asarray(probabilities, np.float64)
    if parameters["how"] == "temperature":
        if probabilities.ndim == 1:
            return expit(_logit(probabilities) / parameters["temperature"])
        return softmax(_log(probabilities) / parameters["temperature"], axis=1)
    if parameters["kind"] == "binary":
        return _applied(parameters, probabilities)
    each = np.column_stack([_applied(one, probabilities[:, i]) for i, one in enumerate(parameters["classes"])])
    return each / each.sum(axis=1, keepdims=True)


def _temperature(truth: np.ndarray, logs: np.ndarray) -> dict:
    """The temperature with the smallest log loss: the root of its derivative by one over the temperature, which only rises."""
    of_truth = logs[np.arange(len(truth)), truth]

    def rise(power):
        return float(np.mean((softmax(power * logs, axis=1) * logs).sum(axis=1) - of_truth))

    low, high = rise(1 / STEEPEST), rise(STEEPEST)
    if abs(high - low) < 1e-12:
        return {"reason": "all validation probabilities are equal among the classes"}
    if low >= 0:
        return {"reason": "validation probabilities tell nothing of the truth: the best temperature has no end"}
    if high <= 0:
        return {"reason": "validation probabilities call every example rightly: the best temperature is 0"}
    return {"temperature": 1 / float(brentq(rise, 1 / STEEPEST, STEEPEST, xtol=1e-12, rtol=1e-12))}


def _platt(truth: np.ndarray, probability: np.ndarray) -> dict:
    """Slope and intercept of the logit; the labels are drawn in a little, as Platt does, so that both are always finite."""
    positives = truth.sum()
    negatives = len(truth) - positives
    drawn_in = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    x = _logit(probability)
    if np.ptp(x) == 0:
        return {"reason": "all validation probabilities are equal"}
    intercept, slope = (float(value[0]) for value in logistic.fit(x, drawn_in[None], np.ones_like(x)[None]))
    if not slope > 0:
        return {"reason": "validation probabilities do not rise with the truth: the slope is not above 0"}
    return {"slope": slope, "intercept": intercept}


def _isotonic(truth: np.ndarray, probability: np.ndarray) -> dict:
    """Knots of the staircase; its ends are kept 1 / (n + 2) away from 0 and 1, since n examples make nothing certain (Laplace's rule)."""
    if np.ptp(probability) == 0:
        return {"reason": "all validation probabilities are equal"}
    edge = 1 / (len(truth) + 2)
    stairs = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(probability, truth)
    if len(stairs.X_thresholds_) < 2 or np.ptp(stairs.y_thresholds_) == 0:
        return {"reason": "validation probabilities do not rise with the truth: the staircase is flat"}
    return {"from": stairs.X_thresholds_.tolist(), "to": stairs.y_thresholds_.tolist()}


def _applied(parameters: dict, probability: np.ndarray) -> np.ndarray:
    if "from" in parameters:
        return np.interp(probability, parameters["from"], parameters["to"])
    return expit(parameters["slope"] * _logit(probability) + parameters["intercept"])


def _log(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms of the classes' probabilities (n, k), summing to 1; of a positive class (n,), both classes'."""
    if probabilities.ndim == 1:
        x = _logit(probabilities)
        return log_softmax(np.column_stack([np.zeros_like(x), x]), axis=1)
    return log_softmax(np.log(np.clip(probabilities, CLIP, 1)), axis=1)


def _logit(probability: np.ndarray) -> np.ndarray:
    return logit(np.clip(probability, CLIP, 1 - CLIP))


def _why_not(known: Sample, kind: str) -> str | None:
    if known.patients < FEWEST:
        return f"the validation fold has {known.patients} patients with a known label; at least {FEWEST} are needed"
    there = np.unique(known.truth)
    if kind == "binary" and len(there) < 2:
        return "the validation fold holds one class only"
    if kind == "multiclass" and len(there) < known.prediction.shape[1]:
        return "a class is missing from the validation fold"
    return None
