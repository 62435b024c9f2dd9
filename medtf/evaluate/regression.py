"""Metrics of a target with a unit (years, mm, ...)."""

import numpy as np
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from medtf.errors import MedtfError
from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import LEVEL, Interval, PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.rank_intervals import pearson_interval
from medtf.evaluate.statistics.ranks import Spearman
from medtf.evaluate.statistics.rates import share_interval

# what a changed prediction (corrected, recalibrated) changes; the floors stay as they are
ERRORS = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "r2",
    "pearson_r",
    "spearman_r",
    "bias",
    "error_truth_r",
)
FLOORS = ("mean_absolute_error_of_median", "mean_absolute_error_of_training_mean")
_FLAT = "true or predicted values are all equal"
_REASONS = {
    "r2": "all true values are equal",
    "pearson_r": _FLAT,
    "spearman_r": _FLAT,
    "error_truth_r": "true values or errors are all equal",
}
# of a standard normal distribution: what a right predicted standard deviation gives
EXPECTED = {"within_1_sd": float(stats.norm.cdf(1) - stats.norm.cdf(-1)), "within_1_96_sd": 0.95}
_UNKNOWN = "no example with a known value"


def judge_regression(known: Sample, bootstrap: PatientBootstrap, *, training_mean: float | None = None) -> dict:
    """All metrics of one regression target, in its unit (correlations and r2 have none).

    Args:
        known: its examples with a known value.
        bootstrap: the draws of the fold's patients.
        training_mean: mean of the training fold's true values, for the floor of a guess made before this fold was seen.
    """
    values = _values(known, training_mean)
    units = bootstrap.units(known.at)
    statistic = _statistic(known, training_mean, units) if len(known.truth) else None
    replicates = bootstrap.replicate(statistic, known.at, by_patient=True) if statistic else {}
    own = _own(known, values, units)
    why_not = bootstrap.why_not(known.at)
    result = {"n": len(known.truth), "patients": known.patients, "unknown": known.unknown}
    for name in (*ERRORS, *FLOORS[: 1 if training_mean is None else 2]):
        undefined = _REASONS.get(name, "") if len(known.truth) else _UNKNOWN
        result[name] = measured(
            values.get(name), replicates.get(name), undefined=undefined, why_not=why_not, own=own.get(name)
        )
    result["agreement"] = agreement(known, replicates.get("_bias"), replicates.get("_sd"), why_not)
    return result


def agreement(known: Sample, means: Draws | None, sds: Draws | None, why_not: str | None) -> dict:
    """Mean difference (prediction - truth) and 95 % limits of agreement (Bland and Altman 1999, Stat Methods Med Res 8:135).

    One example a patient: intervals by Student's t with the paper's standard errors, s / sqrt(n) of the mean and
    s sqrt(1/n + 1.96^2 / (2 (n - 1))) of a limit. Several: by the patient bootstrap of means and sds.
    """
    n, z = len(known.truth), stats.norm.ppf((1 + LEVEL) / 2)
    names = {"mean_difference": 0.0, "lower_limit": -z, "upper_limit": z}
    if n < 2:
        return {name: measured(None, None, undefined="needs at least two examples") for name in names}
    error = known.prediction - known.truth
    mean, sd = float(error.mean()), float(error.std(ddof=1))
    found = {"sd": sd}
    for name, k in names.items():
        value, draws = mean + k * sd, None if means is None else means + k * sds
        half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * sd * np.sqrt(1 / n + k**2 / (2 * (n - 1)))
        own = Interval(float(value - half), float(value + half), "student") if known.patients == n else None
        found[name] = measured(value, draws, why_not=why_not, own=own)
        if own and draws is None:  # it needs no draws
            found[name] = {"value": value, **own._asdict()}
    paper = found["mean_difference"].get("method") == "student"
    return found | {"intervals": "Bland and Altman 1999" if paper else "patient bootstrap"}


