"""Do PNGs of 16 bits use their range? Exports often put the 10 or 12 bits of a detector into 16, and all is nearly black."""

import numpy as np
import pandas as pd

from medtf.data import pixels

LOOKED_AT = 24  # files, evenly over the table: an archive is written by one program, so a few tell
LEAST = 1 / 8  # of the range; 12 bits in 16 reach 1/16, 13 bits 1/8


def about(frame: pd.DataFrame, root, raster: str) -> str:
    """What is to be said of 16-bit PNGs that stay dark; an empty string where there are none, or `raster` takes each by its own range.

    Args:
        frame: of a table. root: data root. raster: `input.raster`.
    """
    if raster != "bits" or "read_kind" not in frame:
        return ""
    deep = frame[(frame["read_kind"] == "png") & (frame["read_bits_allocated"] == 16)]
    if not len(deep):
        return ""
    places = np.unique(np.linspace(0, len(deep) - 1, min(LOOKED_AT, len(deep))).round().astype(int))
    peaks = pd.Series({deep["path"].iloc[at]: _peak(root, deep.iloc[at].to_dict()) for at in places}).dropna()
    dark = peaks[peaks <= LEAST]
    if not len(dark):
        return ""
    return (
        f"{len(dark)} of {len(peaks)} PNGs of 16 bits that were looked at are nearly black: the brightest pixel of {dark.index[0]} is at"
        f" {dark.iloc[0]:.1%} of the range. Were 10 or 12 bits put into 16? --set input.raster=percentile takes each image by its own range"
    )


def _peak(root, row: dict) -> float:
    """Largest value, as a share of 16 bits; NaN where the file cannot be read, which is told elsewhere."""
    try:
        return float(pixels.intensity(root, row).max()) / 65535
    except (OSError, ValueError, SyntaxError):
        return float("nan")
