"""Pixels inside the TensorFlow graph: bytes to a float32 image without Python in the loop.

Uncompressed DICOM: `read_file` -> the recorded byte range -> `decode_raw`, so that tf.data's threads scale over cores. PNG and JPEG have
kernels. Compressed DICOM goes through pydicom in a `numpy_function`. Rows of one layout share a branch; a table with one layout, which is the
usual case, has no branch at all. `pixels.py` says the same in NumPy, and tests hold the two against each other.
"""

from collections import namedtuple

import numpy as np
import pandas as pd
import tensorflow as tf

from medtf.data.pixels import AIR, Rows
from medtf.data.pixels import read as read_in_python

# What the graph is built for; everything else of a row is a tensor.
Layout = namedtuple(
    "Layout", "kind hounsfield bits_allocated bits_stored high_bit signed big_endian padded inverted square"
)
# per-row tensors that the branches need
NUMBERS = {
    "read_offset": tf.int64,
    "read_length": tf.int64,
    "read_rows": tf.int32,
    "read_columns": tf.int32,
    "read_slope": tf.float32,
    "read_intercept": tf.float32,
    "read_padding": tf.float32,
    "read_padding_limit": tf.float32,
}


def layouts(frame: pd.DataFrame) -> tuple[list[Layout], np.ndarray]:
    """The layouts of a table, and int32 (n,) with each row's."""
    hounsfield = frame["modality"].to_numpy() == "CT"
    parts = pd.DataFrame(
        {
            "kind": frame["read_kind"].astype(str),
            "hounsfield": hounsfield,
            "bits_allocated": frame["read_bits_allocated"],
            "bits_stored": frame["read_bits_stored"],
            "high_bit": frame["read_high_bit"],
            "signed": frame["read_signed"],
            "big_endian": frame["read_big_endian"],
            "padded": frame["read_padding"].notna(),
            "inverted": frame["read_inverted"] & ~hounsfield,
            "square": frame["read_rows"] == frame["read_columns"],
        }
    )
    decoded = ~parts["kind"].eq("raw")  # how the pixels lie matters only where the graph decodes them itself
    parts.loc[decoded, ["bits_stored", "high_bit"]] = 0
    parts.loc[decoded, ["signed", "big_endian"]] = False
    parts.loc[parts["kind"] == "decode", "bits_allocated"] = 0
    codes = parts.groupby(list(parts.columns), sort=True, dropna=False).ngroup().to_numpy(np.int32)
    first = parts.iloc[np.unique(codes, return_index=True)[1]]
    return [
        Layout(*(v.item() if hasattr(v, "item") else v for v in row)) for row in first.itertuples(index=False)
    ], codes


def reader(layout: Layout, root: str, size: tuple[int, int], *, aspect: str, channels: int, intensity: str, rows: Rows):
    """A function of one row's tensors (`path`, `row` and NUMBERS) -> float32 (height, width, channels), HU or intensity in [0, 1].

    Args:
        layout: what the branch is built for.
        root: data root.
        size: (height, width) of the image that comes out.
        aspect: `pad` to a square with air (black) before the resize, or `stretch`.
        channels: 1, or 3 for colour PNG and JPEG.
        intensity: `full` or `percentile`, for what is not HU.
        rows: the table's rows, for the Python decoder.
    """

    def read(row) -> tf.Tensor:
        if layout.kind == "decode":
            image = _decoded_in_python(row, root, rows)
        elif layout.kind == "raw":
            image = _decoded_raw(row, layout, root)
        else:
            image = _decoded_raster(row, layout, root, channels)
        if layout.hounsfield:
            fill = AIR
            if (
                layout.kind == "raw" and not layout.padded
            ):  # slope and intercept commute with the resize, and cost less after it
                fill = (AIR - row["read_intercept"]) / row["read_slope"]
                image = _resized(image, layout, size, aspect, fill)
                return image * row["read_slope"] + row["read_intercept"]
            return _resized(image, layout, size, aspect, fill)
        return _resized(_unit(image, layout, intensity), layout, size, aspect, 0.0)

    return read