def judge_sd(known: Sample, sd: np.ndarray, bootstrap: PatientBootstrap) -> dict:
    """Whether predicted standard deviations are right: their mean, and the share of true values within 1 and 1.96 of them.

    Args:
        sd: (n,) float64 > 0, in the target's unit, of the examples of `known`.
    Raises:
        MedtfError: a standard deviation that is none.
    """
    if not (np.isfinite(sd) & (sd > 0)).all():
        raise MedtfError("predictions: a predicted standard deviation is not a positive number: did training diverge?")
    distance = np.abs(known.prediction - known.truth) / sd
    columns = {
        "mean_sd": sd,
        "within_1_sd": (distance <= 1).astype(float),
        "within_1_96_sd": (distance <= 1.96).astype(float),
    }
    units = bootstrap.units(known.at)
    linear = by_unit(np.column_stack([*columns.values(), np.ones_like(sd)]), units)

    def statistic(weights):
        sums = weights @ linear
        with np.errstate(invalid="ignore", divide="ignore"):
            return {name: sums[:, i] / sums[:, -1] for i, name in enumerate(columns)}

    replicates = bootstrap.replicate(statistic, known.at, by_patient=True) if len(sd) else {}
    why_not = bootstrap.why_not(known.at)
    found = {}
    for name, column in columns.items():
        value = float(column.mean()) if len(sd) else None
        own = share_interval(column, units) if name in EXPECTED else None
        found[name] = measured(value, replicates.get(name), undefined=_UNKNOWN, why_not=why_not, own=own)
        if name in EXPECTED:
            found[name]["expected"] = EXPECTED[name]
    return found


def _values(known: Sample, training_mean: float | None) -> dict:
    truth, predicted = known.truth, known.prediction
    if not len(truth):
        return {}
    error = predicted - truth
    values = {
        "mean_absolute_error": mean_absolute_error(truth, predicted),
        "root_mean_squared_error": root_mean_squared_error(truth, predicted),
        "bias": float(np.mean(error)),
        "mean_absolute_error_of_median": float(np.mean(np.abs(truth - np.median(truth)))),
    }
    if training_mean is not None:
        values["mean_absolute_error_of_training_mean"] = float(np.mean(np.abs(truth - training_mean)))
    if np.ptp(truth) > 0:
        values["r2"] = r2_score(truth, predicted)
        if np.ptp(predicted) > 0:
            values["pearson_r"] = stats.pearsonr(truth, predicted).statistic
            values["spearman_r"] = stats.spearmanr(truth, predicted).statistic
        if error.std() > 1e-9 * truth.std():
            values["error_truth_r"] = stats.pearsonr(truth, error).statistic
    return values


def _own(known: Sample, values: dict, units: np.ndarray) -> dict[str, Interval | None]:
    """Intervals of linear correlations, which need no draws."""
    pairs = {"pearson_r": known.prediction, "error_truth_r": known.prediction - known.truth}
    return {name: pearson_interval(known.truth, other, units) for name, other in pairs.items() if name in values}


def _statistic(known: Sample, training_mean: float | None, units: np.ndarray):
    """The same numbers under weights (r, patients): all but the rank correlation follow from weighted means.

    The median and the training mean stay as they are: each stands for one fixed guess, not for a fitted model.
    """
    # centred on the fold's means, else the differences of squares below lose their digits
    truth, predicted = known.truth - known.truth.mean(), known.prediction - known.prediction.mean()
    error = known.prediction - known.truth
    floors = [np.abs(known.truth - np.median(known.truth)), np.abs(known.truth - (training_mean or 0.0))]
    moments = [np.ones_like(truth), truth, predicted, truth**2, predicted**2, truth * predicted]
    linear = by_unit(np.column_stack([*moments, np.abs(error), error, error**2, *floors]), units)
    spearman = Spearman(known.truth, known.prediction, units)

    def statistic(weights):
        sums = weights @ linear
        with np.errstate(invalid="ignore", divide="ignore"):
            _, t, p, tt, pp, tp, absolute, bias, squared, median, trained = (sums / sums[:, :1]).T
            # of centred squares this much is rounding: a draw of one patient's copies has no spread
            spread_t = np.where(tt - t**2 > 1e-12 * tt, tt - t**2, np.nan)
            spread_p = np.where(pp - p**2 > 1e-12 * pp, pp - p**2, np.nan)
            together = tp - t * p
            spread_e = (pp - p**2) + spread_t - 2 * together
            spread_e = np.where(spread_e > 1e-12 * (tt + pp), spread_e, np.nan)
            n = sums[:, 0]
            return {
                "mean_absolute_error": absolute,
                "root_mean_squared_error": np.sqrt(squared),
                "r2": 1 - squared / spread_t,
                "pearson_r": np.clip(together / np.sqrt(spread_t * spread_p), -1, 1),
                "spearman_r": spearman(weights),
                "bias": bias,
                "error_truth_r": np.clip((together - spread_t) / np.sqrt(spread_t * spread_e), -1, 1),
                "mean_absolute_error_of_median": median,
                "mean_absolute_error_of_training_mean": trained,
                "_bias": bias,
                "_sd": np.sqrt(np.maximum(squared - bias**2, 0) * n / (n - 1)),
            }

    return statistic
