"""What a split is like, in lines that a person reads: patients a fold and stratum, how far each fold is from the whole, how even it is."""

import numpy as np
import pandas as pd

from medtf import split_strata, split_uniform
from medtf.config import Split
from medtf.table import FOLDS, Table

SHOWN = 12  # values of a column; the rest is counted together


def describe(table: Table) -> list[str]:
    """Lines about a table with folds: patients (not rows) per fold and stratum, the largest deviation, and the evenness.

    Columns are those of the split that `split.assign` noted in the table; a table split otherwise gives the counts of its folds alone.
    """
    frame = table.frame
    split = Split.model_validate(table.meta.get("split") or {})
    codes, _ = pd.factorize(frame["patient"])
    fold = frame["fold"].groupby(codes).first()
    uniform = [split.uniform.column] if split.uniform else []
    columns = [c for c in dict.fromkeys([*split.stratify, *uniform, *(split.leave_out or ())]) if c in frame]
    people = split_strata.words(frame, codes, columns)
    said = _counts(fold, people)
    by_design = (["test"] if split.leave_out else []) + (["valid", "train"] if split.uniform else [])
    said += _deviations(fold, people[[c for c in split.stratify if c in people]], by_design)
    if split.uniform and split.uniform.column in frame:
        said += _evenness(frame, codes, fold, split)
    if split.leave_out and set(split.leave_out) <= set(frame):
        said += _left_out(frame, codes, fold, split)
    return said


def names(folds) -> list[str]:
    """The folds that there are, in the order of their use."""
    there = set(folds)
    return [f for f in FOLDS if f in there] or sorted(there, key=int)


def _counts(fold: pd.Series, people: pd.DataFrame) -> list[str]:
    """A table in text: one line a stratum, one column a fold, patients and their share of the fold."""
    folds = names(fold)
    lines = [("patients", [f"{(fold == f).sum():,}" for f in folds])]
    for name in people:
        values = people[name].value_counts()
        shown = sorted(values.index[:SHOWN], key=_order)
        rest = [v for v in values.index if v not in shown]
        for label, members in [*((v, [v]) for v in shown), *([(f"{len(rest)} others", rest)] if rest else [])]:
            inside = [((fold == f) & people[name].isin(members)).sum() for f in folds]
            cells = [f"{n:,} ({n / max((fold == f).sum(), 1):.0%})" for n, f in zip(inside, folds, strict=True)]
            lines.append((f"{name} {label}", cells))
    wide = max(len(label) for label, _ in lines)
    header = "  " + " " * wide + "".join(f"{f:>13}" for f in folds)
    return [header, *("  " + label.ljust(wide) + "".join(f"{cell:>13}" for cell in cells) for label, cells in lines)]


def _order(word: str):
    """`40 to 50` before `100 to 110`; unknown last."""
    number = pd.to_numeric(word.split(" ")[0], errors="coerce")
    return (word == "unknown", 0 if pd.isna(number) else number, word)


def deviations(fold: pd.Series, people: pd.DataFrame) -> tuple[dict[str, float], float]:
    """How far folds are from the whole: {column: largest difference of a value's share}, and of all columns at once in patients.

    Args:
        fold: (patients,) names.
        people: (patients, columns) words.
    Returns:
        shares in [0, 1]; and the most patients that a fold has more or fewer of a joint cell than its size would give it.
    """
    folds, found = sorted(fold.unique()), {}
    for name in people:
        whole = people[name].value_counts(normalize=True)
        parts = [
            people.loc[fold == f, name].value_counts(normalize=True).reindex(whole.index, fill_value=0) for f in folds
        ]
        found[name] = max(float((part - whole).abs().max()) for part in parts)
    counts = pd.crosstab(people.agg("|".join, axis=1), fold).to_numpy(float)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return found, float(np.abs(counts - expected).max())


def _deviations(fold: pd.Series, people: pd.DataFrame, by_design: list[str]) -> list[str]:
    """Folds that were chosen to differ are left away; with fewer than two others there is nothing to compare, but the test with all."""
    kept = ~fold.isin(by_design)
    if not len(people.columns) or fold[kept].nunique() == 0:
        return []
    if fold[kept].nunique() == 1:  # the even fold and the rest differ on purpose: the test against all the others
        kept, fold = kept | True, fold.where(kept, "others")
    by_column, people_off = deviations(fold[kept], people[kept])
    said = ", ".join(f"{name} {value:.1%}" for name, value in by_column.items())
    joint = ""
    if len(people.columns) > 1:
        joint = f"; {' x '.join(people)} at once: at most {people_off:.1f} patients from a fold's share of a cell"
    return [f"largest difference between a fold's share of a value and the share of all: {said}{joint}"]


def _evenness(frame: pd.DataFrame, codes: np.ndarray, fold: pd.Series, split: Split) -> list[str]:
    column = split.uniform.column
    values = split_uniform.values_of(frame, codes, column, len(fold))
    free = (fold != "test").to_numpy() & ~np.isnan(values)
    chosen = values[free & (fold == "valid").to_numpy()]
    could = values[free]
    if not len(chosen) or could.min() == could.max():
        return []
    borders = split_strata.edges(pd.Series(could))
    taken, there = (np.histogram(v, borders)[0] for v in (chosen, could))
    bins = ", ".join(f"{a:g}-{b:g}: {n} of {m}" for a, b, n, m in zip(borders, borders[1:], taken, there, strict=False))
    best, usual = split_uniform.least_distance(could, len(chosen)), split_uniform.random_distance(could, len(chosen))
    said = [
        f"{column} in valid: {len(chosen)} patients from {chosen.min():g} to {chosen.max():g};"
        f" Kolmogorov-Smirnov distance to uniform {split_uniform.distance(chosen, could.min(), could.max()):.3f}"
        f" (the least that these data allow {best:.3f}, a random draw {usual:.3f})",
        f"{column} in valid, taken of those there: {bins}",
    ]
    spent = [f"{a:g}-{b:g}" for a, b, n, m in zip(borders, borders[1:], taken, there, strict=False) if n == m > 0]
    if spent:
        said.append(
            f"{column} {', '.join(spent)}: all are in valid, none is left to train on (a smaller uniform n leaves some)"
        )
    unknown = int((np.isnan(values) & (fold != "test").to_numpy()).sum())
    return [*said, f"{column} is unknown of {unknown} patients: they are in train"] if unknown else said


def _left_out(frame: pd.DataFrame, codes: np.ndarray, fold: pd.Series, split: Split) -> list[str]:
    """Patients with examples on both sides, and patients whose side nobody knows."""
    held = np.zeros(len(frame), bool)
    for name, value in split.leave_out.items():
        words = [split_strata.plain(v) for v in (value if isinstance(value, (list, tuple)) else [value])]
        held |= frame[name].map(split_strata.plain).isin(words).to_numpy()
    by_patient = pd.Series(held).groupby(codes)
    both = int((by_patient.any() & ~by_patient.all()).sum())
    said = []
    if both:
        said.append(
            f"left out: {both} of the {(fold == 'test').sum()} test patients have other examples too, and are in the test whole"
        )
    for name in split.leave_out:
        unknown = int(((split_strata.words(frame, codes, [name])[name] == "unknown") & (fold != "test")).sum())
        if unknown:
            said.append(f"left out: {name} is unknown of {unknown} patients, who are not in the test")
    return said
