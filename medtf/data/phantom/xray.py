"""Synthetic archives of radiographs: chests in the layout of NIH ChestX-ray14, and shoulders with and without osteoporosis.

OUT/chest: `images_001/images/00000001_000.png`, `Data_Entry_2017.csv`, `BBox_List_2017.csv` (boxes in pixels of an image of 1024, whatever
the size here), `train_val_list.txt`, `test_list.txt`. OUT/shoulder: `images/` and `shoulder.csv`; where the shoulders' bones
are (255, else 0) stands in OUT/annotations/bone/, which no pipeline reads. Bones of both come from one generator (`bone.py`), so an
encoder can learn on many chests without labels what tells osteoporosis on few labelled shoulders.

Every byte follows from the seed: a person draws from SeedSequence([seed, archive, number]) alone, so people are made in parallel, and
the first ones stay the same when more are asked for. `truth.csv` holds what was drawn, for tests and plots; no pipeline reads it.
"""

from itertools import accumulate
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from medtf.data.phantom import archive, xray_shoulder
from medtf.data.phantom.dicom import scrambled
from medtf.data.phantom.xray_body import draw_body, draw_picture
from medtf.data.phantom.xray_chest import assemble, optical_depth
from medtf.data.phantom.xray_files import write_dicom, write_masks, write_png
from medtf.data.phantom.xray_film import draw_exposure, expose, letter, shutter
from medtf.data.phantom.xray_findings import FINDINGS, add_findings, add_hardware
from medtf.data.phantom.xray_flaws import FLAWS, add_flaws
from medtf.data.phantom.xray_person import CHEST, SHOULDER, bmd_of, draw_person, rng_of
from medtf.data.phantom.xray_sheets import write_nih, write_sheet
from medtf.errors import AskedWronglyError

FORMATS = {"png": "png", "dicom": "dcm"}
FOLDER_HOLDS = 5000  # images of one images_NNN of the chest archive
TRUTH = "truth.csv"
MARK = 0.09  # height of a lead letter as a share of the side
LETTER = (0.86, 0.04)  # row and column of the one that gives the label away, as shares
ANNOTATIONS = "annotations"
BONE_MM = 2.0  # of bone along a ray that can be seen: less is the thin edge of a blade or rib


def pictures_of(seed: int, kind: int, wanted: int) -> list:
    """How many pictures each person of an archive has, until `wanted` are there; the last one may have fewer."""
    shares = (0.55, 0.25, 0.12, 0.08) if kind == CHEST else (0.6, 0.4)
    counts, total = [], 0
    while total < wanted:
        drawn = rng_of(seed, kind, len(counts), 3).choice(len(shares), p=shares) + 1
        counts.append(min(int(drawn), wanted - total))
        total += counts[-1]
    return counts


def make_chests(root, seed: int, number: int, first: int, count: int, *, size: int) -> list:
    """Write one person's `count` chests, the first of them the archive's image `first`; returns a dict for each."""
    person = draw_person(seed, CHEST, number)
    body, test = draw_body(seed, person), bool(rng_of(seed, CHEST, number, 4).random() < 0.2)
    made = []
    for follow_up in range(count):
        rng = rng_of(seed, CHEST, number, 2, follow_up)
        picture, exposure = draw_picture(rng, body), draw_exposure(rng)
        with threadpool_limits(limits=1):  # one process a core already, and the same sums whatever the number of cores
            chest = assemble(rng, body, picture, size)
            findings = add_findings(rng, chest)
            add_hardware(rng, chest)
            image = expose(rng, optical_depth(rng, chest), exposure)
        if rng.random() < 0.35:
            _borders(rng, image)
        if rng.random() < 0.8:
            letter(image, "L", (rng.uniform(0.01, 0.1), rng.uniform(0.88, 0.92)), rng.uniform(0.03, 0.05))
        name, folder = (
            f"{number + 1:08d}_{follow_up:03d}.png",
            f"images_{(first + follow_up) // FOLDER_HOLDS + 1:03d}/images",
        )
        (Path(root) / folder).mkdir(parents=True, exist_ok=True)
        write_png(Path(root) / folder / name, image)
        about = {
            "size": size,
            "field": picture.field,
            "view": picture.view,
            "original": int(rng.choice([2048, 2500, 2992])),
        }
        signs = {"exposure": exposure, "quality": body.quality}
        made.append({"name": name, "path": f"{folder}/{name}", "person": person, "follow_up": follow_up, "test": test}
                    | {"findings": findings} | about | signs)  # fmt: skip
    return made


