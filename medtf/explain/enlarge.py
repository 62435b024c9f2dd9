"""Small maps to the size of the picture: linear in every axis, 2D and 3D, on any backend."""

import numpy as np
from keras import ops


def weights(small: int, large: int, centres: tuple[float, float] | None = None) -> np.ndarray:
    """Float32 (large, small): linear interpolation between the middles of places, the outermost held beyond them.

    Args:
        small, large: places and pixels of one axis.
        centres: pixel of the first place, and pixels from one to the next (`fields.centres`); None: evenly over all, as `tf.image.resize`.
    """
    first, step = centres or (large / small / 2 - 0.5, large / small)
    place = np.clip((np.arange(large) - first) / step, 0, small - 1)
    low = np.minimum(np.floor(place).astype(int), max(small - 2, 0))
    high = np.minimum(low + 1, small - 1)
    part = place - low
    made = np.zeros((large, small), np.float32)
    made[np.arange(large), low] += 1 - part
    made[np.arange(large), high] += part
    return made


def enlarged(maps, size: tuple[int, ...], centres=None):
    """(batch, *small) to (batch, *size), each axis by a small matrix, which XLA compiles and every backend has.

    Args:
        maps: float tensor. size: of the picture. centres: of each axis, as for `weights`; None: evenly.
    """
    for axis, (small, large) in enumerate(zip(maps.shape[1:], size, strict=True), start=1):
        of_axis = centres[axis - 1] if centres else None
        if small != large or of_axis not in (None, (0.0, 1.0)):
            matrix = ops.cast(ops.convert_to_tensor(weights(small, large, of_axis)), maps.dtype)
            maps = ops.moveaxis(ops.tensordot(maps, matrix, axes=[[axis], [1]]), -1, axis)
    return maps
