"""A NIfTI mask on the network's grid of its image: through the world that both headers name, by nearest neighbour."""

from pathlib import Path

import numpy as np

from medtf.data import nifti, nifti_beside, placing
from medtf.data.annotation_parts import WHOLE, Read
from medtf.data.resample import FACE
from medtf.errors import MedtfError

NEAR = 0.01  # voxels between where two affines put one that are taken for the same


def read(folder: Path, file: str, row: dict, root, config, *, label: int | None = None) -> Read:
    """One mask, bool (x, y, z) in RAS+ on the image's grid at `input.spacing_mm`.

    Args:
        folder, file: of the mask. row: of the image, whose file lies below `root`.
        label: the value that is inside; None: every value above 0.
    Raises:
        MedtfError: a mask that cannot be read, has no place in the world (and another shape than its image), or lies beside its image.
    """
    mask, remarks = nifti_beside.described(folder, file, what="mask"), []
    image = nifti.parse(row)
    unplaced = _unplaced((folder, mask), (root, row))
    if unplaced:
        here, there = mask["read_shape"], " ".join(row["read_shape"].split()[:3])
        if here != there:
            files = f"{Path(folder) / file}", row["path"]
            (named, voxels), (other, others) = ((files[0], here), (files[1], there))[:: 1 if unplaced == "mask" else -1]
            raise MedtfError(
                f"{named}: no affine (qform_code and sform_code are 0) and {_words(voxels)} voxels, but {other} has {_words(others)}: where"
                " they meet is unknown; save it with its affine, or both on one grid"
            )
        mask |= {"read_affine": row["read_affine"]}
        remarks.append(f"{unplaced} unplaced")
    grid = nifti.parse(mask)
    values = nifti_beside.values(folder, mask)
    inside = values > 0 if label is None else np.rint(values) == label
    shape, affine = placing.network_affine(row, config)
    if not inside.any():
        return Read(np.zeros(shape, bool))
    if not same_grid(grid.shape, grid.affine, image.shape, image.affine):
        remarks.append("resampled")
    found = on_grid(inside, grid.affine, shape, affine)
    if not found.any():
        found = _touched(inside, grid.affine, shape, affine)
        remarks.append("small")
    if not found.any():
        at = grid.affine @ [*np.argwhere(inside).mean(axis=0), 1]
        raise MedtfError(
            f"{Path(folder) / file}: lies outside of its image {row['path']}: the middle of the mask is at {_point(at)} mm, of the image at"
            f" {_point(affine @ [*(np.array(shape) - 1) / 2, 1])} mm (RAS+): expected the same world space"
        )
    return Read(found, (*remarks, "whole") if found.mean() >= WHOLE else tuple(remarks))


def same_grid(shape, affine, other_shape, other_affine) -> bool:
    """Do two grids hold the same voxels at the same places, to within NEAR of a voxel?"""
    if tuple(shape) != tuple(other_shape):
        return False
    apart = np.linalg.inv(affine) @ other_affine - np.eye(4)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    return bool(np.abs(np.column_stack([corners, np.ones(8)]) @ apart[:3].T).max() < NEAR)


def on_grid(inside: np.ndarray, affine: np.ndarray, shape, wanted: np.ndarray) -> np.ndarray:
    """A mask on another grid of the same world, bool `shape`: each voxel is what the mask holds at its centre; outside there is nothing.

    Args:
        inside: bool (x, y, z), with its `affine` (4, 4) from voxel to mm.
        shape, wanted: voxels and affine of the grid that comes out.
    """
    if same_grid(inside.shape, affine, shape, wanted):
        return inside
    from scipy.ndimage import affine_transform

    there = np.linalg.inv(affine) @ wanted
    # a border of nothing: SciPy takes what lies beyond the outermost centres for outside, and half a voxel does not; a centre on the face
    # between two voxels belongs to the first, as in `resample`
    padded = np.pad(inside.astype(np.uint8), 1)
    offset = there[:3, 3] + 1 - FACE
    return affine_transform(padded, there[:3, :3], offset, tuple(shape), order=0, mode="constant", cval=0) > 0


def _touched(inside: np.ndarray, affine: np.ndarray, shape, wanted: np.ndarray) -> np.ndarray:
    """The voxels of the grid that hold a centre of the mask's: of what is too small for the centre of any of them to lie in it."""
    there = np.linalg.inv(wanted) @ affine
    places = np.rint(np.argwhere(inside) @ there[:3, :3].T + there[:3, 3]).astype(int)
    places = places[((places >= 0) & (places < np.array(shape))).all(axis=1)]
    found = np.zeros(shape, bool)
    found[tuple(places.T)] = True
    return found


def _unplaced(mask: tuple, image: tuple) -> str:
    """`mask` or `image`, each (root, row), where that file says no place in the world, so that its affine is a guess; else empty."""
    for name, (root, row) in (("mask", mask), ("image", image)):
        if nifti_beside.unplaced(nifti_beside.header_of(root, row)):
            return name
    return ""


def _words(shape: str) -> str:
    return " x ".join(shape.split())


def _point(at) -> str:
    return ", ".join(f"{value:.0f}" for value in at[:3])
