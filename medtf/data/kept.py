"""Decoded volumes that are kept, in memory or in a packed file: blocks of them are copied out in NumPy and normalised in the graph.

Volumes are turned to RAS+ and resampled once. Whole numbers of up to 16 bits are kept exactly; everything else becomes int16 on a line of its
own, off by at most a 131,000th of the volume's range. One batch is one call, so Python is met once a batch and not once a voxel.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data.normalise import clipped, of, scale_of

OUTSIDE = -32_768  # of a masked volume: outside the mask; no voxel inside reaches it


class Kept:
    """Volumes by row of a table.

    Args:
        arrays: one (x, y, z) each, all of one type, in RAS+.
        statistics: float32 (n, len(STATISTICS)), in units of the voxel.
        lines: float64 (n, 2), from what is kept to the voxel: kept * lines[0] + lines[1].
        values: float64 (n, 2), from the voxel to its value in the file's unit, for `normalise: none`.
        config: `input` counts.
        touched: called with a row before it is read.
    """

    def __init__(self, arrays, statistics, lines, values, config: Config, touched: Callable[[int], None] | None = None):
        self.arrays, self.touched = arrays, touched
        self.size, self.normalise = np.array(config.input.size), config.input.normalise
        self.masked = config.input.mask is not None  # the volumes hold OUTSIDE where the mask was not
        every = zip(statistics, values, strict=True)
        scales = np.array([scale_of(tf.constant(row), self.normalise, *value) for row, value in every], np.float64)
        gains, offsets = lines[:, 0], lines[:, 1]
        # voxel = kept * gain + offset; normalised = voxel * scale[0] + scale[1]
        both = np.stack([scales[:, 0] * gains, scales[:, 0] * offsets + scales[:, 1]], axis=1)
        thresholds, lows = (of(statistics, name).astype(np.float64) for name in ("threshold", "low"))
        with tf.device("cpu"):
            self.scales = tf.constant(both, tf.float32)
            self.edges = tf.constant(scales[:, 0] * thresholds + scales[:, 1], tf.float32)
        # the same edge, and the fill of what lies outside the volume, in the units of what is kept
        self.thresholds, self.fills = (thresholds - offsets) / gains, np.round((lows - offsets) / gains)

    def blocks(self, rows, tried) -> tf.Tensor:
        """Float32 (b, *size, 1), normalised; the start of each is the first of `tried`, int32 (b, k, 3), whose middle is foreground."""
        cut = tf.numpy_function(self._cut, [rows, tried], self.arrays[0].dtype, stateful=False)
        cut = tf.ensure_shape(cut, (None, *self.size))
        scale = tf.gather(self.scales, rows)[:, :, None, None, None]
        values = clipped(tf.cast(cut, tf.float32) * scale[:, 0] + scale[:, 1], self.normalise)
        if self.masked:
            values = tf.where(tf.equal(cut, tf.cast(OUTSIDE, cut.dtype)), 0.0, values)
        return values[..., None]

    def edge(self, row) -> tf.Tensor:
        """The normalised value above which a voxel is foreground."""
        return tf.gather(self.edges, row)

    def _cut(self, rows, tried) -> np.ndarray:
        found = np.empty((len(rows), *self.size), self.arrays[0].dtype)
        for place, (row, starts) in enumerate(zip(rows, tried, strict=True)):
            if self.touched:
                self.touched(int(row))
            start = starts[0]
            if len(starts) > 1:
                start = starts[np.argmax(self._inside(row, starts + self.size // 2))]
            _copy(self.arrays[row], start, self.size, found[place], OUTSIDE if self.masked else self.fills[row])
        return found

    def _inside(self, row, places) -> np.ndarray:
        array = self.arrays[row]
        values = array[tuple(np.clip(places, 0, np.array(array.shape) - 1).T)]
        return values != OUTSIDE if self.masked else values > self.thresholds[row]


def _copy(array: np.ndarray, start, size, out: np.ndarray, fill) -> None:
    """The block of `array` at `start` into `out`; `fill` where it reaches outside."""
    end = start + size
    if (start >= 0).all() and (end <= array.shape).all():
        out[...] = array[start[0] : end[0], start[1] : end[1], start[2] : end[2]]
        return
    out[...] = fill
    low, high = np.maximum(start, 0), np.minimum(end, array.shape)
    into = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
    out[into] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]


def on_a_line(values: np.ndarray, inside: np.ndarray | None, kind: str = "int16") -> tuple[np.ndarray, np.ndarray]:
    """Values as int16 or float16, and float64 (2,) that leads back: value = kept * line[0] + line[1].

    Args:
        values: (x, y, z), any number type.
        inside: bool mask, or None; outside it becomes OUTSIDE.
        kind: int16: evenly over the volume's range. float16: 11 bits, finest in the middle of the range.
    """
    low, high = float(values.min()), float(values.max())
    most = 32_767.0 if kind == "int16" else 1.0
    line = np.array([max(high - low, 1e-30) / (2 * most), (high + low) / 2])
    made = (values.astype(np.float64) - line[1]) / line[0]
    made = np.round(made).astype(np.int16) if kind == "int16" else made.astype(np.float16)
    if inside is not None:
        made[~inside] = OUTSIDE
    return made, line
