"""Deletion and insertion (Petsiuk 2018, RISE, arXiv 1806.07421): pixels taken away, or given, from the hottest to the coldest."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

STEPS = 20
BLUR = (
    1 / 8
)  # of the shorter side: what a picture is deleted to, and inserted into, in place of black, which bone and air are as well


def curves(
    ask: Callable, image: np.ndarray, heat: np.ndarray, *, steps: int = STEPS, to: str = "blur", seed: int = 0
) -> dict:
    """Scores while a picture goes, and while it comes, in the map's order; beside it in the reverse order, and in a random one.

    Args:
        ask: images (n, *spatial, channels) -> scores (n,); of classes probabilities, so that areas lie in [0, 1].
        image: float32 (*spatial, channels). heat: (*spatial).
        steps: of the share of pixels, 0 to 100 %.
        to: `blur`, or `black` (0).
        seed: of the random order (of blocks of the picture, as single pixels taken at random leave it as it was).
    Returns:
        `shares` (steps + 1,); `deletion`, `insertion` for the map, `*_random`, `*_reversed`: (steps + 1,) scores each; `*_area`: the mean height
        of each. A good map has a low area of deletion and a high one of insertion.
    """
    shares = np.linspace(0, 1, steps + 1)
    blank = _blank(image, to)
    orders = {"": heat, "_random": _blocks(heat.shape, seed), "_reversed": -heat}
    found: dict = {"shares": shares.tolist()}
    for name, order in orders.items():
        ranks = _ranks(order)
        pictures = {
            "deletion": [_mixed(image, blank, ranks < share * ranks.size) for share in shares],
            "insertion": [_mixed(blank, image, ranks < share * ranks.size) for share in shares],
        }
        for kind, made in pictures.items():
            scores = np.asarray(ask(np.stack(made)), np.float64)
            found[kind + name] = scores.tolist()
            found[f"{kind}{name}_area"] = float(np.trapezoid(scores, shares))
    return found


def _ranks(order: np.ndarray) -> np.ndarray:
    """0 for the first pixel to go; ties by their place."""
    ranks = np.empty(order.size, np.int64)
    ranks[np.argsort(-order.ravel(), kind="stable")] = np.arange(order.size)
    return ranks.reshape(order.shape)


def _mixed(image, other, where) -> np.ndarray:
    return np.where(where[..., None], other, image).astype(np.float32)


def _blank(image: np.ndarray, to: str) -> np.ndarray:
    if to == "black":
        return np.zeros_like(image)
    sigma = BLUR * min(image.shape[:-1])
    return ndimage.gaussian_filter(image, [sigma] * (image.ndim - 1) + [0], mode="nearest")


def _blocks(shape, seed: int, across: int = 8) -> np.ndarray:
    """A random order of an even grid of blocks."""
    drawn = np.random.default_rng(seed).random([min(across, side) for side in shape])
    for axis, side in enumerate(shape):
        drawn = np.take(drawn, np.arange(side) * drawn.shape[axis] // side, axis)
    return drawn
