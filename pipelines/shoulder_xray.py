"""Shoulder radiographs with what densitometry says of their bone: a sheet, and PNG, JPEG or DICOM beside it.

Source: a hospital's own; there is no public archive of this kind, and `medtf phantom xray` writes a synthetic one. A label says what
dual-energy X-ray absorptiometry (mostly of hip or spine) found near the day of the radiograph: `osteoporosis` by WHO's rule (T-score of -2.5
or below), `t_score` and `bmd` (g/cm2) as numbers. Expect, from hip radiographs, an AUC of 0.87 inside and 0.70 outside (PMC8497544).

Files: `shoulder.csv` (or .xlsx; else the one sheet there is) with the columns path, patient, osteoporosis (0 and 1, yes and no, or normal,
osteopenia and osteoporosis), t_score, bmd, age, sex, bmi, view, side: path, patient and one of the three labels have to be there, and
`data.columns` says where they are under other names (`{sheet: list.xlsx, patient: Case, t_score: T hip}`). With a T-score and no diagnosis
WHO's rule makes it, and a note says so. A folder of DICOM without a sheet is taken without labels, for pretraining.
"""

import os
from pathlib import Path

import pandas as pd
from medtf.pipelines import table as listed

from medtf.data import densitometry, radiograph_sheets
from medtf.data import scan as scanning
from medtf.data.sheets import beside, column_of, plain_id, read_sheet
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

IMAGES = (*radiograph_sheets.PICTURES, ".dcm")
LABELS = ("osteoporosis", "t_score", "bmd")


def examples(root, config, *, scan=scanning.scan) -> Table:
    """The table of a folder: one row an image, in the columns of `medtf.data.densitometry.read`; headers only.

    Args:
        root: the folder that holds the sheet and the images.
        config: `data.columns`, `data.views` and `targets` count.
        scan: reads headers; the caller binds progress and the place for finished parts.
    Raises:
        MedtfError: what is wrong with the sheet, or a diagnosis that its T-score contradicts. AskedWronglyError: columns that are not there.
    """
    root, columns = Path(root), dict(config.data.columns)
    if not root.is_dir():
        raise MedtfError(f"{root}: no such folder; expected the one that holds the sheet and the images")
    sheet = beside(root, given=columns.pop("sheet", None), preferred="shoulder")
    if sheet is None:
        return _finished(
            listed.examples(root, config, scan=scan), config, pd.DataFrame(columns=LABELS, dtype=float), None, []
        )
    rows = read_sheet(sheet)
    columns = densitometry.usual_columns(rows, columns)
    if config.targets and not set(LABELS) & set(columns):
        raise AskedWronglyError(
            f"{sheet}: no column for {', '.join(LABELS[:-1])} or {LABELS[-1]} (say where it is: data.columns: {{osteoporosis: ...}})"
        )
    named = {name: column_of(rows, where, name, sheet) for name, where in columns.items() if name in densitometry.USUAL}
    told, notes = densitometry.read(pd.DataFrame(named, index=rows.index), sheet)
    renamed = config.model_copy(update={"data": config.data.model_copy(update={"columns": columns})})
    found = listed.examples(sheet, renamed, root=root, scan=scan)
    told.index = named["path"].map(lambda path: os.path.normpath(plain_id(path)))  # as `table` writes them
    rowless = sum(one.lower().endswith(IMAGES) and one not in told.index for one in scanning.files_below(root))
    if rowless:
        notes.append(f"images without a row in {sheet.name}: {rowless:,}: not used")
    return _finished(found, config, told, sheet.name, notes)


def dataset(table: Table, root, config, *, training: bool, epoch=0, step=0, shard=(0, 1)):
    """Batches of (image, {target: (batch, k)}, weight); see `medtf.data.dataset.make`."""
    from medtf.data.dataset import make

    return make(table, root, config, training=training, epoch=epoch, step=step, shard=shard)


def _finished(found: Table, config, told: pd.DataFrame, label_file: str | None, notes: list[str]) -> Table:
    """The table with what was read of bone density, by path; without what is no radiograph and the views that are not asked for."""
    frame = found.frame
    frame = frame.assign(**{name: told[name].reindex(frame["path"]).to_numpy() for name in told})
    notes = notes + densitometry.two_minds(frame)
    reasons = radiograph_sheets.not_asked_for(frame, config.data.views)
    other = ~frame["modality"].isin(radiograph_sheets.RADIOGRAPHS)
    reasons = reasons.mask(other, "not a radiograph, by Modality (0008,0060)")
    meta = {"pipeline": "shoulder_xray", "label_file": label_file, "notes": notes}
    return found.with_frame(frame, **meta).leave_out(reasons)
