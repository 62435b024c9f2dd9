"""Statistics of a volume's foreground, and the line that normalises its voxels: `voxel * a + b`, clipped to [0, 1] where a range becomes it.

The foreground is the mask where there is one, else what lies above a tenth of the robust range (Smith 2002, Hum Brain Mapp 17:143):
`t = p2 + 0.1 (p98 - p2)`. Percentiles are of every 4th voxel on each axis, which for a million voxels is exact to a fraction of the noise.
"""

import tensorflow as tf

from medtf.data.nifti import STRIDE

STATISTICS = ("mean", "deviation", "p005", "p995", "low", "high", "threshold")


def statistics(voxels, offsets, inside, wanted) -> tf.Tensor:
    """Float32, one value for each name in STATISTICS; 0 for those that are not `wanted`.

    Args:
        voxels: (a, b, c), any number type.
        offsets: int32 (3,), where the subsample begins on each axis.
        inside: bool, like `voxels`, or None: what lies above the threshold.
        wanted: names to compute.
    """
    found = dict.fromkeys(STATISTICS, tf.zeros(()))
    those = voxels if inside is None else tf.boolean_mask(voxels, inside)
    if "low" in wanted:
        found["low"] = tf.cast(tf.reduce_min(those), tf.float32)
    if "high" in wanted:
        found["high"] = tf.cast(tf.reduce_max(those), tf.float32)
    few = _subsampled(voxels, offsets)
    if "threshold" in wanted or (inside is None and {"mean", "deviation", "p005", "p995"} & set(wanted)):
        low, high = _per_mille(tf.reshape(few, (-1,)), (20, 980))
        found["threshold"] = low + 0.1 * (high - low)
    if "p005" in wanted:
        chosen = few > found["threshold"] if inside is None else _subsampled(inside, offsets, tf.bool)
        found["p005"], found["p995"] = _per_mille(tf.boolean_mask(few, chosen), (5, 995))
    if "mean" in wanted:
        values = tf.cast(voxels, tf.float32)
        chosen = tf.cast(values > found["threshold"] if inside is None else inside, tf.float32)
        count = tf.maximum(tf.reduce_sum(chosen), 1.0)
        found["mean"] = tf.reduce_sum(values * chosen) / count
        found["deviation"] = tf.sqrt(tf.reduce_sum(tf.square(values - found["mean"]) * chosen) / count)
    return tf.stack([found[name] for name in STATISTICS])


def scale_of(known, normalise: str, slope, intercept):
    """Float32 (2,), a and b, for one way to normalise.

    Args:
        known: float32, as `statistics` gives them.
        normalise: zscore: foreground to mean 0 and deviation 1; percentile and minmax: the range to [0, 1]; none: slope and intercept.
        slope, intercept: from voxel to value, for `none`; the other ways do not depend on them.
    """
    value = dict(zip(STATISTICS, tf.unstack(known), strict=True))
    if normalise == "none":
        line = (slope, intercept)
    elif normalise == "zscore":
        gain = 1.0 / tf.maximum(value["deviation"], 1e-6)
        line = (gain, -value["mean"] * gain)
    else:
        low, high = (value["p005"], value["p995"]) if normalise == "percentile" else (value["low"], value["high"])
        gain = 1.0 / tf.maximum(high - low, 1e-6)
        line = (gain, -low * gain)
    return tf.stack([tf.cast(v, tf.float32) for v in line])


def of(known, name: str):
    """One of the statistics, (...,), of `known`, (..., 7): NumPy or TensorFlow."""
    return known[..., STATISTICS.index(name)]


def clipped(values, normalise: str):
    """Normalised values; those of a range to [0, 1] stay within it."""
    return tf.clip_by_value(values, 0.0, 1.0) if normalise in ("percentile", "minmax") else values


def _subsampled(voxels, offsets, kind=tf.float32):
    few = voxels[offsets[0] :: STRIDE, offsets[1] :: STRIDE, offsets[2] :: STRIDE]
    return few if kind == tf.bool else tf.cast(few, tf.float32)


def _per_mille(values, shares):
    """Of float32 (n,) in order: number (share (n - 1) + 500) // 1000, as `nifti.foreground_threshold` counts; 0 where there is none."""
    ordered = tf.sort(tf.concat([values, tf.zeros(tf.cast(tf.equal(tf.size(values), 0), tf.int32)[None])], axis=0))
    last = tf.size(ordered, tf.int64) - 1
    return [tf.gather(ordered, (share * last + 500) // 1000) for share in shares]
