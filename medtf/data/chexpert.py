"""The label files of CheXpert: train.csv and valid.csv. Keys are `patient00001/study1/view1_frontal`, wherever the folders lie."""

from pathlib import Path

import pandas as pd

from medtf.data import radiograph_sheets
from medtf.data.labelled import Labels
from medtf.data.nih import once
from medtf.data.sheets import plain_id, read_sheet
from medtf.errors import MedtfError, nearest
from medtf.table import is_empty

SHEETS = {"train.csv": False, "valid.csv": True}  # -> is it the test?
ABOUT = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
# CheXpert's column -> the target; a finding that ChestX-ray14 has as well bears the same name in both
FINDINGS = {
    "No Finding": "no_finding",
    "Enlarged Cardiomediastinum": "enlarged_cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung_opacity",
    "Lung Lesion": "lung_lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "effusion",
    "Pleural Other": "pleural_other",
    "Fracture": "fracture",
    "Support Devices": "support_devices",
}
NO_DISEASE = ("no_finding", "support_devices")
UNCERTAIN = {
    "ignore": float("nan"),
    "ones": 1.0,
    "zeros": 0.0,
}  # data.uncertain -> what -1 becomes (Irvin 2019, section 4)


def read(sheets: list[Path], uncertain: str) -> Labels:
    """All that the label files say. valid.csv is the test set: radiologists labelled it, and published numbers are told on it."""
    frame, notes = read_sheets(sheets, uncertain)
    is_test = frame.pop("is_test")
    listed = " and ".join(sheet.name for sheet in sheets)
    return Labels(frame, keys, listed, tuple(FINDINGS.values()), is_test if is_test.any() else None, "valid.csv", notes)


def read_sheets(sheets: list[Path], uncertain: str) -> tuple[pd.DataFrame, list[str]]:
    """One row an image, and lines about what was odd.

    Args:
        sheets: train.csv, valid.csv or both.
        uncertain: ignore, ones or zeros: what the labeller's -1 counts as. An empty cell is unknown, always.
    Returns:
        frame by key: `patient`, `study`, `age` (years), `sex`, `view` (AP, PA), `projection` (frontal, lateral), the targets of FINDINGS
        (0, 1, NaN = unknown), `abnormal` (1 less No Finding; where that is empty 1 with any disease, else unknown), and `is_test`.
    Raises:
        MedtfError: wrong columns, a value that is not 1, 0, -1 or empty, a path that names no patient, rows that contradict each other.
    """
    notes, parts, open_cells = [], [], 0
    for sheet in sheets:
        rows = read_sheet(sheet)
        absent = [name for name in (*ABOUT, *FINDINGS) if name not in rows]
        if absent:
            raise MedtfError(
                f"{sheet}: no column {absent[0]!r}: {nearest(absent[0], rows.columns)}; expected CheXpert's {', '.join(ABOUT)} and 14 findings"
                " (for a sheet of your own use the pipeline `table`)"
            )
        values = _values(rows, sheet)
        open_cells += int((values == -1).sum().sum())
        told = _about(rows, sheet, notes).assign(is_test=SHEETS.get(sheet.name, False))
        parts.append(once(pd.concat([told, values], axis=1).set_index("key"), sheet))
    frame = pd.concat(parts)
    twice = frame.index[frame.index.duplicated()]
    if len(twice):
        raise MedtfError(
            f"{sheets[0].parent}: {len(twice)} images stand in both train.csv and valid.csv, such as {twice[0]}"
        )
    names = list(FINDINGS.values())
    frame[names] = frame[names].replace(-1.0, UNCERTAIN[uncertain])
    if open_cells:
        taken = {"ignore": "unknown", "ones": "1", "zeros": "0"}[uncertain]
        notes.append(f"{open_cells:,} findings are uncertain (-1): taken as {taken} (data.uncertain: {uncertain})")
    return frame.assign(abnormal=_abnormal(frame, notes)), notes


def keys(paths: pd.Series) -> pd.Index:
    """The last three parts of a path without its ending; None where they are not CheXpert's."""
    parts = paths.str.replace("\\", "/").str.extract(radiograph_sheets.CHEXPERT_NAME)
    return pd.Index((parts[0] + "/" + parts[1] + "/" + parts[2]).where(parts[0].notna(), None).to_numpy(object))


def _about(rows: pd.DataFrame, sheet: Path, notes: list[str]) -> pd.DataFrame:
    key = keys(rows["Path"].map(plain_id))
    if key.isna().any():
        row = int(key.isna().argmax())
        raise MedtfError(
            f"{sheet}: row {row + 2}: path {plain_id(rows['Path'][row])!r}: expected .../patient00001/study1/view1_frontal.jpg"
        )
    parts = pd.Series(key).str.split("/", expand=True)
    projection = rows["Frontal/Lateral"].map(plain_id).str.lower()
    return pd.DataFrame(
        {
            "key": key,
            "patient": parts[0],
            "study": parts[0] + "/" + parts[1],
            "age": radiograph_sheets.ages(rows["Age"], notes, sheet.name),
            "sex": radiograph_sheets.sexes(rows["Sex"], notes, sheet.name),
            "view": radiograph_sheets.views(rows["AP/PA"]),
            "projection": projection.where(projection.isin(["frontal", "lateral"]), "").astype("str"),
        }
    )


def _values(rows: pd.DataFrame, sheet: Path) -> pd.DataFrame:
    """The findings as 1, 0, -1 or NaN, under medtf's names."""
    made = {}
    for column, name in FINDINGS.items():
        numbers = pd.to_numeric(rows[column], errors="coerce").astype(float)
        wrong = ~is_empty(rows[column]) & ~numbers.isin([1, 0, -1]).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise MedtfError(
                f"{sheet}: row {row + 2}: {column} {plain_id(rows[column][row])!r}: expected 1, 0, -1 or empty"
            )
        made[name] = numbers
    return pd.DataFrame(made)


def _abnormal(frame: pd.DataFrame, notes: list[str]) -> pd.Series:
    diseased = (frame[[name for name in FINDINGS.values() if name not in NO_DISEASE]] == 1).any(axis=1)
    abnormal = (1 - frame["no_finding"]).where(frame["no_finding"].notna() | ~diseased, 1.0)
    both = diseased & (frame["no_finding"] == 1)
    if both.any():
        notes.append(f"{both.sum():,} images have No Finding and a finding: abnormal is unknown there")
    return abnormal.mask(both)
