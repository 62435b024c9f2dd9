"""Means over patients of what their examples show, every patient weighing the same."""

import numpy as np

from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, measured
from medtf.evaluate.statistics.rates import share_interval, wilson


class PatientMeans:
    """Several such means, drawn together.

    Args:
        bootstrap: the draws of the fold's patients. at: (n,) positions of the examples in the fold.
    """

    def __init__(self, bootstrap: PatientBootstrap, at: np.ndarray):
        self.bootstrap, self.at, self.units = bootstrap, at, bootstrap.units(at)
        self.patients = int(self.units.max()) + 1 if len(at) else 0
        self.columns, self.values, self.own, self.undefined = [], {}, {}, {}

    def add(self, name: str, values: np.ndarray, *, where: np.ndarray | None = None, undefined: str = "") -> None:
        """One more mean.

        Args:
            name: its key in `metrics`. values: (n,) numbers, or bool for a share.
            where: (n,) bool, the examples that count; None: all. undefined: the reason to give where there are none.
        """
        where = np.ones(len(self.at), bool) if where is None else where
        counts = np.bincount(self.units[where], minlength=self.patients)
        sums = np.bincount(self.units[where], weights=values[where], minlength=self.patients)
        there = counts > 0
        means = np.divide(sums, counts, out=np.zeros(self.patients), where=there)
        self.columns += [means, there.astype(np.float64)]
        self.values[name] = float(means.sum() / there.sum()) if there.any() else None
        self.undefined[name] = undefined
        if values.dtype == bool:
            self.own[name] = self._own(self.values[name], values[where], self.units[where])

    def metrics(self) -> dict[str, dict]:
        """{name: metric}: Wilson's interval of a share where no patient has two examples of it, or where it is 0 or 1; else of the bootstrap."""
        linear = np.column_stack(self.columns)

        def statistic(weights):
            sums = weights @ linear
            of = sums[:, 1::2]
            means = np.divide(sums[:, ::2], of, out=np.full(of.shape, np.nan), where=of > 0)
            return {name: means[:, i] for i, name in enumerate(self.values)}

        draws = self.bootstrap.replicate(statistic, self.at, by_patient=True) if self.patients else {}
        why_not = self.bootstrap.why_not(self.at)
        return {
            name: measured(
                value, draws.get(name), undefined=self.undefined[name], why_not=why_not, own=self.own.get(name)
            )
            for name, value in self.values.items()
        }

    @staticmethod
    def _own(value: float | None, hits: np.ndarray, units: np.ndarray) -> Interval | None:
        if value is None:
            return None
        patients = len(np.unique(units))
        if patients == len(units):
            return share_interval(hits, units)
        return Interval(*wilson(value, patients), "wilson_patients") if value in (0, 1) else None
