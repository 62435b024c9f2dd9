"""Brain masks beside the volumes: found by a pattern, held against the volume's own grid, read in the graph.

A mask is a NIfTI volume on exactly the image's grid: the same shape, the same axes, the same place in the world. Anything else is refused,
since a mask that is a little off looks right and is wrong. Inside is where the value is above 0, so a file of labels will do.
"""

import os
import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from medtf.data import nifti
from medtf.data.header import read_header
from medtf.data.pixels import Rows
from medtf.errors import AskedWronglyError, nearest
from medtf.table import inside as below_root

PREFIX = "read_mask_"
# columns of the mask -> those of a row that the reader takes; shape and affine are the image's
TAKEN = ("kind", "dtype", "offset", "length", "big_endian", "slope", "intercept")
COLUMNS = {"path": "str", "kind": "str", "dtype": "str", "offset": "int64", "length": "int64"}
COLUMNS |= {"big_endian": "bool", "slope": "float64", "intercept": "float64"}
NEAR_MM = 1e-3  # between where the two affines put a voxel; float32 headers of one tool differ by less
TOUCHES = (
    0.05  # of the largest section: a brain that ends by itself meets the edge of the volume with a few voxels at most
)
FACES = ("left", "right", "posterior", "anterior", "inferior", "superior")


def attach(frame: pd.DataFrame, root, pattern: str) -> tuple[pd.DataFrame, pd.Series]:
    """The frame with each row's mask in columns `read_mask_*`, and for each row why its mask cannot be used (empty: it can).

    Args:
        frame: rows of NIfTI volumes.
        root: data root.
        pattern: `input.mask`, the mask's path below the root: {stem} is the image's file name without .nii or .nii.gz, {folder} its folder,
            {any other} a column.
    Raises:
        AskedWronglyError: a pattern that names no column, or leads out of the root.
    """
    paths = _paths(frame, root, pattern)
    found, reasons = [], []
    for row, path in zip(Rows(frame), paths, strict=True):
        mask = read_header(root, path)[0]
        reasons.append(_refused(row, mask))
        found.append(mask)
    made = {f"{PREFIX}path": pd.Series(paths, frame.index, dtype="str")}
    for name, kind in COLUMNS.items():
        if name != "path":
            made[PREFIX + name] = pd.Series([mask[f"read_{name}"] for mask in found], frame.index, dtype=kind)
    return frame.assign(**made), pd.Series(reasons, frame.index, dtype="str")


def rows_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The masks of a frame as rows of volumes, in the frame's order, for whatever reads volumes.

    Raises:
        AskedWronglyError: the frame comes from a table that names a mask outside the data root.
    """
    for path in frame[f"{PREFIX}path"]:
        below_root("of the table", path)
    named = {f"{PREFIX}{name}": f"read_{name}" for name in TAKEN} | {f"{PREFIX}path": "path"}
    kept = frame[[*named, "read_shape", "read_affine"]].rename(columns=named)
    # a 4D image has one mask, 3D
    return kept.assign(read_shape=[" ".join(shape.split()[:3]) for shape in kept["read_shape"]])


def read(root, row: dict) -> np.ndarray:
    """The mask of one row (of the frame with masks), bool (x, y, z) in RAS+.

    Raises:
        MedtfError: the mask cannot be read.
    """
    below_root("of the table", row[f"{PREFIX}path"])
    mask = {f"read_{name}": row[PREFIX + name] for name in TAKEN} | {"path": row[f"{PREFIX}path"]}
    shape = " ".join(row["read_shape"].split()[:3])
    return nifti.volume(root, mask | {"read_shape": shape, "read_affine": row["read_affine"]}) > 0


def layouts(frame: pd.DataFrame):
    """The layouts of a table's masks, and int32 (n,) with each row's: `nifti_graph.layouts`."""
    from medtf.data import nifti_graph

    return nifti_graph.layouts(rows_of(frame))


def columns(frame: pd.DataFrame):
    """What the graph needs of each row's mask: `nifti_graph.columns`."""
    from medtf.data import nifti_graph

    return nifti_graph.columns(rows_of(frame))


