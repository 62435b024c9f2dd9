"""Pixels inside the TensorFlow graph: bytes to a float32 image without Python in the loop.

Uncompressed DICOM: `read_file` -> the recorded byte range -> `decode_raw`, so that tf.data's threads scale over cores. PNG and JPEG have
kernels. Compressed DICOM, and what goes through a look-up table, is read by pydicom in a `numpy_function`. Rows of one layout share a branch; a
table with one layout, which is the usual case, has no branch at all. `pixels.py` says the same in NumPy, and tests hold the two against each other.
"""

from collections import namedtuple

import numpy as np
import pandas as pd
import tensorflow as tf

from medtf.data import clahe as equalisation
from medtf.data import pixels, radiograph, raster, voi
from medtf.data.pixels import AIR, Rows
from medtf.schema_data import Clahe

# What the graph is built for; everything else of a row is a tensor.
Layout = namedtuple(
    "Layout",
    "kind hounsfield bits_allocated bits_stored high_bit signed big_endian padded inverted voi orientation square",
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
    "read_window_center": tf.float32,
    "read_window_width": tf.float32,
}


def layouts(frame: pd.DataFrame, *, intensity: str = "percentile") -> tuple[list[Layout], np.ndarray]:
    """The layouts of a table, and int32 (n,) with each row's.

    Args:
        frame: rows with the columns of `header.COLUMNS`.
        intensity: `input.intensity`; only `voi` tells rows by their windows.
    """
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
            "voi": frame["read_voi"].astype(str) if intensity == "voi" else "",
            "orientation": frame["read_orientation"],
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


def reader(
    layout: Layout,
    root: str,
    size: tuple[int, int],
    *,
    aspect: str,
    channels: int,
    intensity: str,
    raster_range: str,
    rows: Rows,
    clahe: Clahe | None = None,
):
    """A function of one row's tensors (`path`, `row` and NUMBERS) -> float32 (height, width, channels), HU or intensity in [0, 1].

    Args:
        layout: what the branch is built for.
        root: data root.
        size: (height, width) of the image that comes out.
        aspect: `pad` to the aspect of `size` with air (black) before the resize, or `stretch`.
        channels: 1, or 3 for colour PNG and JPEG.
        intensity: `full`, `percentile` or `voi` (by percentiles where a file does not say), for DICOM that is not HU.
        raster_range: `bits` or `percentile`, for PNG and JPEG.
        rows: the table's rows, for the Python decoder.
        clahe: equalise what is not HU, before the resize.
    """

    def read(row) -> tf.Tensor:
        if layout.hounsfield:
            return _hounsfield(row, layout, root, rows, size, aspect)
        image = _unit(row, layout, root, rows, channels, intensity, raster_range)
        if clahe is not None:
            image = equalisation.equalised(image, clip=clahe.clip, tiles=clahe.tiles, named=row["path"])
        return _resized(image, layout, size, aspect, 0.0)

    return read


def _hounsfield(row, layout: Layout, root: str, rows: Rows, size, aspect: str) -> tf.Tensor:
    if layout.kind == "decode":
        return _resized(_decoded_in_python(row, root, rows, pixels.hounsfield), layout, size, aspect, AIR)
    image = _decoded_raw(row, layout, root)
    if layout.padded:
        return _resized(image, layout, size, aspect, AIR)
    # slope and intercept commute with the resize, and cost less after it
    fill = (AIR - row["read_intercept"]) / row["read_slope"]
    return _resized(image, layout, size, aspect, fill) * row["read_slope"] + row["read_intercept"]


def _unit(row, layout: Layout, root: str, rows: Rows, channels: int, intensity: str, raster_range: str) -> tf.Tensor:
    """Intensities in [0, 1]. PNG and JPEG by their bits or percentiles; DICOM by the image's own range, percentiles, or window."""
    if layout.kind in ("png", "jpeg"):
        data = tf.io.read_file(tf.strings.join([root, "/", row["path"]]))
        bits = layout.bits_allocated
        image = raster.decoded(data, kind=layout.kind, bits=bits, channels=channels, orientation=layout.orientation)
        if raster_range == "bits":
            return image
        return radiograph.shown(image, row, how="percentile", inverted=False, padded=False)
    if layout.voi == voi.LUT:
        image = _decoded_in_python(row, root, rows, pixels.through_voi_lut)
    elif layout.kind == "decode":
        image = _decoded_in_python(row, root, rows, pixels.modality_values)
    else:
        image = _decoded_raw(row, layout, root)
    how = layout.voi or ("full" if intensity == "full" else "percentile")
    return radiograph.shown(image, row, how=how, inverted=layout.inverted, padded=layout.padded)


def _decoded_raw(row, layout: Layout, root: str) -> tf.Tensor:
    """(rows, columns, 1): stored values for unpadded HU, else rescaled float32, where padding is air in HU and NaN else."""
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
    if not layout.padded:
        return rescaled
    padding = (values >= row["read_padding"]) & (values <= row["read_padding_limit"])
    return tf.where(padding, AIR if layout.hounsfield else np.nan, rescaled)


def _decoded_in_python(row, root: str, rows: Rows, read) -> tf.Tensor:
    """What a function of `pixels` gives, (rows, columns, 1); a fault names the file."""

    def decode(number) -> np.ndarray:
        try:
            return read(root, rows[int(number)])[..., None]
        except Exception as error:  # whatever the decoder raises becomes an error of the graph that names the file
            raise ValueError(f"{rows[int(number)]['path']}: cannot be decoded: {error}") from error

    image = tf.numpy_function(decode, [row["row"]], tf.float32, stateful=False)
    return tf.ensure_shape(image, (None, None, 1))


def _resized(image: tf.Tensor, layout: Layout, size: tuple[int, int], aspect: str, fill) -> tf.Tensor:
    """Float32 (height, width, channels). Area averaging when the image shrinks by two or more, where bilinear would skip pixels."""
    if aspect == "pad" and not (layout.square and size[0] == size[1]):
        image = _padded(image, size, fill)
    shrinks = (tf.shape(image)[0] >= 2 * size[0]) & (tf.shape(image)[1] >= 2 * size[1])
    channels = image.shape[-1]
    image = tf.cond(
        shrinks,
        lambda: tf.image.resize(image, size, method="area"),
        lambda: tf.image.resize(image, size),
    )
    return tf.ensure_shape(image, (*size, channels))


def _padded(image: tf.Tensor, size: tuple[int, int], fill) -> tf.Tensor:
    """The image in the middle of a float32 one of the aspect of `size`, to the nearest pixel."""
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    height, width = size
    high = tf.maximum(rows, (2 * columns * height + width) // (2 * width))
    wide = tf.maximum(columns, (2 * rows * width + height) // (2 * height))
    top, left = (high - rows) // 2, (wide - columns) // 2
    around = [[top, high - rows - top], [left, wide - columns - left], [0, 0]]
    # float first: unsigned stored values with a small intercept have no number for air
    return tf.pad(tf.cast(image, tf.float32), around, constant_values=tf.cast(fill, tf.float32))
