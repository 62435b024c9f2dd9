"""A fold whose values are spread as evenly as the data allow, and how even it is.

A model that is chosen on the ages as they come is chosen for the middle of them. On n patients whose ages are uniform, every age counts.
"""

import numpy as np
import pandas as pd

from medtf.errors import AskedWronglyError
from medtf.table import is_empty

MISMATCH = 0.25  # of a squared slot: half a slot's width is given up for a patient of the wanted sex, site, ...
DRAWS = 200  # random draws that the fold is compared with


def values_of(frame: pd.DataFrame, codes: np.ndarray, column: str, patients: int) -> np.ndarray:
    """(patients,) float64: each patient's value, the median of its rows; NaN = unknown.

    Raises:
        AskedWronglyError: values that are no numbers.
    """
    known = ~is_empty(frame[column])
    numbers = pd.to_numeric(frame[column].where(known), errors="coerce").to_numpy(float)
    if np.isnan(numbers[known]).any():
        strange = frame[column].to_numpy()[known & np.isnan(numbers)][0]
        raise AskedWronglyError(f"data.split.uniform: column {column!r} holds {strange!r}: expected numbers")
    medians = pd.Series(numbers).groupby(codes).median()
    return medians.reindex(range(patients)).to_numpy(float)


def draw(values: np.ndarray, n: int, seed: int, mix: pd.DataFrame | None = None) -> np.ndarray:
    """(n,) int: whom to take so that the values are spread evenly from the smallest to the largest, without replacement.

    The range is cut into n slots with a place drawn in the middle half of each, and patients are matched to places so that the sum of
    squared distances is least.

    Args:
        values: (patients,) float, all known.
        n: how many.
        seed: of the places, and of the choice among equals.
        mix: one row a patient; the fold keeps the mix of its columns as far as half a slot's width can buy it.
    Raises:
        AskedWronglyError: too few patients, or all with the same value.
    """
    from scipy.optimize import linear_sum_assignment

    if n > len(values):
        raise AskedWronglyError(
            f"data.split.uniform.n {n}: only {len(values)} patients have a value and are not in the test fold"
        )
    low, high = values.min(), values.max()
    if low == high:
        raise AskedWronglyError(
            f"data.split.uniform: all {len(values)} patients have the value {low:g}: nothing to spread"
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x00E5E4]))
    order = rng.permutation(len(values))
    places = np.arange(n) + rng.uniform(0.25, 0.75, n)  # in slots
    cost = (places[:, None] - (values[order] - low)[None, :] / (high - low) * n) ** 2
    if mix is not None and len(mix.columns):
        ordered = mix.iloc[order].sort_values(list(mix.columns), kind="stable")
        wanted = ordered.iloc[((np.arange(n) + 0.5) * len(values) / n).astype(int)].iloc[rng.permutation(n)]
        for name in mix.columns:
            cost += MISMATCH * (wanted[name].to_numpy()[:, None] != mix[name].to_numpy()[order][None, :])
    _, chosen = linear_sum_assignment(cost)
    return np.sort(order[chosen])


def distance(chosen: np.ndarray, low: float, high: float) -> float:
    """Kolmogorov-Smirnov distance of values from the uniform distribution on [low, high]: 0 even, 1 all at one end."""
    u, n = np.sort((np.asarray(chosen, float) - low) / (high - low)), len(chosen)
    k = np.arange(1, n + 1)
    return float(max((k / n - u).max(), (u - (k - 1) / n).max()))


def least_distance(values: np.ndarray, n: int) -> float:
    """The smallest Kolmogorov-Smirnov distance that any n of the values reach, to 1e-6.

    The k-th smallest of n values that stay within d of uniform lies in [k/n - d, (k-1)/n + d]; both ends grow with k, so taking the smallest
    value that still fits decides whether d can be reached, and d is found by halving.
    """
    u = np.sort((np.asarray(values, float) - np.min(values)) / (np.max(values) - np.min(values)))

    def reached(d: float) -> bool:
        at = 0
        for k in range(1, n + 1):
            at = max(at, int(np.searchsorted(u, k / n - d - 1e-12)))
            if at >= len(u) or u[at] > (k - 1) / n + d + 1e-12:
                return False
            at += 1
        return True

    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def random_distance(values: np.ndarray, n: int, seed: int = 0) -> float:
    """The median distance of random draws of n of the values."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x8A4D]))
    low, high = np.min(values), np.max(values)
    return float(np.median([distance(rng.choice(values, n, replace=False), low, high) for _ in range(DRAWS)]))
