"""A folder of masks: PNG over pictures, NIfTI over volumes; found by their names, brought onto the network's grid."""

from pathlib import Path, PurePosixPath

import numpy as np

from medtf.data import annotation_volumes, placing
from medtf.data.annotation_names import Names, bare
from medtf.data.annotation_parts import Found, Read, at_least_half
from medtf.data.nifti import KINDS
from medtf.data.pixels import Rows
from medtf.data.scan import files_below
from medtf.errors import MedtfError

PICTURES, VOLUMES = (".png",), (".nii", ".nii.gz")


def readers(folder: Path) -> list[str]:
    """Sub-folders that annotate the same files, as two readers do; none where every file is annotated once."""
    seen: dict[str, set[str]] = {}
    for file in _masks(folder)[0]:
        first, *rest = PurePosixPath(file).parts
        if rest:
            seen.setdefault(first, set()).add(bare("/".join(rest)))
    names = sorted(seen)
    return names if any(seen[a] & seen[b] for a in names for b in names if a < b) else []


def found(folder: Path, frame, root, config, *, label: int | None = None) -> Found:
    """The masks of a folder, by the rows of a table.

    Args:
        folder: of .png, .nii and .nii.gz, in folders as the images or in one. root: data root of the images.
        label: the value that is inside; None: every value above 0.
    Raises:
        MedtfError: no masks, a mask that belongs to several rows, several masks of one row.
    """
    files, others = _masks(folder)
    if not files:
        raise MedtfError(f"{folder}: no masks: expected .png for pictures or .nii.gz for volumes, named as the images")
    rows, names, taken, unmatched, shortened = Rows(frame), Names(frame["path"]), {}, [], set()
    for file in files:
        hit = names.row_of(file)
        if hit is None:
            unmatched.append(file)
            continue
        row, left_off = hit
        if row in taken:
            raise MedtfError(_twice(folder, taken[row], file, names.paths[row]))
        taken[row] = file
        if left_off:
            shortened.add(row)
    notes = [f"files that are neither PNG nor NIfTI: {len(others):,}, such as {others[0]}: not read"] if others else []

    def read(row: int) -> Read:
        return one(folder, taken[row], rows[row], root, config, label=label)

    return Found(taken, read, unmatched, notes, frozenset(shortened))


def one(folder: Path, file: str, row: dict, root, config, *, label: int | None = None) -> Read:
    """One mask on the network's grid.

    Raises:
        MedtfError: a mask of another kind or aspect than its image, or one that cannot be read or has no place.
    """
    volume = row["read_kind"] in KINDS
    if volume != file.lower().endswith(VOLUMES):
        kind, wanted = ("a volume", ".nii.gz") if volume else ("a picture", ".png")
        raise MedtfError(f"{folder / file}: {row['path']} is {kind}: expected its mask as {wanted}")
    if volume:
        return annotation_volumes.read(folder, file, row, root, config, label=label)
    where = placing.placed(row, config)
    values = picture(folder / file, label)
    scaled = values.shape != where.source_shape
    if scaled and not _same_aspect(values.shape, where.source_shape):
        raise MedtfError(
            f"{folder / file}: {_words(values.shape)} pixels (rows x columns), its picture {row['path']} {_words(where.source_shape)}:"
            " expected the same size, or the same aspect: save the mask over the whole picture, the same way up"
        )
    mask, remarks = at_least_half(where.to_network(values))
    return Read(mask, (*remarks, "scaled") if scaled and mask.any() else remarks)


def picture(path: Path, label: int | None) -> np.ndarray:
    """What is inside of a PNG, bool (rows, columns): one value (of a palette: one index), or every one above 0; of colours any.

    Raises:
        MedtfError: a file that cannot be read, transparency, or a label asked of colours.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            values, bands = np.asarray(image), image.getbands()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MedtfError(f"{path}: cannot be read as a PNG: {str(error).splitlines()[0]}") from error
    if bands[-1] == "A":
        if (values[..., -1] != values[..., -1].max()).any():
            raise MedtfError(f"{path}: partly transparent, so what is inside is unclear: save it as grey, 0 outside")
        values = values[..., :-1]
    if values.ndim == 2:
        return values > 0 if label is None else values == label
    if (values == values[..., :1]).all():  # grey, written as colour
        values = values[..., :1]
        return (values > 0 if label is None else values == label)[..., 0]
    if label is not None:
        raise MedtfError(f"{path}: in colours, which have no label {label}: save it as grey or with a palette")
    return (values > 0).any(axis=-1)


def _masks(folder: Path) -> tuple[list[str], list[str]]:
    """Files that may be masks, and others, below a folder; with `/` between folders."""
    files = [PurePosixPath(*Path(name).parts).as_posix() for name in files_below(folder)]
    files = [name for name in files if not PurePosixPath(name).name.startswith(".")]
    masks = [name for name in files if name.lower().endswith((*PICTURES, *VOLUMES))]
    return masks, [name for name in files if name not in set(masks)]


def _twice(folder: Path, one: str, other: str, path: str) -> str:
    first = [PurePosixPath(name).parts[0] for name in (one, other)]
    if first[0] != first[1] and all("/" in name for name in (one, other)):
        return (
            f"{folder}: {one} and {other} are both of {path}: of two readers, or of two things?"
            f" Name one folder: {folder / first[0]} or {folder / first[1]}"
        )
    return f"{folder}: {one} and {other} are both of {path}: keep one, or put them into a folder for each reader"


def _same_aspect(shape, wanted) -> bool:
    """Does a mask spread over the picture fit to within one of its own pixels?"""
    down, across = wanted[0] / shape[0], wanted[1] / shape[1]
    return abs(wanted[1] / down - shape[1]) < 1 or abs(wanted[0] / across - shape[0]) < 1


def _words(shape) -> str:
    return " x ".join(map(str, shape))
