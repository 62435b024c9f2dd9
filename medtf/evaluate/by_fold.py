"""Cross-validation: each fold's numbers, their mean and spread, beside those of all folds pooled.

Pooling ranks the people of different folds against one another, though each fold's model has a scale of its own; the mean of the folds' AUCs
ranks within folds only, but is undefined where a fold lacks a class, and noisy where folds are small (Forman and Scholz 2010, SIGKDD
Explorations 12:49; Airola 2011, Comput Stat Data Anal 55:1828; LeDell 2015, Electron J Stat 9:1583). So both are given, and their difference.
Thresholds are each fold's own: an example is called by that of its fold's model.

The standard deviation over folds is a description, not a standard error: folds share most of their training data, and no unbiased estimate
of the variance of a k-fold mean exists (Bengio and Grandvalet 2004, J Mach Learn Res 5:1089). Intervals come from a bootstrap that draws
patients within each fold, as many as it has. They hold the models fixed.
"""

import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.evaluate.binary import judge_binary
from medtf.evaluate.fold_statistics import KEYS, RANKED, ranked, statistic
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import Sample, of_fold, sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured

FOLD = "cv_fold"
APART = "@apart"


def section(predictions: pd.DataFrame, config: Config, *, split: str = "test", judged: dict | None = None) -> dict:
    """`cross_validation` of metrics.json.

    Args:
        predictions: out-of-fold predictions as `pooling.pooled` gives them: one row an example, with `cv_fold` (whole numbers) and, for each
            binary target, `<t>_threshold`, that of the row's fold (without it, 0.5).
        config: its targets, `evaluate.replicates` and `evaluate.intervals`.
        split: the fold to take; rows of others are ignored.
        judged: `targets` of a metrics.json of the same predictions, to take the pooled numbers from; None: they are made here.
    Returns:
        {"folds": k, "targets": {name: {"kind", "folds": [...], "mean": {...}, "sd": {...}, "pooled": {...}, "pooled_minus_mean": {...}}}},
        or {"kind", "reason"} for a target without labels.
    Raises:
        MedtfError: no column `cv_fold`, or predictions that are none.
    """
    frame = of_fold(predictions, split)
    if FOLD not in frame:
        raise MedtfError(f"predictions: no column {FOLD!r}: they are not those of a cross-validation")
    targets = {
        name: _target(frame, name, target, config.evaluate, (judged or {}).get(name))
        for name, target in config.targets.items()
    }
    return {"folds": int(frame[FOLD].nunique()), "targets": targets}


def own_thresholds(frame: pd.DataFrame, name: str) -> np.ndarray | None:
    """(n,) float64: the threshold of each row's fold, or None where all rows share one."""
    column = f"{name}_threshold"
    return frame[column].to_numpy(np.float64) if column in frame else None


class WithinFolds(PatientBootstrap):
    """Draws of the patients of each fold by themselves: every fold keeps its size, and no draw leaves one empty.

    Args:
        patients: (n,) patient of each row. folds: (n,) fold of each row; a patient's first one counts.
        options: as `PatientBootstrap`.
    """

    def __init__(self, patients, folds, **options):
        super().__init__(patients, **options)
        first = np.unique(self.codes, return_index=True)[1]
        of_patient = np.asarray(folds)[first]
        self.members = [np.flatnonzero(of_patient == fold) for fold in np.unique(of_patient)]

    def counts(self, block: int = 64):
        """As `PatientBootstrap.counts`."""
        generator = np.random.default_rng(self.seed)
        for start in range(0, self.replicates, block):
            r = min(block, self.replicates - start)
            drawn = [who[generator.integers(0, len(who), size=(r, len(who)))] for who in self.members]
            draws = np.concatenate(drawn, axis=1) + self.patients * np.arange(r)[:, None]
            yield np.bincount(draws.ravel(), minlength=r * self.patients).reshape(r, self.patients)


