"""NIfTI volumes in NumPy: the reference for the in-graph reader, and the pixel pass of the index.

A volume is (x, y, z) along the axes nearest to RAS+: left to right, posterior to anterior, inferior to superior. Values and affine equal
those of nibabel's `as_closest_canonical(image)`: `get_fdata()` cast to float32. Obliquity stays in the affine.
"""

import gzip
import hashlib
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medtf.errors import MedtfError

KINDS = ("nifti", "nifti_gz")  # `read_kind` of a volume
STRIDE = 4  # of the voxels along each axis that thresholds are taken from
EMPTY_BELOW = 0.001  # share of the voxels; a head fills 20 to 60 % of its field of view, a vessel tree cut out of it 0.3 % and more
SLAB = 1 << 20  # voxels that are scaled at once


class Grid(NamedTuple):
    """Where the voxels of a row are, once it is turned to RAS+."""

    shape: tuple[int, int, int]
    affine: np.ndarray  # float64 (4, 4): voxel (x, y, z) -> RAS+ mm
    spacing: tuple[float, float, float]  # mm
    axes: tuple[int, int, int]  # the file's axis (0 = the fastest) that becomes each axis
    flips: tuple[bool, bool, bool]  # is it turned round?
    volumes: int  # 1, or the fourth number of a 4D file
    file_shape: tuple[int, int, int]  # as the file has it, the fastest axis first


def parse(row: dict) -> Grid:
    """The grid of a NIfTI row."""
    return _grid(row["read_shape"], row["read_affine"])


@lru_cache(maxsize=4096)
def _grid(shape_text: str, affine_text: str) -> Grid:
    from nibabel.affines import voxel_sizes
    from nibabel.orientations import inv_ornt_aff, io_orientation

    shape = tuple(int(n) for n in shape_text.split())
    affine = np.eye(4)
    affine[:3] = np.array(affine_text.split(), np.float64).reshape(3, 4)
    orientation = io_orientation(affine)  # for each axis of the file: the axis of the world, and the direction
    axes, flips = [0, 0, 0], [False, False, False]
    for axis, (goal, direction) in enumerate(orientation):
        axes[int(goal)], flips[int(goal)] = axis, bool(direction < 0)
    turned = affine @ inv_ornt_aff(orientation, shape[:3])
    turned.setflags(write=False)
    return Grid(
        tuple(shape[axis] for axis in axes),
        turned,
        tuple(float(v) for v in voxel_sizes(turned)),
        tuple(axes),
        tuple(flips),
        shape[3] if len(shape) == 4 else 1,
        shape[:3],
    )


def place(row: dict, index: int | None) -> tuple[int, int]:
    """(offset, length) in bytes of one volume of a row; `index` is `input.volume`.

    Raises:
        MedtfError: a 4D file and no index, or an index the file does not have.
    """
    volumes = parse(row).volumes
    if volumes > 1 and index is None:
        raise MedtfError(
            f"{row['path']}: 4D, {row['read_shape'].replace(' ', ' x ')}: say which volume with input.volume: 0 to {volumes - 1}"
        )
    if index is not None and not 0 <= index < volumes:
        have = f"0 to {volumes - 1}" if volumes > 1 else "one volume only, number 0"
        raise MedtfError(f"{row['path']}: no volume {index}: input.volume may be {have}")
    length = row["read_length"] // volumes
    return row["read_offset"] + (index or 0) * length, length


def stored(root, row: dict, index: int | None = None) -> np.ndarray:
    """Stored values (x, y, z) in RAS+, of the file's own type, before any scaling; a view of the bytes read.

    Raises:
        MedtfError: as `place`. OSError, EOFError, zlib.error: the file is away, cut or broken; the caller names the file.
    """
    offset, length = place(row, index)
    path = Path(root) / row["path"]
    with gzip.open(path) if row["read_kind"] == "nifti_gz" else open(path, "rb") as file:
        file.seek(offset)
        data = bytearray(length)
        held = file.readinto(data)
        while held < length and (more := file.readinto(memoryview(data)[held:])):
            held += more
        if held < length:
            raise EOFError(f"truncated: {held} of {length} bytes of voxels")
        while file.read(1 << 20) and row["read_kind"] == "nifti_gz":  # to the end, where gzip has its checksum
            pass
    return _canonical(np.frombuffer(data, _type(row)), parse(row))


def _type(row: dict) -> np.dtype:
    return np.dtype(row["read_dtype"]).newbyteorder(">" if row["read_big_endian"] else "<")


def _canonical(values: np.ndarray, grid: Grid) -> np.ndarray:
    values = values.reshape(grid.file_shape, order="F").transpose(grid.axes)
    return values[tuple(slice(None, None, -1) if flip else slice(None) for flip in grid.flips)]


def scaled(values: np.ndarray, row: dict) -> np.ndarray:
    """Float32 of stored values: `stored * scl_slope + scl_inter` in float64, then cast, as nibabel's `get_fdata` would be."""
    slope, intercept = row["read_slope"], row["read_intercept"]
    values = values.astype(np.float64)
    if slope != 1.0:
        values *= slope
    if intercept != 0.0:
        values += intercept
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which the pixel pass reports
        return values.astype(np.float32)


