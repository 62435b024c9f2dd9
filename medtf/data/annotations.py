"""What experts marked on the images of a table, on the network's grid: masks, or boxes.

A *source* is a folder of masks (`annotation_masks`), a sheet of boxes, or the word `table` for the column `boxes` that the pipeline chest_xray
fills (`annotation_boxes`). Everything is read once when it is opened, so that whatever is wrong is said before anything is computed from it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from medtf.data import annotation_boxes, annotation_masks
from medtf.data.annotation_parts import REMARKS, Found
from medtf.data.header import completed
from medtf.errors import AskedWronglyError, MedtfError, nearest

TABLE = "table"
SHOWN = 3  # names in a line about several
KEEP = 2  # dimensions of what is kept in memory, a bit a pixel; volumes are read again


class Annotations:
    """The annotations of a table's rows.

    Attributes:
        source: as it was asked for.
        rows: int64 (n,), numbers of the rows (counted from 0) that have one, ascending.
        without: int64 (m,), numbers of all others.
        empty: files in which nothing is marked; their rows count as `without`.
        unmatched: files, or names in a sheet, that belong to no row.
        notes: lines about all that had to be decided, for the user.
    """

    def __init__(self, source: str, count: int, found: Found):
        self.source, self.unmatched, self._found, self._kept = source, found.unmatched, found, {}
        self.empty, told, rows = [], {name: [] for name in REMARKS}, []
        for row in sorted(found.names):
            one = found.read(row)
            if not one.mask.any():
                self.empty.append(found.names[row])
                continue
            rows.append(row)
            for remark in (*one.remarks, *(["shortened"] if row in found.shortened else [])):
                told[remark].append(found.names[row])
            if one.mask.ndim <= KEEP:
                self._kept[row] = np.packbits(one.mask), one.mask.shape
        self.whole = len(told["whole"])  # annotations that cover the picture, as inverted masks do
        self.rows = np.array(rows, np.int64)
        self._names = {row: found.names[row] for row in rows}
        self.without = np.setdiff1d(np.arange(count), self.rows)
        self.notes = found.notes + [f"{REMARKS[name]}: {len(of):,}, such as {of[0]}" for name, of in told.items() if of]
        if self.empty:
            self.notes.append(f"empty, so counted as no annotation: {_counted(self.empty)}")
        if self.unmatched:
            self.notes.append(f"of none of the rows: {_counted(self.unmatched)}")

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, row: int) -> bool:
        return int(row) in self._names

    def mask(self, row: int) -> np.ndarray:
        """What is marked on one row: bool (height, width) of `input.size`, or (x, y, z) in RAS+ of the whole volume at `input.spacing_mm`.

        Args:
            row: one of `rows`.
        Raises:
            KeyError: a row that has none.
        """
        row = int(row)
        if row not in self:
            raise KeyError(f"row {row} has no annotation")
        if row not in self._kept:
            return self._found.read(row).mask
        bits, shape = self._kept[row]
        return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)

    def named(self, row: int) -> str:
        """The file of a row's mask below the folder, or the path of the picture that has boxes."""
        return self._names[int(row)]


def find(
    source,
    frame: pd.DataFrame,
    root,
    config,
    *,
    target: str | None = None,
    label: int | None = None,
    reader: str | None = None,
) -> Annotations:
    """The annotations of a table's rows.

    Args:
        source: a folder of masks, a sheet of boxes, or `table`.
        frame: rows of a table. root: their data root.
        config: `input` counts: the grid that annotations are brought to.
        target: boxes of other targets' findings are left out; `any` and `abnormal` take all. Masks say nothing of findings.
        label: of masks, the value that is inside (None: every value above 0).
        reader: a sub-folder of the masks, or a name in the column `reader` of the boxes; `readers` lists them.
    Raises:
        AskedWronglyError: no such source, or options that do not belong to it.
        MedtfError: what is wrong with a file, nothing that belongs to a row, or nothing but empty masks.
    """
    source, frame = str(source), completed(frame)
    if source == TABLE or not Path(source).is_dir():
        if label is not None:
            raise AskedWronglyError(f"{source}: boxes have no label {label}: leave it out, or name a folder of masks")
        found = _boxes(source, frame, config, target, reader)
    else:
        folder = Path(source)
        if reader is not None:
            folder = _of_reader(folder, reader)
        found = annotation_masks.found(folder, frame, root, config, label=label)
    if not found.names:
        raise MedtfError(_none(source, found, frame))
    made = Annotations(source, len(frame), found)
    if not len(made):
        inside = "above 0" if label is None else f"of value {label}"
        raise MedtfError(
            f"{source}: nothing is marked: no pixel is {inside} in any mask of the table's rows ({_counted(made.empty)})"
        )
    if len(made) > 1 and made.whole == len(made):
        raise MedtfError(
            f"{source}: every mask covers 95 % of its picture or more, such as {made.named(made.rows[0])}: are they inverted (0 is outside), or"
            " pictures with marks drawn into them? Expected 0 outside and another value inside"
        )
    return made


def readers(source) -> list[str]:
    """Readers whom a source keeps apart: sub-folders with masks of the same files, or names in a column `reader`; none where there is one.

    Sub-folders may as well be of different things (`any`, `shortcut`): only whoever made them knows.
    """
    if str(source) == TABLE:
        return []
    path = Path(source)
    if path.is_dir():
        return annotation_masks.readers(path)
    _there(str(source))
    return annotation_boxes.readers(path)


def _boxes(source: str, frame: pd.DataFrame, config, target, reader) -> Found:
    if source == TABLE:
        if reader is not None:
            raise AskedWronglyError(
                "annotations `table`: the column `boxes` does not say whose a box is: leave the reader out"
            )
        return annotation_boxes.found_in_table(frame, config, target=target)
    _there(source)
    return annotation_boxes.found(Path(source), frame, config, target=target, reader=reader)


def _there(source: str) -> None:
    if not Path(source).exists():
        raise AskedWronglyError(
            f"{source}: no such folder or sheet: expected a folder of masks, a sheet of boxes, or the word {TABLE}"
        )
    if source.lower().endswith((".png", ".nii", ".nii.gz")):
        raise AskedWronglyError(f"{source}: one file: name the folder of masks that it lies in")


def _of_reader(folder: Path, reader: str) -> Path:
    below = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    if reader not in below:
        raise AskedWronglyError(
            f"{folder}: no folder of reader {reader!r}: {nearest(reader, below) if below else 'it has no sub-folders'}"
        )
    return folder / reader


def _none(source: str, found: Found, frame: pd.DataFrame) -> str:
    if not found.unmatched:
        return f"{source}: no row of the table has a box"
    example = frame["path"].iloc[0] if len(frame) else "none"
    return (
        f"{source}: no row of the table has one of its names ({_counted(found.unmatched)}): expected names as those of the images, such as"
        f" {example}, with another ending"
    )


def _counted(names: list[str]) -> str:
    return f"{len(names):,}: {_some(names)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
