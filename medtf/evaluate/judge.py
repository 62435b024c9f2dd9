"""Predictions of one fold -> the content of metrics.json."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.evaluate.binary import judge_binary
from medtf.evaluate.further import further
from medtf.evaluate.intervals import LEVEL, SEED, PatientBootstrap, measured
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import of_fold, per_patient, sample
from medtf.evaluate.regression import judge_regression

SCHEMA = 1


def judge(
    predictions: pd.DataFrame,
    config: Config,
    thresholds: dict,
    *,
    split: str,
    fingerprint: str,
    undersampled_prevalence: dict[str, float] | None = None,
    valid: pd.DataFrame | None = None,
    training_means: dict[str, float] | None = None,
    warnings: Sequence[str] = (),
    leaks: Sequence[str] = (),
) -> dict:
    """Judge the predictions of one fold, per example and per patient.

    Args:
        predictions: one row an example (see medtf.evaluate.predictions); rows of other folds are ignored.
        config: its targets, train.loss_weights and the section evaluate are used.
        thresholds: {binary target: {"value": ..., ...}} as `thresholds.choose` gives them.
        split: the fold to judge, or "all".
        fingerprint: of the example table, copied into the result.
        undersampled_prevalence: {binary target: prevalence in the training stream}, where undersampling changed it.
        valid: predictions of the validation fold, on which regression targets are corrected and recalibrated, or None.
        training_means: {regression target: mean of the training fold's true values}, for its floor.
        warnings, leaks: lines to carry into the result.

    Returns:
        the content of metrics.json (docs/metrics.md): plain dicts, numbers, strings and None, never NaN.

    Raises:
        MedtfError: no example in the fold, a column is missing, a threshold is missing, or predictions are not finite.
    """
    frame = of_fold(predictions, split)
    if frame.empty:
        raise MedtfError(f"predictions: no example to judge in fold {split!r}")
    options = {"thresholds": thresholds, "undersampled": undersampled_prevalence or {}}
    options["training_means"] = training_means or {}
    bootstrap = PatientBootstrap(frame["patient"], replicates=config.evaluate.replicates)
    targets, losses = _targets(config, lambda name, target: (frame, bootstrap), options)
    for name, target in config.targets.items():
        targets[name] |= further(frame, name, target, bootstrap, config, valid=valid, fold=split)
    result = {
        "schema": SCHEMA,
        "split": split,
        "n": {"examples": len(frame), "patients": bootstrap.patients},
        "targets": targets,
    }
    if len(losses) > 1:
        result["weighted_log_loss"] = _weighted_log_loss(targets, losses, config.train.loss_weights, bootstrap)
    result["per_patient"] = _per_patient(frame, config, options)
    result["intervals"] = {
        "method": "percentile bootstrap over patients",
        "replicates": config.evaluate.replicates,
        "level": LEVEL,
        "seed": SEED,
    }
    return result | {"fingerprint": fingerprint, "warnings": list(warnings), "leaks": list(leaks)}


def _per_patient(frame: pd.DataFrame, config: Config, options: dict) -> dict:
    def gathered(name, target):
        patients = per_patient(frame, name, target, config.evaluate.aggregate)
        return patients, PatientBootstrap(patients["patient"], replicates=config.evaluate.replicates)

    targets, _ = _targets(config, gathered, options | {"per_patient": True})
    return {"n": frame["patient"].nunique(), "aggregate": config.evaluate.aggregate.text, "targets": targets}


def _targets(config: Config, data, options: dict) -> tuple[dict, dict]:
    """{target: metrics} and {binary target: replicates of its log loss}; `data(name, target)` gives frame, draws."""
    results, losses = {}, {}
    for name, target in config.targets.items():
        frame, bootstrap = data(name, target)
        known = sample(frame, name, target)
        if target.kind == "binary":
            threshold = _threshold(name, options)
            prevalences = _prevalences(name, config, options)
            result, losses[name] = judge_binary(known, threshold["value"], bootstrap, prevalences)
            results[name] = {"kind": "binary", **_labels(target), **result, "threshold": threshold}
        elif target.kind == "multiclass":
            result = judge_multiclass(known, [str(label) for label in target.classes], bootstrap)
            results[name] = {"kind": "multiclass", **result}
        else:
            results[name] = {
                "kind": "regression",
                **judge_regression(known, bootstrap, training_mean=options["training_means"].get(name)),
            }
    return results, losses


def _labels(target: Target) -> dict:
    positive = "1" if target.positive is None else str(target.positive)
    others = "0" if target.positive is None else f"not {positive}"
    return {"positive": positive, "negative": others if target.negative is None else str(target.negative)}


def _threshold(name: str, options: dict) -> dict:
    if name not in options["thresholds"]:
        raise MedtfError(
            f"thresholds: none for target {name!r}: choose them on the validation fold (thresholds.choose) first"
        )
    threshold = dict(options["thresholds"][name])
    for_patients = threshold.pop("per_patient", None)
    return dict(for_patients) if options.get("per_patient") and for_patients else threshold


def _prevalences(name: str, config: Config, options: dict) -> dict[str, float | None]:
    prevalences: dict[str, float | None] = {"data": None}
    # both are rates of examples; a patient is positive more often than a slice of it
    if not options.get("per_patient"):
        if name in options["undersampled"]:
            prevalences["undersampled"] = float(options["undersampled"][name])
        if config.evaluate.prevalence is not None and name == next(iter(config.targets)):
            prevalences["given"] = config.evaluate.prevalence
    return prevalences


def _weighted_log_loss(targets: dict, losses: dict, weights: dict[str, float], bootstrap: PatientBootstrap) -> dict:
    """The mean of the binary targets' log losses, weighted by train.loss_weights (RSNA 2019 counts `any` twice)."""
    share = np.array([weights.get(name, 1.0) for name in losses])
    values = [targets[name]["log_loss"]["value"] for name in losses]
    if any(value is None for value in values) or not math.isfinite(share.sum()) or share.sum() <= 0:
        return measured(None, None, undefined="a target has no example with a known label, or the weights sum to 0")
    share = share / share.sum()
    # all targets saw the same draws of patients, so replicates may be added
    known = all(replicates is not None for replicates in losses.values())
    replicates = share @ np.stack(list(losses.values())) if known else None
    return measured(
        float(share @ values), replicates, why_not=bootstrap.why_not() or "no interval: a target has a single patient"
    )
