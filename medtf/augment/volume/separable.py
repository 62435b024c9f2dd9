"""Matrices along the axes of a volume: what blurs, samples or filters a line at a time is a product with one."""

import math

from keras import ops


def along(volumes, matrices):
    """Each axis of each volume multiplied by a matrix of its own.

    A matrix product is the fastest thing that any device does: at 96 voxels a side it beats shifted sums and FFTs.

    Args:
        volumes: (batch, depth, height, width, channels).
        matrices: three, for depth, height and width: (batch, side, side), of any float dtype; None leaves an axis.

    Returns:
        As `volumes`: out[i] = sum over j of matrix[i, j] * volume[j], along each axis.
    """
    shape = ops.shape(volumes)
    batch, depth, height, width, channels = shape
    deep, high, wide = (None if m is None else ops.cast(m, volumes.dtype) for m in matrices)
    if wide is not None:
        lines = ops.reshape(ops.swapaxes(volumes, 3, 4), (batch, depth * height * channels, width))
        lines = ops.matmul(lines, ops.swapaxes(wide, 1, 2))
        volumes = ops.swapaxes(ops.reshape(lines, (batch, depth, height, channels, width)), 3, 4)
    if high is not None:
        planes = ops.reshape(volumes, (batch, depth, height, width * channels))
        volumes = ops.matmul(high[:, None], planes)
    if deep is not None:
        volumes = ops.matmul(deep, ops.reshape(volumes, (batch, depth, height * width * channels)))
    return ops.reshape(volumes, shape)


def expand(grid, bases):
    """A sum of products of one function an axis, over all voxels.

    Args:
        grid: (batch, k, a, b, c), the weight of each product.
        bases: three matrices, (depth, a), (height, b), (width, c): the functions at the voxels.

    Returns:
        (batch, k, depth, height, width): the sum over a, b, c of grid * basis_a(d) * basis_b(h) * basis_c(w).
    """
    deep, high, wide = bases
    lines = ops.matmul(grid, ops.transpose(wide))  # (batch, k, a, b, width)
    planes = ops.matmul(high, lines)  # (batch, k, a, height, width)
    batch, k, a, height, width = ops.shape(planes)
    volumes = ops.matmul(deep, ops.reshape(planes, (batch, k, a, height * width)))
    return ops.reshape(volumes, (batch, k, -1, height, width))


def filtered(weights):
    """Matrices that weight the frequencies of a line: FFT, weights, inverse FFT, real part, in one.

    Args:
        weights: (batch, side), of frequency 0, 1, ..., side - 1 as the FFT counts; that of -k is averaged with k's,
            which is what the real part does to a real signal.

    Returns:
        (batch, side, side), circulant.
    """
    side = ops.shape(weights)[1]
    steps = ops.arange(side, dtype="int32")
    turn = ops.cast((steps[:, None] * steps[None, :]) % side, "float32") * (2.0 * math.pi / ops.cast(side, "float32"))
    kernel = ops.sum(weights[:, :, None] * ops.cos(turn), axis=1) / ops.cast(side, "float32")  # (batch, side)
    return ops.take(kernel, (steps[:, None] - steps[None, :]) % side, axis=1)


def frequencies(side):
    """0, 1, ..., -2, -1: the signed frequency of each place of an FFT, (side,) int32."""
    steps = ops.arange(side, dtype="int32")
    return ops.where(steps > (side - 1) // 2, steps - side, steps)
