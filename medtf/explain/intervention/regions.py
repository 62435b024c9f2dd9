"""Regions to compare with: the annotation's own shape at other places, by chance or where a map is hottest."""

import numpy as np
from scipy import ndimage, signal

OUTSIDE = 0.05  # share of a control region that may lie outside the body
NEAR = 8  # places that resemble the annotation in brightness, for each that is drawn of them


def foreground(image: np.ndarray) -> np.ndarray:
    """bool (*spatial): what is not the even background that the picture's corners show, with its holes filled; everything where that says nothing."""
    corners = [image[np.ix_(*[[0, side - 1] for side in image.shape[:-1]])].reshape(-1, image.shape[-1])]
    background = np.median(np.concatenate(corners), axis=0)
    spread = max(float(np.ptp(image)), 1e-6)
    found = (np.abs(image - background) > 0.03 * spread).any(axis=-1)
    found = ndimage.binary_fill_holes(ndimage.binary_propagation(ndimage.binary_opening(found), mask=found))
    return found if found.mean() > OUTSIDE else np.ones(image.shape[:-1], bool)


def elsewhere(
    mask: np.ndarray, count: int, *, seed: int, image: np.ndarray | None = None, inside: np.ndarray | None = None
) -> list[np.ndarray]:
    """The same shape at other places: inside the body, none over the annotation, as bright as it where there is a choice.

    Args:
        mask: bool (*spatial), the annotation.
        count: regions to draw; fewer where there are not so many places.
        seed: of the draw.
        image: float (*spatial, channels), to choose places of like brightness; None: any.
        inside: bool (*spatial), where they may lie (`foreground`); None: anywhere.
    """
    generator, shape = np.random.default_rng(seed), _cropped(mask)
    found = []
    # left-right: a picture's last axis, a volume's first (RAS+)
    for template in (shape, shape[::-1] if mask.ndim == 3 else shape[:, ::-1]):
        free = _sums(mask, template) < 0.5
        if inside is not None:
            free &= _sums(~inside, template) <= OUTSIDE * template.sum() + 0.5
        found += [(template, at) for at in np.argwhere(free)]
    if not found:
        return []
    found = [found[i] for i in generator.permutation(len(found))[:2000]]
    if image is not None:
        grey = image.mean(axis=-1)
        wanted = grey[mask].mean()
        away = [abs(grey[_laid(template, at, mask.shape)].mean() - wanted) for template, at in found[: NEAR * 50]]
        found = [found[i] for i in np.argsort(away, kind="stable")[: NEAR * count]]
        found = [found[i] for i in generator.permutation(len(found))]
    return [_laid(template, at, mask.shape) for template, at in found[:count]]


def hottest(heat: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The annotation's shape where a map is hottest outside the annotation: bool (*spatial); None where there is no room, or no heat.

    Args:
        heat: float (*spatial), 0 or more. mask: bool (*spatial).
    """
    template = _cropped(mask)
    free = _sums(mask, template) < 0.5
    warm = np.where(free, _sums(heat, template), -np.inf)
    if not free.any() or warm.max() <= 1e-6:
        return None
    return _laid(template, np.unravel_index(int(warm.argmax()), warm.shape), mask.shape)


def _cropped(mask: np.ndarray) -> np.ndarray:
    """The mask in the box that just holds it."""
    return mask[ndimage.find_objects(mask.astype(np.int8))[0]]


def _sums(values: np.ndarray, template: np.ndarray) -> np.ndarray:
    """What a template holds at each place where it fits: (sides - its sides + 1)."""
    return signal.fftconvolve(values.astype(np.float64), np.flip(template).astype(np.float64), mode="valid")


def _laid(template: np.ndarray, at, shape) -> np.ndarray:
    made = np.zeros(shape, bool)
    made[tuple(slice(first, first + side) for first, side in zip(at, template.shape, strict=True))] = template
    return made
