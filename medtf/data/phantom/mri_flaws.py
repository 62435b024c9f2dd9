"""The flaws that real archives of MRI have: each on one person, who is otherwise the one written without flaws."""

import gzip
from pathlib import Path

import nibabel
import numpy as np

from medtf.data.phantom.mri_files import nifti_bytes, write_gz, write_volume
from medtf.data.phantom.mri_scan import draw_visit, render, scanner_grid
from medtf.errors import AskedWronglyError


def _load(path: Path):
    """Stored values (i, j, k), affine and slope of a file."""
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))
    return np.array(image.dataobj.get_unscaled()), image.affine, float(image.dataobj.slope)


def cut_off(path: Path, case) -> None:
    """The field of view ends in the brain: the upper third of it is missing."""
    stored, affine, slope = _load(path)
    axis = int(np.argmax(np.abs(affine[2, :3])))
    filled = np.flatnonzero(_load(case["mask"])[0].any(axis=tuple(k for k in range(3) if k != axis)))
    third = (filled[-1] - filled[0]) // 3
    up = affine[2, axis] > 0
    keep = slice(0, filled[-1] - third) if up else slice(filled[0] + third, None)
    gone = [slice(None)] * 3
    gone[axis] = slice(keep.stop, None) if up else slice(0, keep.start)
    stored[tuple(gone)] = 0
    write_gz(path, nifti_bytes(stored, affine, slope))


def empty(path: Path, case) -> None:
    """Nothing but zeros, as a failed conversion leaves it."""
    stored, affine, slope = _load(path)
    write_gz(path, nifti_bytes(np.zeros_like(stored), affine, slope))


def eyes(path: Path, case) -> None:
    """Skull-stripping that left the eyeballs."""
    _, affine, slope = _load(path)
    visit, registered = draw_visit(case["seed"], case["number"], registered=case["registered"]), case["registered"]
    shape, affine = scanner_grid(visit, "T1", case["spacing"], registered=registered)
    values, _ = render(visit, "T1", shape, affine, eyes=True, registered=registered)
    write_volume(path, values, affine, dtype=np.uint16 if slope != 1 else np.int16, slope=slope)


def wrong_affine(path: Path, case) -> None:
    """An affine of ones, as conversions that lose the header write: position, orientation and voxel size are gone."""
    stored, _, slope = _load(path)
    write_gz(path, nifti_bytes(stored, np.eye(4), slope))


def nan_voxel(path: Path, case) -> None:
    """Floats with one voxel in the brain that is not a number."""
    stored, affine, slope = _load(path)
    values = stored.astype(np.float32) * np.float32(slope)
    inside = np.argwhere(_load(case["mask"])[0])
    values[tuple(inside[len(inside) // 2])] = np.nan
    write_gz(path, nifti_bytes(values, affine))


def truncated(path: Path, case) -> None:
    """A download that broke off."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])


def four_d(path: Path, case) -> None:
    """Two volumes in one file, along a fourth axis."""
    stored, affine, slope = _load(path)
    write_gz(path, nifti_bytes(np.stack([stored, stored[::-1]], axis=3), affine, slope))


def duplicate_row(rows: list, row: dict, keys) -> None:
    """A second row of the same person with another age."""
    rows.append(row | {keys["age"]: round(row[keys["age"]] + (17 if row[keys["age"]] < 50 else -17), 2)})


def missing_age(rows: list, row: dict, keys) -> None:
    """A row without an age."""
    row[keys["age"]] = None


def no_row(rows: list, row: dict, keys) -> None:
    """Images of a person whom the sheet does not know."""
    rows.remove(row)


FILE_FLAWS = {f.__name__: f for f in (cut_off, empty, eyes, wrong_affine, nan_voxel, truncated, four_d)}
ROW_FLAWS = {f.__name__: f for f in (duplicate_row, missing_age, no_row)}
FLAWS = (*FILE_FLAWS, *ROW_FLAWS, "no_image")


def add_flaws(
    root: Path, seed: int, people: list, rows: list, *, spacing: float, skull: bool, registered: bool
) -> list:
    """Spoil the T1 of one person for each flaw of files, one row for each flaw of the sheet, and list it in flaws.csv.

    Args:
        root: the archive's folder.
        seed: the archive's.
        people: [{"id", "T1": path, "T1 mask": path, "MRA": ..., "MRA mask": ...}], relative paths of what each has.
        rows: the sheet's rows in the same order; changed in place.
        spacing, skull, registered: as the images were written; with skulls, eyes are no flaw and are left out.

    Returns:
        [(file, flaw)] as written: the image, or the sheet's row as `row ID`.

    Raises:
        AskedWronglyError: too few people have a T1.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4, 1)))
    order = sorted(rng.permutation(len(people)), key=lambda n: "T1" not in people[n])  # who has a T1 comes first
    if "T1" not in people[order[len(FILE_FLAWS) - 1]]:
        raise AskedWronglyError(f"--flaws needs {len(FILE_FLAWS)} people with a T1: raise --people or lower --missing")
    chosen = iter(order)
    keys = {"id": next(iter(rows[0])), "age": "age" if "age" in rows[0] else "AGE"}
    listed, sheet = [], list(rows)
    for name, spoil in FILE_FLAWS.items():
        number = int(next(chosen))
        case = {"seed": seed, "number": number, "spacing": spacing, "registered": registered}
        case["mask"] = root / people[number]["T1 mask"]
        if name == "eyes" and skull:
            continue
        spoil(root / people[number]["T1"], case)
        listed.append((people[number]["T1"], name))
    for name, spoil in ROW_FLAWS.items():
        row = sheet[int(next(chosen))]
        spoil(rows, row, keys)
        listed.append((f"row {row[keys['id']]}", name))
    number = int(next(chosen))
    for file in {file for kind, file in people[number].items() if kind != "id"}:
        (root / file).unlink()
        if not any((root / file).parent.iterdir()):
            (root / file).parent.rmdir()
    listed.append((f"row {sheet[number][keys['id']]}", "no_image"))
    text = "".join(f"{file},{flaw}\n" for file, flaw in listed)
    (root / "flaws.csv").write_text("file,flaw\n" + text, encoding="ascii", newline="\n")
    return listed
