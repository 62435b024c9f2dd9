"""Several answers become one: the slices of a patient, or of a series, as a probability or a value of their own.

A patient is positive when any example is, so the natural rules for a binary target are those that look for the one slice that shows it: the
largest probability, the mean of the k highest, or noisy-or, the chance that at least one example is positive if each were an independent
witness (Pearl 1988, chapter 4). They trade false alarms for misses differently, and which is best is for the validation fold to say.
"""

import numpy as np

from medtf.schema_evaluate import Aggregate


def gather(values, codes: np.ndarray, groups: int, aggregate: Aggregate | str) -> np.ndarray:
    """One value a group.

    Args:
        values: (n,) or (n, k) float; for `noisy_or` probabilities in [0, 1]. Columns are gathered one by one.
        codes: (n,) int, the group of each row, from 0 to groups - 1; every group has a row.
        groups: how many.
        aggregate: `max`, `mean`, `top 3` (the mean of the three highest, of all where there are fewer) or `noisy_or` (1 - product of 1 - p).
    Returns:
        (groups,) or (groups, k) float64.
    """
    rule = Aggregate.of(aggregate)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 2:
        gathered = [gather(column, codes, groups, rule) for column in values.T]
        return np.stack(gathered, axis=1) if gathered else np.empty((groups, 0))
    if rule.how == "noisy_or":
        with np.errstate(
            divide="ignore"
        ):  # a certain example makes a certain patient: log 0 = -inf, and 1 - exp(-inf) = 1
            spared = np.log1p(-values)
        return -np.expm1(np.bincount(codes, spared, groups))
    if rule.how == "mean":
        return np.bincount(codes, values, groups) / np.bincount(codes, minlength=groups)
    order = np.lexsort((-values, codes))  # by group, the highest first
    ranked, starts = codes[order], np.searchsorted(codes[order], np.arange(groups))
    place = np.arange(len(order)) - starts[ranked]
    best = order[place < (rule.k if rule.how == "top" else 1)]
    return np.bincount(codes[best], values[best], groups) / np.bincount(codes[best], minlength=groups)


def median(values, codes: np.ndarray, groups: int) -> np.ndarray:
    """The median of each group, (groups,) float64; arguments as `gather`."""
    values = np.asarray(values, dtype=np.float64)
    ordered = values[np.lexsort((values, codes))]
    counts = np.bincount(codes, minlength=groups)
    starts = np.cumsum(counts) - counts
    return (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2
