"""Where the blocks of a volume lie: shapes after resampling, the box of a whole volume, tiles, and what does not fit. NumPy alone.

A *block* is `input.size` voxels of a volume in RAS+ at `input.spacing_mm`: the whole volume cropped or padded about its middle, or one of
many patches. Everything here follows from headers, so that what cannot work is said before a voxel is read.
"""

from typing import NamedTuple

import numpy as np

from medtf.config import Config, Input
from medtf.data import nifti
from medtf.data.pixels import Rows
from medtf.data.resample import shape_after
from medtf.errors import MedtfError


class Plan(NamedTuple):
    """The grids of a table's volumes: `shapes` int64 (n, 3), voxels in RAS+ after resampling; `spacings` float64 (n, 3), mm of the file's own."""

    shapes: np.ndarray
    spacings: np.ndarray


def plan(frame, config: Config) -> Plan:
    """The grids of a table, checked against the config.

    Raises:
        MedtfError: rows that are no volumes, 4D without `input.volume`, volumes smaller than `input.size` without `input.pad`; each names
            the file, what was found and the key to set.
    """
    rows, shapes, spacings = Rows(frame), [], []
    for number in range(len(rows)):
        row = rows[number]
        if not row["read_kind"].startswith("nifti"):
            raise MedtfError(
                f"{row['path']}: not a NIfTI volume, which {config.model.name} takes; name a 2D network, or other files"
            )
        grid = nifti.parse(row)
        _check_4d(row, grid, config.input)
        shape = np.array(grid.shape if config.input.spacing_mm is None else _after(grid, config.input))
        _check_size(row, shape, config.input)
        shapes.append(shape)
        spacings.append(grid.spacing)
    return Plan(np.array(shapes, np.int64).reshape(-1, 3), np.array(spacings, np.float64).reshape(-1, 3))


def middle(shapes: np.ndarray, size) -> np.ndarray:
    """int64 (n, 3): first voxel of the block in the middle of each volume; below 0 where the block is the larger one."""
    return (np.asarray(shapes) - np.asarray(size)) // 2


def tiles(shape, size, overlap: float) -> np.ndarray:
    """int64 (tiles, 3): first voxels of the blocks that cover a volume, neighbours overlapping by at least `overlap` of a side.

    The first block of an axis begins at its first voxel, the last ends at its last; the others lie evenly between. An axis that is shorter
    than the block has one, in its middle.
    """
    axes = []
    for have, wanted in zip(shape, size, strict=True):
        if have <= wanted:
            axes.append(np.array([(have - wanted) // 2]))
            continue
        stride = max(1, int(wanted * (1 - overlap)))
        count = int(np.ceil((have - wanted) / stride)) + 1
        axes.append(np.round(np.linspace(0, have - wanted, count)).astype(np.int64))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int64)


def blocks(frame, config: Config, known: Plan | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What evaluation reads, in the table's order: int64 (m,) row of each block and int64 (m, 3) its first voxel."""
    found = (known or plan(frame, config)).shapes
    if config.input.patches is None:
        return np.arange(len(found)), middle(found, config.input.size)
    made = [tiles(shape, config.input.size, config.input.patches.overlap) for shape in found]
    rows = np.repeat(np.arange(len(found)), [len(m) for m in made])
    return rows, np.concatenate(made) if made else np.zeros((0, 3), np.int64)


def _after(grid, spec: Input):
    return shape_after(grid.shape, grid.spacing, spec.spacing_mm)


def _check_4d(row: dict, grid, spec: Input) -> None:
    if grid.volumes > 1 and spec.volume is None:
        raise MedtfError(
            f"{row['path']}: 4D, {grid.volumes} volumes of {_words(grid.shape)} voxels: say which one with input.volume (0 is the first)"
        )
    if spec.volume is not None and spec.volume >= grid.volumes:
        raise MedtfError(f"{row['path']}: input.volume {spec.volume}: the file holds volumes 0 to {grid.volumes - 1}")


def _check_size(row: dict, shape: np.ndarray, spec: Input) -> None:
    if spec.pad or (shape >= np.array(spec.size)).all():
        return
    at = f" at {_words(spec.spacing_mm)} mm" if spec.spacing_mm else ""
    what = "patches of input.size" if spec.patches else "input.size"
    fits = np.minimum(shape, spec.size)
    raise MedtfError(
        f"{row['path']}: {what} {_words(spec.size)} larger than the volume, {_words(shape)} voxels{at}:"
        f" lower input.size to {_words(fits)}, or set input.pad: true to fill up with background"
    )


def _words(numbers) -> str:
    return " x ".join(f"{n:g}" for n in numbers)
