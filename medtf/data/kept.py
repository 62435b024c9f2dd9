"""Decoded volumes that are kept, in memory or in a packed file: blocks of them are copied out in NumPy and normalised in the graph.

Volumes are turned to RAS+ and resampled once. Whole numbers of up to 16 bits are kept exactly; everything else becomes int16 on a line of its
own, off by at most a 131,000th of the volume's range. One batch is one call, so Python is met once a batch and not once a voxel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data.normalise import STATISTICS, scale_of

OUTSIDE = -32_768  # of a masked volume: outside the mask; no voxel inside reaches it


@dataclass(frozen=True)
class Kept:
    """Volumes by row of a table.

    Args:
        arrays: one (x, y, z) each, all of one type, in RAS+.
        statistics: float32 (n, len(STATISTICS)), in units of the voxel.
        lines: float64 (n, 2), from what is kept to the voxel: kept * lines[0] + lines[1].
        values: float64 (n, 2), from the voxel to its value in the file's unit, for `normalise: none`.
        config: `input` counts.
        touched: called with a row before it is read for the first time.
    """

    arrays: list[np.ndarray]
    statistics: np.ndarray
    lines: np.ndarray
    values: np.ndarray
    config: Config
    touched: Callable[[int], None] | None = None

    def __post_init__(self):
        spec = self.config.input
        every = zip(self.statistics, self.values, strict=True)
        scales, limits = zip(*(scale_of(tf.constant(row), spec.normalise, *value) for row, value in every), strict=True)
        scales = np.array([scale.numpy() for scale in scales], np.float64)
        # voxel = kept * line[0] + line[1]; normalised = voxel * scale[0] + scale[1]
        both = np.stack([scales[:, 0] * self.lines[:, 0], scales[:, 0] * self.lines[:, 1] + scales[:, 1]], axis=1)
        edges = scales[:, 0] * self.statistics[:, STATISTICS.index("threshold")] + scales[:, 1]
        with tf.device("cpu"):
            object.__setattr__(self, "_scales", tf.constant(both, tf.float32))
            object.__setattr__(self, "_edges", tf.constant(edges, tf.float32))
        object.__setattr__(self, "_limits", limits[0])
        # the same edge in the units of what is kept, and the fill of what lies outside the volume
        thresholds = self.statistics[:, STATISTICS.index("threshold")].astype(np.float64)
        object.__setattr__(self, "_thresholds", (thresholds - self.lines[:, 1]) / self.lines[:, 0])
        lows = self.statistics[:, STATISTICS.index("low")].astype(np.float64)
        object.__setattr__(self, "_fills", np.round((lows - self.lines[:, 1]) / self.lines[:, 0]))

    @property
    def masked(self) -> bool:
        """Do the volumes hold `OUTSIDE` where a mask was?"""
        return self.config.input.mask is not None

    def blocks(self, rows, tried) -> tf.Tensor:
        """Float32 (b, *size, 1), normalised; the start of each is the first of `tried`, int32 (b, k, 3), whose middle is foreground."""
        cut = tf.numpy_function(self._cut, [rows, tried], self.arrays[0].dtype, stateful=False)
        cut = tf.ensure_shape(cut, (None, *self.config.input.size))
        scale = tf.gather(self._scales, rows)[:, :, None, None, None]
        values = tf.cast(cut, tf.float32) * scale[:, 0] + scale[:, 1]
        if self.config.input.normalise in ("percentile", "minmax"):
            values = tf.clip_by_value(values, self._limits[0], self._limits[1])
        if self.masked:
            values = tf.where(tf.equal(cut, tf.cast(OUTSIDE, cut.dtype)), 0.0, values)
        return values[..., None]

    def edge(self, row) -> tf.Tensor:
        """The normalised value above which a voxel is foreground."""
        return tf.gather(self._edges, row)

    def _cut(self, rows, tried) -> np.ndarray:
        size = np.array(self.config.input.size)
        found = np.empty((len(rows), *size), self.arrays[0].dtype)
        for place, (row, starts) in enumerate(zip(rows, tried, strict=True)):
            if self.touched:
                self.touched(int(row))
            array, start = self.arrays[row], starts[0]
            if len(starts) > 1:
                start = starts[np.argmax(self._inside(row, starts + size // 2))]
            fill = OUTSIDE if self.masked else self._fills[row]
            _copy(array, start, size, found[place], fill)
        return found

    def _inside(self, row, places) -> np.ndarray:
        array = self.arrays[row]
        values = array[tuple(np.clip(places, 0, np.array(array.shape) - 1).T)]
        return values != OUTSIDE if self.masked else values > self._thresholds[row]


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
