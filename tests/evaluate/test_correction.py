"""Correction with the true value and recalibration: fitted on validation, beside the raw numbers."""

import numpy as np
import pandas as pd
import pytest
from ages import ages

from medtf.evaluate.correction import fit_line
from medtf.evaluate.judge import judge
from medtf.evaluate.statistics.intervals import PatientBootstrap


def judged(frame, valid, config, split="test", **evaluate):
    settings = config({"age": "regression"}, evaluate={"replicates": 200, **evaluate})
    return judge(frame, settings, {}, split=split, fingerprint="f", valid=valid)["targets"]["age"]


def test_a_line_by_hand():
    bootstrap = PatientBootstrap(["a", "b", "c"], replicates=100)
    found = fit_line(np.array([0.0, 1, 2]), np.array([1.0, 2, 6]), bootstrap, np.arange(3))
    assert found["slope"]["value"] == pytest.approx(2.5)
    assert found["intercept"]["value"] == pytest.approx(0.5)


def test_the_line_equals_polyfit_and_its_interval_spans_it():
    frame = ages(200, shrink=0.7)
    x, y = frame["age_true"].to_numpy(), frame["age"].to_numpy()
    found = fit_line(x, y, PatientBootstrap(frame["patient"]), np.arange(200))
    slope, intercept = np.polyfit(x, y, 1)
    assert (found["slope"]["value"], found["intercept"]["value"]) == pytest.approx((slope, intercept))
    for name in ("slope", "intercept"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    # standard error of a slope by the textbook
    error = np.sqrt(((y - slope * x - intercept) ** 2).sum() / 198 / ((x - x.mean()) ** 2).sum())
    assert found["slope"]["high"] - found["slope"]["low"] == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_a_shrunk_predictor_gets_the_planted_slope(config):
    found = judged(ages(400, shrink=0.6), ages(400, shrink=0.6, fold="valid", seed=1), config)
    line = found["corrected"]
    assert line["slope"]["low"] < 0.6 - 1 < line["slope"]["high"]
    assert line["fitted_on"] == {"fold": "valid", "n": 400, "patients": 400, "judged_too": False}
    assert found["error_truth_r"]["value"] < -0.8
    assert abs(line["error_truth_r"]["value"]) < 0.15
    assert line["mean_absolute_error"]["value"] < found["mean_absolute_error"]["value"]


def test_raw_numbers_stay_as_they_are(config):
    frame, valid = ages(shrink=0.6), ages(shrink=0.6, fold="valid", seed=1)
    with_lines, without = judged(frame, valid, config), judged(frame, None, config)
    for key in ("mean_absolute_error", "pearson_r", "bias", "agreement"):
        assert with_lines[key] == without[key]
    assert without["corrected"] == {"reason": "the validation fold was not predicted"}


def test_correction_flatters_a_model_that_knows_nothing(config):
    """Butler 2021: with the true age in it, the correlation rises whatever the model knows."""
    frame, valid = ages(shrink=0.0), ages(shrink=0.0, fold="valid", seed=1)
    found = judged(frame, valid, config)
    assert abs(found["pearson_r"]["value"]) < 0.15
    assert found["corrected"]["pearson_r"]["value"] > 0.9
    assert found["corrected"]["uses_true_value"]
    assert abs(found["recalibrated"]["pearson_r"]["value"]) < 0.15
    assert not found["recalibrated"]["uses_true_value"]
    assert found["recalibrated"]["mean_absolute_error"]["value"] > 0.9 * found["mean_absolute_error_of_median"]["value"]


def test_recalibration_mends_another_scale_and_keeps_r(config):
    """A network off the shelf on another site: large error, same r, a straight line away."""
    frame, valid = (ages(300, shrink=0.8, shift=12, noise=3, fold=f, seed=s) for f, s in (("test", 0), ("valid", 1)))
    found = judged(frame, valid, config)
    assert found["mean_absolute_error"]["value"] > 11
    assert found["recalibrated"]["mean_absolute_error"]["high"] < 4
    assert found["recalibrated"]["pearson_r"]["value"] == pytest.approx(found["pearson_r"]["value"])


def test_only_the_validation_fold_makes_the_line(config):
    valid = ages(50, fold="valid", seed=1)
    other = judged(ages(300, seed=5), valid, config)["corrected"]
    assert judged(ages(300, seed=6), valid, config)["corrected"]["slope"] == other["slope"]
    more = pd.concat([valid, ages(50, fold="train", seed=9).assign(row=lambda t: t["row"] + 1000)])
    assert judged(ages(300, seed=5), more, config)["corrected"]["slope"] == other["slope"]


def test_a_line_judged_on_its_own_fold_says_so(config):
    valid = ages(50, fold="valid")
    assert judged(valid, valid, config, split="valid")["recalibrated"]["fitted_on"]["judged_too"]


@pytest.mark.parametrize(
    ("valid", "match"),
    [
        (lambda: ages(9, fold="valid"), "9 patients with a known value; a line needs at least 10"),
        (lambda: ages(20, fold="valid").assign(age=50.0), "all equal"),
        (lambda: ages(20, fold="valid").assign(age_true=np.nan), "0 patients"),
    ],
)
def test_no_line_has_a_reason(config, valid, match):
    found = judged(ages(), valid(), config)
    assert match in found["corrected"]["reason"]
    assert set(found["recalibrated"]) == {"reason"}
