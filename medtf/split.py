"""Folds without leaks: patients stay together, and every fold gets its share of patients, examples and labels.

scikit-learn's StratifiedGroupKFold balances one label over folds of equal size. Here folds have sizes of their own and several columns
count at once, so its greedy idea is carried over: patients that are hardest to place first, each to the fold that needs it most.
"""

import numpy as np
import pandas as pd

from medtf.config import Split, Target
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.table import FOLDS, Table, is_empty

# what archives call their folds -> what medtf calls them
FOLD_NAMES = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}


def assign(table: Table, split: Split, targets: dict[str, Target] | None = None) -> Table:
    """The table with a column `fold`: train, valid, test, or with `split.folds` the numbers 0 ... k-1.

    Args:
        table: has `patient`; the columns that `split.stratify` names (default: all targets) are balanced.
        split: sizes, seed, columns.
        targets: tells which columns to balance where `split.stratify` is empty.
    Raises:
        MedtfError: too few patients for the folds.
    """
    frame = table.frame
    if "patient" not in frame or is_empty(frame["patient"]).any():
        raise MedtfError(
            "the table has rows without a patient: patients cannot be kept in one fold (map the column with data.columns: {patient: ...})"
        )
    columns = split.stratify or tuple(name for name in targets or {} if name in frame)
    for name in columns:
        if name not in frame:
            raise AskedWronglyError(
                f"data.split.stratify: {name!r} is no column of the table: {nearest(name, frame.columns)}"
            )
    if split.folds:
        names, sizes = [str(k) for k in range(split.folds)], np.full(split.folds, 1 / split.folds)
    else:
        if split.valid + split.test >= 1:
            raise AskedWronglyError(
                f"data.split: valid {split.valid:g} + test {split.test:g} leave nothing to train on"
            )
        wanted = {"train": 1 - split.valid - split.test, "valid": split.valid, "test": split.test}
        names = [n for n in FOLDS if wanted[n] > 0]
        sizes = np.array([wanted[n] for n in names])
    codes, patients = pd.factorize(frame["patient"])
    if len(patients) < len(names):
        raise MedtfError(f"{len(patients)} patients cannot fill {len(names)} folds")
    fold = _place(_needs(frame, codes, len(patients), columns), sizes, split.seed)
    folds = np.array(names, dtype=object)[fold][codes]
    return table.with_frame(frame.assign(fold=pd.Series(folds, dtype="str")), split=split.model_dump(mode="json"))


def _needs(frame: pd.DataFrame, codes: np.ndarray, patients: int, columns) -> np.ndarray:
    """(patients, features): 1 a patient, its examples, and for each class of each column whether (and how often) it has it.

    Each feature is divided by its sum over all patients, so that rare labels weigh as much as common ones.
    """
    features = [np.ones(patients), np.bincount(codes, minlength=patients).astype(float)]
    for name in columns:
        values = frame[name]
        known = ~is_empty(values)
        if (
            pd.api.types.is_numeric_dtype(values) and values.nunique() > 10
        ):  # ages and the like: five bins of equal size
            values = pd.qcut(values.where(known), 5, labels=False, duplicates="drop")
        for value in sorted(values[known].unique(), key=str):
            count = np.bincount(codes[(values == value).to_numpy() & known], minlength=patients).astype(float)
            features += [count, np.minimum(count, 1)]
    needs = np.stack(features, axis=1)
    return needs / np.maximum(needs.sum(axis=0), 1)


def _place(needs: np.ndarray, sizes: np.ndarray, seed: int) -> np.ndarray:
    """(patients,) fold numbers. A fold's lack is the squared distance of what it has from its share of every feature."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5B117]))
    order = rng.permutation(len(needs))
    order = order[np.argsort(-(needs**2).sum(axis=1)[order], kind="stable")]
    have = np.zeros((len(sizes), needs.shape[1]))
    fold = np.empty(len(needs), np.int64)
    members = np.zeros(len(sizes), np.int64)
    left = len(needs)
    for patient in order:
        lack = sizes[:, None] - have
        gain = ((lack**2) - (lack - needs[patient]) ** 2).sum(axis=1) / sizes  # relative to the fold's own size
        empty = members == 0
        if left <= empty.sum():  # never leave a fold without a patient
            gain = np.where(empty, gain, -np.inf)
        best = int(np.argmax(gain))
        fold[patient], have[best], members[best], left = best, have[best] + needs[patient], members[best] + 1, left - 1
    return fold


def given(values: pd.Series, column: str) -> pd.Series:
    """Folds as a table brought them, in medtf's words.

    Raises:
        AskedWronglyError: a value that is no fold's name.
    """
    # an empty cell turns a column of whole numbers into 0.0, 1.0, ...
    names = values.astype(object).map(lambda v: "" if pd.isna(v) else str(v).strip().lower().removesuffix(".0"))
    names = names.map(lambda v: FOLD_NAMES.get(v, v)).astype("str")
    numbers = names.str.fullmatch(r"\d+")
    strange = sorted(set(names[~names.isin(FOLDS) & ~numbers]))
    if numbers.any() and not numbers.all() and not strange:
        strange = sorted(set(names[~numbers]))
    if strange:
        raise AskedWronglyError(
            f"column {column!r}: {strange[0]!r} is no fold: expected train, valid, test (or 0, 1, 2, ... for k folds)"
        )
    return names


def roles(folds: pd.Series, split: Split) -> pd.Series:
    """train, valid, test of every row. With k folds, `test_fold` tests and the one after it validates."""
    if not folds.str.fullmatch(r"\d+").any():
        return folds
    numbers = folds.astype(int)
    count = int(numbers.max()) + 1
    if split.test_fold >= count:
        raise AskedWronglyError(f"data.split.test_fold {split.test_fold}: the table has folds 0 to {count - 1}")
    valid = (split.test_fold + 1) % count
    return pd.Series(
        np.where(numbers == split.test_fold, "test", np.where(numbers == valid, "valid", "train")), dtype="str"
    )


def counts(table: Table, targets: dict[str, Target]) -> pd.DataFrame:
    """One row a fold: examples, patients, and per target the positives (binary), or the mean (regression)."""
    from medtf.data.labels import encode

    frame = table.frame
    labels = encode(frame, targets)
    found = []
    for fold in [f for f in FOLDS if (frame["fold"] == f).any()] or sorted(frame["fold"].unique()):
        rows = (frame["fold"] == fold).to_numpy()
        line = {"fold": fold, "examples": int(rows.sum()), "patients": frame.loc[rows, "patient"].nunique()}
        for name, target in targets.items():
            values = labels[name][rows]
            values = values[~np.isnan(values).any(axis=1)]
            if target.kind == "regression":
                line[f"{name} (mean)"] = float(values.mean()) if len(values) else float("nan")
            elif target.kind == "binary":
                line[f"{name}"] = int(values.sum())
            else:
                line |= {f"{name}={c}": int(n) for c, n in zip(target.classes, values.sum(axis=0), strict=True)}
        found.append(line)
    return pd.DataFrame(found)