def _target(frame: pd.DataFrame, name: str, target: Target, wanted, judged: dict | None) -> dict:
    known = sample(frame, name, target)
    if not len(known.truth):
        return {"kind": target.kind, "reason": "no example with a known label"}
    thresholds = own_thresholds(frame, name)
    thresholds = np.full(len(frame), 0.5) if thresholds is None else thresholds
    options = {"replicates": wanted.replicates, "intervals": wanted.intervals}
    rows, keys = [], KEYS[target.kind]
    for fold in np.unique(frame[FOLD]):
        part = (frame[FOLD] == fold).to_numpy()
        bootstrap = PatientBootstrap(frame["patient"][part], **options)
        one = sample(
            frame[part].reset_index(drop=True), name, target
        )  # judged as `medtf evaluate` judges the fold's own run
        metrics = _judge(one, target, thresholds[part][one.at], bootstrap)
        about = {"fold": int(fold), "n": len(one.truth), "patients": one.patients}
        if target.kind == "binary":
            about |= {"positives": int(one.truth.sum()), "threshold": float(thresholds[part][0])}
        rows.append(about | {key: metrics[key] for key in keys})
    if judged is None:
        judged = _judge(known, target, thresholds[known.at], PatientBootstrap(frame["patient"], **options))
    bootstrap = WithinFolds(frame["patient"], frame[FOLD], **options)
    return {"kind": target.kind, "folds": rows} | _together(known, target, thresholds, frame, bootstrap, rows, judged)


def _judge(known: Sample, target: Target, thresholds: np.ndarray, bootstrap: PatientBootstrap) -> dict:
    if target.kind == "binary":
        return judge_binary(known, thresholds, bootstrap, {})[0]
    if target.kind == "multiclass":
        return judge_multiclass(known, [str(label) for label in target.classes], bootstrap)
    return judge_regression(known, bootstrap)


def _together(known: Sample, target: Target, thresholds, frame, bootstrap, rows: list[dict], judged: dict) -> dict:
    """Mean and spread over folds, the pooled numbers, and what pooling changed."""
    keys, key = KEYS[target.kind], RANKED.get(target.kind)
    each = {name: [row[name]["value"] for row in rows] for name in keys}
    draws = bootstrap.replicate(_joint(known, target, thresholds, frame, bootstrap), known.at, by_patient=True)
    found = {"mean": {}, "sd": {}, "pooled": {name: judged[name] for name in keys}, "pooled_minus_mean": {}}
    why_not = bootstrap.why_not(known.at)
    for name, values in each.items():
        lacking = [str(row["fold"]) for row, value in zip(rows, values, strict=True) if value is None]
        reason = f"undefined in fold{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        mean = None if lacking else float(np.mean(values))
        found["mean"][name] = measured(mean, draws.get(name), undefined=reason, why_not=why_not)
        found["sd"][name] = None if lacking or len(values) < 2 else float(np.std(values, ddof=1))
        if name == key:
            apart = None if mean is None else judged[name]["value"] - mean
            found["pooled_minus_mean"][name] = measured(
                apart, draws.get(name + APART), undefined=reason, why_not=why_not
            )
    return found


def _joint(known: Sample, target: Target, thresholds, frame, bootstrap: PatientBootstrap):
    """The means over folds under weights (r, patients), and how far the pooled ranking lies from its mean."""
    units, folds = bootstrap.units(known.at), frame[FOLD].to_numpy()[known.at]
    parts = []
    for fold in np.unique(folds):
        chosen = folds == fold
        mine, inside = np.unique(units[chosen], return_inverse=True)
        one = Sample(known.truth[chosen], known.prediction[chosen], known.at[chosen], len(mine), 0)
        parts.append((mine, statistic(one, target, thresholds[one.at], inside)))
    whole = ranked(known, target, units) if target.kind in RANKED else None

    def of(weights):
        each = [one(weights[:, mine]) for mine, one in parts]
        found = {name: np.mean([values[name] for values in each], axis=0) for name in KEYS[target.kind]}
        if whole is not None:
            key = RANKED[target.kind]
            found[key + APART] = whole(weights) - found[key]
        return found

    return of