def _decoded_raw(row, layout: Layout, root: str) -> tf.Tensor:
    """(rows, columns, 1): stored values for unpadded HU, else rescaled float32."""
    data = tf.io.read_file(tf.strings.join([root, "/", row["path"]]))
    whole = tf.strings.length(data) >= tf.cast(row["read_offset"] + row["read_length"], tf.int32)
    cut = tf.debugging.Assert(whole, [row["path"], "is shorter than when it was indexed: index again"])
    with tf.control_dependencies([cut] if cut is not None else []):
        data = tf.strings.substr(data, row["read_offset"], row["read_length"])
    kind = {(8, True): tf.int8, (8, False): tf.uint8, (16, True): tf.int16, (16, False): tf.uint16}[
        (layout.bits_allocated, layout.signed)
    ]
    values = tf.io.decode_raw(data, kind, little_endian=not layout.big_endian)
    if layout.bits_stored != layout.bits_allocated:  # drop the bits above HighBit, and take the sign from it
        values = tf.bitwise.left_shift(values, tf.cast(layout.bits_allocated - 1 - layout.high_bit, kind))
        values = tf.bitwise.right_shift(values, tf.cast(layout.bits_allocated - layout.bits_stored, kind))
    values = tf.reshape(values, (row["read_rows"], row["read_columns"], 1))
    if layout.hounsfield and not layout.padded:
        return values
    values = tf.cast(values, tf.float32)
    rescaled = values * row["read_slope"] + row["read_intercept"]
    if not layout.hounsfield:
        return tf.reduce_max(rescaled) + tf.reduce_min(rescaled) - rescaled if layout.inverted else rescaled
    return tf.where((values >= row["read_padding"]) & (values <= row["read_padding_limit"]), AIR, rescaled)


def _decoded_raster(row, layout: Layout, root: str, channels: int) -> tf.Tensor:
    data = tf.io.read_file(tf.strings.join([root, "/", row["path"]]))
    if layout.kind == "jpeg":
        return tf.cast(tf.io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE"), tf.float32)
    return tf.cast(
        tf.io.decode_png(data, channels=channels, dtype=tf.uint16 if layout.bits_allocated == 16 else tf.uint8),
        tf.float32,
    )


def _decoded_in_python(row, root: str, rows: Rows) -> tf.Tensor:
    """Through pydicom: HU or modality values, (rows, columns, 1); a fault names the file."""

    def decode(number) -> np.ndarray:
        try:
            return read_in_python(root, rows[int(number)])[..., None]
        except Exception as error:  # whatever the decoder raises becomes an error of the graph that names the file
            raise ValueError(f"{rows[int(number)]['path']}: cannot be decoded: {error}") from error

    image = tf.numpy_function(decode, [row["row"]], tf.float32, stateful=False)
    return tf.ensure_shape(image, (None, None, 1))


def _unit(image: tf.Tensor, layout: Layout, intensity: str) -> tf.Tensor:
    """Intensities to [0, 1]. PNG and JPEG by their bits; DICOM radiographs by the image's own range or percentiles."""
    if layout.kind in ("png", "jpeg"):
        return image / float(2**layout.bits_allocated - 1)
    low, high = tf.reduce_min(image), tf.reduce_max(image)
    if intensity == "percentile":
        # every 16th pixel in order of value is enough for two percentiles
        ordered = tf.sort(tf.reshape(image[::4, ::4], (-1,)))
        last = tf.cast(tf.shape(ordered)[0] - 1, tf.float32)
        low, high = (tf.gather(ordered, tf.cast(tf.round(last * q), tf.int32)) for q in (0.005, 0.995))
    return tf.clip_by_value((image - low) / tf.maximum(high - low, 1e-6), 0.0, 1.0)


def _resized(image: tf.Tensor, layout: Layout, size: tuple[int, int], aspect: str, fill) -> tf.Tensor:
    """Float32 (height, width, channels). Area averaging when the image shrinks by two or more, where bilinear would skip pixels."""
    if aspect == "pad" and not layout.square:
        rows, columns = tf.shape(image)[0], tf.shape(image)[1]
        side = tf.maximum(rows, columns)
        top, left = (side - rows) // 2, (side - columns) // 2
        around = [[top, side - rows - top], [left, side - columns - left], [0, 0]]
        # float first: unsigned stored values with a small intercept have no number for air
        image = tf.pad(tf.cast(image, tf.float32), around, constant_values=tf.cast(fill, tf.float32))
    shrinks = (tf.shape(image)[0] >= 2 * size[0]) & (tf.shape(image)[1] >= 2 * size[1])
    channels = image.shape[-1]
    image = tf.cond(
        shrinks,
        lambda: tf.image.resize(image, size, method="area"),
        lambda: tf.image.resize(image, size),
    )
    return tf.ensure_shape(image, (*size, channels))
