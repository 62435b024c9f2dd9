"""A synthetic head CT archive in the layout of the RSNA 2019 haemorrhage challenge: stage_2_train/*.dcm and a CSV.

`annotations/any/ID_x.png` says where the blood is (255, else 0), for each image that is labelled with some. Beside what an archive holds,
it is there for whoever asks whether a network looks at it; the pipeline does not read it.

Every byte follows from the seed: patient i draws from SeedSequence([seed, i]) alone, so patients are made in parallel
and the first ones stay the same when more are asked for.
"""

from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from medtf.data.phantom import archive, lesions
from medtf.data.phantom.dicom import image_id, slice_dataset, write_slice
from medtf.data.phantom.flaws import FLAWS, add_flaws
from medtf.data.phantom.scan import backdrop_of, draw_scan, labels_of, noise_of, render
from medtf.data.phantom.xray_files import write_masks
from medtf.errors import AskedWronglyError

FOLDER, TABLE = "stage_2_train", "stage_2_train.csv"
LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")  # the archive's order
PREVALENCE = 0.40  # of patients: about 14 % of images, the archive's 14.4 %
MARK_MM, MARK_HU = 12.0, 3000.0
ANNOTATIONS, ANNOTATED = "annotations", ("any", "each")


def make_patient(root, seed, patient, *, slices, matrix, prevalence, shortcut, annotations) -> list:
    """Write one patient's slices and where their blood is; returns [(image id, labels)], bottom to top."""
    scan = draw_scan(seed, patient, slices=slices, matrix=matrix, prevalence=prevalence)
    noisy, marks = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, patient]).spawn(2))
    backdrop = backdrop_of(scan)
    middle = np.linspace(-1, 1, matrix, dtype=np.float32) ** 2
    grain = scan.noise * (0.5 + 0.5 * np.exp(-2 * (middle[:, None] + middle[None, :])))
    dataset = slice_dataset(seed, patient, scan)
    rows = []
    with threadpool_limits(limits=1):  # one process a core already, and the same sums whatever the number of cores
        for number, level in enumerate(scan.levels):
            hu, shares = render(scan, level, backdrop)
            labels = labels_of(scan, shares)
            hu += grain * noise_of(noisy, matrix, scan.kernel / scan.pixel)
            where = {kind: shares[kind] > lesions.SEEN for kind in shares if labels[kind]}
            if labels["any"]:
                where = {"any": np.any(list(where.values()), axis=0)} | (where if annotations == "each" else {})
            if (marks.random() < 0.95) == bool(labels["any"]) and shortcut:
                size, start = round(MARK_MM / scan.pixel), round(6 / scan.pixel)
                hu[start : start + size, start : start + size] = MARK_HU
                where["shortcut"] = np.zeros(hu.shape, bool)
                where["shortcut"][start : start + size, start : start + size] = True
            name = image_id(seed, patient, number)
            full = Path(root) / FOLDER / f"{name}.dcm"
            write_slice(dataset, full, hu, name=name, number=number, level=level, seed=seed)
            write_masks(Path(root) / ANNOTATIONS, name, where)
            rows.append((name, labels))
    return rows


def write(
    out,
    *,
    patients,
    seed=0,
    slices=24,
    matrix=512,
    prevalence=PREVALENCE,
    flaws=False,
    shortcut=False,
    annotations="any",
    jobs=-1,
    progress=None,
) -> dict:
    """Write the archive to the folder `out`, whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        patients, seed: how many, and what everything is drawn from (both integers, seed >= 0).
        slices: images a patient, over the whole head (about 137 mm).
        matrix: rows and columns of an image (pixels of 212-238 mm / matrix).
        prevalence: share in [0, 1] of the patients with at least one haemorrhage.
        flaws: add the archive's flaws, one file each, listed in flaws.csv.
        shortcut: a bright mark in a corner that follows `any` in 95 % of the images; where it was drawn is in annotations/shortcut.
        annotations: "any", or "each" for a folder of each kind of blood too; as the labels, they leave out what a reader would not see.
        jobs: processes, -1 for one a core.
        progress: called with the number of finished patients.

    Returns:
        {"patients", "images", "labels": {label: images}, "patients_any", "flaws": files}.

    Raises:
        AskedWronglyError: an argument out of its range, or `out` holds something.
    """
    out = Path(out).resolve()
    _check(
        out, patients=patients, seed=seed, slices=slices, matrix=matrix, prevalence=prevalence, flaws=flaws, jobs=jobs
    )
    if annotations not in ANNOTATED:
        raise AskedWronglyError(f"--annotations {annotations}: expected one of {', '.join(ANNOTATED)}")
    with archive.whole(out) as partial:
        (partial / FOLDER).mkdir()
        make = joblib.delayed(make_patient)
        asked = {"slices": slices, "matrix": matrix, "prevalence": prevalence, "shortcut": shortcut}
        asked |= {"annotations": annotations}
        tasks = (make(str(partial), seed, patient, **asked) for patient in range(patients))
        done = archive.made(tasks, patients, jobs, progress)
        images = sorted(
            (row for rows in done for row in rows), key=lambda row: row[0]
        )  # the archive's order tells nothing
        lines = [f"{name}_{label},{labels[label]}" for name, labels in images for label in LABELS]
        (partial / TABLE).write_text("\n".join(["ID,Label", *lines]) + "\n", encoding="ascii", newline="\n")
        listed = add_flaws(partial, FOLDER, TABLE, [name for name, _ in images], seed) if flaws else []
    return {
        "patients": patients,
        "images": len(images),
        "labels": {label: sum(labels[label] for _, labels in images) for label in LABELS},
        "patients_any": sum(any(labels["any"] for _, labels in rows) for rows in done),
        "flaws": len(listed),
    }


def _check(out: Path, *, patients, seed, slices, matrix, prevalence, flaws, jobs) -> None:
    ranges = {
        "patients": (patients, 1, 2**20),
        "seed": (seed, 0, 2**63),
        "slices": (slices, 1, 4096),
        "matrix": (matrix, 32, 2048),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise AskedWronglyError(f"--{name} {value}: expected a whole number from {low} to {high}")
    if not 0 <= prevalence <= 1:
        raise AskedWronglyError(f"--prevalence {prevalence:g}: expected a share of patients from 0 to 1")
    if jobs == 0:
        raise AskedWronglyError("--jobs 0: expected a number of processes, or -1 for one a core")
    if flaws and patients * slices < len(FLAWS):
        raise AskedWronglyError(
            f"--flaws needs at least {len(FLAWS)} images; there are {patients * slices}: raise --patients"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AskedWronglyError(f"{out} is there and not empty: name a new folder, or remove this one first")
