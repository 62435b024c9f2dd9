"""PNG and JPEG inside the TensorFlow graph, the right way up."""

import tensorflow as tf

# EXIF Orientation (EXIF 2.3, 4.6.4) -> transpose first; then mirror top to bottom, left to right
UPRIGHT = {
    0: (False, False, False),  # not told
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def decoded(data: tf.Tensor, *, kind: str, bits: int, channels: int, orientation: int) -> tf.Tensor:
    """Float32 (rows, columns, channels) in [0, 1]: the share of the largest value that so many bits can hold.

    Palettes are looked up, 1, 2 and 4 bits spread to 8, transparency is dropped; colour becomes grey by ITU-R 601.

    Args:
        data: scalar string, the whole file.
        kind: `png` or `jpeg`.
        bits: 8 or 16 (PNG).
        channels: 1 or 3.
        orientation: EXIF's.
    """
    if kind == "jpeg":
        image = tf.io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE")
    else:
        image = tf.io.decode_png(data, channels=channels, dtype=tf.uint16 if bits == 16 else tf.uint8)
    transposed, upside_down, mirrored = UPRIGHT[orientation]
    if transposed:
        image = tf.transpose(image, (1, 0, 2))
    axes = [axis for axis, flipped in enumerate((upside_down, mirrored)) if flipped]
    if axes:
        image = tf.reverse(image, axes)
    return tf.cast(image, tf.float32) / float(2**bits - 1)
