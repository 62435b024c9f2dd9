"""Head CT, intracranial haemorrhage (RSNA 2019): `stage_2_train/ID_*.dcm` and `stage_2_train.csv` with six label rows an image.

Source: RSNA Intracranial Hemorrhage Detection, Kaggle 2019 (Flanders 2020, doi:10.1148/ryai.2020190211); 752,803 training slices of 18,938
patients, 14 % with haemorrhage; free for non-commercial research under the challenge's terms. A label says that a radiologist saw the
subtype on that slice; `any` is the union. Expect AUC any 0.98, weighted log loss 0.05 with one good network (first place: 0.0438, Wang 2021).
"""

import re
from pathlib import Path

import pandas as pd

from medtf.data import scan as scanning
from medtf.errors import MedtfError
from medtf.salt import salt_id
from medtf.table import Table

SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
IMAGE_ID = re.compile(r"^(.+)_([a-z]+)$")


def examples(root, config, *, scan=scanning.scan) -> Table:
    """The table of an archive's folder; headers only. A folder without a label file gives rows whose labels are unknown.

    Args:
        root: the folder that holds `stage_2_train/` and `stage_2_train.csv`, or any folder of head CT.
        config: not needed here; pipelines share one signature.
        scan: reads headers; the caller binds progress and the place for finished parts.
    Raises:
        MedtfError: contradicting label rows, unknown labels, labels of images that are not there.
    """
    root = Path(root)
    sheets = sorted(root.glob("stage_*_train.csv"))
    if len(sheets) > 1:
        raise MedtfError(f"{root}: found {', '.join(s.name for s in sheets)}; keep one")
    labels = read_labels(sheets[0]) if sheets else None
    files = [p for p in scanning.files_below(root) if not sheets or p.startswith(f"{sheets[0].stem}/")]
    if not files:
        raise MedtfError(f"{root}: {sheets[0].name} is there, but no folder {sheets[0].stem}/ with its images")
    frame = scan(root, files)
    frame.loc[(frame["excluded"] == "") & (frame["modality"] != "CT"), "excluded"] = "not CT, by Modality (0008,0060)"
    frame.loc[(frame["excluded"] == "") & (frame["patient"] == ""), "excluded"] = (
        "no PatientID (0010,0020): it cannot be kept in one fold"
    )
    if labels is None:
        frame = frame.assign(**dict.fromkeys(SUBTYPES, float("nan")))
    else:
        frame = _join(frame, labels, sheets[0])
    meta = {"pipeline": "rsna_ich", "salt": salt_id(), "label_file": sheets[0].name if sheets else None}
    return Table(frame, meta=meta).leave_out(frame["excluded"]).with_frame_dropped("excluded")


def dataset(table: Table, root, config, *, training: bool, epoch=0, step=0, shard=(0, 1)):
    """Batches of (windows, {target: (batch, 1)}, weight); see `medtf.data.dataset.make`."""
    from medtf.data.dataset import make

    return make(table, root, config, training=training, epoch=epoch, step=step, shard=shard)


def read_labels(sheet: Path) -> pd.DataFrame:
    """One row an image, a column a label; rows of the same image that agree are one.

    Raises:
        MedtfError: wrong columns, an unknown label, a value that is not 0 or 1, rows that contradict each other, or missing rows.
    """
    try:
        rows = pd.read_csv(sheet, dtype={"ID": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise MedtfError(f"{sheet}: not a CSV file: {error}") from error
    if list(rows.columns) != ["ID", "Label"]:
        raise MedtfError(f"{sheet}: expected the columns ID,Label; found {','.join(map(str, rows.columns[:6]))}")
    parts = rows["ID"].astype(str).str.extract(IMAGE_ID)
    rows = rows.assign(image=parts[0], label=parts[1])
    strange = rows[~rows["label"].isin(SUBTYPES)]
    if len(strange):
        raise MedtfError(
            f"{sheet}: row {strange.index[0] + 2}: {strange['ID'].iloc[0]!r} names no label; expected ID_..._ and one of {', '.join(SUBTYPES)}"
        )
    wrong = rows[~rows["Label"].isin([0, 1])]
    if len(wrong):
        raise MedtfError(
            f"{sheet}: row {wrong.index[0] + 2}: label {wrong['Label'].iloc[0]!r} of {wrong['ID'].iloc[0]}; expected 0 or 1"
        )
    distinct = rows.drop_duplicates(["image", "label", "Label"])
    both = distinct[distinct.duplicated(["image", "label"])]
    if len(both):
        raise MedtfError(
            f"{sheet}: {len(both)} labels stand with 0 and with 1, such as {both['ID'].iloc[0]}: remove the wrong rows"
        )
    wide = distinct.pivot(index="image", columns="label", values="Label").reindex(columns=list(SUBTYPES))
    missing = wide.index[wide.isna().any(axis=1)]
    if len(missing):
        raise MedtfError(f"{sheet}: {len(missing)} images lack some of their six rows, such as {missing[0]}")
    return wide.astype(float)


def _join(frame: pd.DataFrame, labels: pd.DataFrame, sheet: Path) -> pd.DataFrame:
    image = frame["path"].str.extract(r"([^/\\]+?)(?:\.dcm)?$")[0]
    absent = labels.index.difference(image)
    if len(absent):
        raise MedtfError(
            f"{sheet}: {len(absent)} of {len(labels)} labelled images are not in {sheet.stem}/, such as {absent[0]}:"
            " fetch the files or remove their rows"
        )
    frame = frame.assign(**{name: labels[name].reindex(image).to_numpy() for name in SUBTYPES})
    frame.loc[(frame["excluded"] == "") & frame["any"].isna(), "excluded"] = f"no rows in {sheet.name}"
    return frame
