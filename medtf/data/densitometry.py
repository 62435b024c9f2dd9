"""Sheets of bone density: T-scores, and osteoporosis as WHO defines it by them.

Source: WHO Technical Report Series 843 (1994): osteoporosis is a T-score of -2.5 or below, osteopenia one between -2.5 and -1. A T-score
is the distance of a bone's mineral density from the mean of young women, in their standard deviations.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from medtf.data import radiograph_sheets
from medtf.data.sheets import plain_id
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import is_empty

# what sheets call these columns, in lower case
USUAL = {
    "path": ("path", "file", "filename", "image"),
    "patient": ("patient", "patient_id", "patient id", "subject", "subject_id"),
    "osteoporosis": ("osteoporosis",),
    "t_score": ("t_score", "t-score", "t score", "tscore"),
    "bmd": ("bmd", "bmd (g/cm2)", "bmd_g_cm2"),
    "age": ("age", "age_years", "age (years)"),
    "sex": ("sex", "gender"),
    "bmi": ("bmi", "bmi (kg/m2)"),
    "view": ("view", "view position", "projection"),
    "side": ("side", "laterality"),
}  # fmt: skip
# lowest, highest, unit: wide enough for any person, and narrow enough to find another unit (BMD in mg/cm2)
RANGES = {"t_score": (-10, 10, "standard deviations"), "bmd": (0.1, 3, "g/cm2"), "bmi": (8, 100, "kg/m2")}
CLASSES = ("normal", "osteopenia", "osteoporosis")
LIMITS = (-2.5, -1.0)  # osteoporosis at and below the first, normal at and above the second
WORDS = {"1": 1.0, "yes": 1.0, "true": 1.0, "0": 0.0, "no": 0.0, "false": 0.0}
WORDS |= {"normal": 0.0, "osteopenia": 0.0, "osteoporosis": 1.0}
SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}


def usual_columns(rows: pd.DataFrame, columns: dict[str, str]) -> dict[str, str]:
    """{name: the sheet's column}: what the config says, else a usual name. A column that the config gives another name keeps that name."""
    taken = set(columns.values())
    free = [column for column in rows if column not in taken]
    found = {}
    for name in (one for one in USUAL if one not in columns):
        fits = [column for column in free if str(column).strip().lower() in USUAL[name]]
        if len(fits) > 1:
            raise AskedWronglyError(
                f"the columns {', '.join(map(repr, fits))} could each be {name}: say which one is, with data.columns: {{{name}: {fits[0]!r}}}"
            )
        if fits:
            found[name] = fits[0]
    return found | columns


def who_class(t_scores: np.ndarray) -> np.ndarray:
    """(rows,) T-scores in standard deviations -> normal, osteopenia, osteoporosis, or an empty string where unknown."""
    lowest, highest = LIMITS
    classes = np.where(t_scores <= lowest, CLASSES[2], np.where(t_scores < highest, CLASSES[1], CLASSES[0]))
    return np.where(np.isnan(t_scores), "", classes)


def read(rows: pd.DataFrame, sheet: Path) -> tuple[pd.DataFrame, list[str]]:
    """The columns that bone density is told by, in medtf's words, row by row; and lines about what was derived or odd.

    Args:
        rows: columns under the names of USUAL, those that there are.
        sheet: its file, for messages.
    Returns:
        of what is there: `osteoporosis` (0, 1, NaN = unknown; by WHO's rule where only the T-score says it), `who_class` (normal,
        osteopenia, osteoporosis), `t_score`, `bmd` (g/cm2), `bmi` (kg/m2), `age` (years), `sex` (M, F), `side` (L, R).
    Raises:
        MedtfError: a word or number that cannot be read or is in another unit, a diagnosis that its T-score contradicts; with the row.
    """
    made, notes = {}, []
    for name, (low, high, unit) in RANGES.items():
        if name in rows:
            made[name] = _numbers(
                rows[name], low, high, f"{sheet}: row {{row}}: {name} {{value}}: expected {low} to {high} {unit}"
            )
    if "age" in rows:
        made["age"] = radiograph_sheets.ages(rows["age"], notes, sheet.name)
    if "sex" in rows:
        made["sex"] = radiograph_sheets.sexes(rows["sex"], notes, sheet.name)
    if "view" in rows:
        made["view"] = radiograph_sheets.named_views(rows["view"])
    if "side" in rows:
        words = rows["side"].map(plain_id)
        made["side"] = words.str.lower().map(SIDES).fillna(words).astype("str")
    if "osteoporosis" in rows or "t_score" in rows:
        made |= _diagnosis(rows, made.get("t_score"), sheet, notes)
    return pd.DataFrame(made, index=rows.index), notes


def two_minds(frame: pd.DataFrame) -> list[str]:
    """A line where people are osteoporotic in one row and not in another: a follow-up, or a slip; it is a diagnosis of the person, not of a side.

    Args:
        frame: with `patient`, `osteoporosis` and `path`.
    """
    if "osteoporosis" not in frame:
        return []
    known = frame[frame["osteoporosis"].notna()]
    told = known.groupby("patient")["osteoporosis"].nunique()
    both = known[known["patient"].isin(told[told > 1].index)]
    if not len(both):
        return []
    first = both[both["patient"] == both["patient"].iloc[0]]
    paths = [first.loc[first["osteoporosis"] == value, "path"].iloc[0] for value in (0, 1)]
    count = both["patient"].nunique()
    people = "1 person is" if count == 1 else f"{count:,} people are"
    return [
        f"{people} osteoporotic in one row and not in another, as in {paths[0]} and {paths[1]}: follow-ups, or a slip?"
    ]


def _diagnosis(rows: pd.DataFrame, t_scores: pd.Series | None, sheet: Path, notes: list[str]) -> dict[str, pd.Series]:
    words = rows["osteoporosis"].map(_word) if "osteoporosis" in rows else pd.Series("", index=rows.index)
    told = words.map(WORDS).astype(float)
    strange = (words != "") & told.isna()
    if strange.any():
        row = int(strange.to_numpy().argmax())
        raise MedtfError(
            f"{sheet}: row {row + 2}: osteoporosis {words.iloc[row]!r}: expected 0 or 1, yes or no, or {', '.join(CLASSES)}"
        )
    by_score = np.full(len(rows), "") if t_scores is None else who_class(t_scores.to_numpy())
    ruled = pd.Series(by_score, index=rows.index).map({name: WORDS[name] for name in CLASSES})
    _refuse_contradictions(words, told, by_score, ruled, t_scores, sheet)
    derived = told.isna() & ruled.notna()
    if derived.any():
        notes.append(f"osteoporosis of {derived.sum():,} rows by WHO's rule: a T-score of {LIMITS[0]} or below")
    classes = pd.Series(by_score, index=rows.index).mask(words.isin(CLASSES), words).astype("str")
    if (words == "osteopenia").any():
        notes.append("osteopenia counts as no osteoporosis; the target `who_class` tells the three apart")
    found = {"osteoporosis": told.fillna(ruled)}
    return found | ({"who_class": classes} if (classes != "").any() else {})


def _refuse_contradictions(words, told, by_score, ruled, t_scores, sheet: Path) -> None:
    """A diagnosis and a T-score of one row that WHO's rule does not bring together."""
    named = words.isin(CLASSES) & (by_score != "") & (words != by_score)
    wrong = (told.notna() & ruled.notna() & (told != ruled)) | named
    if wrong.any():
        row, more = int(wrong.to_numpy().argmax()), f" ({wrong.sum()} such rows)" if wrong.sum() > 1 else ""
        raise MedtfError(
            f"{sheet}: row {row + 2}: osteoporosis {words.iloc[row]!r} with a T-score of {t_scores.iloc[row]:g}, which is {by_score[row]} by"
            f" WHO's rule{more}: mend it, or keep the score out of the rule with data.columns: {{other_score: t_score}}"
        )


def _numbers(values: pd.Series, low: float, high: float, message: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = ~is_empty(values) & ~numbers.between(low, high).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise MedtfError(message.format(row=row + 2, value=repr(plain_id(values.iloc[row]))))
    return numbers


def _word(value) -> str:
    """`True`, `1.0` and `Yes` in the words of WORDS' keys."""
    return plain_id(value).lower()
