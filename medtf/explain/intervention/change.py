"""Ways to take a region out of a picture. Nothing outside the region changes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

from medtf.errors import AskedWronglyError, nearest

SEAM = 2.0  # pixels inside the edge over which blurred and transplanted regions fade in: a hard edge would be a sign of its own


class How(NamedTuple):
    """A way to change a region: what a reader calls it, and the function (image, mask, donor) -> image."""

    label: str
    change: Callable


def changed(image: np.ndarray, mask: np.ndarray, how: str, *, donor: np.ndarray | None = None) -> np.ndarray:
    """A copy of a picture without what was in a region.

    Args:
        image: float32 (height, width, channels) or (x, y, z, channels).
        mask: bool (*spatial), the region; not empty and not everything.
        how: a key of `HOW`.
        donor: `transplant`: a picture of the same shape, whose same place is put in.
    Raises:
        AskedWronglyError: an unknown way, a transplant without a donor. ValueError: an empty region, or one that is the whole picture.
    """
    if how not in HOW:
        raise AskedWronglyError(f"--how {how}: {nearest(how, HOW)}")
    if not mask.any() or mask.all():
        raise ValueError("`mask`: expected a region that is neither empty nor the whole picture")
    if how == "transplant" and donor is None:
        raise AskedWronglyError("--how transplant: needs a picture of another person to take the place from")
    made = HOW[how].change(image, mask, donor)
    return np.where(mask[..., None], made, image).astype(np.float32)


def extent(mask: np.ndarray) -> float:
    """Pixels across a region: the side of the square, or cube, of its area."""
    return float(mask.sum() ** (1 / mask.ndim))


def _erased(image, mask, donor):
    """The mean of a ring around the region, for each channel: as if it were more of what lies about it."""
    wide = max(2, round(extent(mask) / 8))
    ring = ndimage.binary_dilation(mask, iterations=wide) & ~mask
    return np.broadcast_to(image[ring].mean(axis=0), image.shape)


def _blurred(image, mask, donor):
    """A Gaussian so wide that the region's own structure goes, faded in over a seam."""
    sigma = max(2.0, extent(mask) / 3)
    wide = ndimage.gaussian_filter(image, [sigma] * mask.ndim + [0], mode="nearest")
    return _faded(image, wide, mask)


def _transplanted(image, mask, donor):
    """The same place of another picture, faded in over a seam."""
    return _faded(image, donor, mask)


def _faded(image, other, mask):
    share = np.clip(ndimage.distance_transform_edt(mask) / SEAM, 0, 1)[..., None]
    return (1 - share) * image + share * other


def _inpainted(image, mask, donor):
    """The smoothest surface that meets its surroundings: each pixel is the mean of its neighbours (Laplace's equation)."""
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    count = int(mask.sum())
    rows, columns, right, degree = [], [], np.zeros((count, image.shape[-1])), np.zeros(count)
    for axis in range(mask.ndim):
        for step in (-1, 1):
            ours, theirs = _neighbours(mask.shape, axis, step)
            inside = mask[ours]
            mine, other = number[ours][inside], number[theirs][inside]
            np.add.at(degree, mine, 1)
            free = other >= 0
            rows.append(mine[free])
            columns.append(other[free])
            np.add.at(right, mine[~free], image[theirs][inside][~free])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.diags(degree) - sparse.coo_array((np.ones(len(rows)), (rows, columns)), (count, count))
    matrix = sparse.csr_array(matrix)
    start = image[mask].mean(axis=0)
    made = image.copy()
    for channel in range(image.shape[-1]):
        found, _ = linalg.cg(matrix, right[:, channel], x0=np.full(count, start[channel]), rtol=1e-6, maxiter=2000)
        made[mask, channel] = found
    return made


def _neighbours(shape, axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Pixels that have a neighbour one step along an axis, and these neighbours; at the picture's edge there is none."""
    ours, theirs = [slice(None)] * len(shape), [slice(None)] * len(shape)
    ours[axis] = slice(0, -1) if step > 0 else slice(1, None)
    theirs[axis] = slice(1, None) if step > 0 else slice(0, -1)
    return tuple(ours), tuple(theirs)


HOW = {
    "erase": How("erased (mean of its surroundings)", _erased),
    "blur": How("blurred", _blurred),
    "inpaint": How("inpainted (smoothest surface)", _inpainted),
    "transplant": How("replaced by another person's", _transplanted),
}
