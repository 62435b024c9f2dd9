"""Decision curves: is acting on the model better than treating everyone, or no one (Vickers and Elkin 2006)?

A reader who would act from a probability t on says with it that a miss costs (1 - t) / t false alarms. The net benefit at t counts
the true positives of a person, less the false positives at that rate of exchange:

    net benefit = TP / n - FP / n x t / (1 - t)

Treating no one has 0, treating everyone has prevalence - (1 - prevalence) x t / (1 - t), which is 0 at t = prevalence. This reads the
model's answers as probabilities, so it speaks for the model only where they are calibrated.
"""

import numpy as np
from scipy.sparse import csr_array

from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.intervals import Interval, PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.mover import difference, share

GRID = (0.005, *np.arange(1, 10) / 100, *np.arange(100, 500, 25) / 1000, *np.arange(50, 100, 5) / 100)
OF_PREVALENCE = (0.1, 0.2, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)  # where the curves of a rare finding bend
LOWEST, HIGHEST = 0.0005, 0.95


def section(known: Sample, bootstrap: PatientBootstrap, prevalence: float | None = None) -> dict:
    """`decision` of a binary target.

    Args:
        known: the examples with a label; their probabilities should hold at the prevalence of the curve (see prevalence.shift).
        bootstrap: the draws of the fold's patients.
        prevalence: weigh positives and negatives to this one and hold it fixed; None: that of the fold, which varies with the draws.

    Returns:
        {"prevalence", "at" ("data" or "given"), "mean_probability", "excess", "curve", "better", "words"}: see docs/metrics.md. One class
        only: "reason" in place of the rest.
    """
    if not len(known.truth):
        return {"reason": "no example with a known label"}
    own = float(known.truth.mean())
    if own in (0.0, 1.0):
        return {"reason": "needs positive and negative examples; this fold has one class only"}
    at = own if prevalence is None else float(prevalence)
    thresholds = grid(at)
    units = bootstrap.units(known.at)
    statistic = _statistic(known, thresholds, prevalence, units)
    values = {name: float(value[0]) for name, value in statistic(np.ones((1, int(units.max()) + 1))).items()}
    draws = bootstrap.replicate(statistic, known.at, by_patient=True)
    why_not = bootstrap.why_not(known.at)

    own = _own(known, thresholds, prevalence, units)

    def metric(name):
        return measured(values[name], draws.get(name), why_not=why_not, own=own.get(name), always_own=True)

    curve = [
        {"threshold": float(t), "treat_all": values[f"treat_all@{i}"]}
        | _gain(*(_slim(metric(f"{name}@{i}")) for name in ("model", "more_than_all")))
        for i, t in enumerate(thresholds)
    ]
    found = {"prevalence": at, "at": "data" if prevalence is None else "given"}
    found |= {"mean_probability": metric("mean_probability"), "excess": metric("excess"), "curve": curve}
    found["better"] = _ranges(thresholds, [row["gain"]["low"] is not None and row["gain"]["low"] > 0 for row in curve])
    return found | {"words": _words(found)}


def grid(prevalence: float) -> np.ndarray:
    """The threshold probabilities of a curve, ascending: a fixed grid, and some around the prevalence."""
    wanted = np.r_[GRID, np.round(prevalence * np.array(OF_PREVALENCE), 12)]
    return np.unique(wanted[(wanted >= LOWEST) & (wanted <= HIGHEST)])


def net_benefit(true_positives, false_positives, threshold) -> np.ndarray:
    """Net benefit, in true positives a person.

    Args:
        true_positives, false_positives: shares of all people, numbers or arrays. threshold: probability in (0, 1).
    """
    return true_positives - false_positives * threshold / (1 - threshold)


def _statistic(known: Sample, thresholds: np.ndarray, prevalence: float | None, units: np.ndarray):
    """Net benefits under weights (r, patients): `model@i`, `treat_all@i`, `more_than_all@i` of threshold i, and the mean probability."""
    truth = known.truth.astype(int)
    count = len(thresholds)
    # rows are counted by class and by how many thresholds they reach, so that all thresholds are one product
    group = truth * (count + 1) + np.searchsorted(thresholds, known.prediction, side="right")
    patients = int(units.max()) + 1
    columns = csr_array((np.ones(len(units)), (units, group)), shape=(patients, 2 * (count + 1)))  # adds up repeats
    probability = by_unit(np.column_stack([known.prediction * truth, known.prediction * (1 - truth)]), units)

    def statistic(weights):
        counts = (weights @ columns).reshape(len(weights), 2, count + 1)
        reached = np.cumsum(counts[:, :, ::-1], axis=2)[:, :, ::-1]  # [..., j]: rows that reach at least j thresholds
        total = reached[:, :, 0]
        positives = total[:, 1] / total.sum(axis=1) if prevalence is None else np.full(len(weights), prevalence)
        with np.errstate(invalid="ignore", divide="ignore"):
            false_rate, true_rate = (reached[:, k, 1:] / total[:, k, None] for k in (0, 1))
            means = (weights @ probability) / total[:, ::-1]
        one_class = (total == 0).any(axis=1)
        positives = np.where(one_class, np.nan, positives)
        model = net_benefit(true_rate * positives[:, None], false_rate * (1 - positives[:, None]), thresholds)
        everyone = net_benefit(positives[:, None], 1 - positives[:, None], thresholds)
        found = {}
        for name, values in (("model", model), ("treat_all", everyone), ("more_than_all", model - everyone)):
            found |= {f"{name}@{i}": values[:, i] for i in range(count)}
        mean = means[:, 0] * positives + means[:, 1] * (1 - positives)
        return found | {"mean_probability": mean, "excess": mean - positives}

    return statistic


