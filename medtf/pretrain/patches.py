"""Images as rows of square patches, and back; what is hidden and what is told is counted in them."""

from keras import ops

from medtf.errors import AskedWronglyError

EPSILON = 1e-6  # added to a patch's variance before it divides: He 2022's code


def patchify(images, patch: int):
    """Cut images into squares, row by row.

    Args:
        images: (batch, height, width, channels).
        patch: side of a square, in pixels; height and width are multiples of it (`grid` refuses others).
    Returns:
        (batch, n, patch * patch * channels) of the same dtype: patches from left to right and from top to bottom, the pixels of each in the
        same order, the channels of a pixel side by side. That is the order of a convolution's kernel, flattened.
    """
    _, height, width, channels = images.shape
    rows, columns = grid(height, width, patch)
    x = ops.reshape(images, (-1, rows, patch, columns, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows * columns, patch * patch * channels))


def unpatchify(patches, patch: int, height: int, width: int):
    """The images of which `patchify` made `patches`: (batch, height, width, channels).

    Args:
        patches: (batch, n, patch * patch * channels).
        patch: side of a square, in pixels.
        height, width: of the images, in pixels.
    """
    rows, columns = grid(height, width, patch)
    channels = patches.shape[-1] // patch**2
    x = ops.reshape(patches, (-1, rows, columns, patch, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height, width, channels))


def grid(height: int, width: int, patch: int, *, key: str = "the patch") -> tuple[int, int]:
    """Rows and columns of patches.

    Args:
        height, width: of the images, in pixels.
        patch: side of a square, in pixels.
        key: what the side is called where it was asked for.
    Raises:
        AskedWronglyError: `patch` does not divide both, or there are fewer than two patches: one would be hidden, and nothing seen.
    """
    if height % patch or width % patch:
        sides = [side for side in range(2, min(height, width) + 1) if height % side == 0 == width % side]
        nearest = min(sides, key=lambda side: (abs(side - patch), side), default=None)
        instead = f"{nearest} does" if nearest else "change input.size"
        raise AskedWronglyError(f"{key} {patch} does not divide images of {height} x {width} pixels: {instead}")
    rows, columns = height // patch, width // patch
    if rows * columns < 2:
        raise AskedWronglyError(
            f"{key} {patch} makes one patch of an image of {height} x {width} pixels: give a smaller one"
        )
    return rows, columns


def moments(patches):
    """Mean and deviation of each patch, float32 (batch, n, 1); the deviation is over its pixels and never 0."""
    patches = ops.cast(patches, "float32")
    mean = ops.mean(patches, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(patches - mean), axis=-1, keepdims=True)
    return mean, ops.sqrt(variance + EPSILON)


def normalised(patches):
    """Each patch less its mean, over its deviation: what He 2022 found better to predict than pixels; a flat patch becomes 0."""
    mean, deviation = moments(patches)
    return (ops.cast(patches, "float32") - mean) / deviation


def hidden_error(prediction, target, hidden):
    """Mean square error of each image over its hidden patches alone.

    Args:
        prediction, target: (batch, n, pixels).
        hidden: float (batch, n), 1 where a patch was hidden; at least one in each image.
    Returns:
        Float32 (batch,).
    """
    difference = ops.cast(prediction, "float32") - ops.cast(target, "float32")
    hidden = ops.cast(hidden, "float32")
    return ops.sum(ops.mean(ops.square(difference), axis=-1) * hidden, axis=1) / ops.sum(hidden, axis=1)
