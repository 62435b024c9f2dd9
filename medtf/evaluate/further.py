"""What a target is told beyond its metrics: subgroups, corrected predictions, predicted spread, people matched on head size."""

import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.evaluate import aggregation, correction, matching, subgroups
from medtf.evaluate.predictions import Sample, of_fold, per_patient, sample
from medtf.evaluate.regression import judge_sd
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.subgroups import PREFIX


def wanted_columns(config: Config, there) -> list[str]:
    """Columns of the example table that a judgement wants beside the predictions, of those that are `there`."""
    asked = subgroups.DEFAULT if config.evaluate.subgroups is None else config.evaluate.subgroups
    sizes = [matching.wanted(config.evaluate.match_on, n) for n, t in config.targets.items() if t.kind == "binary"]
    return [column for column in dict.fromkeys([*asked, *filter(None, sizes)]) if column in there]


def further(
    frame: pd.DataFrame,
    name: str,
    target: Target,
    bootstrap: PatientBootstrap,
    config: Config,
    *,
    valid: pd.DataFrame | None,
    fold: str,
    numbers: dict | None = None,
) -> dict:
    """Sections of one target, each only where it can be given.

    Args:
        frame: predictions of the fold, with `covariate_<column>` for each covariate, and `<t>_sd` of a Gaussian head.
        bootstrap: the draws of its patients. valid: predictions of the validation fold, or None. fold: that is judged.
        numbers: the target's metrics so far, for its threshold.
    Returns:
        `subgroups`, `aggregation` (where a patient has several examples), `corrected`, `recalibrated`, `predicted_sd` (regression),
        `matched` (binary).
    """
    known = sample(frame, name, target)
    threshold = ((numbers or {}).get("threshold") or {}).get("value")
    if f"{name}_threshold" in frame:  # of a cross-validation: each row has that of the fold that tests on it
        threshold = frame[f"{name}_threshold"].to_numpy(np.float64)[known.at]
    found = _subgroups(frame, known, name, target, bootstrap, config, threshold)
    rules = aggregation.section(
        frame,
        name,
        target,
        config.evaluate.aggregate,
        valid=valid,
        **_draws(config),
    )
    found |= {"aggregation": rules} if rules else {}
    if target.kind == "multiclass":
        return found
    if target.kind == "binary":
        return found | _matched(frame, name, target, config)
    others = sample(of_fold(valid, "valid"), name, target) if valid is not None and len(valid) else None
    draws = None
    if others is not None:
        draws = PatientBootstrap(of_fold(valid, "valid")["patient"], **_draws(config))
    found |= correction.corrections(known, bootstrap, others, draws, fold=fold)
    if f"{name}_sd" in frame:
        sd = frame[f"{name}_sd"].to_numpy(np.float64)[known.at]
        found["predicted_sd"] = judge_sd(known, sd, bootstrap)
    return found


def _subgroups(frame, known: Sample, name: str, target: Target, bootstrap, config: Config, threshold) -> dict:
    asked = subgroups.DEFAULT if config.evaluate.subgroups is None else config.evaluate.subgroups
    # a target with classes has, by its own groups, one class in each
    columns = [c for c in asked if PREFIX + c in frame and not (target.kind != "regression" and c == name)]
    if not columns or not len(known.truth):
        return {}
    return {"subgroups": subgroups.by_group(frame, known, name, target, bootstrap, columns, threshold=threshold)}


def _matched(frame: pd.DataFrame, name: str, target: Target, config: Config) -> dict:
    column = matching.wanted(config.evaluate.match_on, name)
    if column is None or PREFIX + column not in frame:
        return {}
    people = per_patient(frame, name, target, config.evaluate.aggregate)
    sizes = pd.to_numeric(frame[PREFIX + column], errors="coerce").replace([np.inf, -np.inf], np.nan)
    mean = sizes.groupby(frame["patient"]).mean()
    people = people.assign(size=people["patient"].map(mean))
    return {"matched": matching.judge_matched(people, name, column, **_draws(config))}


def _draws(config: Config) -> dict:
    return {"replicates": config.evaluate.replicates, "intervals": config.evaluate.intervals}
