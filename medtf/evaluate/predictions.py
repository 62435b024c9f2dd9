"""The table of predictions: checked once, one fold of it picked, its rows gathered to patients.

One row is one example: `row`, `patient`, `fold`, and for each target t `<t>` (binary: probability of the positive
class; regression: value) or `<t>_<i>` (multiclass: probability of class i), and `<t>_true` (NaN = unknown).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.errors import MedtfError
from medtf.schema_evaluate import Aggregate


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

    Binary: `aggregate` (max or mean) of the probabilities, positive when any example is. Others: the mean of both.
    Multiclass patients whose examples differ in class have no class of their own and are left out.
    """
    predicted, label = columns(name, target), f"{name}_true"
    _need(frame, [*predicted, label])
    how = Aggregate.of(aggregate).how
    groups = frame[frame[label].notna()].groupby("patient", sort=True)
    probability = groups[predicted].agg(how if target.kind == "binary" else "mean")
    truth = groups[label].agg("max" if target.kind == "binary" else "mean")
    gathered = probability.assign(**{label: truth}).reset_index()
    if target.kind == "multiclass":
        gathered = gathered[(groups[label].nunique() == 1).to_numpy()].reset_index(drop=True)
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
