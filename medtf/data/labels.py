"""Targets' columns to label arrays: {target: float32 (rows, k)}, NaN = unknown."""

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.errors import AskedWronglyError, nearest
from medtf.table import is_empty


def encode(frame: pd.DataFrame, targets: dict[str, Target]) -> dict[str, np.ndarray]:
    """Labels of every row; binary and regression (n, 1), multiclass one-hot (n, k).

    Raises:
        AskedWronglyError: a target that is no column, or a value that its kind does not know.
    """
    return {name: _one(frame, name, target) for name, target in targets.items()}


def _one(frame: pd.DataFrame, name: str, target: Target) -> np.ndarray:
    if name not in frame:
        raise AskedWronglyError(
            f"target {name!r} is no column of the table: {nearest(name, [c for c in frame if not c.startswith('read_')])}"
        )
    values = frame[name]
    known = ~is_empty(values)
    labels = np.full((len(frame), target.units), np.nan, np.float32)
    if target.kind == "multiclass":
        classes = [_plain(c) for c in target.classes]
        words = values[known].map(_plain)
        _refuse(name, words[~words.isin(classes)], f"expected one of {', '.join(classes)}")
        labels[known] = np.eye(len(classes), dtype=np.float32)[
            words.map({c: i for i, c in enumerate(classes)}).to_numpy()
        ]
        return labels
    if target.kind == "binary" and target.positive is not None:
        words = values[known].map(_plain)
        positive = words == _plain(target.positive)
        if target.negative is not None:
            _refuse(
                name,
                words[~positive & (words != _plain(target.negative))],
                f"expected {target.positive} or {target.negative}",
            )
        elif known.any() and not positive.any():
            raise AskedWronglyError(
                f"target {name!r}: no row holds the positive value {target.positive!r}; found {', '.join(sorted(words.unique())[:5])}"
            )
        labels[known, 0] = positive
        return labels
    numbers = pd.to_numeric(values[known], errors="coerce").replace([np.inf, -np.inf], np.nan)
    _refuse(
        name,
        values[known][numbers.isna()],
        "expected a number"
        if target.kind == "regression"
        else "expected 0, 1 or empty (or {binary: {positive: VALUE}})",
    )
    if target.kind == "binary":
        _refuse(name, numbers[~numbers.isin([0, 1])], "expected 0, 1 or empty")
    labels[known, 0] = numbers
    return labels


def _plain(value) -> str:
    """`1`, `1.0` and `"1"` are one value."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, float, np.number)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _refuse(name: str, wrong: pd.Series, expected: str) -> None:
    if len(wrong):
        value = wrong.iloc[0]
        value = value.item() if isinstance(value, np.generic) else value  # 2, not np.int64(2)
        raise AskedWronglyError(
            f"target {name!r}: row {wrong.index[0]} holds {value!r} ({len(wrong)} such rows): {expected}"
        )
