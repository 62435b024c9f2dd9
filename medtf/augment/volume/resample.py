"""Values of volumes between their voxels: trilinear for images, nearest for masks. Gathers that XLA compiles."""

from keras import ops

from medtf.augment.volume.layer import background


def trilinear(volumes, points):
    """Values at `points`; beyond the outermost voxels they run out, over one voxel, into the volume's background.

    Args:
        volumes: (batch, depth, height, width, channels), floats.
        points: three tensors (batch, depth, height, width), float32: depth, height and width in voxels, 0 the first.

    Returns:
        As `volumes`. Equal to `scipy.ndimage.map_coordinates(order=1, mode="grid-constant", cval=background)`.
    """
    outside = background(volumes)
    flat, index, corners, (deep, high, wide) = _gatherable(volumes - outside, points)
    deep, high, wide = (ops.cast(part, volumes.dtype)[..., None] for part in (deep, high, wide))
    planes = []
    for (
        first,
        second,
    ) in corners:  # 8 plain gathers: XLA fuses them, where gathers of pairs or of eights would be copied
        rows = []
        for offset in (first, second):
            near, far = (ops.take(flat, index + offset + one, axis=0) for one in (0, 1))
            rows.append(near + (far - near) * wide)
        planes.append(rows[0] + (rows[1] - rows[0]) * high)
    return planes[0] + (planes[1] - planes[0]) * deep + outside


def nearest(masks, points):
    """The value of the voxel nearest to each of `points`; 0 outside. Of any dtype. See `trilinear`."""
    flat, index, _, _ = _gatherable(masks, [ops.floor(place + 0.5) for place in points])
    return ops.take(flat, index, axis=0)


def _gatherable(volumes, points):
    """The batch as one list of voxels with a border of zeros, and where `points` stand in it.

    Returns:
        (voxels, channels); index of the lower corner of each point; what reaches the four lines of a voxel's cube; the
        fractions along the three axes.
    """
    batch, *sides, channels = ops.shape(volumes)
    one, two = sides[2] + 3, (sides[1] + 3) * (sides[2] + 3)  # from a line to the next, from a plane to the next
    flat = ops.reshape(ops.pad(volumes, ((0, 0), (1, 2), (1, 2), (1, 2), (0, 0))), (-1, channels))
    index = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1, 1)) * ((sides[0] + 3) * two)
    fractions = []
    for place, side, stride in zip(points, sides, (two, one, 1), strict=True):
        place = ops.clip(place + 1.0, 0.0, ops.cast(side, "float32") + 1.0)  # 0 and side + 1 lie in the border
        whole = ops.floor(place)
        fractions.append(place - whole)
        index = index + ops.cast(whole, "int32") * stride
    return flat, index, ((0, one), (two, two + one)), fractions


def rotation(angles):
    """Turns about the first, then the second, then the third axis, each right-handed: (n, 3) radians to (n, 3, 3)."""
    cosine, sine = ops.cos(angles), ops.sin(angles)
    zero, one = ops.zeros_like(angles[:, 0]), ops.ones_like(angles[:, 0])
    turns = []
    for axis in range(3):
        c, s = cosine[:, axis], sine[:, axis]
        rows = {0: (one, zero, zero, zero, c, -s, zero, s, c), 1: (c, zero, s, zero, one, zero, -s, zero, c)}
        rows[2] = (c, -s, zero, s, c, zero, zero, zero, one)
        turns.append(ops.reshape(ops.stack(rows[axis], axis=-1), (-1, 3, 3)))
    return _product(turns[2], _product(turns[1], turns[0]))


def _product(one, other):
    """Products of 3 x 3 matrices; not `matmul`, which GPUs round to ten bits."""
    return ops.sum(one[:, :, :, None] * other[:, None, :, :], axis=2)


def moved(shape, matrix, shift):
    """Where the voxels of a moved volume come from, for `trilinear` and `nearest`.

    Args:
        shape: of the volumes, (batch, depth, height, width, channels).
        matrix: (batch, 3, 3), from an output voxel to its source, both counted from the middle of the volume.
        shift: (batch, 3), of the content, in voxels.
    """
    middles = [(ops.cast(side, "float32") - 1.0) / 2.0 for side in shape[1:4]]
    lines = []
    for axis in range(3):
        steps = ops.cast(ops.arange(shape[axis + 1]), "float32")
        lines.append((steps - middles[axis])[None] - shift[:, axis : axis + 1])  # (batch, side)
    points = []
    for axis in range(3):
        parts = [lines[i] * matrix[:, axis, i : i + 1] for i in range(3)]
        first = parts[0][:, :, None, None]
        second = parts[1][:, None, :, None]
        points.append(first + (second + (parts[2][:, None, None, :] + middles[axis])))
    return points
