"""What of a volume is body and what is background, and how it is shown: of volumes as the network is given them, masked or not."""

import numpy as np

from medtf.data.nifti import foreground_threshold
from medtf.preview_volumes import shown_range

MASKED = 0.1  # share of the voxels that are exactly 0 at the least, where values are on both sides of it: measured ones hardly ever are


def foreground(image: np.ndarray) -> np.ndarray:
    """Bool (x, y, z): what is no background.

    Of a masked volume whatever the mask left: after `normalise: zscore` the background is 0, in the middle of the values, and no threshold
    finds it. Of others what is brighter than `nifti.foreground_threshold`.

    Args:
        image: float (x, y, z) or (x, y, z, 1); NaN where the network was shown nothing, which is background.
    """
    values, there = _plain(image)
    if not there.any():
        return there
    if masked(values, there):
        return there & (values != 0)
    return there & (values > foreground_threshold(np.where(there, values, values[there].min())))


def shown(image: np.ndarray) -> np.ndarray:
    """A volume (x, y, z) or (x, y, z, 1) from its 1st to its 99th percentile as grey, float in [0, 1]; what was not shown or masked is black."""
    values, there = _plain(image)
    if there.any() and masked(values, there):
        there = there & (values != 0)
    low, high = shown_range(values[there] if there.any() else np.zeros(1))
    return np.where(there, np.clip((values - low) / (high - low), 0, 1), 0)


def masked(values: np.ndarray, there: np.ndarray) -> bool:
    """Was a mask laid over z-scores? The reader leaves 0 outside of it. Of ranges from 0 on, 0 is the darkest and needs no care.

    Args:
        values: float (x, y, z). there: bool (x, y, z), those that count, at least one.
    """
    return bool(values[there].min() < 0) and np.count_nonzero(values[there] == 0) >= MASKED * np.count_nonzero(there)


def _plain(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 (x, y, z), and where it is a number."""
    values = np.asarray(image, np.float32).reshape(image.shape[:3])
    return values, np.isfinite(values)
