"""Small maps to the size of the picture: linear in every axis, 2D and 3D, on any backend."""

import numpy as np
from keras import ops


def weights(small: int, large: int) -> np.ndarray:
    """Float32 (large, small): linear interpolation between centres of pixels, the outermost held beyond them; `tf.image.resize` of one axis."""
    place = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    low = np.minimum(np.floor(place).astype(int), max(small - 2, 0))
    high = np.minimum(low + 1, small - 1)
    part = place - low
    made = np.zeros((large, small), np.float32)
    made[np.arange(large), low] += 1 - part
    made[np.arange(large), high] += part
    return made


def enlarged(maps, size: tuple[int, ...]):
    """(batch, *small) to (batch, *size), each axis by a small matrix, which XLA compiles and every backend has.

    Args:
        maps: float tensor. size: of the picture.
    """
    for axis, (small, large) in enumerate(zip(maps.shape[1:], size, strict=True), start=1):
        if small != large:
            matrix = ops.cast(ops.convert_to_tensor(weights(small, large)), maps.dtype)
            maps = ops.moveaxis(ops.tensordot(maps, matrix, axes=[[axis], [1]]), -1, axis)
    return maps
