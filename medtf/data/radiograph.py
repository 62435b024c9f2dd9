"""How a DICOM radiograph is seen, inside the TensorFlow graph: modality values to [0, 1], dense is bright, padding is black.

The order is the standard's: modality LUT, VOI LUT or window, then the inversion of MONOCHROME1 (PS3.3 C.7.6.3.1.2, C.11.1, C.11.2).
"""

import tensorflow as tf

SHARES = (0.005, 0.995)  # percentiles between which `percentile` shows: a lead letter or a dead pixel lies outside


def shown(values: tf.Tensor, row: dict, *, how: str, inverted: bool, padded: bool) -> tf.Tensor:
    """Float32 like `values`, in [0, 1].

    Args:
        values: float32 (rows, columns, 1), modality values; NaN where there is padding. `lut`: what the VOI LUT gave, in [0, 1].
        row: `path`, and for a window `read_window_center` and `read_window_width`, as DICOM writes them.
        how: full | percentile | linear | linear_exact | sigmoid | lut.
        inverted: the smallest value is meant to be white.
        padded: can there be padding?
    Raises (in the graph):
        InvalidArgumentError: a picture of one grey, which names the file.
    """
    row = dict(row)
    if how in ("full", "percentile"):
        unit = _stretched(values, padded=padded, percentile=how == "percentile")
        why = "every pixel has the same value: leave the file out (medtf index ... --pixels finds such files)"
    else:
        unit = values if how == "lut" else windowed(values, row["read_window_center"], row["read_window_width"], how)
        why = (
            "its own window or VOI LUT (0028,1050 0028,1051 0028,3010) shows one grey only: set input.intensity to percentile,"
            " or leave the file out"
        )
    low, high = _extremes(unit, padded)
    sees = tf.debugging.Assert(high > low, [row["path"], why])
    with tf.control_dependencies([sees] if sees is not None else []):
        unit = 1.0 - unit if inverted else tf.identity(unit)
    return tf.where(tf.math.is_nan(values), 0.0, unit) if padded else unit


def windowed(values: tf.Tensor, center: tf.Tensor, width: tf.Tensor, function: str) -> tf.Tensor:
    """Values through a window, in [0, 1].

    Args:
        values: float32, any shape.
        center, width: float32 scalars, as DICOM writes them; the width at least 1 for `linear`, else above 0.
        function: linear (C.11.2.1.2.1), sigmoid (C.11.2.1.3.1), linear_exact (C.11.2.1.3.2).
    """
    if function == "sigmoid":
        return tf.sigmoid(4.0 * (values - center) / width)
    if function == "linear":  # of whole numbers: `width` of them, the first black and the last white
        center, width = center - 0.5, width - 1.0
    ramp = tf.clip_by_value((values - center) / tf.where(width > 0, width, 1.0) + 0.5, 0.0, 1.0)
    return tf.cond(width > 0, lambda: ramp, lambda: tf.cast(values > center, tf.float32))


def _stretched(values: tf.Tensor, *, padded: bool, percentile: bool) -> tf.Tensor:
    """Values between their extremes, or two percentiles, to [0, 1]."""
    low, high = _extremes(values, padded)
    if percentile:
        # every 16th pixel in order of value is enough for two percentiles
        few = tf.reshape(values[::4, ::4], (-1,))
        if padded:
            few = tf.boolean_mask(few, ~tf.math.is_nan(few))
        # a few bright spots on an even ground lie outside the percentiles and are all there is to see: then the extremes count
        ordered = tf.sort(tf.concat([few, tf.fill([tf.cast(tf.equal(tf.size(few), 0), tf.int32)], low)], axis=0))
        last = tf.cast(tf.size(ordered) - 1, tf.float32)
        robust = [tf.gather(ordered, tf.cast(tf.round(last * share), tf.int32)) for share in SHARES]
        spread = robust[1] > robust[0]
        low, high = tf.where(spread, robust[0], low), tf.where(spread, robust[1], high)
    # of one value all over: 0, which is refused
    return tf.clip_by_value((values - low) / tf.where(high > low, high - low, 1.0), 0.0, 1.0)


def _extremes(values: tf.Tensor, padded: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Smallest and largest value of what is no padding."""
    if not padded:
        return tf.reduce_min(values), tf.reduce_max(values)
    padding, infinite = tf.math.is_nan(values), values.dtype.max
    return tf.reduce_min(tf.where(padding, infinite, values)), tf.reduce_max(tf.where(padding, -infinite, values))
