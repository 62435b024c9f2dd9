"""Where the network's pixels and voxels lie in the file that they come from, and the way back.

`graph` pads a picture to the aspect of `input.size` and resizes it; `resample` brings a volume to `input.spacing_mm`. Masks of experts go the
first way, heat maps the way back, by the same geometry. `tests/data/test_placing.py` holds it against the real pipeline.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from medtf.config import Config
from medtf.data import nifti
from medtf.data.raster import UPRIGHT
from medtf.data.resample import affine_after, axis_weights, shape_after
from medtf.errors import MedtfError


class Placing(NamedTuple):
    """How one picture becomes the network's: its rows and columns the right way up, padded on two sides, then resized.

    Pixels are squares that touch: the centre of pixel (0, 0) lies at (0.5, 0.5), in the file as in the network's picture.
    """

    source_shape: tuple[int, int]  # rows, columns of the file, once EXIF has turned it
    size: tuple[int, int]  # height, width of the network's picture
    padded: bool  # to the aspect of `size` (`input.aspect: pad`), or stretched
    orientation: int = 0  # EXIF's, 1 to 8; 0: none

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """(top, left, high, wide): pixels before the picture, and rows and columns of it with its borders; as `graph._padded`."""
        rows, columns = self.source_shape
        if not self.padded:
            return 0, 0, rows, columns
        height, width = self.size
        high = max(rows, (2 * columns * height + width) // (2 * width))
        wide = max(columns, (2 * rows * width + height) // (2 * height))
        return (high - rows) // 2, (wide - columns) // 2, high, wide

    def to_network(self, mask: np.ndarray) -> np.ndarray:
        """Share of each of the network's pixels that is inside, float32 (height, width) in [0, 1].

        Args:
            mask: bool (rows, columns) of the picture the right way up; or of another resolution, over the same field.
        """
        top, left, high, wide = self.frame
        down = _cover(self.source_shape[0], mask.shape[0], top, high, self.size[0])
        across = _cover(self.source_shape[1], mask.shape[1], left, wide, self.size[1])
        # most masks are small, and what is empty need not be multiplied
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        inside = mask[np.ix_(rows, columns)].astype(np.float32)
        return np.clip(down[:, rows] @ inside @ across[:, columns].T, 0.0, 1.0)

    def box_to_network(self, box) -> np.ndarray:
        """Share of each of the network's pixels that a box covers, float32 (height, width) in [0, 1].

        Args:
            box: (x, y, width, height) in pixels of the picture the right way up, left upper corner first; fractions count.
        """
        top, left, high, wide = self.frame
        x, y, width, height = (float(value) for value in box)
        down = _overlap(np.array([top + y, top + y + height]) * self.size[0] / high, self.size[0])
        across = _overlap(np.array([left + x, left + x + width]) * self.size[1] / wide, self.size[1])
        return np.clip(down * across.T, 0.0, 1.0).astype(np.float32)

    def to_source(self, heat: np.ndarray) -> np.ndarray:
        """A map of the network's picture over the file's pixels, float32 (rows, columns): linear, its borders cut off.

        Args:
            heat: float (height, width).
        """
        (rows, columns), (top, left, high, wide) = self.source_shape, self.frame
        (height, width), heat = self.size, heat.astype(np.float64)
        down = axis_weights(height, high / height, high, 1.0)[top : top + rows]
        across = axis_weights(width, wide / width, wide, 1.0)[left : left + columns]
        return (down @ heat @ across.T).astype(np.float32)

    def upright(self, box) -> tuple[float, float, float, float]:
        """A box in pixels of the file as it lies -> of the picture the right way up; both (x, y, width, height)."""
        x, y, width, height = (float(value) for value in box)
        exchanged, upside_down, mirrored = UPRIGHT[self.orientation]
        if exchanged:
            x, y, width, height = y, x, height, width
        rows, columns = self.source_shape
        return (columns - x - width if mirrored else x), (rows - y - height if upside_down else y), width, height


def placed(row: dict, config: Config) -> Placing:
    """Where a picture of the table lies on the network's grid.

    Args:
        row: one of `pixels.Rows`. config: `input.size` and `input.aspect` count.
    Raises:
        MedtfError: the row is a volume, or the network takes volumes.
    """
    if str(row["read_kind"]) in nifti.KINDS or len(config.input.size) != 2:
        raise MedtfError(
            f"{row['path']}: expected a picture and an input.size of two numbers: {list(config.input.size)}"
        )
    rows, columns = int(row["read_rows"]), int(row["read_columns"])
    orientation = int(row.get("read_orientation", 0))
    shape = (columns, rows) if UPRIGHT[orientation][0] else (rows, columns)
    return Placing(shape, tuple(config.input.size), config.input.aspect == "pad", orientation)


def network_affine(row: dict, config: Config) -> tuple[tuple[int, int, int], np.ndarray]:
    """The grid of a volume as the network sees it, uncut: int (3,) voxels, and float64 (4, 4) from voxel to RAS+ mm.

    Args:
        row: one of `pixels.Rows`, a NIfTI volume. config: `input.spacing_mm` counts.
    Raises:
        MedtfError: the row is no volume.
    """
    if str(row["read_kind"]) not in nifti.KINDS:
        raise MedtfError(f"{row['path']}: not a NIfTI volume: it has no place in the world")
    grid, spacing_mm = nifti.parse(row), config.input.spacing_mm
    if spacing_mm is None:
        return grid.shape, np.array(grid.affine)
    shape = shape_after(grid.shape, grid.spacing, spacing_mm)
    return shape, affine_after(grid.affine, grid.shape, grid.spacing, spacing_mm)


@lru_cache(maxsize=64)
def _cover(source: int, count: int, before: int, whole: int, size: int) -> np.ndarray:
    """Float32 (size, count): the share of each of `size` new pixels that each of `count` old ones covers.

    Args:
        source: pixels of the picture along this axis, which `count` pixels divide evenly.
        before, whole: pixels of border before it, and of all.
    """
    edges = (before + np.linspace(0, source, count + 1)) * size / whole
    return _overlap(edges, size).astype(np.float32)


def _overlap(edges: np.ndarray, size: int) -> np.ndarray:
    """Float64 (size, n): length of [edges[j], edges[j + 1]] inside [i, i + 1]."""
    places = np.arange(size)[:, None]
    return np.clip(np.minimum(edges[1:], places + 1) - np.maximum(edges[:-1], places), 0.0, None)