def volume(root, row: dict, *, index: int | None = None) -> np.ndarray:
    """One volume, float32 (x, y, z) in RAS+: exactly nibabel's `as_closest_canonical(image).get_fdata()` cast to float32.

    Args:
        root: data root.
        row: a NIfTI row of the table.
        index: which volume of a 4D file (`input.volume`).
    Raises:
        MedtfError: as `place`, or a file that cannot be read.
    """
    try:
        return scaled(stored(root, row, index), row)
    except (OSError, EOFError, zlib.error) as error:
        raise MedtfError(f"{row['path']}: cannot be read: {_said(error)}") from error


def foreground_threshold(values: np.ndarray) -> float:
    """The intensity above which a voxel is foreground: t2 + 0.1 (t98 - t2) (BET: Smith 2002, Hum Brain Mapp 17:143).

    t2 and t98 are the robust minimum and maximum: percentiles 2 and 98 of every fourth voxel along each axis, from the first on. Of n values
    in order, percentile q is the one at (q (n - 1) + 50) // 100, counted from 0, so that the graph can say exactly the same.

    Args:
        values: float32 (x, y, z), finite.
    """
    return _threshold(values[::STRIDE, ::STRIDE, ::STRIDE])


def _threshold(sample: np.ndarray) -> float:
    ordered = sample.astype(np.float32).ravel()
    low, high = ((q * (ordered.size - 1) + 50) // 100 for q in (2, 98))
    ordered.partition((low, high))
    return float(ordered[low] + np.float32(0.1) * (ordered[high] - ordered[low]))


def foreground_ml(values: np.ndarray, spacing, mask: np.ndarray | None = None) -> float:
    """Millilitres of foreground: voxels of the mask, or without one those above `foreground_threshold`; a proxy of head size.

    Args:
        values: float32 (x, y, z).
        spacing: (3,) mm.
        mask: bool (x, y, z).
    """
    count = np.count_nonzero(values > foreground_threshold(values) if mask is None else mask)
    return float(count * np.prod(spacing) / 1000)


class Findings(NamedTuple):
    """What the pixel pass tells of a volume."""

    digest: str  # hash over the canonical values and their shape; empty when there is a reason
    reason: str  # to leave the row out
    foreground_ml: float  # millilitres brighter than `foreground_threshold`; NaN where it is not known


def check(root, row: dict, *, index: int | None = None) -> Findings:
    """Read one volume to its end, hash it and judge it; a fault in the file is a reason, not an error.

    One volume in two orientations, types or packings has one hash. Of a 4D file without `index` all volumes are read and hashed, and none
    is judged: which of them counts is not known.
    """
    grid = parse(row)
    every = range(grid.volumes) if index is None and grid.volumes > 1 else [index]
    digest = hashlib.blake2b(repr(grid.shape).encode(), digest_size=16)
    reason, ml = "", float("nan")
    try:
        for one in every:
            counts = _Counts.of(stored(root, row, one), row, digest)
    except (OSError, EOFError, zlib.error, MedtfError) as error:
        return Findings("", f"cannot be decoded: {_said(error)}"[:200], ml)
    if len(every) == 1:
        reason, ml = counts.reason(), counts.bright * float(np.prod(grid.spacing)) / 1000
    return Findings("" if reason else digest.hexdigest(), reason, ml)


class _Counts(NamedTuple):
    """What one pass over a volume counts."""

    voxels: int
    bad: int  # not finite
    bright: int  # above the foreground threshold
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray, row: dict, digest) -> "_Counts":
        """In slabs along z, which is slow in most files: float64 of a whole volume would be four times an int16 one."""
        threshold = _threshold(scaled(values[::STRIDE, ::STRIDE, ::STRIDE], row))
        bad, bright, low, high = 0, 0, np.inf, -np.inf
        step = max(1, SLAB // values[..., 0].size)
        for first in range(0, values.shape[2], step):
            slab = scaled(values[..., first : first + step].T, row)
            slab += np.float32(0)  # -0 is 0
            digest.update(np.ascontiguousarray(slab))
            finite = np.isfinite(slab)
            if not finite.all():
                bad += int(np.count_nonzero(~finite))
                slab = slab[finite]
            if slab.size:
                bright += int(np.count_nonzero(slab > threshold))
                low, high = min(low, float(slab.min())), max(high, float(slab.max()))
        return cls(values.size, bad, bright, low, high)

    def reason(self) -> str:
        if self.bad:
            return f"{self.bad} voxels ({self.bad / self.voxels:.2%}) are not a number or infinite"
        if self.low == self.high:
            return f"constant: every voxel is {self.low:g}"
        share = self.bright / self.voxels
        return f"empty: {share:.2%} of the voxels are brighter than the background" if share < EMPTY_BELOW else ""


def _said(error: BaseException) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {said}".splitlines()[0]
