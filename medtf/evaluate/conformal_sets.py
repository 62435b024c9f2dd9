"""Split-conformal sets of classes and intervals of values: a promise on how often they hold the truth, kept for whatever model.

How strange each example of the validation fold is, given the prediction, is its score; all that is less strange than nine in ten of them goes into
the set (Vovk, Gammerman and Shafer 2005; Lei 2018, J Am Stat Assoc 113:1094). Scores: of classes 1 - probability (*lac*: Sadinle 2019, J Am Stat
Assoc 114:223), or the probabilities down to the class, summed (*aps*: Romano 2020, NeurIPS; half the class's own in place of his random share, so
that equal images get equal sets, and never without the class called); of values the absolute error, divided by the predicted standard deviation
where there is one (Lei 2018).

The examples of one patient are alike, so the promise is made for one example, drawn by chance, of a new patient: every patient of the validation
fold weighs the same, split evenly over the examples (Lee, Barber and Willett 2023, arXiv 2306.06342; Dunn 2022, J Am Stat Assoc 118:2491).
With one example a patient this is the usual quantile, the ceil((n + 1)(1 - a))-th smallest of n scores.
"""

import numpy as np
from scipy.stats import beta

from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.intervals import LEVEL


def fit(valid: Sample, patients, miscoverage: float, kind: str, *, sd: np.ndarray | None = None) -> dict:
    """How strange a score may be: the parameters that `sets` and `interval` apply to any prediction.

    Args:
        valid: examples of the validation fold with a known label. patients: (n,) whose each is.
        miscoverage: share of truths that may lie outside, in (0, 1).
        kind: binary, multiclass or regression. sd: (n,) predicted standard deviations > 0 of values, or None.

    Returns:
        {"kind", "miscoverage", "n", "patients", "scaled" (by the standard deviation)} and `quantiles`: of values one of `error`; of classes `lac`, of
        three and more `aps`, and `by_class`, a list (None where a class has too few patients). A `reason` where there are too few for any.
    """
    _, codes = np.unique(np.asarray(patients), return_inverse=True)
    about = {"kind": kind, "miscoverage": miscoverage, "n": len(valid.truth), "patients": valid.patients}
    if valid.patients < needed(miscoverage):
        return about | {"reason": _too_few(valid.patients, miscoverage)}
    if kind == "regression":
        scores = np.abs(valid.truth - valid.prediction) / (1 if sd is None else sd)
        return about | {"scaled": sd is not None, "quantiles": {"error": quantile(scores, codes, miscoverage)}}
    p, truth = both(valid.prediction), valid.truth.astype(int)
    strange = 1 - p[np.arange(len(p)), truth]
    found = {"lac": quantile(strange, codes, miscoverage)}
    if p.shape[1] > 2:
        found["aps"] = quantile(summed(p)[np.arange(len(p)), truth], codes, miscoverage)
    found["by_class"] = [quantile(strange[truth == i], codes[truth == i], miscoverage) for i in range(p.shape[1])]
    return about | {"quantiles": found}


def sets(probabilities, parameters: dict, method: str = "lac") -> np.ndarray:
    """Which classes may be the true one, (n, k) bool; a set may be empty.

    Args:
        probabilities: (n,) of the positive class (the columns are then negative, positive) or (n, k). parameters: as `fit` gives them.
        method: lac (smallest sets), aps, or by_class: the promise is then made for each true class by itself, so that a rare one is not
            missed on the quiet (Vovk 2012, ACML; Sadinle 2019). A class without a quantile of its own is always in.
    """
    p, limit = both(np.asarray(probabilities, np.float64)), parameters["quantiles"][method]
    if method == "aps":
        inside = summed(p) <= limit
        inside[np.arange(len(p)), p.argmax(axis=1)] = True
        return inside
    limits = [1.0 if q is None else q for q in limit] if method == "by_class" else limit
    return 1 - p <= limits


def interval(values, parameters: dict, *, sd=None) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends (n,) around predicted values (n,), in their unit; sd (n,): where `parameters` are scaled by it."""
    values = np.asarray(values, np.float64)
    half = parameters["quantiles"]["error"] * (np.asarray(sd, np.float64) if parameters["scaled"] else 1.0)
    return values - half, values + half


def quantile(scores: np.ndarray, codes: np.ndarray, miscoverage: float) -> float | None:
    """The smallest score up to which patients weigh at least (K + 1)(1 - a) of K; None where all of them do not.

    Args:
        scores: (n,). codes: (n,) patient of each.
    """
    sizes = np.bincount(codes)
    if not len(scores) or (sizes > 0).sum() < needed(miscoverage):
        return None
    order = np.argsort(scores, kind="stable")
    weight = np.cumsum(1 / sizes[codes[order]])
    wanted = ((sizes > 0).sum() + 1) * (1 - miscoverage)
    return float(scores[order][min(np.searchsorted(weight, wanted - 1e-9), len(scores) - 1)])


def needed(miscoverage: float) -> int:
    """The fewest patients for whom a quantile is there: (K + 1) a must be at least 1."""
    return int(np.ceil(1 / miscoverage - 1 - 1e-9))


def expected(patients: int, miscoverage: float) -> dict:
    """The coverage to expect on ever more new patients, 95 % of the time, after one validation fold of so many (one example each).

    It is Beta(k, n + 1 - k) with k = ceil((n + 1)(1 - a)) where no scores are equal (Vovk 2012, ACML; Angelopoulos and Bates 2023).
    """
    k = int(np.ceil((patients + 1) * (1 - miscoverage) - 1e-9))
    low, high = beta.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], k, patients + 1 - k)
    return {"low": float(low), "high": float(high)}


def both(probabilities: np.ndarray) -> np.ndarray:
    """(n, k): of a binary target (n,) its negative and positive class."""
    return np.column_stack([1 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities


def summed(p: np.ndarray) -> np.ndarray:
    """(n, k): for each class the probabilities larger than its own, summed, and half its own."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    for i in range(1, p.shape[1]):  # equal probabilities come in together
        before[:, i] = np.where(ranked[:, i] == ranked[:, i - 1], before[:, i - 1], before[:, i])
    found = np.empty_like(p)
    np.put_along_axis(found, order, before + ranked / 2, axis=1)
    return found


def _too_few(patients: int, miscoverage: float) -> str:
    return (
        f"the validation fold has {patients} patients with a known label; sets that may miss {miscoverage:.3g} of the truths need"
        f" at least {needed(miscoverage)}"
    )
