"""Fill and find kept volumes: in the memory of this process (`input.keep: memory`), or in a file by `medtf pack`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data import pack
from medtf.data.kept import Kept, on_a_line
from medtf.data.memory import available, words
from medtf.data.normalise import STATISTICS
from medtf.data.volume_grid import Plan, plan
from medtf.data.volume_reader import CORES, Reader
from medtf.errors import MedtfError
from medtf.table import Table

EXACT = ("uint8", "int8", "int16", "uint16")  # stored types that are kept as they are
SHARE = 0.8  # of the free memory that kept volumes may fill: the network wants its own


class Volume(NamedTuple):
    """One volume as it is kept: see `Kept`."""

    array: np.ndarray
    statistics: np.ndarray
    line: np.ndarray
    value: np.ndarray


_HELD: dict[tuple, Volume] = {}  # by root, path and what was done to it; one process, one memory


def find(table: Table, root, config: Config, grid: Plan) -> Kept | None:
    """The kept volumes of a table's rows, in its order; None where the config keeps nothing.

    Raises:
        MedtfError: more than the memory holds, or a packed file of other volumes.
    """
    if config.input.keep == "none" or not len(table):
        return None
    if config.input.keep != "memory":
        return pack.find(config.input.keep, table, config, grid)
    fill(table, root, config, grid)
    held = [_HELD[key] for key in _keys(table, root, config, grid)]
    arrays, *columns = zip(*held, strict=True)
    return Kept(list(arrays), *(np.stack(column) for column in columns), config)


def fill(table: Table, root, config: Config, grid: Plan | None = None, progress: Callable | None = None) -> int:
    """Decode what the memory does not hold yet; returns how many volumes that were.

    Args:
        progress: called with (done, all).
    Raises:
        MedtfError: more than the memory holds.
    """
    grid = grid or plan(table.frame, config)
    keys = _keys(table, root, config, grid)
    absent = [number for number, key in enumerate(keys) if key not in _HELD]
    if not absent:
        return 0
    part = table.with_frame(table.frame.iloc[absent])
    found = Plan(grid.shapes[absent], grid.spacings[absent])
    needed, free = size_of(part.frame, config, found), available()
    if needed > SHARE * free:
        raise MedtfError(
            f"input.keep: memory: {len(absent)} decoded volumes take {words(needed)}, and {words(free)} are free:"
            " pack them into a file (`medtf pack CONFIG OUT --data ROOT`, then input.keep: OUT), or set input.spacing_mm to a coarser grid"
        )
    for number, volume in decoded(part.frame, root, config, found):
        _HELD[keys[absent[number]]] = volume
        if progress:
            progress(number + 1, len(absent))
    return len(absent)


def describe(frame, config: Config, grid: Plan) -> str:
    """How much memory reading takes, in a line that is said before it is taken."""
    if config.input.keep == "none":
        before = grid.shapes  # of the files
        if config.input.spacing_mm is not None:
            before = grid.shapes * np.array(config.input.spacing_mm) / grid.spacings
        largest = int(np.maximum(grid.shapes, before).prod(axis=1).max()) * 4
        held = 2 * CORES + (2 * config.input.patches.volumes_mixed if config.input.patches else 0)
        return f"volumes: read from their files, at most {held} decoded at a time: up to {words(largest * held)}"
    kept = words(size_of(frame, config, grid))
    if config.input.keep == "memory":
        return f"volumes: {len(frame):,} decoded ones are kept in memory: {kept}, and {words(available())} are free"
    return f"volumes: {len(frame):,} decoded ones are read from {config.input.keep}, memory-mapped: {kept}"


def forget() -> None:
    """Give the memory back."""
    _HELD.clear()


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


def _keys(table: Table, root, config: Config, grid: Plan) -> list[tuple]:
    kind, spec, root = kind_of(table.frame, config), config.input, str(Path(root).resolve())
    done = (kind, spec.spacing_mm, spec.volume, spec.mask)
    return [(root, path, *done) for path in table.frame["path"]]
