"""The example table: one row an example (an image, a slice, a volume; never a label row), stored as Parquet.

`path` is relative to the data root; `patient`, `study` and `series` are keyed hashes; targets and covariates keep their values (NaN =
unknown); `read_*` is what the reader needs. What was left out stands beside it, with the reason.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medtf.errors import AskedWronglyError, MedtfError

SCHEMA = 1
FOLDS = ("train", "valid", "test")


@dataclass(frozen=True)
class Table:
    """Rows (`frame`), what was left out (`excluded`: path, reason), and what is known of the whole (`meta`)."""

    frame: pd.DataFrame
    excluded: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"path": [], "reason": []}, dtype="str"))
    meta: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def fingerprint(self) -> str:
        """16 hexadecimal digits over every column and value: equal tables, equal fingerprints."""
        digest = hashlib.sha256()
        for name in sorted(self.frame.columns):
            values = self.frame[name]
            if not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
                values = values.astype(str)
            digest.update(name.encode())
            digest.update(pd.util.hash_array(values.to_numpy()).astype("<u8").tobytes())
        return digest.hexdigest()[:16]

    def with_frame(self, frame: pd.DataFrame, **meta) -> "Table":
        """The same table with other rows or columns."""
        return Table(frame.reset_index(drop=True), self.excluded, self.meta | meta)

    def with_frame_dropped(self, *columns: str) -> "Table":
        """The same table without some columns."""
        return Table(self.frame.drop(columns=list(columns)), self.excluded, self.meta)

    def leave_out(self, reasons: pd.Series) -> "Table":
        """Move the rows whose reason is not empty to `excluded`."""
        gone = reasons != ""
        more = pd.DataFrame({"path": self.frame.loc[gone, "path"], "reason": reasons[gone]})
        return Table(
            self.frame[~gone].reset_index(drop=True), pd.concat([self.excluded, more], ignore_index=True), self.meta
        )

    def reasons(self) -> dict[str, int]:
        """How many files were left out for which reason, most frequent first; where reasons differ in a number, it is N."""
        if not len(self.excluded):
            return {}
        # the numbers of a tag, (0028,0010), are its name
        folded = self.excluded["reason"].astype(str).str.replace(r"(?<![(,\w])-?\d+(\.\d+)?(?![\w,])", "N", regex=True)
        names = self.excluded.groupby(folded, sort=False)["reason"].agg(["first", "nunique", "size"])
        names = names.sort_values("size", ascending=False, kind="stable")
        return {
            first if different == 1 else name: int(size) for name, first, different, size in names.itertuples(name=None)
        }


def save(table: Table, path) -> Path:
    """Write `path` (Parquet) and, beside it, `<stem>.excluded.csv` where files were left out; each whole or not at all."""
    path = Path(path)
    if path.suffix != ".parquet":
        raise AskedWronglyError(f"{path}: expected a name that ends in .parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = table.meta | {"schema": SCHEMA, "excluded": table.reasons() or table.meta.get("excluded", {})}
    arrow = pa.Table.from_pandas(table.frame, preserve_index=False)
    arrow = arrow.replace_schema_metadata((arrow.schema.metadata or {}) | {b"medtf": json.dumps(meta).encode()})
    _atomically(path, lambda temporary: pq.write_table(arrow, temporary, compression="zstd"))
    beside = path.with_suffix(".excluded.csv")
    if len(table.excluded):
        _atomically(beside, lambda temporary: table.excluded.to_csv(temporary, index=False))
    else:
        beside.unlink(missing_ok=True)
    return path


def load(path) -> Table:
    """Read a table that `save` wrote.

    Raises:
        AskedWronglyError: no such file, not a table of medtf, one of a newer schema, or one whose paths leave the data root.
    """
    path = Path(path)
    if not path.is_file():
        raise AskedWronglyError(f"{path}: no such table (make one with `medtf index`)")
    try:
        arrow = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise MedtfError(f"{path}: not a Parquet file, or a cut one: {str(error).splitlines()[0]}") from error
    meta = json.loads((arrow.schema.metadata or {}).get(b"medtf", b"{}"))
    if "schema" not in meta:
        raise AskedWronglyError(f"{path}: a Parquet file, but not an example table (make one with `medtf index`)")
    if meta["schema"] > SCHEMA:
        raise AskedWronglyError(f"{path}: schema {meta['schema']}, this medtf reads up to {SCHEMA}: update medtf")
    beside = path.with_suffix(".excluded.csv")
    excluded = (
        pd.read_csv(beside, dtype=str, keep_default_na=False) if beside.exists() else Table(pd.DataFrame()).excluded
    )
    frame = arrow.to_pandas()
    for name in {"path", "read_mask_path"} & set(frame):
        suspect = frame[name].astype(str)
        for one in suspect[suspect.str.contains(r"^(?:[/\\]|[A-Za-z]:|$)|\.\.", regex=True)]:
            inside("of the table", one)
    return Table(frame, excluded, meta)


def _atomically(path: Path, write) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def inside(root, path: str) -> str:
    """`path` when it stays below `root`; tables are untrusted, and may not name files elsewhere.

    Symbolic links below the root are followed: no table can make one, so whoever laid out the root wants them (git-annex, DVC and
    storage mounts are made of links).

    Raises:
        AskedWronglyError: an absolute path, or one that climbs out.
    """
    parts = Path(path).parts
    if os.path.isabs(path) or ".." in parts or not parts:
        raise AskedWronglyError(f"path {path!r}: expected a path below the data root {root}")
    return path


def is_empty(values: pd.Series) -> np.ndarray:
    """True where a value is unknown: NaN, None or an empty string."""
    return (values.isna() | (values.astype(str).str.strip() == "")).to_numpy()
