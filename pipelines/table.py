"""Any CSV, Excel sheet or Parquet file of paths (DICOM, NIfTI, PNG, JPEG), patients and targets; or any folder of DICOM, without targets.

`data.columns` of the config says where things are, as a column's name or a template over columns:
`{path: "{split}/{folder_label}/{Image Index}", patient: Patient ID, fold: split, view: View Position}`, or of volumes
`{path: "t1/{MRID}_T1.nii.gz", patient: MRID, age: Age, sex: Sex}`. The default names are `path` and
`patient`; with `fold` the sheet's own split is used; other names make a column of that name. All other columns are kept as they are.
"""

import os
import re
from pathlib import Path

import pandas as pd

from medtf.data import scan as scanning
from medtf.data.sheets import column_of, plain_id, read_sheet
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, salt_id, secret
from medtf.split import given
from medtf.table import Table, inside, is_empty

# columns that name a person; they never enter a table. DICOM's own spelling counts too: PatientName, StudyInstanceUID
PERSONAL = re.compile(
    r"(?<![a-z])(names?|surname|birth|birthday|dob|address|phone|e ?mail|mrn|ssn|accession|patient ?ids?|instance ?uids?)(?![a-z])"
)
# NIfTI, PNG and JPEG hold no patient
NAMELESS = "the file does not say whose it is: list it in a sheet with the columns path and patient, and index that (medtf index table SHEET)"
OURS = {"excluded", "study", "series", "modality", "syntax", "position", "pixels"}


def examples(source, config, *, root=None, scan=scanning.scan) -> Table:
    """The table of a sheet, or of a folder; headers only.

    Args:
        source: .csv, .tsv, .xlsx, .xls or .parquet, or a folder.
        config: `data.columns` counts.
        root: folder that the paths are relative to (default: the sheet's own).
        scan: reads headers; the caller binds progress and the place for finished parts.
    Raises:
        MedtfError: a sheet that cannot be read, columns that are not there, files named twice, paths that leave the root.
    """
    source = Path(source)
    meta = {"pipeline": "table", "salt": salt_id()}
    if source.is_dir():
        frame = scan(source, scanning.files_below(source))
        nameless = (frame["excluded"] == "") & (frame["patient"] == "")
        dicom = frame["syntax"].str.match(r"\d")  # a transfer syntax
        frame.loc[nameless & dicom, "excluded"] = "no PatientID (0010,0020): it cannot be kept in one fold"
        frame.loc[nameless & ~dicom, "excluded"] = NAMELESS
    else:
        root = Path(root or source.parent)
        sheet, dropped = _mapped(read_sheet(source), dict(config.data.columns), source, root)
        frame = _joined(sheet, scan(root, list(sheet["path"])))
        meta |= {"sheet": source.name, "columns_left_out": dropped}
    return Table(frame, meta=meta).leave_out(frame["excluded"]).with_frame_dropped("excluded")


def dataset(table: Table, root, config, *, training: bool, epoch=0, step=0, shard=(0, 1)):
    """Batches of (image, {target: (batch, k)}, weight); see `medtf.data.dataset.make`."""
    from medtf.data.dataset import make

    return make(table, root, config, training=training, epoch=epoch, step=step, shard=shard)


def _mapped(sheet: pd.DataFrame, columns: dict[str, str], source: Path, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """The sheet in medtf's names, with hashed patients, and the columns that were left out because they name a person."""
    made = {name: column_of(sheet, columns.get(name, name), name, source) for name in ("path", "patient")}
    made |= {name: column_of(sheet, template, name, source) for name, template in columns.items() if name not in made}
    used = set(columns.values()) | {"path", "patient"}
    told = set(re.findall(r"{([^{}]+)}", columns.get("patient", "")))  # what a patient's id is made of is an id too
    left_out = [c for c in sheet if c not in used and (c in told or is_personal(c))]
    kept = {str(c): sheet[c] for c in sheet if c not in used and c not in left_out and str(c) not in made}
    clash = [c for c in [*kept, *made] if c in OURS or c.startswith("read_")]
    if clash:
        raise AskedWronglyError(
            f"{source}: column {clash[0]!r} has a name that medtf uses itself: rename it with data.columns: {{other_name: {clash[0]}}}"
        )
    frame = pd.DataFrame(made | kept)
    empty = is_empty(frame["path"])
    if empty.any():
        raise MedtfError(f"{source}: row {int(empty.argmax()) + 2} has no path")
    # `a.png` and `./a.png` are one file
    frame["path"] = [os.path.normpath(inside(root, plain_id(path))) for path in frame["path"]]
    twice = frame["path"][frame["path"].duplicated()]
    if len(twice):
        raise MedtfError(
            f"{source}: {len(twice)} paths stand twice, such as {twice.iloc[0]!r}: an example is one row; put its labels into columns"
        )
    key = secret()
    frame["patient"] = [pseudonym(p, key) for p in frame["patient"].map(plain_id)]
    if (frame["patient"] == "").any():
        raise MedtfError(f"{source}: row {int((frame['patient'] == '').idxmax()) + 2} has no patient")
    if "fold" in frame:
        frame["fold"] = given(frame["fold"], columns.get("fold", "fold"))
    return frame, left_out


def is_personal(column) -> bool:
    """Does a column's name say that it names a person? `PatientName`, `patient_name` and `NAME` are one."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", str(column)).lower()
    return PERSONAL.search(re.sub(r"[\W_]+", " ", words)) is not None


def _joined(sheet: pd.DataFrame, headers: pd.DataFrame) -> pd.DataFrame:
    """Headers with the sheet's columns; where both know a thing (age, sex), the sheet wins."""
    headers = headers.drop(columns=[c for c in headers if c in sheet and c != "path"])
    return headers.merge(sheet, on="path", how="left", validate="many_to_one")
