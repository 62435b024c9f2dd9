"""Fill and find kept volumes: in the memory of this process (`input.keep: memory`), or in a file by `medtf pack`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from medtf.config import Config
from medtf.data import pack
from medtf.data.decoding import Volume, decoded, kind_of, size_of
from medtf.data.kept import Kept
from medtf.data.memory import available, words
from medtf.data.volume_grid import Plan, plan
from medtf.data.volume_reader import CORES
from medtf.errors import MedtfError
from medtf.table import Table

SHARE = 0.8  # of the free memory that kept volumes may fill: the network wants its own


_HELD: dict[tuple, Volume] = {}  # by root, path and what was done to it; one process, one memory


def find(table: Table, root, config: Config, grid: Plan) -> Kept | None:
    """The kept volumes of a table's rows, in its order; None where the config keeps nothing.

    Raises:
        MedtfError: more than the memory holds, or a packed file of other volumes.
    """
    if config.input.keep == "none" or not len(table):
        return None
    if config.input.keep != "memory":
        return pack.find(config.input.keep, table, root, config, grid)
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


def _keys(table: Table, root, config: Config, grid: Plan) -> list[tuple]:
    kind, spec, root = kind_of(table.frame, config), config.input, str(Path(root).resolve())
    done = (kind, spec.spacing_mm, spec.volume, spec.mask)
    return [(root, path, *done) for path in table.frame["path"]]
