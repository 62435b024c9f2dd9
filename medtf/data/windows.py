"""Hounsfield windows: centre and width in HU, as DICOM writes them, to values in [0, 1]."""

from medtf.errors import AskedWronglyError, nearest

# (centre, width) in HU
WINDOWS = {
    "brain": (40.0, 80.0),
    "subdural": (80.0, 200.0),
    "soft": (40.0, 380.0),
    "bone": (600.0, 2800.0),
    "stroke": (32.0, 8.0),
}


def window(spec) -> tuple[float, float]:
    """(centre, width) in HU of a window's name or of a pair of numbers.

    Raises:
        AskedWronglyError: an unknown name, or a width that is not positive.
    """
    if isinstance(spec, str):
        if spec not in WINDOWS:
            raise AskedWronglyError(
                f"unknown window {spec!r}: {nearest(spec, WINDOWS)} (or give [centre, width] in HU)"
            )
        return WINDOWS[spec]
    center, width = (float(v) for v in spec)
    if not (0 < width < float("inf") and abs(center) < float("inf")):
        raise AskedWronglyError(f"window [{center:g}, {width:g}]: expected numbers, and a width above 0 HU")
    return center, width
