"""A synthetic archive of brain MRI in the layout of IXI (brain-development.org), or in that of a hospital's export.

IXI: `IXI-T1/IXI012-HH-1211-T1.nii.gz`, `IXI-MRA/...-MRA.nii.gz` (TOF angiography; not everybody has both), masks of the
brain on the grids of their images in `IXI-mask/`, and `IXI.xlsx`. The real sheet is `IXI.xls`, the binary Excel of 1997,
which nothing current can write; columns and content are the same. Hospital: `SUBJECT/3D_T1_reg_PD_brain.nii.gz`,
`SUBJECT/3D_TOF_reg_PD_bin.nii.gz` (both on one grid, skull-stripped), `SUBJECT/brain_mask.nii.gz`, `subjects.xlsx`.
Both: masks of the ventricles, which grow with age, on the grids of the T1, in `annotations/ventricles/`; no pipeline reads them.

Every byte follows from the seed: person i draws from SeedSequence([seed, i]) alone, so people are made in parallel, and
the first ones stay the same when more are asked for. `truth.csv` holds what was drawn and measured, for tests and plots
(volumes in ml, lengths in mm); no pipeline reads it. How age and sex show, and how hard they are: `brain.py`.
"""

from datetime import date, timedelta
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from medtf.data.phantom import archive
from medtf.data.phantom.dicom import scrambled
from medtf.data.phantom.mri_files import write_sheet, write_volume
from medtf.data.phantom.mri_flaws import FLAWS, add_flaws
from medtf.data.phantom.mri_scan import draw_visit, render_parts, scanner_grid, truth
from medtf.errors import AskedWronglyError

SHEET, HOSPITAL_SHEET, TRUTH = "IXI.xlsx", "subjects.xlsx", "truth.csv"
KINDS = {"T1": "IXI-T1", "MRA": "IXI-MRA"}
HOSPITAL = {"T1": "3D_T1_reg_PD_brain.nii.gz", "MRA": "3D_TOF_reg_PD_bin.nii.gz"}
LAYOUTS = ("ixi", "hospital")
ANNOTATIONS = "annotations"


def paths_of(seed: int, number: int, site: str, layout: str) -> dict:
    """Relative paths of one person's files: {"id", "T1", "MRA", "T1 mask", "MRA mask"}."""
    if layout == "hospital":
        name = f"P{scrambled(number, 20, seed):07d}"
        files = {kind: f"{name}/{file}" for kind, file in HOSPITAL.items()}
        return {"id": name, **files, **{f"{kind} mask": f"{name}/brain_mask.nii.gz" for kind in KINDS}}
    name = f"IXI{number + 2 + number // 5:03d}-{site}-{scrambled(number, 13, seed):04d}"
    files = {kind: f"{folder}/{name}-{kind}.nii.gz" for kind, folder in KINDS.items()}
    return {
        "id": name,
        **files,
        "T1 mask": f"IXI-mask/{name}-mask.nii.gz",
        "MRA mask": f"IXI-mask/{name}-MRA-mask.nii.gz",
    }


def annotation_of(path: str) -> str:
    """Where the mask of an image's ventricles lies: a name that pipelines know for a mask, and leave alone."""
    return f"{ANNOTATIONS}/ventricles/{path.removeprefix(KINDS['T1'] + '/').removesuffix('.nii.gz')}_mask.nii.gz"


def has(seed: int, number: int, missing: float) -> tuple:
    """The kinds that a person was scanned for: each is missing with a probability, never both."""
    lost = np.random.default_rng([seed, number, 7]).random(2) < missing
    return tuple(kind for kind, gone in zip(KINDS, lost, strict=True) if not gone or lost.all())


def make_person(folder, seed, number, *, spacing, skull, layout, missing) -> dict:
    """Write one person's images and masks; returns the truth, with "id" and "kinds"."""
    registered = layout == "hospital"
    visit = draw_visit(seed, number, registered=registered)
    paths, kinds = paths_of(seed, number, visit.site.name, layout), has(seed, number, missing)
    with threadpool_limits(limits=1):  # one process a core already, and the same sums whatever the number of cores
        for kind in kinds:
            shape, affine = scanner_grid(visit, kind, spacing, registered=registered)
            values, mask, ventricles = render_parts(visit, kind, shape, affine, skull=skull, registered=registered)
            dtype = np.uint16 if visit.site.slope != 1 else np.int16
            write_volume(Path(folder) / paths[kind], values, affine, dtype=dtype, slope=visit.site.slope)
            write_volume(Path(folder) / paths[f"{kind} mask"], mask, affine, dtype=np.uint8)
            if kind == "T1":
                write_volume(Path(folder) / annotation_of(paths[kind]), ventricles, affine, dtype=np.uint8)
        return {"id": paths["id"], **truth(visit), "kinds": " ".join(kinds)}


def _files(seed: int, number: int, person: dict, layout: str) -> dict:
    """What one person really has: {"id", "T1": path, "T1 mask": path, ...}."""
    kinds = person["kinds"].split()
    paths = paths_of(seed, number, person["site"], layout)
    return {name: path for name, path in paths.items() if name.split()[0] in ("id", *kinds)}


