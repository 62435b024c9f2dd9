"""Predictions of one fold -> the content of metrics.json."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from medtf.config import Config
from medtf.errors import MedtfError
from medtf.evaluate import by_fold
from medtf.evaluate.binary import judge_binary
from medtf.evaluate.further import further
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import class_names, count_series, has_series, of_fold, per_patient, per_series, sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.sections import Beside, sections
from medtf.evaluate.statistics.intervals import LEVEL, SEED, PatientBootstrap, measured

SCHEMA = 2  # docs/metrics.schema.json


def judge(
    predictions: pd.DataFrame,
    config: Config,
    thresholds: dict,
    *,
    split: str,
    fingerprint: str,
    undersampled_prevalence: dict[str, float] | None = None,
    valid: pd.DataFrame | None = None,
    why_no_valid: str | None = None,
    trained_on: dict[str, float] | None = None,
    scaling: dict[str, dict] | None = None,
    training_means: dict[str, float] | None = None,
    warnings: Sequence[str] = (),
    leaks: Sequence[str] = (),
) -> dict:
    """Judge the predictions of one fold, per example and per patient.

    Args:
        predictions: one row an example (see medtf.evaluate.predictions); rows of other folds are ignored. With `cv_fold` and
            `<t>_threshold` they are those of a cross-validation, and each row is called by its own threshold.
        config: its targets, train.loss_weights and the section evaluate are used.
        thresholds: {binary target: {"value": ..., ...}} as `thresholds.choose` gives them.
        split: the fold to judge, or "all".
        fingerprint: of the example table, copied into the result.
        undersampled_prevalence: {binary target: prevalence in the training stream}, where undersampling changed it.
        valid: predictions of the validation fold, which lines and conformal sets are fitted on, or None; `why_no_valid` may say why.
        trained_on: {binary target: prevalence in the stream that training saw}.
        scaling: {target: parameters of `medtf.evaluate.scaling`}, where the run is calibrated.
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
    valid = valid if valid is not None and len(valid) else None
    beside = Beside(valid, why_no_valid, trained_on or {}, scaling or {})
    options = {"thresholds": thresholds, "undersampled": undersampled_prevalence or {}}
    options["training_means"] = training_means or {}
    bootstrap = _draws(frame["patient"], config)
    targets, losses = _targets(config, lambda name, target: (frame, bootstrap), options)
    _add_sections(targets, frame, bootstrap, config, split, beside, options)
    result = {
        "schema": SCHEMA,
        "split": split,
        "n": {"examples": len(frame), "patients": bootstrap.patients},
        "targets": targets,
    }
    if len(losses) > 1:
        result["weighted_log_loss"] = _weighted_log_loss(targets, losses, config.train.loss_weights, bootstrap)
    result["per_patient"] = _gathered(frame, config, options, per_patient) | {"n": bootstrap.patients}
    if has_series(frame):
        result["per_series"] = _gathered(frame, config, options, per_series) | {"n": count_series(frame)}
    if by_fold.FOLD in frame:
        result["cross_validation"] = by_fold.section(frame, config, split=split, judged=targets)
    asked = {"method": config.evaluate.intervals, "replicates": config.evaluate.replicates}
    result["intervals"] = asked | {"level": LEVEL, "seed": SEED}
    result["settings"] = config.evaluate.model_dump(mode="json")
    return result | {"fingerprint": fingerprint, "warnings": list(warnings), "leaks": list(leaks)}


def _add_sections(targets: dict, frame, bootstrap, config: Config, split: str, beside: Beside, options: dict) -> None:
    """What each target is told beyond its metrics, added in place."""
    for name, target in config.targets.items():
        numbers = targets[name]
        numbers |= further(frame, name, target, bootstrap, config, valid=beside.valid, fold=split, numbers=numbers)
        threshold = called_from(frame, name, numbers) if target.kind == "binary" else None
        asked = {"threshold": threshold, "prevalences": _prevalences(name, config, options), "beside": beside}
        numbers |= sections(frame, name, target, bootstrap, config, split=split, numbers=numbers, **asked)


def called_from(frame: pd.DataFrame, name: str, numbers: dict):
    """From which probability on an example is called positive: one number, or (n,) one a known row in a cross-validation."""
    own = by_fold.own_thresholds(frame, name)
    if own is None:
        return numbers["threshold"]["value"]
    return own[frame[f"{name}_true"].notna().to_numpy()]


def _draws(patients, config: Config) -> PatientBootstrap:
    return PatientBootstrap(patients, replicates=config.evaluate.replicates, intervals=config.evaluate.intervals)


def _gathered(frame: pd.DataFrame, config: Config, options: dict, gather) -> dict:
    """The same metrics of patients, or of series."""

    def gathered(name, target):
        found = gather(frame, name, target, config.evaluate.aggregate)
        own = f"{name}_threshold_per_patient"
        if own in frame:  # of a cross-validation: everybody is called by the threshold of the fold that tests on them
            found[f"{name}_threshold"] = found["patient"].map(frame.groupby("patient")[own].first())
        return found, _draws(found["patient"], config)

    targets, _ = _targets(config, gathered, options | {"gathered": True})
    return {"aggregate": config.evaluate.aggregate.text, "targets": targets}


def _targets(config: Config, data, options: dict) -> tuple[dict, dict]:
    """{target: metrics} and {binary target: draws of its log loss}; `data(name, target)` gives frame, draws."""
    results, losses = {}, {}
    for name, target in config.targets.items():
        frame, bootstrap = data(name, target)
        known = sample(frame, name, target)
        if target.kind == "binary":
            threshold = _threshold(name, options)
            called = partial(called_from, frame, name, {"threshold": threshold})
            result, losses[name] = judge_binary(known, called(), bootstrap, _prevalences(name, config, options))
            negative, positive = class_names(target)
            results[name] = {"kind": "binary", "positive": positive, "negative": negative, **result}
            results[name]["threshold"] = threshold
        elif target.kind == "multiclass":
            result = judge_multiclass(known, [str(label) for label in target.classes], bootstrap)
            results[name] = {"kind": "multiclass", **result}
        else:
            mean = options["training_means"].get(name)
            results[name] = {"kind": "regression", **judge_regression(known, bootstrap, training_mean=mean)}
    return results, losses


def _threshold(name: str, options: dict) -> dict:
    if name not in options["thresholds"]:
        raise MedtfError(
            f"thresholds: none for target {name!r}: choose them on the validation fold (thresholds.choose) first"
        )
    threshold = dict(options["thresholds"][name])
    for_patients = threshold.pop("per_patient", None)
    return dict(for_patients) if options.get("gathered") and for_patients else threshold


def _prevalences(name: str, config: Config, options: dict) -> dict[str, float | None]:
    prevalences: dict[str, float | None] = {"data": None}
    # both are rates of examples; a patient is positive more often than a slice of it
    if not options.get("gathered"):
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
    draws = None
    if all(drawn is not None for drawn in losses.values()):
        # all targets saw the same draws of patients, so they may be added
        draws = sum(weight * drawn for weight, drawn in zip(share, losses.values(), strict=True))
    return measured(
        float(share @ values), draws, why_not=bootstrap.why_not() or "no interval: a target has a single patient"
    )