def make_shoulders(
    root, seed: int, number: int, count: int, *, annotations, size, osteoporosis, shortcut, format
) -> list:
    """Write one person's `count` shoulders, and where their bones are; returns a dict for each."""
    person = draw_person(seed, SHOULDER, number, osteoporosis=osteoporosis)
    shoulder, patient = xray_shoulder.draw_shoulder(seed, person), f"S{scrambled(number, 24, seed):08d}"
    once = rng_of(seed, SHOULDER, number, 4)
    side, turned = "LR"[once.integers(2)], int(once.integers(2))
    made = []
    for nth in range(count):
        rng = rng_of(seed, SHOULDER, number, 2, nth)
        pose = xray_shoulder.draw_pose(rng, xray_shoulder.VIEWS[(turned + nth) % 2], side)
        exposure, plane = draw_exposure(rng), xray_shoulder.place(shoulder, pose, size)
        with threadpool_limits(limits=1):
            bones = xray_shoulder.bones_of(shoulder, pose, plane)
            image = expose(rng, xray_shoulder.optical_depth(rng, shoulder, pose, plane, bones), exposure)
        where = {"bone": bones.cortical + bones.trabecular > BONE_MM}
        for one in (image, where["bone"]):
            shutter(one, **pose.shutter)
        if _letters(rng, image, pose, shortcut, person.osteoporosis):
            where["shortcut"] = _lettered(image.shape)
        write_masks(Path(annotations), f"{patient}_{nth}", where)
        file = f"images/{patient}_{nth}.{FORMATS[format]}"
        if format == "dicom":
            write_dicom(
                Path(root) / file,
                image,
                seed=seed,
                patient=patient,
                person=person,
                pose=pose,
                pixel_mm=pose.field / size,
            )
        else:
            write_png(Path(root) / file, image, bits=16)
        row = {"path": file, "patient": patient, "osteoporosis": int(person.osteoporosis), "t_score": person.t_score}
        row |= {
            "bmd": bmd_of(person.t_score),
            "age": person.age,
            "sex": "F" if person.female else "M",
            "bmi": person.bmi,
        }
        head = plane.columns_rows((0, 0))[0]
        made.append({"row": row | {"view": pose.view, "side": side}, "head": (*head, shoulder.head / plane.pixel)}
                    | {"exposure": exposure, "quality": shoulder.quality, "flesh": shoulder.flesh})  # fmt: skip
    return made


def _letters(rng, image, pose, shortcut: bool, label: bool) -> bool:
    """The side's letter in an upper corner on most pictures; on request an E below that gives the label away in 95 % of them: is it there?"""
    luck, place, told = rng.random(), rng.uniform(0.01, 0.06, 2), rng.random() < 0.95
    if luck < 0.7:
        letter(image, pose.side, (place[0], 0.90 - place[1] if pose.side == "L" else place[1]), 0.6 * MARK)
    if shortcut and told == label:
        letter(image, "E", LETTER, MARK)
    return shortcut and told == label


def _lettered(shape) -> np.ndarray:
    """The box of the letter that gives the label away, bool (rows, columns)."""
    dots = np.zeros(shape, np.float32)
    letter(dots, "E", LETTER, MARK)
    return (dots > 0).any(axis=1)[:, None] & (dots > 0).any(axis=0)


def _borders(rng, image) -> None:
    """A collimator's blade on one side or more, black, or white where a reader digitised a plate."""
    blades = {name: rng.uniform(0.005, 0.05) for name in ("left", "right", "top", "bottom") if rng.random() < 0.5}
    shutter(image, **blades, value=0.0 if rng.random() < 0.8 else 1.0)