def sheet_row(seed: int, number: int, person: dict, layout: str) -> dict:
    """One person's row of the sheet; `person` is a row of the truth."""
    female = person["sex"] == "F"
    if layout == "hospital":
        return {"subject": person["id"], "age": person["age"], "sex": person["sex"]}
    rng = np.random.default_rng([seed, number, 8])
    study = date(2005, 2, 1) + timedelta(days=int(rng.integers(600)))
    tall = rng.normal(163 if female else 176, 7)
    return {
        "IXI_ID": int(person["id"][3:].split("-")[0]),
        "SEX_ID (1=m, 2=f)": 2 if female else 1,
        "HEIGHT": round(tall),
        "WEIGHT": round(rng.normal(24.5, 3.5) * (tall / 100) ** 2),
        "ETHNIC_ID": int(rng.choice([1, 1, 1, 1, 3, 4, 5])),
        "MARITAL_ID": int(rng.integers(1, 6)),
        "OCCUPATION_ID": int(rng.integers(1, 9)),
        "QUALIFICATION_ID": int(rng.integers(1, 6)),
        "DOB": (study - timedelta(days=round(person["age"] * 365.25))).isoformat(),
        "DATE_AVAILABLE": 1,
        "STUDY_DATE": study.isoformat(),
        "AGE": person["age"],
    }


def write(
    out, *, people, seed=0, spacing=2.0, skull=False, layout="ixi", flaws=False, missing=0.05, jobs=-1, progress=None
) -> dict:
    """Write the archive to the folder `out`, whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        people, seed: how many, and what everything is drawn from (both integers, seed >= 0).
        spacing: nominal edge of a voxel in mm, 0.5-8; the sites' own are 0.9-1.2 times that along each axis.
        skull: with skull, scalp and face; else skull-stripped, zero outside the brain.
        layout: "ixi" or "hospital".
        flaws: add an archive's flaws, each on a person of its own, listed in flaws.csv.
        missing: probability in [0, 0.5] that a person lacks the T1, and the same for the MRA (never both).
        jobs: processes, -1 for one a core.
        progress: called with the number of finished people.

    Returns:
        {"people", "sites": {site: people}, "T1": files, "MRA": files, "women": people, "flaws": rows of flaws.csv}.

    Raises:
        AskedWronglyError: an argument out of its range, or `out` holds something.
    """
    out = Path(out).resolve()
    _check(out, people, seed, spacing, skull, layout, flaws, missing, jobs)
    with archive.whole(out) as partial:
        make = joblib.delayed(make_person)
        asked = {"spacing": spacing, "skull": skull, "layout": layout, "missing": missing}
        tasks = (make(str(partial), seed, number, **asked) for number in range(people))
        done = archive.made(tasks, people, jobs, progress)
        rows = [sheet_row(seed, number, person, layout) for number, person in enumerate(done)]
        pd.DataFrame(done).to_csv(partial / TRUTH, index=False, lineterminator="\n")
        listed = []
        if flaws:
            files = [_files(seed, number, person, layout) for number, person in enumerate(done)]
            asked = {"spacing": spacing, "skull": skull, "registered": layout == "hospital"}
            with threadpool_limits(limits=1):
                listed = add_flaws(partial, seed, files, rows, **asked)
        write_sheet(partial / (SHEET if layout == "ixi" else HOSPITAL_SHEET), rows)
    sites = pd.Series([person["site"] for person in done]).value_counts().to_dict()
    counts = {kind: sum(kind in person["kinds"].split() for person in done) for kind in KINDS}
    women = sum(person["sex"] == "F" for person in done)
    return {"people": people, "sites": sites, **counts, "women": women, "flaws": len(listed)}


def _check(out: Path, people, seed, spacing, skull, layout, flaws, missing, jobs) -> None:
    for name, value, low, high in (("people", people, 1, 8192), ("seed", seed, 0, 2**63)):
        if not low <= value <= high:
            raise AskedWronglyError(f"--{name} {value}: expected a whole number from {low} to {high}")
    if not 0.5 <= spacing <= 8:
        raise AskedWronglyError(f"--spacing {spacing:g}: expected 0.5 to 8 mm")
    if not 0 <= missing <= 0.5:
        raise AskedWronglyError(f"--missing {missing:g}: expected a share of people from 0 to 0.5")
    if layout not in LAYOUTS:
        raise AskedWronglyError(f"--layout {layout}: expected one of {', '.join(LAYOUTS)}")
    if skull and layout == "hospital":
        raise AskedWronglyError(
            "--skull: the hospital layout's images are skull-stripped; leave it out, or use --layout ixi"
        )
    if jobs == 0:
        raise AskedWronglyError("--jobs 0: expected a number of processes, or -1 for one a core")
    if flaws and people < len(FLAWS) + 4:
        raise AskedWronglyError(f"--flaws needs at least {len(FLAWS) + 4} people; there are {people}: raise --people")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AskedWronglyError(f"{out} is there and not empty: name a new folder, or remove this one first")
