"""What another prevalence makes of a model: predictive values over a range of it, and probabilities brought to it.

Training often sees a stream in which positives were made frequent; the clinic has them rarely. Sensitivity and specificity carry
over (as long as positives look like positives, and negatives like negatives), predictive values and probabilities do not.
"""

import numpy as np

from medtf.errors import MedtfError
from medtf.evaluate.binary import CLIP, predictive_values
from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.intervals import PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.rates import at_the_edge, share_interval

# 0.1 % (screening) to 50 % (a balanced study)
GRID = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5)

_BOTH = "needs positive and negative examples; this fold has one class only"
_UNDEFINED = {"ppv": "nothing would be called positive", "npv": "nothing would be called negative"}


def shift(probability, from_, to) -> np.ndarray:
    """Probabilities that hold at one prevalence, brought to another (Elkan 2001, theorem 2; Saerens 2002, equation 4).

    Right where only the share of the classes differs: p' is proportional to p x to / from, for each class.

    Args:
        probability: binary: any shape, of the positive class; multiclass: (n, k).
        from_: prevalence in (0, 1) at which the probabilities hold, that of the training stream; multiclass: (k,), sums to 1.
        to: prevalence where the model is meant for, likewise.

    Returns:
        float64 of the same shape; 0 and 1 stay what they are. The order of examples by a binary probability does not change.

    Raises:
        MedtfError: a prevalence outside (0, 1), or class shares that do not sum to 1.
    """
    p, before, after = (np.asarray(x, dtype=np.float64) for x in (probability, from_, to))
    several = before.ndim == 1
    for named, prior in (("from", before), ("to", after)):
        if not ((prior > 0) & (prior < 1)).all() or (several and abs(prior.sum() - 1) > 1e-6):
            expected = "class shares above 0 that sum to 1" if several else "a prevalence between 0 and 1"
            raise MedtfError(f"prior shift: {named!r}: expected {expected}, got {prior.tolist()}")
    if several:
        weighed = p * (after / before)
        return weighed / weighed.sum(axis=-1, keepdims=True)
    positive, negative = p * (after / before), (1 - p) * ((1 - after) / (1 - before))
    return positive / (positive + negative)


def predictive_values_over(known: Sample, threshold: float, prevalences, bootstrap: PatientBootstrap) -> list[dict]:
    """Positive and negative predictive value at each prevalence, by Bayes from sensitivity and specificity of the fold.

    Args:
        known: the examples with a label. threshold: called positive from here on. prevalences: in (0, 1), each held fixed.
        bootstrap: the draws of the fold's patients.

    Returns:
        [{"prevalence", "ppv", "npv"}]. Where no negative is called positive, or no positive negative, every draw gives the same value
        and the bootstrap would promise too much: there the interval follows from Wilson's limits of both rates (`from_wilson`).
    """
    truth, called = known.truth == 1, known.prediction >= threshold
    prevalences = [float(p) for p in prevalences]
    if not len(truth) or truth.all() or not truth.any():
        reason = _BOTH if len(truth) else "no example with a known label"
        nothing = measured(None, None, undefined=reason)
        return [{"prevalence": p, "ppv": dict(nothing), "npv": dict(nothing)} for p in prevalences]
    units = bootstrap.units(known.at)
    columns = by_unit(np.column_stack([truth & called, truth, ~truth & ~called, ~truth]).astype(np.float64), units)

    def statistic(weights):
        found, positives, cleared, negatives = (weights @ columns).T
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = found / positives, cleared / negatives
        return {f"{kind}@{p}": value for p in prevalences for kind, value in predictive_values(*rates, p).items()}

    draws = bootstrap.replicate(statistic, known.at, by_patient=True)
    rates = float(called[truth].mean()), float((~called[~truth]).mean())
    edges = share_interval(called[truth], units[truth]), share_interval(~called[~truth], units[~truth])
    rows = []
    for p in prevalences:
        row = {"prevalence": p}
        for kind, value in predictive_values(*rates, p).items():
            row[kind] = measured(
                float(value),
                draws.get(f"{kind}@{p}"),
                undefined=_UNDEFINED[kind],
                why_not=bootstrap.why_not(known.at),
                own=at_the_edge(float(value), lambda *both, p=p, kind=kind: predictive_values(*both, p)[kind], *edges),
            )
        rows.append(row)
    return rows


