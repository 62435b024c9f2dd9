"""Metrics of a target with a unit (years, mm, ...)."""

import numpy as np
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from medtf.evaluate.intervals import PatientBootstrap, measured
from medtf.evaluate.predictions import Sample

_NAMES = ("mean_absolute_error", "root_mean_squared_error", "r2", "pearson_r", "bias", "mean_absolute_error_of_median")
_REASONS = {"r2": "all true values are equal", "pearson_r": "true or predicted values are all equal"}


def judge_regression(known: Sample, bootstrap: PatientBootstrap) -> dict:
    """All metrics of one regression target, in its unit (r2 and pearson_r have none)."""
    values = _values(known)
    replicates = bootstrap.replicate(_statistic(known), known.at) if len(known.truth) else {}
    why_not = bootstrap.why_not(known.at)
    result = {"n": len(known.truth), "patients": known.patients, "unknown": known.unknown}
    for name in _NAMES:
        undefined = _REASONS.get(name, "") if len(known.truth) else "no example with a known value"
        result[name] = measured(values.get(name), replicates.get(name), undefined=undefined, why_not=why_not)
    return result


def _values(known: Sample) -> dict:
    truth, predicted = known.truth, known.prediction
    if not len(truth):
        return {}
    values = {
        "mean_absolute_error": mean_absolute_error(truth, predicted),
        "root_mean_squared_error": root_mean_squared_error(truth, predicted),
        "bias": float(np.mean(predicted - truth)),
        "mean_absolute_error_of_median": float(np.mean(np.abs(truth - np.median(truth)))),
    }
    if np.ptp(truth) > 0:
        values["r2"] = r2_score(truth, predicted)
        if np.ptp(predicted) > 0:
            values["pearson_r"] = pearsonr(truth, predicted).statistic
    return values


def _statistic(known: Sample):
    """The same numbers under weights (r, n): all of them follow from weighted means.

    The median stays that of the fold: it stands for one fixed guess, not for a fitted model.
    """
    # centred on the fold's means, else the differences of squares below lose their digits
    truth, predicted = known.truth - known.truth.mean(), known.prediction - known.prediction.mean()
    error = known.prediction - known.truth
    floor = np.abs(known.truth - np.median(known.truth))
    moments = [np.ones_like(truth), truth, predicted, truth**2, predicted**2, truth * predicted]
    linear = np.column_stack([*moments, np.abs(error), error, error**2, floor])

    def statistic(weights):
        sums = weights @ linear
        with np.errstate(invalid="ignore", divide="ignore"):
            _, t, p, tt, pp, tp, absolute, bias, squared, median = (sums / sums[:, :1]).T
            # of centred squares this much is rounding: a draw of one patient's copies has no spread
            spread_t = np.where(tt - t**2 > 1e-12 * tt, tt - t**2, np.nan)
            spread_p = np.where(pp - p**2 > 1e-12 * pp, pp - p**2, np.nan)
            return {
                "mean_absolute_error": absolute,
                "root_mean_squared_error": np.sqrt(squared),
                "r2": 1 - squared / spread_t,
                "pearson_r": (tp - t * p) / np.sqrt(spread_t * spread_p),
                "bias": bias,
                "mean_absolute_error_of_median": median,
            }

    return statistic
