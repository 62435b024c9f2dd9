"""What the kinds of annotations (masks, boxes) give to `annotations.find`, and what may have to be said of one."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SUCH_AS = ", such as "  # behind it a note names a file or a reader, which a page leaves out
HALF = 0.5  # share of a network's pixel that has to be inside
WHOLE = 0.95  # share of a picture beyond which a mask is hardly one

# remark -> what is said of all the annotations that have it, before their number and the name of one
REMARKS = {
    "shortened": "found by their names without the last word",
    "scaled": "masks of another size than their pictures, but of the same aspect: scaled",
    "resampled": "masks on another grid of the same world than their images: resampled (nearest neighbour)",
    "mask unplaced": "masks without an affine, but of the shape of their images: taken to lie on their grids",
    "image unplaced": "images without an affine, whose masks have the same shape: taken to lie on one grid",
    "small": "too small to fill half a pixel of the network's grid: where they cover most is taken",
    "whole": "covering 95 % of the picture or more (are they masks?)",
}


class Read(NamedTuple):
    """One annotation on the network's grid: bool (height, width) or (x, y, z), and keys of REMARKS. Without a True it is empty."""

    mask: np.ndarray
    remarks: tuple[str, ...] = ()


class Found(NamedTuple):
    """What a source holds for the rows of a table."""

    names: dict[int, str]  # row -> what to call its annotation
    read: Callable[[int], Read]  # row -> its annotation
    unmatched: list[str]  # what belongs to no row
    notes: list[str]
    shortened: frozenset[int] = frozenset()  # rows that were found without the last word of a name


def at_least_half(share: np.ndarray) -> Read:
    """Pixels that are inside by half or more; of what fills none so far, those with the largest share.

    Args:
        share: float (height, width), share of each of the network's pixels that is inside.
    """
    mask = share >= HALF - 1e-6  # a half is a half, however its parts were rounded
    if mask.any():
        return Read(mask, ("whole",) if mask.mean() >= WHOLE else ())
    largest = share.max()
    return Read(share >= largest - 1e-6, ("small",)) if largest > 0 else Read(mask)