def inside(row, layout, root: str):
    """The mask of one row in the graph, bool (x, y, z) in RAS+.

    Args:
        row: one row of `columns`.
        layout: one of `layouts`.
        root: data root.
    """
    from medtf.data import nifti_graph

    above = nifti_graph.scaled(nifti_graph.stored(row, layout, root), row) > 0
    return nifti_graph.canonical(above, layout)


def cut_faces(mask: np.ndarray) -> list[str]:
    """Sides on which a brain is cut off by the edge of the volume, as names of FACES; a reason to look, not to leave out.

    A side counts when the mask covers more of it than TOUCHES of the largest section parallel to it.

    Args:
        mask: bool (x, y, z) in RAS+.
    """
    found = []
    for axis in range(3):
        areas = np.count_nonzero(mask, axis=tuple(k for k in range(3) if k != axis))
        found += [FACES[2 * axis + side] for side in (0, 1) if areas[-side] > TOUCHES * areas.max()]
    return found


def _paths(frame: pd.DataFrame, root, pattern: str) -> list[str]:
    names = list(dict.fromkeys(re.findall(r"{([^{}]*)}", pattern)))
    for name in names:
        if name not in ("stem", "folder") and name not in frame:
            known = ["stem", "folder", *(c for c in frame if not str(c).startswith("read_"))]
            raise AskedWronglyError(f"input.mask: no column {name!r} for {pattern!r}: {nearest(name, known)}")
    cells = {name: frame[name].astype(str).tolist() for name in names if name in frame}
    made = []
    for number, path in enumerate(frame["path"].astype(str)):
        file = PurePosixPath(path)
        known = {"folder": str(file.parent), "stem": re.sub(r"\.nii(\.gz)?$", "", file.name, flags=re.IGNORECASE)}
        known |= {name: values[number] for name, values in cells.items() if name not in known}
        filled = re.sub(r"{([^{}]*)}", lambda m, known=known: known[m[1]], pattern)
        made.append(os.path.normpath(below_root(root, filled)))
    return made


def _refused(row: dict, mask: dict) -> str:
    """Why a mask cannot be used with its image, naming both files; empty where it can."""
    of = f"mask {mask['path']} of {row['path']}"
    if mask["excluded"]:
        return f"{of}: {mask['excluded']}"
    if mask["read_kind"] not in nifti.KINDS:
        return f"{of}: not a NIfTI volume"
    image, found = row["read_shape"].split()[:3], mask["read_shape"].split()
    if len(found) != 3:
        return f"{of}: 4D, {' x '.join(found)}: expected one 3D mask"
    if nifti.parse(row).axes != nifti.parse(mask).axes or nifti.parse(row).flips != nifti.parse(mask).flips:
        return f"{of}: another orientation, {_axes(mask)}, expected {_axes(row)}: resample it to the image's grid"
    if image != found:
        return f"{of}: another grid, {' x '.join(found)} voxels, expected {' x '.join(image)}"
    apart = _apart(row, mask)
    if apart > NEAR_MM:
        return f"{of}: another place, up to {apart:.3g} mm apart by the headers: resample it to the image's grid"
    return ""


def _axes(row: dict) -> str:
    """`LPS`: towards which side each axis of the file runs."""
    from nibabel.orientations import aff2axcodes

    numbers = np.array([*row["read_affine"].split(), 0, 0, 0, 1], np.float64)
    return "".join(aff2axcodes(numbers.reshape(4, 4)))


def _apart(row: dict, mask: dict) -> float:
    """mm: the greatest distance, over all voxels, between where the two affines put one; affine maps are furthest apart at a corner."""
    one, other = nifti.parse(row), nifti.parse(mask)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in one.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    moved = np.column_stack([corners, np.ones(8)]) @ (one.affine - other.affine)[:3].T
    return float(np.linalg.norm(moved, axis=1).max())
