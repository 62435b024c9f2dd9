"""Sheets as people keep them: CSV, Excel or Parquet, with any names of columns."""

import re
from pathlib import Path

import pandas as pd

from medtf.errors import AskedWronglyError, MedtfError, nearest

# where Excel files and text files lie side by side, Excel's is the one that people keep
KINDS = (".xls", ".xlsx"), (".csv", ".tsv")


def read_sheet(source: Path) -> pd.DataFrame:
    """A sheet as a frame; numbers stay numbers, empty cells are unknown.

    Raises:
        AskedWronglyError: a file of another kind. MedtfError: no such file, one that cannot be read, one without rows.
    """
    readers = {
        ".csv": pd.read_csv,
        ".tsv": lambda p: pd.read_csv(p, sep="\t"),
        ".xlsx": pd.read_excel,
        ".xls": pd.read_excel,
        ".parquet": pd.read_parquet,
    }
    if source.suffix.lower() not in readers:
        raise AskedWronglyError(f"{source}: expected a folder, or a file that ends in {', '.join(readers)}")
    if not source.is_file():
        raise MedtfError(f"{source}: no such file")
    try:
        sheet = readers[source.suffix.lower()](source)
    except Exception as error:  # pandas and its engines raise many kinds; each means that the sheet is broken
        raise MedtfError(f"{source}: cannot be read: {str(error).splitlines()[0]}") from error
    if source.suffix.lower() in (".csv", ".tsv"):
        if not isinstance(
            sheet.index, pd.RangeIndex
        ):  # pandas takes the first cells for names of rows, and moves all others
            raise MedtfError(
                f"{source}: the rows have more cells than the header: remove a separator at the end of lines, and write numbers with a decimal point"
            )
        if len(sheet.columns) == 1 and ";" in str(sheet.columns[0]):
            raise MedtfError(
                f"{source}: cells are separated by semicolons: save it with commas and decimal points, or as .xlsx"
            )
    if len(sheet) == 0:
        raise MedtfError(f"{source}: the sheet has no rows")
    return sheet


def beside(root: Path, *, given: str | None = None, preferred: str = "") -> Path | None:
    """The sheet that lies in a folder: the one of that stem, else the one Excel file, else the one CSV; None where there is none.

    Args:
        root: folder.
        given: the file's name, where the user says it.
        preferred: a stem in lower case, such as `ixi`.
    Raises:
        MedtfError: several, and none is the preferred one.
    """
    if given:
        return Path(root) / given
    there = [p for p in sorted(Path(root).iterdir()) if p.is_file() and not p.name.startswith((".", "~"))]
    there = [p for p in there if p.suffix.lower() in {ending for endings in KINDS for ending in endings}]
    there = [p for p in there if p.stem.lower() == preferred] or there
    for endings in KINDS:
        sheets = [p for p in there if p.suffix.lower() in endings]
        if len(sheets) > 1:
            listed = ", ".join(p.name for p in sheets)
            raise MedtfError(f"{root}: found {listed}; name the right one: data.columns: {{sheet: {sheets[0].name}}}")
        if sheets:
            return sheets[0]
    return None


def plain_id(value) -> str:
    """`218`, `218.0` and `"218"` are one patient."""
    if pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def column_of(sheet: pd.DataFrame, template: str, name: str, source: Path) -> pd.Series:
    """A column by its name, or a template such as `{split}/{Image Index}` over columns.

    Args:
        sheet: as `read_sheet` gives it.
        template: a column's name, or text with columns in braces.
        name: what the column is wanted for.
        source: the sheet's file; both for errors.
    Raises:
        AskedWronglyError: a column that is not there.
    """
    if template in sheet:
        return sheet[template]
    needed = re.findall(r"{([^{}]+)}", template)
    absent = [c for c in needed or [template] if c not in sheet]
    if absent:
        hint = f" (say where it is: data.columns: {{{name}: ...}})" if template == name else ""
        raise AskedWronglyError(
            f"{source}: no column {absent[0]!r} for {name}{hint}: {nearest(absent[0], sheet.columns)}"
        )
    parts = sheet[list(dict.fromkeys(needed))].map(plain_id)
    filled = parts.apply(lambda row: re.sub(r"{([^{}]+)}", lambda m: row[m[1]], template), axis=1)
    return filled.where((parts != "").all(axis=1), None)  # a template with a hole says nothing
