"""Read the headers of many files: in parallel, resumable, in bounded memory. Paths in, a frame of rows out."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medtf.data.header import COLUMNS, read_header
from medtf.errors import MedtfError
from medtf.salt import pseudonym, salt_id, secret

PART = 2_000  # files: one part is some 10 s of work, the most that a kill can lose
_ARROW = {
    "str": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int8": pa.int8(),
    "bool": pa.bool_(),
}
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in COLUMNS.items()])


def files_below(root) -> list[str]:
    """Every file below `root`, relative to it, sorted. Links to folders are not followed, hidden folders not entered.

    A hidden folder is never data: trash cans, version control, and this index's own parts, which would change the list at each resume.

    Raises:
        MedtfError: no such folder, or nothing in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise MedtfError(f"{root}: no such folder")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    if not found:
        raise MedtfError(f"{root}: the folder is empty")
    return sorted(found)


def scan(
    root,
    paths: Iterable[str],
    *,
    jobs: int = -1,
    parts: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    backend: str | None = None,
) -> pd.DataFrame:
    """One row an image or frame, in the order of `paths`, with the columns of `header.COLUMNS`; ids are hashed.

    Args:
        root: folder that the paths are relative to.
        paths: files.
        jobs: processes, -1 = all cores.
        parts: folder for finished parts; a second call with the same paths goes on where the first was stopped.
        progress: called with (files done, files in all).
        backend: joblib's; "dask" sends the work to a cluster that the caller has connected to.
    """
    import joblib

    paths = list(paths)
    chunks = [paths[i : i + PART] for i in range(0, len(paths), PART)]
    tables, key = {}, secret()
    # parts of another salt hold other pseudonyms
    what = "\0".join([str(Path(root).resolve()), salt_id(key), *sorted(COLUMNS), *paths])
    plan = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:12]
    for number in range(len(chunks)) if parts else ():
        part = _part(parts, plan, number)
        if part.exists():
            tables[number] = part
    todo = [n for n in range(len(chunks)) if n not in tables]
    done = sum(len(chunks[n]) for n in tables)
    if progress:
        progress(done, len(paths))
    # few files: starting processes costs more (1-2 s) than reading some hundred headers
    jobs = 1 if len(todo) <= 1 and len(paths) < 500 else jobs
    small = [(n, chunk) for n in todo for chunk in _pieces(chunks[n], jobs, len(todo))]
    pool = joblib.Parallel(n_jobs=jobs, backend=backend, return_as="generator", pre_dispatch="3*n_jobs")
    waiting: dict[int, list[pa.Table]] = {}
    for (number, chunk), table in zip(
        small, pool(joblib.delayed(_rows)(str(root), c, key) for _, c in small), strict=True
    ):
        waiting.setdefault(number, []).append(table)
        done += len(chunk)
        if sum(n == number for n, _ in small) == len(waiting[number]):
            tables[number] = _keep(pa.concat_tables(waiting.pop(number)), parts, plan, number)
        if progress:
            progress(done, len(paths))
    whole = [pq.read_table(t) if isinstance(t, Path) else t for t in (tables[n] for n in range(len(chunks)))]
    return pa.concat_tables(whole).to_pandas() if whole else _SCHEMA.empty_table().to_pandas()


def forget(parts: Path) -> None:
    """Remove the finished parts, once the table they made is written."""
    shutil.rmtree(parts, ignore_errors=True)


def _pieces(chunk: list[str], jobs: int, chunks: int) -> list[list[str]]:
    """A single part is cut so that every core has work."""
    size = len(chunk) if chunks > 8 or jobs == 1 else 200
    return [chunk[i : i + size] for i in range(0, len(chunk), size)]


def _rows(root: str, paths: list[str], key: bytes) -> pa.Table:
    rows = [row for path in paths for row in read_header(Path(root), path)]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    for name in ("patient", "study", "series"):
        columns[name] = [pseudonym(value, key) for value in columns[name]]
    return pa.table(columns, schema=_SCHEMA)


def _part(parts: Path, plan: str, number: int) -> Path:
    return Path(parts) / f"{plan}-{number:06d}.parquet"


def _keep(table: pa.Table, parts: Path | None, plan: str, number: int):
    """A part on disk where a folder was given (memory stays bounded), else the table itself."""
    if parts is None:
        return table
    path = _part(parts, plan, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    pq.write_table(table, temporary)
    os.replace(temporary, path)
    return path
