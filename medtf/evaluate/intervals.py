"""Percentile bootstrap over patients.

Slices of one patient resemble each other, so they are no independent draws: resampling rows would promise intervals
that are several times too narrow. Here whole patients are drawn with replacement, and a row weighs as often as its
patient was drawn (Efron and Tibshirani 1993, chapter 13; Field and Welsh 2007 for clusters). Metrics take a matrix of
weights (replicates, rows), so a thousand replicates are a few matrix operations.
"""

from collections.abc import Callable, Iterator

import numpy as np

LEVEL = 0.95
SEED = 0
# Bytes of one block of weights. A statistic holds about ten such blocks at once, which stays under 200 MB; small blocks
# also stay nearer to the cache than big ones.
BLOCK_BYTES = 16_000_000
UNDEFINED_SHARE = 0.1  # of replicates, above which no interval is given: the rest would be a biased choice

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


class PatientBootstrap:
    """Seeded draws of the patients of one fold; every target of the fold sees the same draws.

    Args:
        patients: (n,) patient id of each row, any sortable dtype.
        replicates: how many draws; 0 switches intervals off.
        seed: of the draws. Equal patients, replicates and seed give equal draws.

    Example:
        >>> bootstrap = PatientBootstrap(frame["patient"], replicates=1000)
        >>> bootstrap.replicate(lambda weights: {"mean": weights @ x / weights.sum(axis=1)})["mean"].shape
        (1000,)
    """

    def __init__(self, patients, *, replicates: int = 1000, seed: int = SEED):
        unique, self.codes = np.unique(np.asarray(patients), return_inverse=True)
        self.patients = len(unique)
        self.replicates = replicates
        self.seed = seed
        self.block = max(1, BLOCK_BYTES // (8 * max(1, len(self.codes))))

    def counts(self) -> Iterator[np.ndarray]:
        """Blocks (r, patients), int64: how often each patient was drawn. Drawn anew on each call, always the same."""
        generator = np.random.default_rng(self.seed)
        for start in range(0, self.replicates, self.block):
            r = min(self.block, self.replicates - start)
            draws = generator.integers(0, self.patients, size=(r, self.patients))
            draws += self.patients * np.arange(r)[:, None]
            yield np.bincount(draws.ravel(), minlength=r * self.patients).reshape(r, self.patients)

    def replicate(self, statistic: Statistic, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """`statistic(weights)` over all draws.

        Args:
            statistic: takes weights (r, len(rows)) float64 and gives {name: (r,) float64}, NaN where undefined.
            rows: (m,) positions of the rows that take part, in the order the statistic expects; None: all.

        Returns:
            {name: (replicates,) float64}; empty when there is nothing to draw.
        """
        codes = self.codes if rows is None else self.codes[rows]
        if self.replicates == 0 or self.why_not(rows):
            return {}
        blocks = [statistic(counts[:, codes].astype(np.float64)) for counts in self.counts()]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def why_not(self, rows: np.ndarray | None = None) -> str | None:
        """Why these rows can have no interval, or None."""
        patients = self.patients if rows is None else len(np.unique(self.codes[rows]))
        if self.replicates == 0:
            return "no interval: evaluate.replicates is 0"
        return "no interval: a single patient" if patients == 1 else None


def percentile_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The middle `level` of the replicates (r,), NaN ones dropped; None when more than 10 % of them are NaN."""
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - UNDEFINED_SHARE) * len(values) or not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def measured(
    value, replicates: np.ndarray | None, *, undefined: str = "undefined here", why_not: str | None = None
) -> dict:
    """One metric as it stands in metrics.json: {"value", "low", "high"}, and "reason" where one of them is null.

    Args:
        value: the point value; None or NaN: it has none.
        replicates: (r,) its bootstrap replicates, or None.
        undefined: the reason to give when there is no value.
        why_not: the reason to give when there are no replicates.
    """
    if value is None or not np.isfinite(value):
        return {"value": None, "low": None, "high": None, "reason": undefined}
    limits = None if replicates is None else percentile_interval(replicates)
    if limits is not None:
        return {"value": float(value), "low": limits[0], "high": limits[1]}
    reason = why_not or f"no interval: undefined in more than {UNDEFINED_SHARE:.0%} of the bootstrap's draws"
    return {"value": float(value), "low": None, "high": None, "reason": reason}