def _own(known: Sample, thresholds: np.ndarray, prevalence: float | None, units: np.ndarray) -> dict[str, Interval]:
    """Intervals of `model@i` and `more_than_all@i` that need no draws; both are weighted differences of two proportions.

    Of all rows: TP / n - w FP / n, and more than treating everyone w TN / n - FN / n, with w = t / (1 - t). At a given prevalence the
    proportions are those of the positives and of the negatives, and the weights hold it.
    """
    positive = known.truth == 1
    people = int(units.max()) + 1

    def count(rows):
        return np.bincount(units[rows], minlength=people).astype(np.float64)

    sizes = {True: count(positive), False: count(~positive)}
    weight = {True: 1.0, False: 1.0} if prevalence is None else {True: prevalence, False: 1 - prevalence}
    of = dict.fromkeys(sizes, sizes[True] + sizes[False]) if prevalence is None else sizes
    found = {}
    for i, t in enumerate(thresholds):
        called = known.prediction >= t
        true, false = count(positive & called), count(~positive & called)
        exchange = t / (1 - t)
        right = [share(hits, of[True]).times(weight[True]) for hits in (true, sizes[True] - true)]
        wrong = [share(hits, of[False]).times(weight[False] * exchange) for hits in (false, sizes[False] - false)]
        found[f"model@{i}"] = difference(right[0], wrong[0])
        found[f"more_than_all@{i}"] = difference(wrong[1], right[1])
    return found


def _gain(model: dict, more_than_all: dict) -> dict:
    """`model`, and `gain`, what it has more than the better of treating everyone and no one: the smaller of both, with the smaller of either end.

    A bootstrap of the smaller of two would promise too much where they are equal, at the prevalence.
    """
    either = (model, more_than_all)
    unknown = any(one["low"] is None for one in either)
    gain = {
        key: min(one[key] for one in either) if key == "value" or not unknown else None
        for key in ("value", "low", "high")
    }
    if unknown:
        return {"model": model, "gain": gain | {"reason": next(one["reason"] for one in either if one["low"] is None)}}
    # the last digit of a sum may part an end from its value
    gain |= {"low": min(gain["low"], gain["value"]), "high": max(gain["high"], gain["value"])}
    return {"model": model, "gain": gain | ({"method": model["method"]} if "method" in model else {})}


def _slim(metric: dict) -> dict:
    """Half a hundred points need no second and third interval each."""
    return {key: metric[key] for key in ("value", "low", "high", "method", "reason") if key in metric}


def _ranges(thresholds: np.ndarray, better: list[bool]) -> list[list[float]]:
    """[[first, last]] of each unbroken stretch of thresholds at which the model is better."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.array(better, dtype=int), 0]))
    return [[float(thresholds[a]), float(thresholds[b - 1])] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _words(found: dict) -> str:
    if found["excess"]["low"] is None:
        return ""
    stretches = [f"{_percent(a)} to {_percent(b)}" for a, b in found["better"] if b > a]  # a lone point may be chance
    if stretches:
        said = (
            "Acting on the model is better than treating everyone and than treating no one at threshold probabilities of "
            f"{' and of '.join(stretches)} (by the intervals of single points)."
        )
    else:
        said = "At no range of threshold probabilities is acting on the model shown to be better than treating everyone and than treating no one."
    low, high = found["excess"]["low"], found["excess"]["high"]
    if not low <= 0 <= high:
        lean = "above" if low > 0 else "below"
        said += (
            f" The mean probability, {_percent(found['mean_probability']['value'])}, is {lean} the prevalence of "
            f"{_percent(found['prevalence'])}: the probabilities are not calibrated for it. The curve shows what acting on them as they are "
            "would bring; calibrated ones would bring more."
        )
    return said


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%"
