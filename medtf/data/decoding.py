"""Whole volumes decoded once, in the form that keeps them: what they take, and one after the other."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data.kept import on_a_line
from medtf.data.normalise import STATISTICS
from medtf.data.volume_grid import Plan
from medtf.data.volume_reader import CORES, Reader

EXACT = ("uint8", "int8", "int16", "uint16")  # stored types that are kept as they are


class Volume(NamedTuple):
    """One volume as it is kept: see `Kept`."""

    array: np.ndarray
    statistics: np.ndarray
    line: np.ndarray
    value: np.ndarray


def kind_of(frame, config: Config) -> str:
    """The type that voxels are kept in: the stored one where it has up to 16 bits and nothing is computed, else int16."""
    spec, stored = config.input, set(frame["read_dtype"])
    plain = spec.spacing_mm is None and spec.mask is None and (frame["read_slope"] > 0).all()
    return stored.pop() if plain and len(stored) == 1 and stored <= set(EXACT) else "int16"


def size_of(frame, config: Config, grid: Plan, kind: str | None = None) -> int:
    """Bytes that the volumes of a table take when they are kept."""
    return int(grid.shapes.prod(axis=1).sum()) * np.dtype(kind or kind_of(frame, config)).itemsize


def decoded(frame, root, config: Config, grid: Plan, kind: str | None = None) -> Iterator[tuple[int, Volume]]:
    """(row number, volume as it is kept) of every row, in order; CORES of them are decoded at once.

    Args:
        kind: int16 or float16; None: `kind_of`.
    """
    kind = kind or kind_of(frame, config)
    reader = Reader(frame, root, config, grid, wanted=STATISTICS)
    slopes = frame[["read_slope", "read_intercept"]].to_numpy(np.float64)

    def one(row):
        voxels = reader.decode(row)
        return reader.whole(voxels), voxels.inside, voxels.statistics

    every = tf.data.Dataset.range(len(frame)).map(one, num_parallel_calls=CORES)
    for number, (whole, inside, statistics) in enumerate(every.as_numpy_iterator()):
        array, line = whole, np.array([1.0, 0.0])
        if kind != whole.dtype.name:
            array, line = on_a_line(whole, inside if reader.masked else None, kind)
        value = slopes[number] if reader.native else np.array([1.0, 0.0])
        yield number, Volume(array, statistics, line, value)
