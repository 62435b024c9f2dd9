"""A cut of the uncertainty that was fixed on the validation fold, and what it gives on another: the number that flatters nobody."""

import numpy as np

from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.rates import share_interval

NONE = "no share of the validation fold stays within this error"


def cut(risks: np.ndarray, unsure: np.ndarray, error: float) -> float | None:
    """The largest uncertainty up to which the mean risk of the validation fold is at most `error`; None: it never is.

    Args:
        risks, unsure: (n,) of the validation fold.
    """
    order = np.argsort(unsure, kind="stable")
    ranked = unsure[order]
    last = np.r_[ranked[1:] != ranked[:-1], True]  # of equally sure ones, which come in together
    within = np.cumsum(risks[order]) <= error * np.arange(1, len(order) + 1) + 1e-12
    at = np.flatnonzero(within & last)
    return float(ranked[at[-1]]) if len(at) else None


def at_cut(
    risks: np.ndarray, unsure: np.ndarray, cut: float | None, bootstrap: PatientBootstrap, at, calls: bool
) -> dict:
    """{"cut", "share", "risk"} of the judged fold, or a `reason`.

    Args:
        risks, unsure: (n,) of the judged examples. cut: their largest uncertainty that is left to the machine.
        at: (n,) their positions in the fold. calls: risks are wrong calls, 0 or 1.
    """
    if cut is None:
        return {"reason": NONE}
    taken = unsure <= cut
    units = bootstrap.units(at)
    linear = np.column_stack([np.bincount(units, weights=of) for of in (np.ones_like(risks), taken, taken * risks)])

    def statistic(weights):
        total, share, risk = (weights @ linear).T
        return {"share": share / total, "risk": np.divide(risk, share, out=np.full_like(risk, np.nan), where=share > 0)}

    values = {name: value[0] for name, value in statistic(np.ones((1, len(linear)))).items()}
    draws, why_not = bootstrap.replicate(statistic, at, by_patient=True), bootstrap.why_not(at)
    own = {"share": share_interval(taken, units), "risk": share_interval(risks[taken], units[taken]) if calls else None}
    found = {
        name: measured(
            values[name], draws.get(name), undefined="no example is that sure", why_not=why_not, own=own[name]
        )
        for name in values
    }
    return {"cut": cut} | found