def write(
    out,
    *,
    chest=2000,
    shoulder=400,
    size=256,
    seed=0,
    osteoporosis=0.4,
    shortcut=False,
    flaws=False,
    format="png",
    jobs=-1,
    progress=None,
) -> dict:
    """Write both archives to the folder `out`, whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        chest, shoulder: images of each (0: none of that archive); patients have 1-4 and 1-2 of them.
        size: pixels a side, 64-1024. seed: what everything is drawn from (>= 0).
        osteoporosis: share in [0.05, 0.95] of the shoulder archive's patients with a T-score of -2.5 or lower.
        shortcut: a lead letter in a corner of the shoulders that follows osteoporosis in 95 % of the images; its box is in
            annotations/shortcut where it was drawn.
        flaws: add real archives' flaws, each on an image of its own, listed in flaws.csv.
        format: "png" (chests 8 bits, shoulders 16) or "dicom" (shoulders in DICOM; the NIH archive is PNG and stays so).
        jobs: processes, -1 for one a core. progress: called with the number of finished images.

    Returns:
        {"chest": images, "chest_patients", "findings": {label: images}, "shoulder": images, "shoulder_patients",
        "osteoporosis": images with it, "flaws": rows of flaws.csv}.

    Raises:
        AskedWronglyError: an argument out of its range, or `out` holds something.
    """
    out = Path(out).resolve()
    _check(out, chest, shoulder, size, seed, osteoporosis, flaws, shortcut, format, jobs)
    with archive.whole(out) as partial:
        counts = {kind: pictures_of(seed, kind, wanted) for kind, wanted in ((CHEST, chest), (SHOULDER, shoulder))}
        asked = {"size": size, "osteoporosis": osteoporosis, "shortcut": shortcut, "format": format}
        images = list(accumulate(counts[CHEST] + counts[SHOULDER]))
        told = progress and (lambda people: progress(images[people - 1]))
        done = archive.made(_tasks(partial, seed, counts, asked), len(images), jobs, told)
        chests = [image for person in done[: len(counts[CHEST])] for image in person]
        shoulders = [image for person in done[len(counts[CHEST]) :] for image in person]
        if chests:
            write_nih(partial / "chest", chests)
        if shoulders:
            shoulders.sort(key=lambda image: image["row"]["path"])  # the order tells nothing
            write_sheet(partial / "shoulder" / "shoulder.csv", [image["row"] for image in shoulders])
        files = {"chest": [f"chest/{i['path']}" for i in chests]}
        files["shoulder"] = [f"shoulder/{i['row']['path']}" for i in shoulders]
        write_sheet(partial / TRUTH, [_truth(file, image) for kind, images in zip(files, (chests, shoulders), strict=True)
                                      for file, image in zip(files[kind], images, strict=True)])  # fmt: skip
        listed = add_flaws(partial, seed, files) if flaws else []
    return {
        "chest": len(chests),
        "chest_patients": len(counts[CHEST]),
        "findings": {label: sum(label in image["findings"] for image in chests) for label in FINDINGS},
        "shoulder": len(shoulders),
        "shoulder_patients": len(counts[SHOULDER]),
        "osteoporosis": sum(image["row"]["osteoporosis"] for image in shoulders),
        "flaws": len(listed),
    }


def _tasks(root: Path, seed: int, counts: dict, asked: dict) -> list:
    """Everybody's pictures as joblib tasks, chests first; makes the folders that they write to."""
    tasks, per_chest = [], counts[CHEST]
    for number, (last, count) in enumerate(zip(accumulate(per_chest), per_chest, strict=True)):
        tasks.append(
            joblib.delayed(make_chests)(str(root / "chest"), seed, number, last - count, count, size=asked["size"])
        )
    if counts[SHOULDER]:
        (root / "shoulder" / "images").mkdir(parents=True)
    marks = str(root / ANNOTATIONS)
    for number, count in enumerate(counts[SHOULDER]):
        tasks.append(
            joblib.delayed(make_shoulders)(str(root / "shoulder"), seed, number, count, annotations=marks, **asked)
        )
    return tasks


def _truth(file: str, image: dict) -> dict:
    """What was drawn for one image; the place and radius of the head of a humerus in pixels, empty for chests."""
    person = image.get("person")
    quality, exposure = image["quality"], image["exposure"]
    head = [round(float(value), 1) for value in image.get("head", ())] or [""] * 3
    return {
        "file": file,
        "t_score": person.t_score if person else image["row"]["t_score"],
        **{name: round(getattr(quality, name), 4) for name in ("cortex", "mineral", "texture", "spacing")},
        **{name: round(getattr(exposure, name), 4) for name in ("photons", "scatter", "blur", "gamma")},
        **dict(zip(("head_column", "head_row", "head_radius"), head, strict=True)),
    }


def _check(out: Path, chest, shoulder, size, seed, osteoporosis, flaws, shortcut, format, jobs) -> None:
    ranges = {"chest": (chest, 0, 2**20), "shoulder": (shoulder, 0, 2**20), "size": (size, 64, 1024)}
    for name, (value, low, high) in (ranges | {"seed": (seed, 0, 2**63)}).items():
        if not low <= value <= high:
            raise AskedWronglyError(f"--{name} {value}: expected a whole number from {low} to {high}")
    if not chest + shoulder:
        raise AskedWronglyError("--chest 0 --shoulder 0: there is nothing to write; raise one of them")
    if not 0.05 <= osteoporosis <= 0.95:
        raise AskedWronglyError(f"--osteoporosis {osteoporosis:g}: expected a share of patients from 0.05 to 0.95")
    if format not in FORMATS:
        raise AskedWronglyError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    if format == "dicom" and not shoulder:
        raise AskedWronglyError(
            "--format dicom is for shoulders (the NIH archive is PNG): leave it out, or raise --shoulder"
        )
    if shortcut and not shoulder:
        raise AskedWronglyError("--shortcut puts a letter on shoulders: raise --shoulder, or leave it out")
    if jobs == 0:
        raise AskedWronglyError("--jobs 0: expected a number of processes, or -1 for one a core")
    for name, count in (("chest", chest), ("shoulder", shoulder)):
        if flaws and 0 < count < len(FLAWS) + 1:
            raise AskedWronglyError(
                f"--flaws needs at least {len(FLAWS) + 1} images of an archive; --{name} is {count}: raise it"
            )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AskedWronglyError(f"{out} is there and not empty: name a new folder, or remove this one first")
