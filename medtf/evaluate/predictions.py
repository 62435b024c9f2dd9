"""The table of predictions: checked once, one fold of it picked, its rows gathered to patients.

One row is one example: `row`, `patient`, `fold`, and for each target t `<t>` (binary: probability of the positive
class; regression: value) or `<t>_<i>` (multiclass: probability of class i), and `<t>_true` (NaN = unknown).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.errors import MedtfError
from medtf.evaluate.aggregate import gather
from medtf.schema_evaluate import Aggregate
from medtf.table import is_empty


@dataclass(frozen=True)
class Sample:
    """The examples of one target whose label is known.

    truth: (n,) float64, 0/1, class index or value. prediction: (n,) float64, or (n, k) for multiclass. at: (n,)
    positions of the examples in the fold (or, per patient, of the patients in it). patients: how many. unknown: how
    many were left out.
    """

    truth: np.ndarray
    prediction: np.ndarray
    at: np.ndarray
    patients: int
    unknown: int


def columns(name: str, target: Target) -> list[str]:
    """The columns that hold this target's prediction."""
    return [f"{name}_{i}" for i in range(target.units)] if target.kind == "multiclass" else [name]


def class_names(target: Target) -> tuple[str, ...]:
    """What the classes are called in the table, in the order of their codes: negative, positive; or the classes; none of a regression."""
    if target.kind != "binary":
        return tuple(str(label) for label in target.classes or ())
    positive = "1" if target.positive is None else str(target.positive)
    others = "0" if target.positive is None else f"not {positive}"
    return others if target.negative is None else str(target.negative), positive


def of_fold(predictions: pd.DataFrame, fold: str) -> pd.DataFrame:
    """The rows of one fold, sorted by row id so that equal predictions give equal numbers in any order.

    A table without a `fold` column, and the fold "all", are taken whole.
    """
    _need(predictions, ["row", "patient"])
    if "fold" in predictions and fold != "all":
        chosen = predictions[predictions["fold"] == fold]
        if chosen.empty and len(predictions):
            there = ", ".join(sorted(predictions["fold"].astype(str).unique()))
            raise MedtfError(
                f"predictions: no example in fold {fold!r}; there is {there}: choose with --split, or predict that fold"
            )
        predictions = chosen
    if predictions["patient"].isna().any():
        raise MedtfError("predictions: column 'patient' has empty values; intervals need to know whose each example is")
    repeated = predictions["row"].duplicated()
    if repeated.any():
        first = predictions.loc[repeated, "row"].iloc[0]
        raise MedtfError(f"predictions: row {first} stands twice ({repeated.sum()} repeats): every example counts once")
    return predictions.sort_values("row").reset_index(drop=True)


def sample(frame: pd.DataFrame, name: str, target: Target) -> Sample:
    """The known examples of one target; raises MedtfError on numbers that are no predictions or no labels."""
    predicted = columns(name, target)
    _need(frame, [*predicted, f"{name}_true"])
    truth = frame[f"{name}_true"].to_numpy(dtype=np.float64)
    prediction = frame[predicted].to_numpy(dtype=np.float64)
    known = ~np.isnan(truth)
    _check(frame, name, target, truth, prediction, known)
    prediction = prediction[known] if target.kind == "multiclass" else prediction[known, 0]
    patients = frame.loc[known, "patient"].nunique()
    return Sample(truth[known], prediction, np.flatnonzero(known), patients, int((~known).sum()))


def per_patient(frame: pd.DataFrame, name: str, target: Target, aggregate: Aggregate | str) -> pd.DataFrame:
    """One row a patient with a known label of this target: `row` (a running number), `patient`, prediction and label.

    Binary: `aggregate` (max, mean, top k, noisy_or) of the probabilities; a patient is positive when any example is. Regression: the mean of
    both. Multiclass: the mean of the probabilities, whatever `aggregate` says: the examples of a patient share one class, so there is no
    single one to look for, and the largest probability of each class would no longer be a distribution. Patients whose examples differ in class
    have no class of their own and are left out.
    """
    return _gathered(frame, name, target, aggregate, ["patient"])


def per_series(frame: pd.DataFrame, name: str, target: Target, aggregate: Aggregate | str) -> pd.DataFrame:
    """The same with a row a series: `row`, `patient` (still the unit of the bootstrap), `series`, prediction and label.

    Examples whose series is unknown are left out; a series of two patients is two.
    """
    _need(frame, ["series"])
    return _gathered(frame[~is_empty(frame["series"])], name, target, aggregate, ["patient", "series"])


def has_series(frame: pd.DataFrame) -> bool:
    """Whether series are neither patients nor examples, so that numbers per series say something new."""
    if "series" not in frame:
        return False
    known = frame[~is_empty(frame["series"])]
    return known["patient"].nunique() < count_series(frame) < len(known)


def count_series(frame: pd.DataFrame) -> int:
    """How many series there are; unknown ones do not count."""
    return len(frame.loc[~is_empty(frame["series"]), ["patient", "series"]].drop_duplicates())


def _gathered(frame, name: str, target: Target, aggregate, keys: list[str]) -> pd.DataFrame:
    predicted, label = columns(name, target), f"{name}_true"
    _need(frame, [*predicted, label])
    known = frame[frame[label].notna()]
    groups = known.groupby(keys, sort=True)
    codes, count = groups.ngroup().to_numpy(), groups.ngroups
    rule = aggregate if target.kind == "binary" else "mean"
    truth = known[label].to_numpy(np.float64)
    first = np.unique(codes, return_index=True)[1]
    gathered = known[keys].iloc[first].reset_index(drop=True)
    gathered[predicted] = gather(known[predicted].to_numpy(np.float64), codes, count, rule)
    gathered[label] = gather(truth, codes, count, "max" if target.kind == "binary" else "mean")
    if target.kind == "multiclass":
        one_class = gather(truth, codes, count, "max") == -gather(-truth, codes, count, "max")
        gathered = gathered[one_class].reset_index(drop=True)
    return gathered.assign(row=range(len(gathered)))


def _need(frame: pd.DataFrame, wanted: list[str]) -> None:
    missing = [column for column in wanted if column not in frame]
    if missing:
        there = ", ".join(map(str, frame.columns))
        raise MedtfError(f"predictions: no column {missing[0]!r}; there is {there}: predict with this config again")


def _check(frame, name, target, truth, prediction, known) -> None:
    bad = ~np.isfinite(prediction).all(axis=1)
    if target.kind != "regression":
        bad |= ((prediction < 0) | (prediction > 1)).any(axis=1)
    if bad.any():
        expected = "finite numbers" if target.kind == "regression" else "probabilities in [0, 1]"
        raise MedtfError(
            f"predictions: {name!r}: expected {expected}, found {bad.sum()} rows that are not "
            f"(first: row {frame['row'].iloc[int(np.argmax(bad))]}): did training diverge?"
        )
    allowed = {"binary": [0, 1], "multiclass": range(target.units)}.get(target.kind)
    wrong = known & (~np.isin(truth, list(allowed)) if allowed else ~np.isfinite(truth))
    if wrong.any():
        expected = f"a class of {list(allowed)}" if allowed else "a finite number"
        at = int(np.argmax(wrong))
        raise MedtfError(
            f"predictions: {name}_true: expected {expected} or empty, found {truth[at]} in row {frame['row'].iloc[at]}"
        )
