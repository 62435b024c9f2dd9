"""The numbers of one group: which there are for each kind of target, when a group is too small for them, and how they are made.

A metric is asked for its value and the influence of each row (influence.py), which gives variances and tests; and, under weights, for its
bootstrap replicates.
"""

from dataclasses import dataclass

import numpy as np

from medtf.evaluate.statistics import influence
from medtf.evaluate.statistics.intervals import Interval, by_unit, measured
from medtf.evaluate.statistics.rank_intervals import auc_interval, pearson_interval
from medtf.evaluate.statistics.ranking import Ranking
from medtf.evaluate.statistics.rates import share_interval

FEWEST = 10  # people in a group; below this its numbers are not given
FEWEST_OF_CLASS = 5  # people of a class, for a number that is made of that class

METRICS = {
    "binary": ("auc", "sensitivity", "specificity", "calibration_in_the_large"),
    "multiclass": ("auc_macro", "accuracy", "balanced_accuracy"),
    "regression": ("mean_absolute_error", "bias", "pearson_r"),
}
# metric -> (name, printed as a percentage)
NAMES = {
    "auc": ("AUC", False),
    "sensitivity": ("Sensitivity", True),
    "specificity": ("Specificity", True),
    "calibration_in_the_large": ("Mean probability - prevalence", False),
    "auc_macro": ("AUC, macro", False),
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced accuracy", True),
    "mean_absolute_error": ("Mean absolute error", False),
    "bias": ("Mean error", False),
    "pearson_r": ("Pearson r", False),
}


@dataclass(frozen=True)
class Rows:
    """Rows of one target, of a group or of all.

    kind: binary, multiclass or regression. truth: (n,) 0/1, class index or value. prediction: (n,), or (n, k). patients: (n,) integer
    codes. at: (n,) positions in the fold. called: (n,) 0/1 or class index; None: no threshold, or a regression. labels: what the classes
    are called.
    """

    kind: str
    truth: np.ndarray
    prediction: np.ndarray
    patients: np.ndarray
    at: np.ndarray
    called: np.ndarray | None
    labels: tuple[str, ...] = ()

    def of(self, rows: np.ndarray) -> "Rows":
        """Some of the rows, by position or mask."""
        called = None if self.called is None else self.called[rows]
        arrays = (self.truth[rows], self.prediction[rows], self.patients[rows], self.at[rows])
        return Rows(self.kind, *arrays, called, self.labels)

    @property
    def people(self) -> int:
        """How many patients."""
        return len(np.unique(self.patients))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that can be asked for."""
        away = () if self.called is not None else ("sensitivity", "specificity")
        return tuple(metric for metric in METRICS[self.kind] if metric not in away)


def too_small(rows: Rows, metric: str) -> str | None:
    """Why this group says too little for this metric, or None."""
    if rows.people < FEWEST:
        return f"too few people: {rows.people}, expected at least {FEWEST}"
    for code in _needed(metric, len(rows.labels)):
        people = len(np.unique(rows.patients[rows.truth == code]))
        if people < FEWEST_OF_CLASS:
            return f"too few people with {rows.labels[code]}: {people}, expected at least {FEWEST_OF_CLASS}"
    if metric == "pearson_r" and (_constant(rows.truth) or _constant(rows.prediction)):
        return "predictions or true values are all equal"
    return None


def with_influence(rows: Rows, metric: str) -> tuple[float, np.ndarray]:
    """A metric's value and the influence (n,) of each row, 0 for rows that take no part; only where it is not `too_small`."""
    truth, prediction, patients = rows.truth, rows.prediction, rows.patients
    match metric:
        case "auc":
            return influence.of_auc(truth == 1, prediction, patients)
        case "sensitivity" | "specificity":
            part = np.flatnonzero(truth == (metric == "sensitivity"))
            value, moved = influence.of_mean((rows.called == truth)[part].astype(float), patients[part])
            each = np.zeros(len(truth))
            each[part] = moved
            return value, each
        case "auc_macro":
            return influence.of_macro_auc(truth.astype(int), prediction, patients)
        case "balanced_accuracy":
            return influence.of_balanced(right(rows), truth.astype(int), len(rows.labels), patients)
        case "pearson_r":
            value, each = influence.of_r(truth, prediction, patients)
            return np.clip(value, -1, 1), each
    return influence.of_mean(of_each(rows, metric), patients)


def of_each(rows: Rows, metric: str) -> np.ndarray:
    """What a metric that is a mean is the mean of, (n,)."""
    if metric == "accuracy":
        return right(rows)
    error = rows.prediction - rows.truth  # of a binary target: probability - label
    return np.abs(error) if metric == "mean_absolute_error" else error


def right(rows: Rows) -> np.ndarray:
    """1 where the call is right, else 0; (n,) float64."""
    return (rows.called == rows.truth).astype(np.float64)


