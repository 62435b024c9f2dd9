"""Chest radiographs: NIH ChestX-ray14, CheXpert, or any folder of chest X-rays without labels, for pretraining.

Source: ChestX-ray14 (Wang 2017, arXiv 1705.02315): 112,120 frontal PNG of 30,805 patients, 14 findings mined from reports, free to use with
attribution; CheXpert (Irvin 2019, arXiv 1901.07031): 224,316 JPEG of 65,240 patients, 14 findings in {1, 0, -1 uncertain, empty}, Stanford's
research licence. A label says that a report named the finding. Expect a mean AUC of 0.82 (NIH) and 0.89 (CheXpert; Xiao 2023, arXiv 2210.12843).

Files: `Data_Entry_2017.csv` (or `_v2020`) with `images_0*/images/*.png` in any folders, `train_val_list.txt`, `test_list.txt` (the official
test fold) and `BBox_List_2017.csv` (a column `boxes`, see `medtf.data.nih.read_boxes`); or `train.csv` and `valid.csv` (the test fold, as
published numbers are told on it) with `train/patient*/study*/*.jpg`. A part of an archive will do: what is not there is counted.
`data.views` keeps some views, `data.uncertain` says what -1 counts as. Neither file: patients by DICOM tags, or by such archives' names.
"""

from pathlib import Path

import pandas as pd

from medtf.data import chexpert, nih, official, radiograph_sheets
from medtf.data import scan as scanning
from medtf.data.labelled import leave_out
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, salt_id, secret
from medtf.table import Table

NAMELESS = "the file does not say whose it is: list it in a sheet with the columns path and patient, and use the pipeline `table`"


def examples(root, config, *, scan=scanning.scan) -> Table:
    """The table of a folder: one row an image, with `patient`, `age` (years), `sex`, `view`, `projection` and the findings; headers only.

    Args:
        root: the folder that holds the label files, or any folder of chest X-rays.
        config: `data.views`, `data.uncertain` and `data.split` count.
        scan: reads headers; the caller binds progress and the place for finished parts.
    Raises:
        MedtfError: two archives at once, none of the images there, and what is wrong with a label file. AskedWronglyError: `data.columns`.
    """
    root = Path(root)
    if config.data.columns:
        raise AskedWronglyError(
            "data.columns: chest_xray reads archives whose columns it knows; for a sheet of your own use the pipeline `table`"
        )
    sheets, files, uncertain = _sheets(root), scanning.files_below(root), config.data.uncertain
    if not sheets:
        return _unlabelled(scan(root, files), config)
    if sheets[0].name in chexpert.SHEETS:
        labels = chexpert.read(sheets, uncertain)
    else:
        labels = nih.read(root, sheets[0])
        if uncertain != "ignore":
            labels.notes.append(f"data.uncertain {uncertain}: ChestX-ray14 holds no uncertain labels")
    files = [path for path in files if path.lower().endswith(radiograph_sheets.PICTURES)]
    notes = labels.notes + labels.absent(root, files)
    table = _table(labels.join(scan(root, files)), labels.listed, notes)
    if "official" in table.frame and len(table):
        is_test, table = table.frame["official"], table.with_frame_dropped("official")
        table = official.folds(table, is_test, config.data.split, even=labels.even, named=labels.test_list)
    return _of_views(table, config)  # after the folds, which are so the same for whatever views are asked for


def dataset(table: Table, root, config, *, training: bool, epoch=0, step=0, shard=(0, 1)):
    """Batches of (image, {target: (batch, 1)}, weight); see `medtf.data.dataset.make`."""
    from medtf.data.dataset import make

    return make(table, root, config, training=training, epoch=epoch, step=step, shard=shard)


def _sheets(root: Path) -> list[Path]:
    """The label files of the one archive that lies in the folder; none where there is none."""
    entries = sorted(root.glob("Data_Entry_2017*.csv"))
    rows = [root / name for name in chexpert.SHEETS if (root / name).is_file()]
    if len(entries) > 1 or (entries and rows):
        raise MedtfError(f"{root}: found {', '.join(s.name for s in [*entries, *rows])}; keep those of one archive")
    below = [] if entries or rows else sorted([*root.glob("*/Data_Entry_2017*.csv"), *root.glob("CheXpert*/train.csv")])
    if below:
        raise MedtfError(
            f"{root}: no label file here, but {below[0].relative_to(root)}: give the folder {below[0].parent}"
        )
    return entries or rows


def _unlabelled(frame: pd.DataFrame, config) -> Table:
    """Every image of a folder, its findings unknown; patients by DICOM's tags, or by names that an archive gave."""
    frame, key = frame.assign(**dict.fromkeys((*nih.FINDINGS, "abnormal"), float("nan"))), secret()
    leave_out(
        frame, ~frame["modality"].isin(radiograph_sheets.RADIOGRAPHS), "not a radiograph, by Modality (0008,0060)"
    )
    dicom = frame["syntax"].str.match(r"\d")  # a transfer syntax
    persons = frame["path"].map(radiograph_sheets.person_by_name).where(~dicom, "")
    frame["patient"] = frame["patient"].where(persons == "", [pseudonym(one, key) for one in persons])
    nameless = frame["patient"] == ""
    leave_out(frame, nameless & dicom, "no PatientID (0010,0020): it cannot be kept in one fold")
    leave_out(frame, nameless, NAMELESS)
    named = (persons != "").sum()
    notes = [f"no label file: the patients of {named:,} images are told by the files' names"] if named else []
    return _of_views(_table(frame, None, notes), config)


def _table(frame: pd.DataFrame, listed: str | None, notes: list[str]) -> Table:
    meta = {"pipeline": "chest_xray", "salt": salt_id(), "label_file": listed, "notes": notes}
    return Table(frame, meta=meta).leave_out(frame["excluded"]).with_frame_dropped("excluded")


def _of_views(table: Table, config) -> Table:
    return table.leave_out(radiograph_sheets.not_asked_for(table.frame, config.data.views))
