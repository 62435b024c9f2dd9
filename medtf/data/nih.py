"""The files of NIH ChestX-ray14: Data_Entry_2017.csv, the official lists, BBox_List_2017.csv. Keys are image names without their ending."""

import json
from pathlib import Path

import pandas as pd

from medtf.data import radiograph_sheets
from medtf.data.labelled import Labels
from medtf.data.sheets import plain_id, read_sheet
from medtf.errors import MedtfError, nearest

FINDINGS = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax", "consolidation", "edema",
    "emphysema", "fibrosis", "pleural_thickening", "hernia",
)  # fmt: skip
NEEDED = ("Image Index", "Finding Labels", "Patient ID")
SEX_COLUMNS = ("Patient Gender", "Patient Sex")  # copies of the file differ in this name
NOTHING = "no_finding"
LISTS = {"train_val_list.txt": False, "test_list.txt": True}  # -> is it the test?
BOX_LIST = "BBox_List_2017.csv"
BOXES = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")  # `Bbox [x,y,w,h]` falls apart at its commas
BOX_NAMES = {"infiltrate": "infiltration"}
SIDE = 1024  # pixels a side of the published images, which the boxes are in
ROUNDING = 0.5  # pixels that a box may stand over the edge


def read(root: Path, sheet: Path) -> Labels:
    """All that the archive's files say: the sheet, and the official lists and boxes where they lie beside it.

    Raises:
        MedtfError: what is wrong with one of them.
    """
    frame, notes = read_entries(sheet)
    if (root / BOX_LIST).is_file():
        boxes = read_boxes(root / BOX_LIST)
        frame["boxes"] = boxes.reindex(frame.index).fillna("").astype("str")
        notes.append(
            f"{BOX_LIST}: boxes on {len(boxes):,} images, {boxes.index.isin(frame.index).sum():,} of them in {sheet.name}"
        )
    return Labels(frame, keys, sheet.name, FINDINGS, read_lists(root), "test_list.txt", notes)


def read_entries(sheet: Path) -> tuple[pd.DataFrame, list[str]]:
    """One row an image, and lines about what was odd.

    Returns:
        frame by the image's key: `patient` (as the archive numbers it), `age` (years, NaN = unknown), `sex`, `view` (AP, PA), `projection`,
        `follow_up`, a column 0/1 for each of FINDINGS, and `abnormal`: 0 for No Finding, else 1.
    Raises:
        MedtfError: wrong columns, an unknown finding, a row that contradicts itself or another, or that names no image or patient.
    """
    rows, notes = read_sheet(sheet), []
    absent = [name for name in NEEDED if name not in rows]
    if absent:
        raise MedtfError(
            f"{sheet}: no column {absent[0]!r}; expected ChestX-ray14's {', '.join(NEEDED)}, ...: {nearest(absent[0], rows.columns)}"
        )
    for name in NEEDED:
        _refuse(sheet, rows[name].map(plain_id) == "", lambda row, name=name: f"has no {name}")
    found = _findings(rows["Finding Labels"].map(plain_id), sheet)
    told = {"patient": rows["Patient ID"].map(plain_id), "projection": "frontal"}
    if "Patient Age" in rows:
        told["age"] = radiograph_sheets.ages(rows["Patient Age"], notes, sheet.name)
    for name in [one for one in SEX_COLUMNS if one in rows][:1]:
        told["sex"] = radiograph_sheets.sexes(rows[name], notes, sheet.name)
    if "View Position" in rows:
        told["view"] = radiograph_sheets.views(rows["View Position"])
    if "Follow-up #" in rows:
        told["follow_up"] = pd.to_numeric(rows["Follow-up #"], errors="coerce").astype(float)
    frame = pd.concat([pd.DataFrame(told, index=rows.index), found], axis=1)
    frame.index = keys(rows["Image Index"].map(plain_id))
    return once(frame, sheet), notes


def keys(names: pd.Series) -> pd.Index:
    """`images_001/images/00000001_000.png` -> `00000001_000`: a copy that was saved as JPEG has the same labels."""
    return pd.Index(names.str.extract(r"([^/\\]+?)(?:\.\w+)?$")[0].to_numpy())


def once(frame: pd.DataFrame, sheet: Path) -> pd.DataFrame:
    """Rows of one key that agree are one.

    Raises:
        MedtfError: rows of one key that differ.
    """
    distinct = frame[~frame.reset_index(names="key").duplicated().to_numpy()]
    again = distinct.index[distinct.index.duplicated()]
    if len(again):
        both = distinct.loc[[again[0]]]
        column = next(name for name in both if both[name].nunique(dropna=False) > 1)
        more = f" ({len(again)} such images)" if len(again) > 1 else ""
        raise MedtfError(
            f"{sheet}: the rows of {again[0]} contradict each other in {column}{more}: remove the wrong rows"
        )
    return distinct


