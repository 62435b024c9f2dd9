"""Brain MRI of healthy people: age and sex from T1 and from TOF angiography; IXI's archive, and a hospital's export of the same kind.

Source: IXI, brain-development.org/ixi-dataset, CC BY-SA 3.0: about 581 T1 and 570 MRA (TOF) volumes, not of the same people, from Guy's
Hospital, Hammersmith (HH) and the Institute of Psychiatry (IOP), London; `IXI.xls` gives sex and age at the scan. Expect from T1 a mean
absolute error of 6.3 years (r 0.88, replication of Dartora 2024) and, on other sites, an AUC for sex of 0.85 to 0.91 (head size confounds).

Files: `IXI012-HH-1211-T1.nii.gz` and `-MRA` (or `_T1`), in any folders; or `SUBJECT/3D_T1_*.nii.gz` and `SUBJECT/3D_TOF_*.nii.gz`. The
sheet beside them is `IXI.xls`, else the one Excel file, else the one CSV. `data.columns` may say otherwise: `{sheet: ages.csv, patient: Code,
age: Age at scan, sex: Gender, T1: "*_T1w.nii.gz", MRA: "*_tof.nii.gz"}`; further names make covariates. `data.select: {sequence: T1}` learns
from one of the two; both have the same folds, so that `medtf compare --common` may set them side by side.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from medtf.data import scan as scanning
from medtf.data.people import person_of, read_people
from medtf.data.sheets import beside
from medtf.errors import MedtfError
from medtf.salt import pseudonym, salt_id, secret
from medtf.table import Table, is_empty

IXI_NAME = re.compile(r"^IXI(\d+)-(Guys|HH|IOP)-\d+[-_]([A-Za-z0-9]+)\.nii(?:\.gz)?$", re.IGNORECASE)
SITES = {"guys": "Guys", "hh": "HH", "iop": "IOP"}
PATTERNS = {"T1": "3D_T1*", "MRA": "3D_TOF*"}  # sequence -> names of a hospital's files, in a folder for each person
MASK = re.compile(
    r"(?<![a-z])(brain)?masks?(?![a-z])", re.IGNORECASE
)  # IXI-mask/..., ...-mask.nii.gz, brain_mask.nii.gz
FOREIGN = "named neither as IXI's volumes (IXI012-HH-1211-T1.nii.gz) nor as a hospital's (SUBJECT/3D_T1_brain.nii.gz)"
TWICE = (
    "one of several volumes of this person and sequence: name the one to take with data.columns: {T1: ..., MRA: ...}"
)


def examples(root, config, *, scan=scanning.scan) -> Table:
    """The table of a folder: one row a volume, with `patient`, `age` (years), `sex` (M, F), `site`, `sequence` (T1, MRA); headers only.

    What the sheet does not say, or says twice and differently, is unknown. Where the config has targets, volumes that have none of them
    are left out; else they stay, without labels. Masks are no examples.

    Args:
        root: the archive's folder.
        config: `data.columns` and `targets` count.
        scan: reads headers; the caller binds progress and the place for finished parts.
    Raises:
        MedtfError: no volumes, several sheets, a sheet that cannot be read or has no column for people, or for age and sex.
    """
    root, columns = Path(root), dict(config.data.columns)
    files = [p for p in scanning.files_below(root) if p.lower().endswith((".nii", ".nii.gz")) and not MASK.search(p)]
    if not files:
        raise MedtfError(
            f"{root}: no volumes: expected IXI012-HH-1211-T1.nii.gz and the like, or SUBJECT/3D_T1_*.nii.gz"
        )
    patterns = {sequence: columns.pop(sequence, pattern) for sequence, pattern in PATTERNS.items()}
    sheet = beside(root, given=columns.pop("sheet", None), preferred="ixi")
    frame, key = scan(root, files), secret()
    told = pd.DataFrame([_named(Path(p), patterns) for p in frame["path"]], columns=["person", "site", "sequence"])
    patients = [pseudonym(person, key) for person in told["person"]]
    frame = frame.assign(patient=patients, site=told["site"], sequence=told["sequence"])
    _leave_out(frame, told["person"] == "", FOREIGN)
    _leave_out(frame, ~told["sequence"].isin(list(PATTERNS)), "neither T1 nor MRA (TOF), by its name")
    good = frame["excluded"] == ""
    _leave_out(frame, good & told.where(good).duplicated(["person", "sequence"], keep=False), TWICE)
    notes = _join(frame, told["person"], sheet, columns, config.targets) if sheet else []
    meta = {"pipeline": "ixi", "salt": salt_id(), "label_file": sheet.name if sheet else None, "notes": notes}
    return Table(frame, meta=meta).leave_out(frame["excluded"]).with_frame_dropped("excluded")


def dataset(table: Table, root, config, *, training: bool, epoch=0, step=0, shard=(0, 1)):
    """Batches of (volume, {target: (batch, k)}, weight); see `medtf.data.dataset.make`."""
    from medtf.data.dataset import make

    return make(table, root, config, training=training, epoch=epoch, step=step, shard=shard)


def _join(frame: pd.DataFrame, person: pd.Series, sheet: Path, columns: dict[str, str], targets) -> list[str]:
    """Put the sheet's columns into the frame; with targets, leave out volumes that have none of them. Lines about what was odd."""
    people, notes = read_people(sheet, columns)

    def of_people(name: str) -> pd.Series:
        return people[name].reindex(person).reset_index(drop=True)

    for name in [name for name in people if not name.startswith("why ")]:
        values = of_people(name)
        frame[name] = frame[name].where(is_empty(values), values) if name == "site" else values
    if "sex" in people:
        frame["sex"] = frame["sex"].fillna("").astype("str")
    rowless = ~person.isin(people.index) & (frame["excluded"] == "")
    learnt = [name for name in targets if f"why {name}" in people]
    if learnt:
        _leave_out(frame, rowless, f"no row in {sheet.name}")
        unknown = pd.concat([pd.Series(is_empty(frame[name])) for name in learnt], axis=1).all(axis=1)
        why = [of_people(f"why {name}").fillna("") for name in learnt]
        _leave_out(frame, unknown, why[0].str.cat(why[1:], sep="; ") if why[1:] else why[0])
    elif rowless.any():
        notes.append(f"volumes without a row in {sheet.name}: {rowless.sum()}: kept, with age and sex unknown")
    absent = len(people.index.difference(person))
    return [*notes, f"people of {sheet.name} without a volume: {absent}"] if absent else notes


def _named(path: Path, patterns: dict[str, str]) -> tuple[str, str, str]:
    """(person, site, sequence) of a file by its name; empty strings where it says nothing."""
    match = IXI_NAME.match(path.name)
    if match:
        return person_of(match[1]), SITES[match[2].lower()], match[3].upper()
    for sequence, pattern in patterns.items():
        if fnmatch(path.name.lower(), pattern.lower()) and path.parent.name:
            return person_of(path.parent.name), "", sequence
    return "", "", ""


def _leave_out(frame: pd.DataFrame, which: pd.Series, reason) -> None:
    """Give the rows a reason where they have none yet."""
    frame["excluded"] = frame["excluded"].mask((frame["excluded"] == "") & which.to_numpy(), reason)
