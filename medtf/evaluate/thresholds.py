"""Thresholds of binary targets, chosen on the validation fold and never moved by the test fold.

A threshold picked on the fold that it is then judged on flatters sensitivity and specificity.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from medtf.config import Target
from medtf.evaluate.predictions import Sample, of_fold, per_patient, sample
from medtf.schema_evaluate import Rule


def choose(
    predictions_valid: pd.DataFrame, targets: dict[str, Target], rule: str | float, *, aggregate: str | None = None
) -> dict:
    """The threshold of every binary target; an example is called positive when its probability >= the threshold.

    Args:
        predictions_valid: predictions of the validation fold (rows of other folds are ignored); may be empty.
        targets: the config's targets.
        rule: "youden", or a number that is taken as it is.
        aggregate: "max" or "mean": also choose a threshold for patients, whose aggregated probability is distributed
            otherwise (the maximum of 30 slices nearly always passes the slices' threshold). None: patients use that of
            the examples.

    Returns:
        {target: {"value", "rule", "fold", "n", "patients"}}; with `aggregate` also "per_patient", of the same form.
    """
    chosen, parsed = {}, Rule.of(rule)
    rule = parsed.rule if parsed.value is None else parsed.value
    frame = of_fold(predictions_valid, "valid") if len(predictions_valid) else predictions_valid
    for name, target in targets.items():
        if target.kind != "binary":
            continue
        if not len(frame) or rule != "youden":
            chosen[name] = _fixed(rule)
            continue
        chosen[name] = _youden(sample(frame, name, target))
        if aggregate is not None:
            gathered = sample(per_patient(frame, name, target, aggregate), name, target)
            chosen[name]["per_patient"] = _youden(gathered)
    return chosen


def youden(truth: np.ndarray, probability: np.ndarray) -> float | None:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), half-way to the next lower score.

    Of several equally good ones the lowest is taken, which has the highest sensitivity: a missed finding costs more
    than a second look. None when no threshold does better than chance.
    """
    false_rate, true_rate, scores = roc_curve(truth, probability, drop_intermediate=False)  # scores descend from inf
    gain = true_rate - false_rate
    if gain.max() <= 1e-12:
        return None
    best = np.flatnonzero(gain >= gain.max() - 1e-12)[-1]  # never the last score: calling all positive gains 0
    middle = (scores[best] + scores[best + 1]) / 2
    return float(middle if middle > scores[best + 1] else scores[best])  # neighbouring floats have no middle


def _youden(known: Sample) -> dict:
    value, rule = 0.5, "youden"
    if len(known.truth) == 0:
        rule = "fixed (validation fold holds no known label)"
    elif known.truth.min() == known.truth.max():
        rule = "fixed (validation fold holds one class only)"
    else:
        value = youden(known.truth, known.prediction)
        if value is None:
            value, rule = 0.5, "fixed (no threshold separates the validation fold)"
    return {"value": value, "rule": rule, "fold": "valid", "n": len(known.truth), "patients": known.patients}


def _fixed(rule) -> dict:
    if rule == "youden":
        return {"value": 0.5, "rule": "fixed (no validation fold)", "fold": None, "n": 0, "patients": 0}
    return {"value": float(rule), "rule": "fixed", "fold": None, "n": 0, "patients": 0}
