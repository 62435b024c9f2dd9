"""How alike two heat maps are: by the order of their places, and by structure. NumPy and scipy; arrays in and numbers out."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

LARGEST = 64  # places a side that are compared: neighbouring pixels of a map tell the same
DIGITS = 6  # of a map's maximum: what differs by rounding alone is a tie
# Wang 2004: window of 11 pixels and deviation 1.5, constants for values in [0, 1]
RADIUS, DEVIATION, C1, C2 = 5, 1.5, 0.01**2, 0.03**2


def reduced(maps: np.ndarray, largest: int = LARGEST) -> np.ndarray:
    """Means of neighbouring places, so that no side is longer than `largest`.

    Args:
        maps: float (n, *spatial).
    Returns:
        float64 (n, *at most `largest` a side).
    """
    made = np.asarray(maps, np.float64)
    for axis, side in enumerate(made.shape[1:], start=1):
        if side > largest:
            edges = np.linspace(0, side, largest + 1).round().astype(int)
            shape = [-1 if i == axis else 1 for i in range(made.ndim)]
            made = np.add.reduceat(made, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return made


def rank_correlation(first: np.ndarray, second: np.ndarray, *, absolute: bool = False) -> np.ndarray:
    """Spearman's rank correlation of pairs of maps; ties have their mean rank (Adebayo 2018, section 3).

    Two constant maps are alike (1) where they are equal and else not (0); a constant map and one that is not are not alike (0).

    Args:
        first, second: float (n, *spatial), the i-th of one against the i-th of the other.
        absolute: of the correlation its size alone, for maps with a sign that may flip as a whole.
    Returns:
        float64 (n,) in [-1, 1]; NaN where a map has places that are no numbers.
    """
    ranks = [_ranks(maps) for maps in (first, second)]
    found = np.einsum("np,np->n", *ranks)
    found = np.where(_same_constant(first, second), 1.0, found)
    return np.abs(found) if absolute else found


def between(maps: np.ndarray) -> np.ndarray:
    """Rank correlation of every map with every other one: float64 (n, n), NaN on the diagonal."""
    ranks = _ranks(maps)
    found = ranks @ ranks.T
    constant = np.array([_same_constant(np.broadcast_to(one, maps.shape), maps) for one in maps])
    found = np.where(constant.reshape(found.shape), 1.0, found)
    np.fill_diagonal(found, np.nan)
    return found


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity of pairs of maps in [0, 1] (Wang 2004, equation 13 with a Gaussian window), in 2D and 3D.

    Maps that are mostly 0 are alike by their zeros: read it beside the rank correlation.

    Args:
        first, second: float (n, *spatial) in [0, 1].
    Returns:
        float64 (n,) in [-1, 1]: the mean over all windows that lie inside; of maps smaller than a window, over all places.
    """
    return np.array([_ssim(*pair) for pair in zip(reduced(first), reduced(second), strict=True)])


def _ranks(maps: np.ndarray) -> np.ndarray:
    """(n, places): ranks less their mean, of length 1; 0 where all are tied."""
    flat = reduced(maps).reshape(len(maps), -1)
    top = np.abs(flat).max(axis=1, initial=0, keepdims=True)
    flat = np.round(np.divide(flat, top, out=np.zeros_like(flat), where=~(top == 0)), DIGITS)
    ranks = rankdata(flat, axis=1, nan_policy="propagate") if flat.size else flat
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=~(length == 0))


def _same_constant(first, second) -> np.ndarray:
    first, second = (np.asarray(maps).reshape(len(maps), -1) for maps in (first, second))
    return (first == first[:, :1]).all(axis=1) & (second == first[:, :1]).all(axis=1)


def _ssim(x: np.ndarray, y: np.ndarray) -> float:
    def mean(values):
        return gaussian_filter(values, DEVIATION, radius=RADIUS, mode="reflect")

    of_x, of_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - of_x**2, mean(y * y) - of_y**2
    together = mean(x * y) - of_x * of_y
    found = (2 * of_x * of_y + C1) * (2 * together + C2)
    found /= (of_x**2 + of_y**2 + C1) * (variance_x + variance_y + C2)
    inside = tuple(slice(RADIUS, -RADIUS) if side > 2 * RADIUS else slice(None) for side in x.shape)
    return float(found[inside].mean())
