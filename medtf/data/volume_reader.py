"""One volume inside the TensorFlow graph: file -> voxels -> normalised blocks in RAS+.

Where nothing stands against it (one stored type, no resampling, no mask) a volume stays as it lies in the file, typed and in the file's own
axes, and only the blocks that are cut from it are turned, scaled and cast: that costs a fraction of turning whole volumes. Otherwise it is
turned, scaled, resampled and masked once, as float32. Which of the two it is follows from the table, and a test holds them equal.
"""

import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data import masks, nifti_graph, resample
from medtf.data.normalise import clipped, of, scale_of, statistics
from medtf.data.volume_grid import Plan

# Inflating and turning keep a core busy: more threads than cores would only hold more volumes in memory.
CORES = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Voxels(NamedTuple):
    """A decoded volume. Its normalised value is `voxels * scale[0] + scale[1]`; outside `inside` (where masked) 0."""

    voxels: tf.Tensor  # (z, y, x of the file) as stored, or float32 (x, y, z) in RAS+
    inside: tf.Tensor  # bool (x, y, z) of the mask, or (0, 0, 0) without one
    statistics: tf.Tensor  # float32, one a name in normalise.STATISTICS, in units of `voxels`
    scale: tf.Tensor  # float32 (2,)
    layout: tf.Tensor  # int32: which of the reader's layouts


class Reader:
    """Decodes the volumes of a table, and cuts blocks of `input.size` from them."""

    def __init__(self, frame, root, config: Config, plan: Plan, *, wanted: tuple[str, ...] = ()):
        spec = config.input
        self.wanted = wanted or _wanted(config, padded=bool((plan.shapes < np.array(spec.size)).any()))
        self.root, self.spec, self.size = str(root), spec, tuple(spec.size)
        self.layouts, codes = nifti_graph.layouts(frame)
        self.masked = spec.mask is not None
        slopes = frame["read_slope"].to_numpy()
        self.native = (
            len({layout.dtype for layout in self.layouts}) == 1
            and self.layouts[0].dtype in ("uint8", "int8", "int16", "uint16", "float32")
            and spec.spacing_mm is None
            and not self.masked
            and bool((slopes > 0).all())
        )
        self.kind = tf.as_dtype(self.layouts[0].dtype) if self.native else tf.float32  # of what `cut` gives
        lines = frame[["read_slope", "read_intercept"]].to_numpy()
        self.plain = self.native and spec.normalise == "none" and bool((lines == (1.0, 0.0)).all())
        self.padded = bool((plan.shapes < np.array(self.size)).any())
        with tf.device("cpu"):
            self.columns = nifti_graph.columns(frame, spec.volume)
            self.codes = tf.constant(codes, tf.int32)
            self.spacings = tf.constant(plan.spacings, tf.float64)
            self.shapes = tf.constant(plan.shapes, tf.int32)
            if self.masked:
                self.mask_layouts, mask_codes = masks.layouts(frame)
                self.mask_columns, self.mask_codes = masks.columns(frame), tf.constant(mask_codes, tf.int32)

    def decode(self, row) -> Voxels:
        """Row number, int64 -> its volume, with what is needed to normalise it."""
        cells = {name: tf.gather(values, row) for name, values in self.columns.items()}
        code = tf.gather(self.codes, row)
        voxels = _choose(self.layouts, code, lambda layout: self._voxels(cells, layout, row))
        inside = self._inside(row) if self.masked else tf.zeros((0, 0, 0), tf.bool)
        offsets = _choose(self.layouts, code, lambda layout: self._offsets(voxels, layout))  # of the subsample
        known = statistics(voxels, offsets, inside if self.masked else None, self.wanted)
        slope, intercept = (cells["read_slope"], cells["read_intercept"]) if self.native else (1.0, 0.0)
        scale = scale_of(known, self.spec.normalise, slope, intercept)
        return Voxels(voxels, inside, known, scale, code)

    def cut(self, volume: Voxels, start) -> tuple[tf.Tensor, tf.Tensor]:
        """A block in RAS+ as it is stored, (*size), and float32 (2,): the line that `normalised` makes of it.

        Args:
            start: int32 (3,), its first voxel in RAS+, below 0 where the volume is padded.
        """
        if self.native:
            return _choose(
                self.layouts, volume.layout, lambda layout: self._turned(volume, layout, start)
            ), volume.scale
        low = of(volume.statistics, "low")
        cut = self._cut(volume.voxels, start, self.size, low)
        if not self.masked:
            return cut, volume.scale
        values = clipped(cut * volume.scale[0] + volume.scale[1], self.spec.normalise)
        inside = self._cut(volume.inside, start, self.size, False)
        return tf.where(inside, values, 0.0), tf.constant([1.0, 0.0])

    def normalised(self, cuts, scales) -> tf.Tensor:
        """Float32 (n, *size, 1) of stored blocks (n, *size) and their lines (n, 2): a batch at once costs less than one by one."""
        values = tf.cast(cuts, tf.float32)
        if not self.plain and not self.masked:  # what is masked was normalised as it was cut
            scales = scales[:, :, None, None, None]
            values = clipped(values * scales[:, 0] + scales[:, 1], self.spec.normalise)
        return tf.ensure_shape(values, (None, *self.size))[..., None]

    def at(self, volume: Voxels, places) -> tf.Tensor:
        """Bool (n,): is the voxel at each of `places`, int32 (n, 3) in RAS+, foreground (or inside the mask)?"""
        shape = self.shape(volume)
        places = tf.clip_by_value(places, 0, shape - 1)
        if self.masked:
            return tf.gather_nd(volume.inside, places)
        if self.native:
            places = _choose(self.layouts, volume.layout, lambda layout: _in_file(places, shape, layout))
        values = tf.cast(tf.gather_nd(volume.voxels, places), tf.float32)
        return values > of(volume.statistics, "threshold")

    def shape(self, volume: Voxels) -> tf.Tensor:
        """int32 (3,): voxels in RAS+."""
        found = tf.shape(volume.voxels)
        if not self.native:
            return found
        return _choose(self.layouts, volume.layout, lambda layout: tf.gather(found, [2 - axis for axis in layout.axes]))

    def edge(self, volume: Voxels) -> tf.Tensor:
        """The normalised value above which a voxel is foreground."""
        return of(volume.statistics, "threshold") * volume.scale[0] + volume.scale[1]

    def whole(self, volume: Voxels) -> tf.Tensor:
        """The volume in RAS+, unscaled, in the type that `decode` gives it."""
        if not self.native:
            return volume.voxels
        return _choose(self.layouts, volume.layout, lambda layout: nifti_graph.canonical(volume.voxels, layout))

    def _voxels(self, cells, layout, row):
        stored = nifti_graph.stored(cells, layout, self.root)
        if self.native:
            return stored
        values = nifti_graph.scaled(nifti_graph.canonical(stored, layout), cells)  # turning short numbers costs less
        if self.spec.spacing_mm is None:
            return values
        return resample.in_graph(
            values, tf.gather(self.spacings, row), self.spec.spacing_mm, tf.gather(self.shapes, row)
        )

    def _inside(self, row):
        cells = {name: tf.gather(values, row) for name, values in self.mask_columns.items()}
        found = _choose(
            self.mask_layouts,
            tf.gather(self.mask_codes, row),
            lambda layout: masks.inside(cells, layout, self.root),
        )
        if self.spec.spacing_mm is None:
            return found
        spacing, shape = tf.gather(self.spacings, row), tf.gather(self.shapes, row)
        return resample.in_graph(found, spacing, self.spec.spacing_mm, shape, nearest=True)

    def _offsets(self, voxels, layout):
        """Where a subsample of every 4th voxel begins on each axis of `voxels`, so that it is the one counted from RAS+'s first voxel."""
        if not self.native:
            return tf.zeros(3, tf.int32)
        last = tf.shape(voxels) - 1
        flipped = [layout.flips[layout.axes.index(2 - axis)] for axis in range(3)]
        return tf.where(tf.constant(flipped), last % 4, 0)

    def _turned(self, volume: Voxels, layout, start):
        """A block of a volume that lies as in its file, turned to RAS+."""
        shape = tf.shape(volume.voxels)
        begins, sizes = [], []
        for axis in range(3):  # of the tensor: z, y, x of the file
            to = layout.axes.index(2 - axis)
            size = self.size[to]
            begins.append(shape[axis] - start[to] - size if layout.flips[to] else start[to])
            sizes.append(size)
        low = of(volume.statistics, "low")
        cut = self._cut(volume.voxels, tf.stack(begins), sizes, tf.cast(low, volume.voxels.dtype))
        return nifti_graph.canonical(cut, layout)

    def _cut(self, voxels, start, size, fill):
        """`size` voxels from `start` on; what lies outside is `fill`."""
        size = [int(s) for s in size]
        if not self.padded:
            return tf.slice(voxels, start, size)
        before = tf.maximum(-start, 0)
        first, end = tf.maximum(start, 0), tf.minimum(start + size, tf.shape(voxels))
        part = tf.slice(voxels, first, end - first)
        around = tf.stack([before, size - before - (end - first)], axis=1)
        return tf.ensure_shape(tf.pad(part, around, constant_values=tf.cast(fill, voxels.dtype)), size)


