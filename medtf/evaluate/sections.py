"""What a target is told that needs probabilities or the validation fold: calibration, decisions, sets, what can be left to the machine."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.evaluate import answers, calibration_classes, conformal, decision, prevalence, scaled, selective
from medtf.evaluate.predictions import Sample, of_fold, sample
from medtf.evaluate.statistics.intervals import PatientBootstrap


@dataclass(frozen=True)
class Beside:
    """What stands beside the predictions of a fold.

    valid: predictions of the validation fold, or None, then `why_no_valid` may say why. training: {binary target: prevalence in the stream
    that training saw}. scaling: {target: parameters of `medtf.evaluate.scaling`}, where the run is calibrated.
    """

    valid: pd.DataFrame | None = None
    why_no_valid: str | None = None
    training: dict[str, float] = field(default_factory=dict)
    scaling: dict[str, dict] = field(default_factory=dict)


def sections(
    frame: pd.DataFrame,
    name: str,
    target: Target,
    bootstrap: PatientBootstrap,
    config: Config,
    *,
    split: str,
    numbers: dict,
    threshold,
    prevalences: dict[str, float | None],
    beside: Beside,
) -> dict:
    """{section: its content} of one target; empty without an example whose label is known.

    Args:
        frame: predictions of the fold. bootstrap: the draws of its patients.
        split: the fold that is judged. numbers: the target's metrics. threshold: of a binary target, a number or one a known example; else None.
        prevalences: {name: prevalence, None: the data's} to mark among the predictive values.
        beside: see `Beside`.
    """
    known = sample(frame, name, target)
    if not len(known.truth):
        return {}
    found = {}
    if target.kind == "binary":
        found |= _binary(known, name, numbers, bootstrap, threshold, prevalences, beside)
    if target.kind != "regression":
        found["calibration"] = calibration_classes.section(known, target, bootstrap)
    if name in beside.scaling:
        found["calibrated"] = scaled.section(known, target, beside.scaling[name], bootstrap, fold=split)
    spread = _spread(frame, known, name, target)
    if target.kind != "regression" and not spread and np.ndim(threshold) == 0 and beside.valid is not None:
        spread["valid"] = sample(of_fold(beside.valid, "valid"), name, target), None  # cuts are fixed there
    found["selective"] = selective.section(known, bootstrap, threshold, **spread)
    return found | _conformal(frame, known, name, target, bootstrap, config, beside, split)


def _binary(known, name, numbers, bootstrap, threshold, prevalences, beside: Beside) -> dict:
    own = float(known.truth.mean())
    marks = {where: own if value is None else value for where, value in prevalences.items()}
    given, trained = marks.get("given"), beside.training.get(name)
    there = known
    if (
        given is not None and trained is not None and 0 < trained < 1
    ):  # the curve reads answers as probabilities, where the model is meant for
        there = dataclasses.replace(known, prediction=prevalence.shift(known.prediction, trained, given))
    found = {
        "decision": decision.section(there, bootstrap, given),
        "predictive_values": prevalence.predictive_section(known, threshold, bootstrap, marks),
    }
    for row in found["predictive_values"][
        "rows"
    ]:  # one number, one interval: what stands among the metrics stands here too
        for mark in {"undersampled", "given"} & set(row["marks"]):
            for kind in ("ppv", "npv"):
                metric = numbers[kind][f"at_{mark}_prevalence"]
                row[kind] = {key: part for key, part in metric.items() if key != "prevalence"}
    if given is not None and trained is not None:
        found["prior"] = prevalence.prior_section(known, bootstrap, trained, given)
    return found


def _conformal(frame, known, name, target, bootstrap, config: Config, beside: Beside, split: str) -> dict:
    if config.evaluate.miscoverage is None:
        return {}
    if beside.valid is None:
        return {"conformal": {"reason": beside.why_no_valid or "no predictions of the validation fold"}}
    fold = of_fold(beside.valid, "valid")
    valid = sample(fold, name, target)
    options, column = {"people": fold["patient"].to_numpy()[valid.at], "target": target, "fold": split}, f"{name}_sd"
    if column in frame and column in fold:
        options["sd"] = frame[column].to_numpy(np.float64)[known.at]
        options["sd_valid"] = fold[column].to_numpy(np.float64)[valid.at]
        for sd in (options["sd"], options["sd_valid"]):
            if not (np.isfinite(sd) & (sd > 0)).all():
                raise MedtfError(f"predictions: {column!r} holds what is no positive number: did training diverge?")
    return {"conformal": conformal.section(known, valid, bootstrap, config.evaluate.miscoverage, **options)}


def _spread(frame, known: Sample, name: str, target: Target) -> dict:
    """What several answers, or a predicted standard deviation, say of each answer; nothing where there are none."""
    found = answers.telling(frame.columns, name, target)
    if found is None:
        return {}
    column, words = found
    return {"uncertainty": frame[column].to_numpy(np.float64)[known.at], "name": words}