def read_lists(root: Path) -> pd.Series | None:
    """Is an image of the official test list? By key; None where the lists are not there.

    Raises:
        MedtfError: one of the two lists is absent, or an image stands in both.
    """
    there = [name for name in LISTS if (root / name).is_file()]
    if not there:
        return None
    if len(there) == 1:
        other = next(name for name in LISTS if name not in there)
        raise MedtfError(
            f"{root}: {there[0]} is there, but {other} is not: fetch it, or remove the one to draw folds anew"
        )
    parts = []
    for name, is_test in LISTS.items():
        lines = pd.Series((root / name).read_text(encoding="utf-8-sig").split(), dtype="str")
        parts.append(pd.Series(is_test, index=keys(lines).unique()) if len(lines) else pd.Series(dtype=bool))
    both = parts[0].index.intersection(parts[1].index)
    if len(both):
        raise MedtfError(f"{root}: {len(both)} images stand in both {' and '.join(LISTS)}, such as {both[0]}")
    return pd.concat(parts).astype(bool)


def read_boxes(sheet: Path) -> pd.Series:
    """Radiologists' boxes by key, as JSON: [[finding, x, y, width, height], ...], left upper corner first, in shares of the image's sides.

    The published numbers are pixels of images of 1024 x 1024; shares hold for a copy of any size.

    Raises:
        MedtfError: wrong columns, an unknown finding, a box that is not inside the image.
    """
    if len(sheet.read_text(encoding="utf-8-sig").splitlines()) == 1:
        return pd.Series(dtype="str")  # a header alone: no boxes
    rows = read_sheet(sheet)
    if tuple(rows.columns[: len(BOXES)]) != BOXES:
        raise MedtfError(
            f"{sheet}: expected the columns Image Index,Finding Label,Bbox [x,y,w,h]; found {','.join(map(str, rows.columns[:6]))}"
        )
    names = rows["Finding Label"].map(snake).replace(BOX_NAMES)
    _refuse(
        sheet, ~names.isin(FINDINGS), lambda row: f"unknown finding {names[row]!r}: {nearest(names[row], FINDINGS)}"
    )
    cells = rows[list(BOXES[2:])].apply(pd.to_numeric, errors="coerce").set_axis(["x", "y", "w", "h"], axis=1)
    ends = pd.concat([cells["x"] + cells["w"], cells["y"] + cells["h"]], axis=1).max(axis=1)
    inside = (
        (cells[["x", "y"]].min(axis=1) >= -ROUNDING) & (cells[["w", "h"]].min(axis=1) > 0) & (ends <= SIDE + ROUNDING)
    )
    inside &= cells.notna().all(axis=1)
    _refuse(
        sheet,
        ~inside,
        lambda row: f"the box of {rows['Image Index'][row]} does not lie in an image of {SIDE} x {SIDE} pixels",
    )
    shares = (cells / SIDE).clip(0, 1).round(6).to_numpy().tolist()
    boxes = pd.Series([[name, *share] for name, share in zip(names, shares, strict=True)], dtype=object)
    grouped = boxes.groupby(keys(rows["Image Index"].map(plain_id)))
    return grouped.agg(lambda some: json.dumps(list(some)))


def snake(finding) -> str:
    """`Pleural_Thickening` and `Pleural Thickening` are `pleural_thickening`."""
    return "_".join(plain_id(finding).lower().replace("_", " ").split())


def _findings(labels: pd.Series, sheet: Path) -> pd.DataFrame:
    """(rows, 14 + 1): each finding 0 or 1, and `abnormal`."""
    words = labels.str.split("|")
    told = words.map(lambda some: frozenset(snake(one) for one in some if one.strip()))
    known = {*FINDINGS, NOTHING}
    strange = told.map(lambda some: sorted(some - known))
    _refuse(
        sheet,
        strange.map(bool),
        lambda row: f"unknown finding {strange[row][0]!r}: {nearest(strange[row][0], sorted(known))}",
    )
    both = told.map(lambda some: NOTHING in some and len(some) > 1)
    _refuse(sheet, both, lambda row: f"{labels[row]!r} contradicts itself: No Finding stands alone")
    made = {name: told.map(lambda some, name=name: float(name in some)) for name in FINDINGS}
    return pd.DataFrame(made | {"abnormal": told.map(lambda some: float(NOTHING not in some))})


def _refuse(sheet: Path, wrong: pd.Series, what) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
        raise MedtfError(f"{sheet}: row {row + 2}: {what(row)}{more}")
