"""Who the people in each fold are: age, sex, site, scanner, and how common each target is. A paper's Table 1; patients count, not rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.table import FOLDS, is_empty

# A column is shown when one of its words is here; the order of the table.
WORDS = {
    "age": {"age", "years"},
    "sex": {"sex", "gender"},
    "ethnicity": {"ethnicity", "race"},
    "site": {"site", "hospital", "center", "centre", "institution", "country"},
    "scanner": {"scanner", "manufacturer", "vendor", "device", "tesla", "strength"},
    "image": {"modality", "sequence", "view", "contrast"},
}
HIDDEN = ("read_", "covariate_")
MOST_LEVELS = 8  # values of a column; the rarest are counted together
NUMERIC_ABOVE = 8  # different values, above which numbers get a median and quartiles
SEVERAL = "several values"


def table(
    frame: pd.DataFrame,
    targets: dict[str, Target],
    labels: dict[str, np.ndarray],
    *,
    more: Sequence[str] = (),
) -> dict:
    """Count the people of each fold.

    A patient's number is the median of its examples', and its word the one that all its examples share (`several values` where they do
    not). A patient is positive when any of its examples is.

    Args:
        frame: the example table; `patient`, `fold` and whatever covariates it has.
        targets: of the config.
        labels: {target: (rows, k) float, NaN = unknown}, as `medtf.data.labels.encode` gives them.
        more: columns to show besides those whose names say age, sex, site, scanner or kind of image.

    Returns:
        `folds` (names, `all` last), `examples` and `patients` (one count a fold), and `rows`: each with `column`, `role` (of WORDS,
        `target` or None), and either `numbers` (one dict a fold: n, median, q1, q3, low, high) or `levels` ([{level, counts}]) and
        `known` (one count a fold); `unknown` (one count a fold) in both.
    """
    there = set(frame["fold"])
    folds = [fold for fold in FOLDS if fold in there] or sorted(there)
    rows = {fold: np.flatnonzero(frame["fold"] == fold) for fold in folds} | {"all": np.arange(len(frame))}
    patient = pd.factorize(frame["patient"])[0]
    people = [pd.Index(patient[at]).unique() for at in rows.values()]
    shown = [
        _column(frame[name], name, kind, patient, rows) for name, kind in columns(frame, more) if name not in targets
    ]
    shown += [_target(name, target, labels[name], patient, rows) for name, target in targets.items()]
    return {
        "folds": list(rows),
        "examples": [len(at) for at in rows.values()],
        "patients": [len(found) for found in people],
        "rows": [row for row in shown if row],
    }


def columns(frame: pd.DataFrame, more: Sequence[str] = ()) -> list[tuple[str, str | None]]:
    """(column, role) of the covariates to show, in the order of WORDS; then those in `more`, whose role may be None."""
    roles = {name: role(name) for name in frame if not name.startswith(HIDDEN)}
    order = list(WORDS)
    found = sorted(((n, r) for n, r in roles.items() if r), key=lambda pair: order.index(pair[1]))
    return found + [(name, None) for name in more if name in frame and not roles.get(name)]


def role(name: str) -> str | None:
    """What a column's name says that it holds: a key of WORDS, or None."""
    words = set(name.lower().replace("-", "_").replace(" ", "_").split("_"))
    return next((kind for kind, known in WORDS.items() if words & known), None)


def _column(values: pd.Series, name: str, kind: str | None, patient: np.ndarray, rows: dict) -> dict | None:
    known = ~is_empty(values)
    numbers = pd.to_numeric(values.where(known), errors="coerce").replace([np.inf, -np.inf], np.nan)
    if known.any() and numbers[known].notna().all() and numbers.nunique() > NUMERIC_ABOVE:
        return {"column": name, "role": kind, **_numbers(numbers.to_numpy(np.float64), patient, rows)}
    words = values.where(known).map(_word, na_action="ignore")
    if not known.any():
        return None
    return {"column": name, "role": kind, **_levels(words, patient, rows)}


def _target(name: str, target: Target, labels: np.ndarray, patient: np.ndarray, rows: dict) -> dict:
    head = {"column": name, "role": "target"}
    if target.kind == "regression":
        return head | _numbers(labels[:, 0].astype(np.float64), patient, rows)
    if target.kind == "multiclass":
        known = ~np.isnan(labels).any(axis=1)
        at = np.where(known, np.nan_to_num(labels).argmax(axis=1), 0)
        names = np.array([str(label) for label in target.classes], dtype=object)
        words = pd.Series(names[at], dtype=object).where(known)
        return head | _levels(words, patient, rows, order=[str(label) for label in target.classes])
    return head | _prevalence(target, labels[:, 0], patient, rows)


def _prevalence(target: Target, labels: np.ndarray, patient: np.ndarray, rows: dict) -> dict:
    """Positives among the people with a known label, and among their examples."""
    counts, known, unknown, examples = [], [], [], []
    for at in rows.values():
        highest = pd.Series(labels[at]).groupby(patient[at]).max()
        counts.append(int((highest == 1).sum()))
        known.append(int(highest.notna().sum()))
        unknown.append(int(highest.isna().sum()))
        inside = ~np.isnan(labels[at])
        examples.append({"positives": int(np.nansum(labels[at])), "known": int(inside.sum())})
    positive = "1" if target.positive is None else str(target.positive)
    levels = [{"level": positive, "counts": counts}]
    return {"levels": levels, "known": known, "unknown": unknown, "positive": positive, "examples": examples}


def _numbers(values: np.ndarray, patient: np.ndarray, rows: dict) -> dict:
    found, unknown = [], []
    for at in rows.values():
        each = pd.Series(values[at]).groupby(patient[at]).median()
        numbers = each.dropna().to_numpy()
        unknown.append(int(each.isna().sum()))
        keys = ("low", "q1", "median", "q3", "high")
        cut = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]) if len(numbers) else [None] * 5
        found.append({"n": len(numbers)} | {k: None if v is None else float(v) for k, v in zip(keys, cut, strict=True)})
    return {"numbers": found, "unknown": unknown}


def _levels(words: pd.Series, patient: np.ndarray, rows: dict, *, order: Sequence[str] | None = None) -> dict:
    codes, names = pd.factorize(words, sort=order is None)
    collapsed = {}
    for fold, at in rows.items():
        known = at[codes[at] >= 0]
        by = pd.Series(codes[known]).groupby(patient[known])
        low, high = by.min(), by.max()
        each = pd.Series(np.where(low == high, names[low.to_numpy()], SEVERAL), dtype=object)
        collapsed[fold] = each, len(np.unique(patient[at])) - len(each)
    whole = collapsed["all"][0].value_counts()
    levels = [*order] if order else sorted((v for v in whole.index if v != SEVERAL), key=lambda v: (-whole[v], v))
    rest = [] if order else levels[MOST_LEVELS:]
    levels = levels if order else levels[: MOST_LEVELS if len(levels) > MOST_LEVELS else None]
    shown = [(level, [level]) for level in levels] + ([(f"{len(rest)} others", rest)] if rest else [])
    if SEVERAL in whole.index:
        shown.append((SEVERAL, [SEVERAL]))
    return {
        "levels": [
            {"level": level, "counts": [int(each.isin(members).sum()) for each, _ in collapsed.values()]}
            for level, members in shown
        ],
        "known": [len(each) for each, _ in collapsed.values()],
        "unknown": [unknown for _, unknown in collapsed.values()],
    }


def _word(value) -> str:
    """`1` and `1.0` are one value."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
