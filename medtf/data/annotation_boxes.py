"""Boxes around findings: NIH's list, a sheet of one's own, or the table's column `boxes`; brought onto the network's grid."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medtf.data import nih, placing
from medtf.data.annotation_names import Names
from medtf.data.annotation_parts import SUCH_AS, Found, Read, at_least_half
from medtf.data.nifti import KINDS
from medtf.data.pixels import Rows
from medtf.data.sheets import plain_id, read_sheet
from medtf.errors import AskedWronglyError, MedtfError, nearest

# what a column is for -> its names, in lower case; the first one there counts
COLUMNS = {
    "image": ("path", "image", "image index", "filename", "file"),
    "x": ("x",),
    "y": ("y",),
    "width": ("width", "w"),
    "height": ("height", "h"),
    "finding": ("finding", "finding label", "label", "target"),
    "reader": ("reader",),
}
OPTIONAL = ("finding", "reader")
EVERYTHING = ("any", "abnormal")  # targets that a box of any finding speaks for


class Box(NamedTuple):
    """One box, (x, y, width, height): in shares of the picture's sides, or in pixels of the file."""

    finding: str
    place: tuple[float, float, float, float]
    shares: bool
    line: str = ""  # where it stands, for errors


def readers(sheet: Path) -> list[str]:
    """Names in the column `reader` of a sheet of boxes; none where it has no such column, or one reader."""
    rows = read_sheet(sheet)
    columns = _columns(rows)
    names = sorted(set(rows[columns["reader"]].map(plain_id)) - {""}) if "reader" in columns else []
    return names if len(names) > 1 else []


def found(sheet: Path, frame, config, *, target: str | None = None, reader: str | None = None) -> Found:
    """The boxes of a sheet, by the rows of a table.

    Args:
        sheet: NIH's BBox_List_2017.csv (pixels of pictures of 1024 x 1024), or one with columns such as image, x, y, width, height, and
            perhaps finding and reader: pixels of the file as it lies, the left upper corner of the picture at 0, 0.
        target: leave out the findings of other targets. reader: take this reader's boxes alone.
    Raises:
        MedtfError: columns that are not there, a box that is no box or lies outside of its picture, no box of the target.
    """
    rows = read_sheet(sheet)
    if tuple(rows.columns[: len(nih.BOXES)]) == nih.BOXES:
        listed = [(name, box) for name, text in nih.read_boxes(sheet).items() for box in _parsed(text, str(name))]
        if reader is not None:
            raise AskedWronglyError(f"{sheet}: NIH's list does not say whose a box is: leave the reader out")
        notes = []
    else:
        listed, notes = _own(sheet, rows, reader)
    names, by_row, unmatched = Names(frame["path"]), defaultdict(list), {}
    for name, box in listed:
        hit = names.row_of(name)
        if hit is None or hit[1]:  # a sheet names pictures, and no masks of them
            unmatched[name] = None
        else:
            by_row[hit[0]].append(box)
    return _found(str(sheet), by_row, frame, config, target, unmatched=list(unmatched), notes=notes)


def found_in_table(frame, config, *, target: str | None = None) -> Found:
    """The boxes in a table's column `boxes`, JSON [[finding, x, y, width, height], ...] in shares of the sides.

    Raises:
        AskedWronglyError: no such column. MedtfError: a cell that is not such a list, no box of the target.
    """
    if "boxes" not in frame:
        raise AskedWronglyError(
            "annotations `table`: the table has no column `boxes`: chest_xray makes it of BBox_List_2017.csv; or name a folder of masks or a sheet"
        )
    cells = frame["boxes"].fillna("").astype(str).to_numpy()
    paths = frame["path"].to_numpy()
    by_row = {row: _parsed(text, f"table: {paths[row]}") for row, text in enumerate(cells) if text.strip()}
    return _found("table", by_row, frame, config, target, unmatched=[], notes=[])


def _found(source: str, by_row: dict, frame, config, target, *, unmatched, notes) -> Found:
    by_row, more = _of_target(source, by_row, target)
    rows, paths, held = Rows(frame), frame["path"].to_numpy(), {}
    for row, boxes in by_row.items():
        if rows[row]["read_kind"] in KINDS:
            raise MedtfError(f"{source}: {paths[row]} is a volume, and boxes are for pictures: give masks in NIfTI")
        where = placing.placed(rows[row], config)
        held[row] = where, [_in_pixels(source, box, rows[row], where) for box in boxes]

    def read(row: int) -> Read:
        where, boxes = held[row]
        return at_least_half(np.max([where.box_to_network(box) for box in boxes], axis=0))

    return Found({row: str(paths[row]) for row in held}, read, unmatched, notes + more)


