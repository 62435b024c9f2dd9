"""Straight lines fitted on the validation fold: predictions corrected for regression to the mean, and recalibrated.

A model of age guesses the old too young and the young too old. Two remedies, both reported beside the raw numbers:

*corrected*: the error is regressed on the true value in the validation fold, error = intercept + slope x truth, and that line is taken
from every prediction (Smith 2019, NeuroImage 200:528; Beheshti 2019, NeuroImage Clin 24:102063; de Lange and Cole 2020,
NeuroImage Clin 26:102229: the same thing in three notations). It makes the brain-age gap independent of age. **It needs the true age of
the very person that is judged**, so it raises r and lowers the error whatever the model knows (Butler 2021, Hum Brain Mapp 42:4092).

*recalibrated*: truth = intercept + slope x prediction, fitted in the validation fold. It needs no truth of the person that is judged and
cannot change r; it is what brings a model to another site or scanner.
"""

import dataclasses

import numpy as np

from medtf.evaluate.predictions import Sample
from medtf.evaluate.regression import ERRORS, judge_regression
from medtf.evaluate.statistics.intervals import PatientBootstrap, by_unit, measured

FEWEST = 10  # patients of the validation fold; a line through fewer says little


def corrections(
    known: Sample, bootstrap: PatientBootstrap, valid: Sample | None, valid_draws: PatientBootstrap | None, *, fold: str
) -> dict:
    """{"corrected": ..., "recalibrated": ...}, each with its line and the numbers it gives, or with a reason why not.

    Args:
        known, bootstrap: the examples that are judged, and the draws of their patients.
        valid, valid_draws: those of the validation fold, or None where it was not predicted.
        fold: the fold that is judged; a line that was fitted on it says so.
    """
    reason = _why_not(known, valid)
    if reason:
        return {"corrected": {"reason": reason}, "recalibrated": {"reason": reason}}
    error = valid.prediction - valid.truth
    error_on_truth = fit_line(valid.truth, error, valid_draws, valid.at)
    truth_on_prediction = fit_line(valid.prediction, valid.truth, valid_draws, valid.at)
    fitted_on = {
        "fold": "valid",
        "n": len(valid.truth),
        "patients": valid.patients,
        "judged_too": fold in ("valid", "all"),
    }

    def judged(line, prediction, uses_truth):
        changed = judge_regression(dataclasses.replace(known, prediction=prediction), bootstrap)
        numbers = {name: changed[name] for name in ERRORS}
        return {"uses_true_value": uses_truth, "fitted_on": fitted_on, **line, **numbers}

    return {
        "corrected": judged(error_on_truth, known.prediction - _at(error_on_truth, known.truth), True),
        "recalibrated": judged(truth_on_prediction, _at(truth_on_prediction, known.prediction), False),
    }


def fit_line(x: np.ndarray, y: np.ndarray, bootstrap: PatientBootstrap, at: np.ndarray) -> dict:
    """Least squares y = intercept + slope x, both (n,), with the intervals of a bootstrap over the patients of rows `at`."""
    centre, middle = x.mean(), y.mean()
    u, v = x - centre, y - middle
    linear = by_unit(np.column_stack([np.ones_like(u), u, v, u**2, u * v]), bootstrap.units(at))

    def statistic(weights):
        sums = weights @ linear
        with np.errstate(invalid="ignore", divide="ignore"):
            _, a, b, aa, ab = (sums / sums[:, :1]).T
            slope = (ab - a * b) / np.where(aa - a**2 > 1e-12 * aa, aa - a**2, np.nan)
            return {"slope": slope, "intercept": middle + b - slope * (a + centre)}

    slope = float(u @ v / (u @ u))
    values = {"slope": slope, "intercept": float(middle - slope * centre)}
    replicates = bootstrap.replicate(statistic, at, by_patient=True)
    why_not = bootstrap.why_not(at)
    return {name: measured(value, replicates.get(name), why_not=why_not) for name, value in values.items()}


def _at(line: dict, x: np.ndarray) -> np.ndarray:
    return line["intercept"]["value"] + line["slope"]["value"] * x


def _why_not(known: Sample, valid: Sample | None) -> str | None:
    if valid is None:
        return "the validation fold was not predicted"
    if not len(known.truth):
        return "no example with a known value"
    if valid.patients < FEWEST:
        return f"the validation fold has {valid.patients} patients with a known value; a line needs at least {FEWEST}"
    if np.ptp(valid.truth) == 0 or np.ptp(valid.prediction) == 0:
        return "true or predicted values of the validation fold are all equal"
    return None