def predictive_section(
    known: Sample, threshold: float | np.ndarray, bootstrap: PatientBootstrap, marks: dict[str, float]
) -> dict:
    """`predictive_values` of a binary target.

    Args:
        known, threshold, bootstrap: as above.
        marks: {name: prevalence} to give beside the grid: `data`, `undersampled`, `given`; those outside (0, 1) are left out.

    Returns:
        {"threshold", "sensitivity", "specificity" (plain numbers, or None), "rows": [{"prevalence", "marks", "ppv", "npv"}]}, by prevalence.
    """
    marks = {name: float(p) for name, p in marks.items() if p is not None and 0 < p < 1}
    rows = predictive_values_over(known, threshold, sorted({*GRID, *marks.values()}), bootstrap)
    for row in rows:
        row["marks"] = [name for name, p in marks.items() if p == row["prevalence"]]
    positive, called = known.truth == 1, known.prediction >= threshold
    return {
        "threshold": float(np.median(threshold)),  # of a cross-validation each row has its own
        "sensitivity": float(called[positive].mean()) if positive.any() else None,
        "specificity": float((~called[~positive]).mean()) if (~positive).any() else None,
        "rows": rows,
    }


def prior_section(known: Sample, bootstrap: PatientBootstrap, trained: float, wanted: float) -> dict:
    """`prior` of a binary target: the probabilities as they are, and brought from the training stream's prevalence to another.

    A fold whose own prevalence is not the wanted one would judge both wrongly, so every number is weighted: the mean over the
    positives counts `wanted`, that over the negatives 1 - `wanted` (importance weights; exact where only the prevalence differs).

    Args:
        known: the examples with a label, with the model's own probabilities. bootstrap: the draws of the fold's patients.
        trained: prevalence of the stream that training saw. wanted: prevalence where the model is meant for.

    Returns:
        {"trained", "wanted", "data", "weighted_to", "log_loss", "brier", "mean_probability"}; each of the last three has the metrics
        "before", "after" and "difference" (after - before). A mean probability that is right equals `wanted`. Or "reason".
    """
    about = {"trained": float(trained), "wanted": float(wanted), "weighted_to": float(wanted)}
    if not (0 < trained < 1 and 0 < wanted < 1):
        return about | {"reason": "training saw one class only: there is no prevalence to correct from"}
    if not len(known.truth) or known.truth.min() == known.truth.max():
        return about | {"reason": _BOTH if len(known.truth) else "no example with a known label"}
    after = shift(known.prediction, trained, wanted)
    columns = {"before": _losses(known.truth, known.prediction), "after": _losses(known.truth, after)}
    names = [(metric, when) for when in columns for metric in columns[when]]
    values = np.column_stack([np.ones(len(known.truth)), *(columns[when][metric] for metric, when in names)])
    units = bootstrap.units(known.at)
    sums = [by_unit(values * of[:, None], units) for of in (known.truth == 1, known.truth == 0)]

    def statistic(weights):
        with np.errstate(invalid="ignore", divide="ignore"):
            positive, negative = ((totals := weights @ of)[:, 1:] / totals[:, :1] for of in sums)
        weighted = dict(zip(names, (wanted * positive + (1 - wanted) * negative).T, strict=True))
        flat = {f"{metric}@{when}": draw for (metric, when), draw in weighted.items()}
        for metric in columns["after"]:
            flat[f"{metric}@difference"] = weighted[metric, "after"] - weighted[metric, "before"]
        return flat

    draws = bootstrap.replicate(statistic, known.at, by_patient=True)
    points = statistic(np.ones((1, len(sums[0]))))
    found = about | {"data": float(known.truth.mean())}
    for metric in columns["after"]:
        found[metric] = {
            when: measured(
                float(points[f"{metric}@{when}"][0]),
                draws.get(f"{metric}@{when}"),
                why_not=bootstrap.why_not(known.at),
            )
            for when in ("before", "after", "difference")
        }
    return found


def _losses(truth: np.ndarray, probability: np.ndarray) -> dict[str, np.ndarray]:
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    return {
        "log_loss": -np.log(np.where(truth == 1, clipped, 1 - clipped)),
        "brier": (probability - truth) ** 2,
        "mean_probability": np.asarray(probability, dtype=np.float64),
    }