def _wanted(config: Config, *, padded: bool) -> tuple[str, ...]:
    """The statistics that a config needs; others are left 0."""
    names = {"zscore": ("mean", "deviation"), "percentile": ("p005", "p995"), "minmax": ("low", "high"), "none": ()}
    threshold = ("threshold",) if config.input.patches is not None else ()
    return (*names[config.input.normalise], *threshold, *(("low",) if padded else ()))


def foreground_share(blocks, edge, *, masked: bool) -> tf.Tensor:
    """Share of each normalised block (n, ...) that is foreground, or inside the mask; float32 (n,) in [0, 1]."""
    chosen = tf.not_equal(blocks, 0.0) if masked else blocks > edge
    return tf.reduce_mean(tf.cast(chosen, tf.float32), axis=tuple(range(1, len(blocks.shape))))


def _in_file(places, shape, layout):
    """int32 (n, 3) of RAS+ -> of the tensor as it lies in the file."""
    turned = [shape[a] - 1 - places[:, a] if layout.flips[a] else places[:, a] for a in range(3)]
    return tf.stack([turned[layout.axes.index(2 - axis)] for axis in range(3)], axis=1)


def _choose(layouts, code, make):
    """`make(layout)` of the row's layout; a table with one layout has no branch."""
    if len(layouts) == 1:
        return make(layouts[0])
    return tf.switch_case(code, [lambda layout=layout: make(layout) for layout in layouts])