def statistic(rows: Rows, units: np.ndarray, *, auc: bool = True):
    """{metric: (r,)} under weights (r, patients), for the bootstrap; NaN where a class weighs nothing.

    Args:
        units: (n,) int from 0, the patient of each row, as `PatientBootstrap.units` numbers them.
        auc: also that of a binary target, which takes most of the time.
    """
    sums = {metric: [by_unit(part, units) for part in parts] for metric, parts in _sums(rows).items()}
    rankings = _rankings(rows, units) if auc or rows.kind != "binary" else []
    moments = by_unit(_moments(rows), units) if "pearson_r" in rows.metrics else None

    def of(weights):
        found = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for metric, (parts, wholes) in sums.items():
                found[metric] = ((weights @ parts) / (weights @ wholes)).mean(axis=1)
            if moments is not None:
                found["pearson_r"] = _r(weights @ moments)
        if rankings:
            aucs = [ranking(weights, precision=False)[0] for ranking in rankings]
            found["auc" if rows.kind == "binary" else "auc_macro"] = np.mean(aucs, axis=0)
        return found

    return of


def shown(value, draws, *, undefined: str, why_not: str | None, own: Interval | None) -> dict:
    """`measured`, and the statistic's own interval also where nothing was drawn for it: groups are many, and an AUC is slow to draw."""
    if draws is None and own is not None and why_not is None and value is not None:
        return {"value": float(value)} | own._asdict()
    return measured(value, draws, undefined=undefined, why_not=why_not, own=own)


def own(rows: Rows, units: np.ndarray) -> dict[str, Interval | None]:
    """Intervals that need no draws, as the whole fold has them: DeLong's, Wilson's, Fisher's z."""
    if rows.kind == "regression":
        some = too_small(rows, "pearson_r") is None
        return {"pearson_r": pearson_interval(rows.truth, rows.prediction, units)} if some else {}
    correct = rows.called == rows.truth if rows.called is not None else None
    if rows.kind == "multiclass":
        return {"accuracy": share_interval(correct, units)}
    found = {"auc": auc_interval(rows.truth, rows.prediction, units)}
    if correct is not None:
        for metric, code in (("sensitivity", 1), ("specificity", 0)):
            part = rows.truth == code
            found[metric] = share_interval(correct[part], units[part])
    return found


def _sums(rows: Rows) -> dict:
    """{metric: (parts (n, c), wholes (n, c))}: the metric is the mean over c of sum of parts / sum of wholes."""
    ones = np.ones((len(rows.truth), 1))
    if rows.kind == "regression":
        return {metric: (of_each(rows, metric)[:, None], ones) for metric in ("mean_absolute_error", "bias")}
    if rows.kind == "multiclass":
        of_class = (rows.truth[:, None] == np.arange(len(rows.labels))).astype(np.float64)
        correct = right(rows)[:, None]
        return {"accuracy": (correct, ones), "balanced_accuracy": (correct * of_class, of_class)}
    found = {"calibration_in_the_large": (of_each(rows, "calibration_in_the_large")[:, None], ones)}
    if rows.called is not None:
        for metric, code in (("sensitivity", 1), ("specificity", 0)):
            of_class = (rows.truth == code).astype(np.float64)[:, None]
            found[metric] = (right(rows)[:, None] * of_class, of_class)
    return found


def _rankings(rows: Rows, units: np.ndarray) -> list[Ranking]:
    if rows.kind == "multiclass":
        return [Ranking(rows.truth == i, rows.prediction[:, i], units) for i in range(len(rows.labels))]
    return [Ranking(rows.truth, rows.prediction, units)] if rows.kind == "binary" else []


def _moments(rows: Rows) -> np.ndarray:
    """(n, 6) from which a weighted r follows; near 0, so that differences of squares keep their digits."""
    x, y = rows.truth - rows.truth.mean(), rows.prediction - rows.prediction.mean()
    return np.column_stack([np.ones_like(x), x, y, x * x, y * y, x * y])


def _r(sums: np.ndarray) -> np.ndarray:
    mx, my, xx, yy, xy = (sums[:, 1:] / sums[:, :1]).T
    spread = np.stack([xx - mx**2, yy - my**2])
    spread = np.where(spread > 1e-12 * np.stack([xx, yy]), spread, np.nan)  # a draw of equal values
    return np.clip((xy - mx * my) / np.sqrt(spread[0] * spread[1]), -1, 1)


def _needed(metric: str, k: int) -> tuple[int, ...]:
    needed = {"sensitivity": (1,), "specificity": (0,), "auc": (0, 1)}
    return needed.get(metric, tuple(range(k)) if metric in ("auc_macro", "balanced_accuracy") else ())


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max()))
