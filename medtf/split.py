"""Folds without leaks: patients stay together, and every fold gets its share of patients, examples and labels.

Shares, k folds, a validation fold that is even in a number (`uniform`), a site that is the test (`leave_out`): all by patient, all by seed.
"""

import numpy as np
import pandas as pd

from medtf import split_strata, split_uniform
from medtf.config import Split, Target
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.table import FOLDS, Table, is_empty

# what archives call their folds -> what medtf calls them
FOLD_NAMES = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}


def assign(table: Table, split: Split, targets: dict[str, Target] | None = None) -> Table:
    """The table with a column `fold`: train, valid, test, or with `split.folds` the numbers 0 ... k-1.

    With `leave_out` the test fold is every patient that has an example with one of the values, whole; `valid` is then a share of the others.
    With `uniform` the test fold is drawn first, so that it keeps the mix of all, and the even validation fold from the others.

    Args:
        table: has `patient`.
        split: sizes, seed, columns. `stratify`: balanced each by itself, in pairs and all at once.
        targets: balanced each by itself where `split.stratify` is empty.
    Raises:
        AskedWronglyError: columns or values that are not there, sizes that leave nothing. MedtfError: too few patients for the folds.
    """
    frame = table.frame
    if "patient" not in frame or is_empty(frame["patient"]).any():
        raise MedtfError(
            "the table has rows without a patient: patients cannot be kept in one fold (map the column with data.columns: {patient: ...})"
        )
    uniform = (split.uniform.column,) if split.uniform else ()
    for key, names in (("stratify", split.stratify), ("uniform", uniform), ("leave_out", split.leave_out or ())):
        for name in names:
            if name not in frame:
                known = [c for c in frame if not c.startswith("read_")]
                raise AskedWronglyError(f"data.split.{key}: {name!r} is no column of the table: {nearest(name, known)}")
    _refuse_sizes(split)
    codes, patients = pd.factorize(frame["patient"])
    fold = np.full(len(patients), "", dtype=object)
    if split.leave_out:
        fold[np.unique(codes[_left_out(frame, split.leave_out)])] = "test"
    elif split.uniform and split.test:
        _share(frame, codes, fold, {"": 1 - split.test, "test": split.test}, split, targets)
    if split.uniform:
        _even(frame, codes, fold, split)
        fold[fold == ""] = "train"
    elif split.folds:
        _share(frame, codes, fold, {str(k): 1 / split.folds for k in range(split.folds)}, split, targets)
    else:
        test = 0 if split.leave_out else split.test
        wanted = {"train": 1 - split.valid - test, "valid": split.valid, "test": test}
        _share(frame, codes, fold, {name: wanted[name] for name in FOLDS if wanted[name] > 0}, split, targets)
    return table.with_frame(frame.assign(fold=pd.Series(fold[codes], dtype="str")), split=split.model_dump(mode="json"))


def _refuse_sizes(split: Split) -> None:
    if split.folds and (split.uniform or split.leave_out):
        other = "uniform" if split.uniform else "leave_out"
        raise AskedWronglyError(f"data.split: folds and {other} exclude each other: k folds have no test of their own")
    valid, test = (0 if split.uniform else split.valid), (0 if split.leave_out else split.test)
    if not split.folds and valid + test >= 1:
        raise AskedWronglyError(f"data.split: valid {valid:g} + test {test:g} leave nothing to train on")


def _share(frame, codes, fold, wanted: dict[str, float], split: Split, targets) -> None:
    """Give the patients that have no fold yet the folds of `wanted` by its shares."""
    free = fold == ""
    if free.sum() < len(wanted):
        raise MedtfError(f"{free.sum()} patients cannot fill {len(wanted)} folds")
    rows = free[codes]
    numbers = (np.cumsum(free) - 1)[codes[rows]]
    columns = split.stratify or tuple(name for name in targets or {} if name in frame)
    place = split_strata.by_strata if split.stratify else split_strata.by_columns
    sizes = np.array(list(wanted.values()))
    fold[free] = np.array(list(wanted), dtype=object)[
        place(frame[rows].reset_index(drop=True), numbers, sizes, columns, split.seed)
    ]


def _left_out(frame: pd.DataFrame, leave_out: dict) -> np.ndarray:
    """(rows,) bool: rows that hold a value which is left out for the test.

    Raises:
        AskedWronglyError: a value that nobody has, or values that all have.
    """
    gone = np.any([_holds(frame, name, value, "data.split.leave_out") for name, value in leave_out.items()], axis=0)
    if not frame.loc[~gone, "patient"].nunique() or frame.loc[~gone, "patient"].isin(frame.loc[gone, "patient"]).all():
        raise AskedWronglyError(f"data.split.leave_out: {_worded(leave_out)} is everybody: nobody is left to train on")
    return gone


def _holds(frame: pd.DataFrame, name: str, value, key: str) -> np.ndarray:
    """(rows,) bool: does a column hold the value, or one of a list of values?"""
    values = value if isinstance(value, (list, tuple)) else [value]
    known = ~is_empty(frame[name])
    words = frame[name].where(known).map(split_strata.plain, na_action="ignore")
    for one in values:
        if not (words == split_strata.plain(one)).any():
            raise AskedWronglyError(
                f"{key}: no row has {name} {split_strata.plain(one)!r}: {nearest(split_strata.plain(one), words[known].unique()[:20])}"
            )
    if not values:
        raise AskedWronglyError(f"{key}: {name}: expected a value, or a list of values, found an empty list")
    return words.isin([split_strata.plain(one) for one in values]).to_numpy()


def _worded(wanted: dict) -> str:
    return ", ".join(
        f"{k} = {' or '.join(map(str, v)) if isinstance(v, (list, tuple)) else v}" for k, v in wanted.items()
    )


def _even(frame, codes, fold, split: Split) -> None:
    """The even validation fold, out of the patients that have no fold yet and whose value is known."""
    values = split_uniform.values_of(frame, codes, split.uniform.column, len(fold))
    free = np.flatnonzero((fold == "") & ~np.isnan(values))
    if split.uniform.n >= (fold == "").sum():
        raise AskedWronglyError(
            f"data.split.uniform.n {split.uniform.n}: of {len(fold)} patients {(fold == '').sum()} are not in the test fold:"
            " nobody is left to train on"
        )
    others = [name for name in split.stratify if name != split.uniform.column]
    mix = split_strata.words(frame, codes, others).iloc[free]
    fold[free[split_uniform.draw(values[free], split.uniform.n, split.seed, mix)]] = "valid"


def select(table: Table, wanted: dict) -> Table:
    """Only the rows whose columns hold the wanted values; after the split, so that folds do not depend on what is selected.

    Args:
        table: any.
        wanted: column -> value, or a list of values.
    Raises:
        AskedWronglyError: a column that is not there, or a value that no row has.
    """
    frame = table.frame
    kept = np.ones(len(frame), bool)
    for name, value in wanted.items():
        if name not in frame:
            known = [c for c in frame if not c.startswith("read_")]
            raise AskedWronglyError(f"data.select: {name!r} is no column of the table: {nearest(name, known)}")
        kept &= _holds(frame, name, value, "data.select")
    if not kept.any():
        raise AskedWronglyError(f"data.select: no row has {_worded(wanted)} at once")
    return table.with_frame(frame[kept]) if wanted else table


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
