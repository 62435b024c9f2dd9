"""NIfTI volumes inside the TensorFlow graph: `read_file` -> inflate -> the byte range -> `decode_raw` -> RAS+ -> float32.

No Python in the loop, so that tf.data's threads scale over cores. `nifti.py` says the same in NumPy, and tests hold the two against each
other. TensorFlow keeps C order: a file's axes (i, j, k), i the fastest, are a tensor (k, j, i).
"""

from collections import namedtuple

import numpy as np
import pandas as pd
import tensorflow as tf

from medtf.data import nifti
from medtf.data.pixels import Rows

# What the graph is built for; everything else of a row is a tensor.
Layout = namedtuple("Layout", "dtype big_endian compressed axes flips")
# per-row tensors that the reader needs; `shape` is int32 (3,), the file's axes, the fastest first
NUMBERS = {
    "read_offset": tf.int64,  # of the chosen volume
    "read_length": tf.int64,
    "read_slope": tf.float64,
    "read_intercept": tf.float64,
    "shape": tf.int32,
}
UNSIGNED = {"uint32": (tf.int32, tf.uint32), "uint64": (tf.int64, tf.uint64)}  # decode_raw has no such types
# a product of such a value and a float32 is exact in float64, so rounding it once is what a float32 product does
SHORT = {tf.uint8, tf.int8, tf.uint16, tf.int16, tf.float32}


def layouts(frame: pd.DataFrame) -> tuple[list[Layout], np.ndarray]:
    """The layouts of a table of volumes, and int32 (n,) with each row's."""
    rows = Rows(frame)
    found: dict[Layout, int] = {}
    codes = np.empty(len(rows), np.int32)
    for number, row in enumerate(rows):
        grid = nifti.parse(row)
        big = bool(row["read_big_endian"]) and np.dtype(row["read_dtype"]).itemsize > 1  # one byte has no order
        layout = Layout(row["read_dtype"], big, row["read_kind"] == "nifti_gz", grid.axes, grid.flips)
        codes[number] = found.setdefault(layout, len(found))
    return list(found), codes


def columns(frame: pd.DataFrame, index: int | None = None) -> dict[str, tf.Tensor]:
    """`path` and NUMBERS of every row, as constants on the CPU; `index` is `input.volume`.

    Raises:
        MedtfError: a 4D file and no index, or an index that a file does not have.
    """
    rows = [dict(row) for row in Rows(frame)]
    places = np.array([nifti.place(row, index) for row in rows], np.int64).reshape(-1, 2)
    values = {
        "read_offset": places[:, 0],
        "read_length": places[:, 1],
        "read_slope": [row["read_slope"] for row in rows],
        "read_intercept": [row["read_intercept"] for row in rows],
        "shape": np.array([nifti.parse(row).file_shape for row in rows], np.int32).reshape(-1, 3),
    }
    with tf.device("cpu"):
        made = {name: tf.constant(values[name], kind) for name, kind in NUMBERS.items()}
        return made | {"path": tf.constant([row["path"] for row in rows], tf.string)}


def stored(row, layout: Layout, root: str) -> tf.Tensor:
    """Stored values (k, j, i) of the file's own type, before any scaling.

    Args:
        row: `path` and NUMBERS of one row.
        layout: what the graph is built for.
        root: data root.
    """
    data = tf.io.read_file(tf.strings.join([root, "/", row["path"]]))
    if layout.compressed:
        data = tf.io.decode_compressed(data, "GZIP")
    held = tf.cast(tf.strings.length(data), tf.int64)
    end = row["read_offset"] + row["read_length"]
    # the length is 32 bits: of 2 GiB and more it is negative, and the range is checked by the reshape alone
    whole = tf.debugging.Assert(
        (held >= end) | (held < 0), [row["path"], "holds", held, "bytes, expected", end, CHANGED]
    )
    with tf.control_dependencies([whole] if whole is not None else []):
        data = tf.strings.substr(data, row["read_offset"], row["read_length"])
    kind, unsigned = UNSIGNED.get(layout.dtype, (tf.as_dtype(layout.dtype), None))
    values = tf.io.decode_raw(data, kind, little_endian=not layout.big_endian)
    values = tf.bitcast(values, unsigned) if unsigned else values
    return tf.reshape(values, tf.gather(row["shape"], [2, 1, 0]))


CHANGED = "since it was indexed the file has changed, or is broken: index again"


def canonical(values: tf.Tensor, layout: Layout) -> tf.Tensor:
    """(k, j, i) -> (x, y, z) in RAS+."""
    # tf.reverse: a slice with a negative step takes twenty times as long
    values = tf.transpose(values, [2 - axis for axis in layout.axes])
    turned = [axis for axis, flip in enumerate(layout.flips) if flip]
    return tf.reverse(values, turned) if turned else values


def scaled(values: tf.Tensor, row) -> tf.Tensor:
    """Float32 of stored values of any shape, equal to the bit to `nifti.scaled` (but denormal float32, which TensorFlow flushes to 0)."""

    def exactly():
        doubles = tf.cast(values, tf.float64) * row["read_slope"] + row["read_intercept"]
        return tf.cast(doubles, tf.float32)

    if values.dtype not in SHORT:
        return exactly()
    slope = tf.cast(row["read_slope"], tf.float32)
    short = (row["read_intercept"] == 0) & (tf.cast(slope, tf.float64) == row["read_slope"])
    return tf.cond(short, lambda: tf.cast(values, tf.float32) * slope, exactly)


def volume(row, layout: Layout, root: str) -> tf.Tensor:
    """One volume, float32 (x, y, z) in RAS+: `nifti.volume` in the graph."""
    return scaled(canonical(stored(row, layout, root), layout), row)
