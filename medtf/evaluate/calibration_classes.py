"""Calibration of one target: of a binary one its probability, of several classes the class called and each class."""

import numpy as np

from medtf.config import Target
from medtf.evaluate.calibration import Calibration, of_probabilities
from medtf.evaluate.predictions import Sample, class_names
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured

UNKNOWN = "no example with a known label"


def section(known: Sample, target: Target, bootstrap: PatientBootstrap) -> dict:
    """How well the probabilities of one target are calibrated.

    Args:
        known: the examples with a label; predictions (n,) of the positive class or (n, k).
        target: what it is; not a regression. bootstrap: the draws of the fold's patients.

    Returns:
        of a binary target what `calibration.of_probabilities` gives; of several classes `brier` (sum over the classes, 0 to 2), `classwise_ece`
        (mean over them), `top_label` (whether the class called is right, against its probability) and `per_class` (one against the rest),
        each of the last two of that form. Without examples a `reason` alone.
    """
    if not len(known.truth):
        return {"reason": UNKNOWN}
    if target.kind == "binary":
        return of_probabilities(known.truth, known.prediction, bootstrap, known.at)
    each = [
        Calibration(known.truth == i, known.prediction[:, i], bootstrap, known.at)
        for i in range(known.prediction.shape[1])
    ]
    found = {"brier": _brier(each), "classwise_ece": _classwise(each)}
    found["top_label"] = of_probabilities(*top_label(known), bootstrap, known.at)
    return found | {"per_class": {name: one.section() for name, one in zip(class_names(target), each, strict=True)}}


def top_label(known: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Whether the class called, the first of equals, is right, and its probability."""
    called = known.prediction.argmax(axis=1)
    return (called == known.truth).astype(np.float64), known.prediction.max(axis=1)


def _brier(each: list[Calibration]) -> dict:
    """The sum over the classes."""
    value = sum(one.values["brier"] for one in each)
    draws = None
    if each[0].draws:
        draws = sum((one.draws["brier"] for one in each[1:]), each[0].draws["brier"])
    return measured(value, draws, why_not=each[0].why_not)


def _classwise(each: list[Calibration]) -> dict:
    """The mean calibration error over the classes."""
    value = np.mean([one.values["ece"] for one in each])
    return measured(
        value, None, why_not=each[0].why_not or "no interval: draws of a calibration error leave the truth out"
    )
