"""Intervals of sums of absolute values or squares, such as a calibration error, which chance alone lifts above 0."""

import numpy as np

from medtf.evaluate.statistics.intervals import LEVEL, UNDEFINED_SHARE, Interval

SCALES = 201  # tried between 0 and three times the sum found


def inverted(parts: np.ndarray, draws: np.ndarray, power: int, patients: np.ndarray) -> Interval | None:
    """Interval of sum |part| ** power over bins, by inverting a test.

    Each part is its true size and an error, and the absolute value of the error never cancels, so the sum is too large, and a bootstrap's
    draws of it are larger still: an interval read from them leaves the truth out. Here true parts of a given direction are tried at many
    scales, errors are those of the draws, and the scales are kept under which the sum that was found is neither among the 2.5 % largest
    nor the 2.5 % smallest. At scale 0, where chance alone makes the sum, the direction does not matter. The lower end takes the parts
    found as the direction; the upper one parts as large as their errors, for these make the smallest sum of all that are as large in
    truth (|part + error| is convex in the part), and the parts found, which hold errors already, would make too large a one.

    Args:
        parts: (bins,) as found. draws: (r, bins) of the bootstrap, NaN where undefined. power: 1 or 2.
        patients: (bins,) in each. A bootstrap's errors of m patients have (m - 1) / m of the variance, which is made good.

    Returns:
        the interval, stretched to hold the sum itself, and at most 1; None where too many draws are undefined, or none differs.
    """
    errors = draws[~np.isnan(draws).any(axis=1)] - parts
    if len(errors) < (1 - UNDEFINED_SHARE) * len(draws) or not len(errors):
        return None
    errors *= np.sqrt(patients / np.maximum(patients - 1, 1))
    if np.abs(errors).max() < 1e-12:
        return None  # no draw differs
    found = float((np.abs(parts) ** power).sum())
    low, _ = _kept(found, parts, errors, power)
    _, high = _kept(found, errors.std(axis=0) * np.where(parts < 0, -1, 1), errors, power)
    return Interval(float(min(low, found)), float(min(1, max(high, found))), "test_inversion")


def _kept(found: float, direction: np.ndarray, errors: np.ndarray, power: int) -> tuple[float, float]:
    """Smallest and largest true sum that the test keeps; 0 twice where the sum found is smaller than chance alone makes it."""
    of_one = float((np.abs(direction) ** power).sum())
    if of_one == 0:
        return 0.0, 0.0
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    largest = 3 * max(1.0, (found / of_one) ** (1 / power))
    scales = np.linspace(0, largest, SCALES)
    sums = [np.quantile((np.abs(scale * direction + errors) ** power).sum(axis=1), tails) for scale in scales]
    lows, highs = np.array(sums).T
    kept = scales[(lows <= found) & (found <= highs)]
    ends = (kept.min(), kept.max()) if len(kept) else (0.0, 0.0)
    return tuple(float(end**power * of_one) for end in ends)
