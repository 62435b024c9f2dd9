"""Volumes to another spacing: linear along each axis, with a triangle filter against aliasing where they shrink.

The field of view is kept: its middle stays, and so do its faces, to within a quarter of a new voxel, since the count of voxels is whole and
the new spacing is held exactly. It is resampling along the volume's own axes; how these lie in the world (obliquity) stays in the affine.
What happens along one axis is a matrix, so a volume is three matrix products, and NumPy and the graph say the same.
"""

import numpy as np

# Voxels: a place on the face between two voxels (each one, when 1 mm becomes 2 mm) belongs to the first, whichever way it was rounded.
FACE = 1e-3


def shape_after(shape, spacing, spacing_mm) -> tuple[int, int, int]:
    """Voxels of a volume once it is resampled: max(1, round(n * spacing / spacing_mm)) along each axis, halves rounded to even.

    Args:
        shape: (3,) voxels.
        spacing: (3,) mm.
        spacing_mm: (3,) mm, the spacing that comes out.
    """
    return tuple(max(1, round(n * have / want)) for n, have, want in zip(shape, spacing, spacing_mm, strict=True))


def affine_after(affine, shape, spacing, spacing_mm) -> np.ndarray:
    """The affine (4, 4) of the resampled volume, voxel -> RAS+ mm: the centre of the field of view stays.

    Args:
        affine: (4, 4) of the volume, with `shape` (3,) and `spacing` (3,) mm.
        spacing_mm: (3,) mm.
    """
    affine, ratio = np.array(affine, np.float64), np.divide(spacing_mm, spacing)
    count = np.array(shape_after(shape, spacing, spacing_mm))
    first = (np.array(shape) - 1) / 2 - ratio * (count - 1) / 2  # where the first new voxel lies among the old ones
    affine[:3, 3] += affine[:3, :3] @ first
    affine[:3, :3] *= ratio
    return affine


def places(n_in, spacing_in, n_out, spacing_out) -> np.ndarray:
    """Float64 (n_out,): where the centres of the new voxels lie, counted in old voxels from the first one's outer face."""
    return n_in / 2 + (np.arange(n_out) + 0.5 - n_out / 2) * (np.float64(spacing_out) / np.float64(spacing_in))


def axis_weights(n_in: int, spacing_in: float, n_out: int, spacing_out: float) -> np.ndarray:
    """Float64 (n_out, n_in), rows of sum 1: how much of each old voxel a new one takes, along one axis.

    A triangle over the distance between the centres, one old voxel wide to each side, or one new voxel where that is more (so that nothing
    is skipped): linear interpolation, as in `tf.image.resize(antialias=True)` and Pillow. Beyond the outermost centres values stay constant.
    As theirs, it moves what it averages by up to 0.09 old voxels where a volume shrinks by a ratio that is not whole.

    Args:
        n_in: voxels there are, `spacing_in` mm apart.
        n_out: voxels that come out, `spacing_out` mm apart.
    """
    width = max(spacing_out / spacing_in, 1.0)
    distance = places(n_in, spacing_in, n_out, spacing_out)[:, None] - (np.arange(n_in) + 0.5)
    weights = np.maximum(0.0, 1.0 - np.abs(distance) / width)
    return weights / weights.sum(axis=1, keepdims=True)


def in_numpy(values: np.ndarray, spacing, spacing_mm, *, nearest: bool = False) -> np.ndarray:
    """A volume at another spacing: float32 (x, y, z), or of its own type with `nearest`.

    Args:
        values: (x, y, z), finite.
        spacing: (3,) mm.
        spacing_mm: (3,) mm.
        nearest: take the voxel that holds the new one's centre; for masks and labels.
    """
    for axis, n_out in enumerate(shape_after(values.shape, spacing, spacing_mm)):
        line = values.shape[axis], spacing[axis], n_out, spacing_mm[axis]
        if nearest:
            values = np.take(values, np.floor(places(*line) - FACE).astype(np.int64), axis)
        else:
            values = np.moveaxis(np.tensordot(axis_weights(*line), values, (1, axis)), 0, axis)
    return values if nearest else values.astype(np.float32)


def in_graph(values, spacing, spacing_mm, shape, *, nearest: bool = False):
    """`in_numpy` in the graph: float32 (x, y, z), or of its own type with `nearest`.

    Args:
        values: (x, y, z), finite; float32 unless `nearest`.
        spacing: float (3,) mm, a tensor or numbers.
        spacing_mm: (3,) mm.
        shape: int (3,), what `shape_after` says of this volume.
    """
    import tensorflow as tf  # here: the plan of a table needs no more than shape_after

    spacing, spacing_mm, shape = (tf.cast(v, tf.float64) for v in (spacing, spacing_mm, shape))
    for axis in range(3):
        values = _along(values, axis, spacing[axis], shape[axis], spacing_mm[axis], nearest)
    return values


def _along(values, axis: int, spacing_in, n_out, spacing_out, nearest: bool):
    """One axis in the graph; an axis that has its spacing already is left alone."""
    import tensorflow as tf

    n_in = tf.cast(tf.shape(values)[axis], tf.float64)
    ratio = spacing_out / spacing_in
    at = n_in / 2 + (tf.range(n_out, dtype=tf.float64) + 0.5 - n_out / 2) * ratio

    def resampled():
        if nearest:
            return tf.gather(values, tf.cast(tf.floor(at - FACE), tf.int32), axis=axis)
        distance = tf.abs(at[:, None] - (tf.range(n_in, dtype=tf.float64) + 0.5))
        weights = tf.maximum(tf.constant(0, tf.float64), 1 - distance / tf.maximum(ratio, 1))
        weights = tf.cast(weights / tf.reduce_sum(weights, axis=1, keepdims=True), tf.float32)
        if axis == 1:
            return tf.matmul(weights, values)
        sizes = tf.shape(values)
        if axis == 2:
            flat = tf.matmul(tf.reshape(values, (sizes[0] * sizes[1], sizes[2])), weights, transpose_b=True)
            return tf.reshape(flat, (sizes[0], sizes[1], -1))
        return tf.reshape(tf.matmul(weights, tf.reshape(values, (sizes[0], -1))), (-1, sizes[1], sizes[2]))

    same = (tf.abs(ratio - 1) < 1e-6) & (n_in == n_out)
    return tf.ensure_shape(tf.cond(same, lambda: values, resampled), (None, None, None))
