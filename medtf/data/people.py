"""A sheet of people to one row a person: age in years, sex as M or F, and what else is asked for; nothing guessed."""

import re
from pathlib import Path

import pandas as pd

from medtf.data.sheets import column_of, plain_id, read_sheet
from medtf.errors import AskedWronglyError, nearest
from medtf.table import is_empty

# what archives call these columns, in lower case
COLUMNS = {
    "patient": ("ixi_id", "subject", "subject_id", "subject id", "patient", "patient_id", "patient id", "participant_id", "id", "mrid"),
    "age": ("age", "age_years", "age (years)"),
    "sex": ("sex_id (1=m, 2=f)", "sex", "gender"),
    "site": ("site",),
}  # fmt: skip
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F"}
CODED = re.compile(r"1\s*=\s*m.*2\s*=\s*f")  # sex in numbers is read where the column's own name explains them
MANY = {"age": "ages", "sex": "sexes"}


def read_people(sheet: Path, columns: dict[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """One row a person, and lines about what was odd.

    Rows of one person that agree are one. Where they disagree the value is unknown: neither is taken, and nothing between them.

    Args:
        sheet: .csv, .tsv, .xls or .xlsx.
        columns: where patient, age, sex and site are, when not under a usual name; further names make columns of that name.
    Returns:
        frame indexed by `person_of` of the sheet's ids: `age` (float, years, NaN = unknown), `sex` (M, F, None), what else was asked for,
        and `why age`, `why sex`: the reason for an unknown one.
    Raises:
        MedtfError: a sheet that cannot be read. AskedWronglyError: no column for the people, or neither age nor sex.
    """
    rows = read_sheet(sheet)
    names = _names(rows, columns, sheet)
    found = pd.DataFrame({role: column_of(rows, name, role, sheet) for role, name in names.items()})
    found["patient"] = found["patient"].map(person_of)
    found, notes = found[found["patient"] != ""], []
    if "age" in found:
        numbers = pd.to_numeric(found["age"], errors="coerce")
        found["age"] = _known(found["age"], numbers.where((numbers > 0) & (numbers < 120)), "age", "years", notes)
    if "sex" in found:
        words = SEXES | ({"1": "M", "2": "F"} if CODED.search(names["sex"].lower()) else {})
        given = found["sex"].map(plain_id).str.lower()
        found["sex"] = _known(found["sex"], given.map(words).astype(object), "sex", "M or F", notes)
    repeated = int(found.duplicated(["patient", *(c for c in MANY if c in found)]).sum())
    notes += [f"{repeated} rows of {sheet.name} repeat another: taken once"] if repeated else []
    return _merged(found, sheet.name, notes), notes


def person_of(value) -> str:
    """`12`, `12.0`, `IXI012` and `IXI012-HH-1211-T1` are one person, and so are `007` and `7`."""
    word = plain_id(value)
    match = re.match(r"^(?:IXI)?0*(\d+)(?:-(?:Guys|HH|IOP)-.*)?$", word, re.IGNORECASE)
    return match[1] if match else word


def _names(rows: pd.DataFrame, columns: dict[str, str], sheet: Path) -> dict[str, str]:
    """{what: the sheet's column}, by the config or by a usual name."""
    there = {str(column).strip().lower(): column for column in rows}
    usual = {what: next((there[word] for word in words if word in there), None) for what, words in COLUMNS.items()}
    names = {what: name for what, name in (usual | columns).items() if name is not None}
    for wanted, hint in ((("patient",), "patient"), (("age", "sex"), "age")):
        if not any(what in names for what in wanted):
            lacks = " or ".join(wanted)
            raise AskedWronglyError(
                f"{sheet}: no column for {lacks} (say where it is: data.columns: {{{hint}: ...}}): {nearest(lacks, rows.columns)}"
            )
    return names


def _known(given: pd.Series, values: pd.Series, what: str, expected: str, notes: list[str]) -> pd.Series:
    """The values; what was given and could not be read goes into the notes."""
    strange = given[values.isna() & ~is_empty(given)]
    if len(strange):
        notes.append(
            f"{MANY[what]} that are not {expected}: {len(strange)}, such as {plain_id(strange.iloc[0])!r}: unknown"
        )
    return values


def _merged(found: pd.DataFrame, sheet: str, notes: list[str]) -> pd.DataFrame:
    """One row a person out of rows that agree, or do not."""
    grouped = found.groupby("patient")
    different, people = grouped.nunique(), grouped.first()
    for name in list(people):
        conflict = different[name] > 1
        people[name] = people[name].mask(conflict)
        if name not in MANY:
            continue
        absent = people[name].isna() & ~conflict
        notes += [f"people with different {MANY[name]} in {sheet}: {conflict.sum()}: unknown"] if conflict.any() else []
        notes += [f"people without {name} in {sheet}: {absent.sum()}"] if absent.any() else []
        why = pd.Series("", index=people.index, dtype=object)
        why = why.mask(conflict, f"rows of {sheet} give this person different {MANY[name]}")
        people[f"why {name}"] = why.mask(absent, f"{sheet} gives this person no {name}")
    return people
