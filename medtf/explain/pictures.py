"""Heat maps over pictures: colours, grids, planes through volumes. NumPy and Pillow; arrays in, uint8 out."""

from pathlib import Path

import numpy as np
from PIL import Image

ALPHA = 0.6  # of the hottest place; what is not hot stays as it was taken
GAP = 2  # pixels between pictures


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture under its heat map, transparent where it is cold, so that anatomy stays to be seen.

    Args:
        image: float (height, width, channels) in any range: what is not in [0, 1] is scaled to it; three channels are colours unless they
            are several windows of one picture, which a caller draws one by one. Volumes (x, y, z, channels) become their three planes
            through the hottest voxel.
        heat: (height, width) or (x, y, z) in [0, 1].
    Returns:
        uint8 (height, width, 3).
    """
    if heat.ndim == 3:
        return planes(image[..., 0], heat)
    grey = shown(image)
    return over(grey, heat)


def over(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3): a picture float (height, width, 1 or 3) in [0, 1] under heat (height, width) in [0, 1]."""
    colour = coloured(heat)
    opacity = (ALPHA * np.clip(heat, 0, 1))[..., None]
    return np.round(255 * ((1 - opacity) * np.broadcast_to(grey, colour.shape) + opacity * colour)).astype(np.uint8)


def coloured(heat: np.ndarray) -> np.ndarray:
    """Float (..., 3): matplotlib's `inferno` turned up so that it is seen on black bone and air; even in lightness, also for the colour-blind."""
    from matplotlib import colormaps

    return colormaps["turbo"](0.15 + 0.8 * np.clip(heat, 0, 1))[..., :3]


def shown(image: np.ndarray) -> np.ndarray:
    """A picture float (height, width, channels) as (height, width, 1 or 3) in [0, 1]; other numbers of channels by their mean."""
    image = np.asarray(image, np.float32)
    if image.min() < 0 or image.max() > 1:
        low, high = np.percentile(image, (1, 99))
        image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return image if image.shape[-1] in (1, 3) else image.mean(axis=-1, keepdims=True)


def planes(volume: np.ndarray, heat: np.ndarray, spacing_mm=(1.0, 1.0, 1.0)) -> np.ndarray:
    """The three planes of a RAS+ volume through its hottest voxel, side by side, as radiologists hang them; uint8 (height, width, 3)."""
    at = np.unravel_index(int(heat.argmax()), heat.shape) if heat.max() > 0 else [side // 2 for side in heat.shape]
    grey = shown(volume[..., None])[..., 0]
    made = []
    for axis in range(3):
        cuts = [np.take(x, at[axis], axis).T[::-1, ::-1] for x in (grey, heat)]
        made.append(_in_mm(over(cuts[0][..., None], cuts[1]), [mm for i, mm in enumerate(spacing_mm) if i != axis]))
    return row(made)


def _in_mm(picture: np.ndarray, spacing) -> np.ndarray:
    across, up = (side * mm for side, mm in zip(picture.shape[1::-1], spacing, strict=True))
    least = min(spacing)
    size = max(1, round(across / least)), max(1, round(up / least))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def row(made: list[np.ndarray]) -> np.ndarray:
    """Pictures side by side on black, in the middle of the height."""
    height = max(one.shape[0] for one in made)
    parts = []
    for one in made:
        above = (height - one.shape[0]) // 2
        parts.append(np.pad(one, ((above, height - one.shape[0] - above), (0, GAP), (0, 0))))
    return np.concatenate(parts, axis=1)[:, :-GAP]


def grid(made: list[np.ndarray]) -> np.ndarray:
    """Pictures of one size in a square of rows and columns on black; uint8 (height, width, 3)."""
    if not made:
        return np.zeros((1, 1, 3), np.uint8)
    columns = int(np.ceil(np.sqrt(len(made))))
    height, width = (max(one.shape[axis] for one in made) for axis in (0, 1))
    lines = -(-len(made) // columns)
    sheet = np.zeros((lines * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), np.uint8)
    for number, one in enumerate(made):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
    return sheet


def save(picture: np.ndarray, path) -> Path:
    """A picture as PNG, whole or not at all, without metadata."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    try:
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary, "png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