def _of_target(source: str, by_row: dict, target: str | None) -> tuple[dict, list[str]]:
    """The boxes that speak for a target, by row, and a line about the others; boxes that name no finding speak for all."""
    wanted = None if target is None else _named(target)
    if wanted is None or wanted in EVERYTHING:
        return by_row, []
    kept = {row: [box for box in boxes if _named(box.finding) in ("", wanted)] for row, boxes in by_row.items()}
    kept = {row: boxes for row, boxes in kept.items() if boxes}
    others = Counter(_named(box.finding) for boxes in by_row.values() for box in boxes)
    others = {name: count for name, count in others.most_common() if name not in ("", wanted)}
    if by_row and not kept:
        raise MedtfError(f"{source}: no box of {target!r} on the images of the table: {nearest(wanted, others)}")
    told = ", ".join(f"{name} {count:,}" for name, count in list(others.items())[:3])
    more = ", ..." if len(others) > 3 else ""
    return kept, [
        f"boxes of other findings than {target}: {sum(others.values()):,} ({told}{more}): left out"
    ] if others else []


def _named(finding) -> str:
    name = nih.snake(finding)
    return nih.BOX_NAMES.get(name, name)


def _parsed(text: str, where: str) -> list[Box]:
    """JSON [[finding, x, y, width, height], ...] in shares."""
    try:
        boxes = [Box(str(name), tuple(float(v) for v in place), True) for name, *place in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise MedtfError(
            f"{where}: boxes {text[:60]!r}: expected JSON [[finding, x, y, width, height], ...]"
        ) from error
    if any(len(box.place) != 4 for box in boxes):
        raise MedtfError(f"{where}: boxes {text[:60]!r}: expected JSON [[finding, x, y, width, height], ...]")
    return boxes


def _own(sheet: Path, rows: pd.DataFrame, reader: str | None) -> tuple[list[tuple[str, Box]], list[str]]:
    """(picture, box) of each row of a sheet that is not NIH's, and lines about what was odd."""
    columns, notes = _columns(rows), []
    absent = [name for name in COLUMNS if name not in columns and name not in OPTIONAL]
    if absent:
        raise MedtfError(
            f"{sheet}: no column {absent[0]!r}: expected image, x, y, width, height (and finding, reader), or NIH's Image Index,Finding"
            f" Label,Bbox [x,y,w,h]; found {', '.join(map(str, rows.columns[:8]))}"
        )
    whose = rows[columns["reader"]].map(plain_id) if "reader" in columns else pd.Series("", index=rows.index)
    there = sorted(set(whose) - {""})
    if reader is not None and reader not in there:
        raise AskedWronglyError(
            f"{sheet}: no boxes of reader {reader!r}: {nearest(reader, there) if there else 'no column reader'}"
        )
    if reader is None and len(there) > 1:
        notes.append(f"boxes of {len(there)} readers are taken together{SUCH_AS}{', '.join(there[:3])}")
    cells = rows[[columns[name] for name in ("x", "y", "width", "height")]]
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    blank = cells.isna().to_numpy().all(axis=1)  # pictures without a finding, as in RSNA's pneumonia list
    findings = rows[columns["finding"]].map(plain_id) if "finding" in columns else pd.Series("", index=rows.index)
    listed = []
    for place in np.flatnonzero(~blank & ((whose == reader).to_numpy() if reader is not None else True)):
        line, name = f"row {place + 2}", plain_id(rows[columns["image"]].iloc[place])
        if not name:
            raise MedtfError(f"{sheet}: {line} names no image")
        if not np.isfinite(numbers[place]).all() or numbers[place][2:].min() <= 0:
            shown = ", ".join(map(plain_id, cells.iloc[place]))
            raise MedtfError(
                f"{sheet}: {line}: {shown} is no box: expected x, y, and a width and height above 0, in pixels"
            )
        listed.append((name, Box(findings.iloc[place], tuple(numbers[place]), False, line)))
    if blank.any():
        notes.append(f"rows without a box: {int(blank.sum()):,}: not annotated")
    return listed, notes


def _columns(rows: pd.DataFrame) -> dict[str, str]:
    there = {str(name).strip().lower(): name for name in rows.columns[::-1]}
    found = {what: [there[name] for name in names if name in there] for what, names in COLUMNS.items()}
    return {what: names[0] for what, names in found.items() if names}


def _in_pixels(source: str, box: Box, row: dict, where: placing.Placing) -> tuple[float, ...]:
    """(x, y, width, height) in pixels of the picture the right way up."""
    if box.shares:
        rows, columns = where.source_shape
        x, y, width, height = box.place
        if min(x, y) < 0 or min(width, height) <= 0 or max(x + width, y + height) > 1 + 1e-3:
            raise MedtfError(
                f"{source}: {row['path']}: the box {box.place} does not lie in its picture: expected shares from 0 to 1"
            )
        return x * columns, y * rows, width * columns, height * rows
    rows, columns = int(row["read_rows"]), int(row["read_columns"])
    x, y, width, height = box.place
    if min(x, y) < -nih.ROUNDING or x + width > columns + nih.ROUNDING or y + height > rows + nih.ROUNDING:
        raise MedtfError(
            f"{source}: {box.line}: the box x {x:g}, y {y:g}, {width:g} wide, {height:g} high does not lie in {row['path']}, {columns} x {rows}"
            " pixels (columns x rows): are its numbers of a picture of another size?"
        )
    return where.upright(box.place)
