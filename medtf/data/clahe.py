"""Contrast-limited adaptive histogram equalisation inside the TensorFlow graph (Zuiderveld 1994, Graphics Gems IV, 474-485).

Each tile of the image gets a map from grey to grey, its clipped cumulative histogram; a pixel goes through the maps of the four tiles around
it, weighted by how near their middles are. Two things differ from the paper's code: tiles need not divide the image, and a map is linear
within each of the 256 bins, so that 12 and 16 bits do not become 256 steps, black stays black and white white.
"""

import tensorflow as tf

BINS = 256


def equalised(image: tf.Tensor, *, clip: float, tiles: int, named: tf.Tensor) -> tf.Tensor:
    """Float32 (rows, columns, 1) in [0, 1].

    Args:
        image: float32 (rows, columns, 1) in [0, 1].
        clip: most that one of 256 grey values may hold, as a share of a tile's pixels; 1/256 leaves the image as it is, 1 clips nothing.
        tiles: number of tiles on a side.
        named: scalar string, the file's path, for the error.
    Raises (in the graph):
        InvalidArgumentError: fewer pixels on a side than tiles.
    """
    grey = image[..., 0]
    rows, columns = tf.shape(grey)[0], tf.shape(grey)[1]
    why = f"has fewer than {tiles} pixels on a side, one for each tile: lower input.clahe.tiles"
    enough = tf.debugging.Assert(tf.minimum(rows, columns) >= tiles, [named, why])
    with tf.control_dependencies([enough] if enough is not None else []):
        scaled = grey * float(BINS)
    bins = tf.clip_by_value(tf.cast(scaled, tf.int32), 0, BINS - 1)
    maps = _maps(_histograms(bins, tiles), clip)
    # where each bin of a map begins, and how far it rises: one look-up finds both, and look-ups are most of the work
    lines = tf.stack([maps[..., :-1], maps[..., 1:] - maps[..., :-1]], axis=-1)
    # the maps of each row of pixels, those of the tiles above and below blended: (rows, tiles, 256, 2)
    above, below, share = _between(rows, tiles)
    share = share[:, None, None, None]
    lines = tf.reshape(tf.gather(lines, above) * (1 - share) + tf.gather(lines, below) * share, (-1, 2))
    left, right, share = _between(columns, tiles)
    part = scaled - tf.cast(bins, tf.float32)
    first = tf.range(rows)[:, None] * (tiles * BINS) + bins

    def through(tile):
        line = tf.gather(lines, first + tile[None] * BINS)
        return line[..., 0] + line[..., 1] * part

    from_left = through(left)
    return (from_left + (through(right) - from_left) * share[None])[..., None]


def _between(pixels: tf.Tensor, tiles: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """For each pixel along a side: the tile before it, the tile behind it (int32), and the share of the second (float32)."""
    place = (tf.range(pixels, dtype=tf.float32) + 0.5) * tiles / tf.cast(pixels, tf.float32) - 0.5
    place = tf.clip_by_value(
        place, 0.0, tiles - 1.0
    )  # before the first middle and behind the last there is one tile only
    first = tf.cast(place, tf.int32)
    return first, tf.minimum(first + 1, tiles - 1), place - tf.cast(first, tf.float32)


def _histograms(bins: tf.Tensor, tiles: int) -> tf.Tensor:
    """Float32 (tiles, tiles, 256): the share of each tile's pixels in each bin."""
    rows, columns = tf.shape(bins)[0], tf.shape(bins)[1]
    down, across = tf.range(rows) * tiles // rows, tf.range(columns) * tiles // columns
    place = (down[:, None] * tiles + across[None]) * BINS + bins
    counts = tf.raw_ops.Bincount(arr=place, size=tiles * tiles * BINS, weights=tf.zeros((0,), tf.float32))
    counts = tf.reshape(counts, (tiles, tiles, BINS))
    return counts / tf.reduce_sum(counts, axis=-1, keepdims=True)


def _maps(histograms: tf.Tensor, clip: float) -> tf.Tensor:
    """Float32 (..., 257): the cumulative histogram at the edges of the bins, from 0 to 1, no bin above `clip`.

    What is cut off goes to all bins alike, again and again where that fills one up (Zuiderveld's loop), until all is spent. Its end is known:
    every bin h becomes min(h + t, clip). With the k largest full, t = (1 - k clip - the sum of the others) / (256 - k); the least k for
    which no other bin passes the clip is right.
    """
    down = tf.sort(histograms, axis=-1, direction="DESCENDING")
    others = tf.reverse(tf.cumsum(tf.reverse(down, (-1,)), axis=-1), (-1,))  # the sum from the k-th on
    full = tf.range(BINS, dtype=tf.float32)
    raised = (1.0 - full * clip - others) / (BINS - full)
    fits = (down + raised <= clip) | (full == BINS - 1)  # the last one does but for rounding, as clip is at least 1/256
    k = tf.argmax(tf.cast(fits, tf.int32), axis=-1)
    t = tf.gather(raised, k, axis=-1, batch_dims=len(histograms.shape) - 1)[..., None]
    held = tf.minimum(histograms + t, clip)
    edges = tf.cumsum(held, axis=-1)
    edges = edges / edges[..., -1:]  # rounding
    return tf.concat([tf.zeros_like(edges[..., :1]), edges], axis=-1)
