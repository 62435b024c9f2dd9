"""One file of decoded volumes: memory-mapped, at random access, checksummed, and gone on with after a kill.

The file: 16 bytes of magic, the voxels of one volume after the other (each at a multiple of 64 bytes, RAS+, C order), an index as JSON, and
48 bytes at the end that say where the index lies and what its SHA-256 is. While it is written it is called `OUT.part`; `OUT.part.done` has a
line for each volume that stands in it.
"""

import hashlib
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medtf.config import Config
from medtf.data.decoding import decoded, kind_of
from medtf.data.kept import Kept
from medtf.data.memory import words
from medtf.data.volume_grid import Plan, plan
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

MAGIC = b"medtf-pack-1\n\0\0\0"
ALIGNED = 64  # bytes
_END = struct.Struct("<QQ32s")  # offset and length of the index, SHA-256 of it


def write(
    table: Table, root, config: Config, out, *, kind: str | None = None, progress: Callable | None = None
) -> dict:
    """Pack the volumes of a table as the config's `input` wants them.

    Args:
        kind: int16, float16 or None: the stored type where it has up to 16 bits and nothing is computed, else int16.
        progress: called with (done, all).
    Returns:
        `volumes`, `bytes`, `dtype` and `resumed`: how many stood there already.
    Raises:
        MedtfError: no room, or another pack's unfinished part is in the way.
    """
    out, grid = Path(out), plan(table.frame, config)
    kind = kind or kind_of(table.frame, config)
    offsets = _offsets(grid, kind)
    part, journal = out.with_name(out.name + ".part"), out.with_name(out.name + ".part.done")
    head = {"schema": 1, "dtype": kind, "input": _spec(config), "paths": table.frame["path"].tolist()}
    head["sources"] = _sources(table, root)
    done = _begun(part, journal, head)
    _room(out, int(offsets[-1]) - (part.stat().st_size if part.exists() else 0))
    todo = [number for number in range(len(table)) if number not in done]
    resumed = len(done)
    with open(part, "r+b" if part.exists() else "w+b") as file, open(journal, "a", encoding="utf-8") as said:
        if not resumed:
            said.write(json.dumps({"head": _digest(head)}) + "\n")
        rest = table.frame.iloc[todo].reset_index(drop=True)
        some = Plan(grid.shapes[todo], grid.spacings[todo])
        for place, volume in decoded(rest, root, config, some, kind) if todo else ():
            number = todo[place]
            data = np.ascontiguousarray(volume.array)
            file.seek(int(offsets[number]))
            file.write(data.data)
            file.flush()
            entry = _entry(number, data, volume)
            said.write(json.dumps(entry) + "\n")
            said.flush()
            done[number] = entry
            if progress:
                progress(len(done), len(table))
        index = json.dumps(
            {
                **head,
                "offsets": offsets[:-1].tolist(),
                "shapes": grid.shapes.tolist(),
                "volumes": [done[n] for n in range(len(table))],
            }
        ).encode()
        file.seek(0)
        file.write(MAGIC)
        file.seek(int(offsets[-1]))
        file.write(index + _END.pack(int(offsets[-1]), len(index), hashlib.sha256(index).digest()))
        file.truncate()
        os.fsync(file.fileno())
    os.replace(part, out)
    journal.unlink()
    return {"volumes": len(table), "bytes": out.stat().st_size, "dtype": kind, "resumed": resumed}


def read_index(path) -> dict:
    """The index of a pack.

    Raises:
        AskedWronglyError: no such file. MedtfError: no pack, or a cut one.
    """
    path = Path(path)
    if not path.is_file():
        raise AskedWronglyError(f"{path}: no such pack (make one with `medtf pack CONFIG {path} --data ROOT`)")
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise MedtfError(f"{path}: not a pack of medtf, or one that was not finished")
        file.seek(-_END.size, os.SEEK_END)
        offset, length, digest = _END.unpack(file.read(_END.size))
        index = b""
        if offset + length + _END.size == path.stat().st_size:
            file.seek(offset)
            index = file.read(length)
    if hashlib.sha256(index).digest() != digest:
        raise MedtfError(f"{path}: damaged: its index does not fit its checksum; pack again")
    return json.loads(index)


def check(path) -> int:
    """Compare every volume of a pack with its checksum; returns how many there are.

    Raises:
        MedtfError: the first that does not fit.
    """
    index = read_index(path)
    arrays = [_mapped(path, index, number) for number in range(len(index["paths"]))]
    checked = _Checked(path, arrays, [v["crc32"] for v in index["volumes"]], index["paths"])
    for number in range(len(arrays)):
        checked(number)
    return len(arrays)


