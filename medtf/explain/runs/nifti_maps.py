"""A heat map of a volume on the grid of the file that it is of, so that it opens over the original in any viewer."""

import gzip
from pathlib import Path

import numpy as np

from medtf.data import nifti, nifti_beside, placing
from medtf.data.pixels import Rows
from medtf.data.resample import places
from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain.runs.cases import Case
from medtf.explain.runs.subject import Subject

DESCRIPTION = "medtf heat map, 0 to 1; research use only"  # of 79 bytes at most; nobody's name
# what says where voxels lie, in both versions of the header; everything else of it may hold names
PLACE = ("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
PLACE += ("sform_code", "srow_x", "srow_y", "srow_z")
# gzip's level: smooth floats hardly pack (95 % of the bytes are left at any level), and level 9 takes four times as long
PACKED = 1


def write_nifti(subject: Subject, case: Case, heat: np.ndarray, path) -> Path:
    """Write a heat map as NIfTI on its image's own grid, whole or not at all.

    Shape, voxel order, qform, sform and byte order are the file's own; of a 4D file the map is 3D. Nothing else of the header is taken, since
    it may name people. Equal maps make equal bytes.

    Args:
        subject: the run, whose table `case` is of.
        heat: float (*case.grid) in [0, 1], RAS+ on the network's grid.
        path: ends in .nii or .nii.gz.
    Returns:
        The path.
    Raises:
        AskedWronglyError: another ending. MedtfError: the image is no volume, or its header cannot be read.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise AskedWronglyError(f"{path}: a heat map of a volume is written as .nii.gz or .nii")
    row = row_of(subject, case)
    header = nifti_beside.header_of(subject.root, row)
    values = np.clip(on_file(heat, row, subject.config), 0, 1)
    save(nifti_beside.KINDS[row["syntax"]](values, None, _placed_as(header, values.shape)), path)
    return path


def on_file(heat: np.ndarray, row: dict, config) -> np.ndarray:
    """A map on the network's grid as float32 in the file's own voxels and axes.

    Linear between the centres of the network's voxels; beyond the outermost centres their values go on, half a voxel or a little more, to
    where the file ends. What the network was not shown is 0 in `heat`, and stays so.

    Args:
        heat: float (x, y, z), RAS+ at `input.spacing_mm`. row: one of `pixels.Rows`.
    """
    grid = nifti.parse(row)
    shape, _ = placing.network_affine(row, config)
    if tuple(heat.shape) != tuple(shape):
        raise ValueError(f"a heat map of {heat.shape} voxels: the network's grid of this volume has {tuple(shape)}")
    values, spacing = np.asarray(heat, np.float64), config.input.spacing_mm or grid.spacing
    for axis in range(3):
        line = shape[axis], spacing[axis], grid.shape[axis], grid.spacing[axis]
        if line[:2] != line[2:]:
            values = np.moveaxis(np.tensordot(linear(shape[axis], places(*line)), values, (1, axis)), 0, axis)
    values = values[tuple(slice(None, None, -1) if flip else slice(None) for flip in grid.flips)]
    return np.ascontiguousarray(values.transpose(np.argsort(grid.axes)), np.float32)


def linear(n: int, at: np.ndarray) -> np.ndarray:
    """Float64 (m, n): linear interpolation of n voxels at m places along an axis; the outermost values go on beyond their centres.

    Args:
        at: (m,), counted in voxels from the first one's outer face, as `resample.places` gives them.
    """
    centre = np.clip(np.asarray(at) - 0.5, 0, n - 1)
    low = np.minimum(centre.astype(np.int64), max(n - 2, 0))
    made, rows = np.zeros((len(centre), n)), np.arange(len(centre))
    made[rows, low] = 1 - (centre - low)
    made[rows, np.minimum(low + 1, n - 1)] += centre - low
    return made


def row_of(subject: Subject, case: Case) -> dict:
    """The reader's row of a case, which must be of this very subject.

    Raises:
        ValueError: a case of another subject. MedtfError: no volume.
    """
    frame = subject.table.frame
    if not case.number < len(frame) or int(frame["row"].iloc[case.number]) != case.row:
        raise ValueError(f"case {case.number} (row {case.row}) is not of this subject")
    row = Rows(frame)[case.number]
    if row["read_kind"] not in nifti.KINDS:
        raise MedtfError(f"{row['path']}: not a NIfTI volume: it has no grid that a heat map could be written on")
    return row


def save(image, path: Path) -> None:
    """An image of nibabel's as .nii or .nii.gz, whole or not at all, without the time in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data, temporary = image.to_bytes(), path.with_name(f".{path.name}")
    try:
        temporary.write_bytes(gzip.compress(data, PACKED, mtime=0) if path.suffix == ".gz" else data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def described(header) -> None:
    """What viewers want to know of a heat map: float32, shown from 0 to 1, and in words what it is."""
    header.set_data_dtype(np.float32)
    header["cal_min"], header["cal_max"] = 0, 1
    header["descrip"] = DESCRIPTION.encode()


def _placed_as(header, shape):
    """A new header at the place of another."""
    made = type(header)(endianness=header.endianness)
    described(made)
    made.set_data_shape(shape)
    for name in PLACE:
        made[name] = header[name]
    made["pixdim"][:4] = header["pixdim"][:4]
    made["xyzt_units"] = int(header["xyzt_units"]) & 7  # of space; a map has no time
    return made
