"""Conformal sets and intervals of one target, calibrated on the validation fold and judged on another."""

import numpy as np

from medtf.config import Target
from medtf.evaluate.conformal_sets import expected, fit, interval, sets
from medtf.evaluate.predictions import Sample, class_names
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.statistics.patient_means import PatientMeans


def section(
    known: Sample,
    valid: Sample,
    bootstrap: PatientBootstrap,
    miscoverage: float,
    *,
    target: Target,
    people,
    sd: np.ndarray | None = None,
    sd_valid: np.ndarray | None = None,
    fold: str = "test",
) -> dict:
    """What the sets and intervals promise, and what they keep.

    Args:
        known, bootstrap: the examples that are judged, with a known label, and the draws of their patients.
        valid: those of the validation fold. people: (m,) whose each of them is.
        miscoverage: share of truths that may lie outside.
        target: what it is.
        sd, sd_valid: (n,), (m,) predicted standard deviations of values, or None.
        fold: that is judged; that it is the one they were calibrated on is said.

    Returns:
        `miscoverage`, `calibrated_on` (`fold`, `n`, `patients`, `judged_too`), `expected` coverage (95 % range), `parameters`; of values
        `coverage`, `half_width`; of classes `method` (lac) with `coverage`, `by_class`, `size`, `empty`, `one`, `all`, and the same under
        `class_conditional` and, of three and more, under `adaptive`. Every patient weighs the same in them. Else a `reason`.
    """
    parameters = fit(valid, people, miscoverage, target.kind, sd=sd_valid)
    found = {"miscoverage": miscoverage}
    found["calibrated_on"] = {"fold": "valid", "n": parameters["n"], "patients": parameters["patients"]}
    found["calibrated_on"]["judged_too"] = fold in ("valid", "all")
    if "reason" in parameters:
        return found | {"reason": parameters["reason"]}
    if not len(known.truth):
        return found | {"reason": "no example with a known label"}
    found |= {"expected": expected(valid.patients, miscoverage), "parameters": parameters}
    means = PatientMeans(bootstrap, known.at)
    if target.kind == "regression":
        low, high = interval(known.prediction, parameters, sd=sd)
        means.add("coverage", (low <= known.truth) & (known.truth <= high))
        means.add("half_width", (high - low) / 2)
        return found | means.metrics()
    return found | _of_classes(known, target, parameters, means)


METHODS = {"lac": "lac", "class_conditional": "by_class", "adaptive": "aps"}


def _of_classes(known: Sample, target: Target, parameters: dict, means: PatientMeans) -> dict:
    names, truth = class_names(target), known.truth.astype(int)
    there = [key for key, method in METHODS.items() if method in parameters["quantiles"]]
    for key in there:
        inside = sets(known.prediction, parameters, METHODS[key])
        hit, size = inside[np.arange(len(truth)), truth], inside.sum(axis=1)
        means.add(f"{key}/coverage", hit)
        means.add(f"{key}/size", size.astype(np.float64))
        for share, of in (("empty", size == 0), ("one", size == 1), ("all", size == len(names))):
            means.add(f"{key}/{share}", of)
        for i, name in enumerate(names):
            means.add(f"{key}/coverage/{name}", hit, where=truth == i, undefined="no example of this class")
    metrics = means.metrics()
    found = {}
    for key in there:
        numbers = {name: metrics[f"{key}/{name}"] for name in ("coverage", "size", "empty", "one", "all")}
        numbers["by_class"] = {
            name: {"n": int((truth == i).sum()), "coverage": metrics[f"{key}/coverage/{name}"]}
            for i, name in enumerate(names)
        }
        found |= {"method": "lac"} | numbers if key == "lac" else {key: numbers}
    without = [name for name, q in zip(names, parameters["quantiles"]["by_class"], strict=True) if q is None]
    if without:  # too few patients of it: it stands in every set
        found["class_conditional"]["always_in"] = without
    return found