def find(path, table: Table, root, config: Config, grid: Plan) -> Kept:
    """The packed volumes of a table's rows, memory-mapped; each is checked against its checksum when it is first read.

    Raises:
        MedtfError: volumes that are not in the pack, or that were packed for another `input`.
    """
    index = read_index(path)
    for key, value in _spec(config).items():
        if index["input"][key] != value:
            raise MedtfError(
                f"{path}: packed with input.{key} {index['input'][key]}, the config says {value}: pack again, or set it so"
            )
    where = {name: number for number, name in enumerate(index["paths"])}
    absent = [name for name in table.frame["path"] if name not in where]
    if absent:
        raise MedtfError(f"{path}: does not hold {absent[0]} ({len(absent)} such volumes): pack again")
    numbers = [where[name] for name in table.frame["path"]]
    for number, source in zip(numbers, _sources(table, root), strict=True):
        if index["sources"][number] != source:
            raise MedtfError(f"{path}: {index['paths'][number]} has changed since it was packed: pack again")
    arrays = [_mapped(path, index, number) for number in numbers]
    volumes = [index["volumes"][number] for number in numbers]
    columns = [np.array([v[name] for v in volumes], kind) for name, kind in _COLUMNS.items()]
    checked = _Checked(path, arrays, [v["crc32"] for v in volumes], table.frame["path"].tolist())
    return Kept(arrays, *columns, config, checked)


def _mapped(path, index: dict, number: int) -> np.ndarray:
    """One volume of a pack, (x, y, z), memory-mapped."""
    shape, offset = tuple(index["shapes"][number]), index["offsets"][number]
    return np.memmap(path, index["dtype"], mode="r", offset=offset, shape=shape)


_COLUMNS = {"statistics": np.float32, "line": np.float64, "value": np.float64}


class _Checked:
    """Compares each volume with its checksum once."""

    def __init__(self, path, arrays, sums, names):
        self.path, self.arrays, self.sums, self.names = path, arrays, sums, names
        self.right = np.zeros(len(arrays), bool)

    def __call__(self, row: int) -> None:
        if not self.right[row]:
            if zlib.crc32(self.arrays[row]) != self.sums[row]:
                raise MedtfError(f"{self.path}: damaged: {self.names[row]} does not fit its checksum; pack again")
            self.right[row] = True


def _entry(number: int, data: np.ndarray, volume) -> dict:
    return {
        "number": number,
        "crc32": zlib.crc32(data),
        "statistics": [float(v) for v in volume.statistics],
        "line": [float(v) for v in volume.line],
        "value": [float(v) for v in volume.value],
    }


def _spec(config: Config) -> dict:
    """What of `input` a pack depends on; size, patches and normalisation may change without packing again."""
    spec = config.input
    return {"spacing_mm": list(spec.spacing_mm) if spec.spacing_mm else None, "volume": spec.volume, "mask": spec.mask}


def _sources(table: Table, root) -> list[str]:
    """What tells each volume's file from another one of its name: its size, and what its header says of voxels and place."""
    # a mask's own columns come and go with the config, and the input's part of the index names the mask
    described = sorted(name for name in table.frame if name.startswith("read_") and "mask" not in name)
    rows = table.frame[described].itertuples(index=False, name=None)
    sizes = [(Path(root) / name).stat().st_size for name in table.frame["path"]]
    texts = ["|".join(map(str, (size, *row))) for size, row in zip(sizes, rows, strict=True)]
    return [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]


def _offsets(grid: Plan, kind: str) -> np.ndarray:
    """int64 (n + 1,): where each volume begins, and where the last one ends."""
    lengths = grid.shapes.prod(axis=1) * np.dtype(kind).itemsize
    lengths = -(-lengths // ALIGNED) * ALIGNED
    return ALIGNED + np.concatenate([[0], np.cumsum(lengths)])


def _digest(head: dict) -> str:
    return hashlib.sha256(json.dumps(head).encode()).hexdigest()


def _begun(part: Path, journal: Path, head: dict) -> dict[int, dict]:
    """What an earlier call has finished: its lines, if they are of the same volumes."""
    if not (part.exists() and journal.exists()):
        part.unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        return {}
    first, *lines = journal.read_text(encoding="utf-8").split("\n")[:-1] or [""]  # a line cut by a kill has no end
    if not first or json.loads(first).get("head") != _digest(head):
        raise MedtfError(
            f"{part}: an unfinished pack of other volumes, or for another input: remove it and {journal.name}"
        )
    return {entry["number"]: entry for entry in map(json.loads, lines)}


def _room(out: Path, needed: int) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise MedtfError(f"{out}: {words(needed)} are needed, and {words(free)} are free on that disk")
