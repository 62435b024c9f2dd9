"""Numbers with a unit: correlations, floors, limits of agreement, predicted standard deviations."""

import numpy as np
import pandas as pd
import pytest
from ages import ages
from scipy import stats

from medtf.errors import MedtfError
from medtf.evaluate.judge import judge


def judged(frame, config, **options):
    settings = config({"age": "regression"}, evaluate={"replicates": 400})
    return judge(frame, settings, {}, split="test", fingerprint="f", **options)["targets"]["age"]


def test_spearman_with_ties_equals_scipy_and_the_interval_spans_it(config):
    frame = ages().round({"age": -1, "age_true": -1})
    found = judged(frame, config)["spearman_r"]
    assert found["value"] == pytest.approx(stats.spearmanr(frame["age"], frame["age_true"]).statistic)
    assert found["low"] < found["value"] < found["high"]
    assert found["high"] - found["low"] < 0.1


def test_the_order_alone_counts_for_spearman(config):
    frame = ages(noise=0).assign(age=lambda t: np.exp(t["age_true"] / 10))
    found = judged(frame, config)
    assert found["spearman_r"]["value"] == pytest.approx(1)
    assert found["pearson_r"]["value"] < 0.95


def test_floors_by_hand(config):
    frame = ages(3).assign(age=[31.0, 40.0, 56.0], age_true=[30.0, 42.0, 50.0])
    found = judged(frame, config, training_means={"age": 40.0})
    assert found["mean_absolute_error_of_training_mean"]["value"] == pytest.approx((10 + 2 + 10) / 3)
    assert found["mean_absolute_error_of_median"]["value"] == pytest.approx(20 / 3)
    assert "mean_absolute_error_of_training_mean" not in judged(frame, config)


def test_limits_of_agreement_as_in_bland_and_altman(config):
    """Bland and Altman 1986: peak flow by two meters, n 17, mean difference -2.1, s 38.8, standard errors 9.4 and 16.3."""
    wright = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0])
    mini = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0])
    found = judged(ages(17).assign(age=wright, age_true=mini), config)["agreement"]
    assert found["intervals"] == "Bland and Altman 1999"
    assert found["sd"] == pytest.approx(38.8, abs=0.05)
    mean, upper, lower = found["mean_difference"], found["upper_limit"], found["lower_limit"]
    assert mean["value"] == pytest.approx(-2.1, abs=0.05)
    assert (mean["low"], mean["high"]) == pytest.approx((-22.0, 17.8), abs=0.1)  # as the paper prints it
    # the paper takes 2 s, and a standard error of s root(3/n); exact are 1.96 s and s root(1/n + 1.96^2 / (2 (n - 1)))
    assert lower["value"] == pytest.approx(-2.1 - 1.96 * 38.8, abs=0.1)
    assert upper["high"] - upper["value"] == pytest.approx(stats.t.ppf(0.975, 16) * 16.3, rel=0.02)


def test_several_examples_a_patient_take_the_bootstrap(config):
    frame = ages(200).assign(patient=[f"p{i // 4}" for i in range(200)])
    found = judged(frame, config)["agreement"]
    assert found["intervals"] == "patient bootstrap"
    assert found["upper_limit"]["low"] < found["upper_limit"]["value"] < found["upper_limit"]["high"]
    error = frame["age"] - frame["age_true"]
    assert found["upper_limit"]["value"] == pytest.approx(error.mean() + 1.959964 * error.std())


def test_shrunk_predictions_err_against_the_truth(config):
    assert judged(ages(shrink=0.6, noise=3), config)["error_truth_r"]["high"] < -0.8
    assert (
        judged(ages(shrink=1.0), config)["error_truth_r"]["low"] < 0 < judged(ages(), config)["error_truth_r"]["high"]
    )


def test_error_and_truth_equal_scipy(config):
    frame = ages(shrink=0.8)
    expected = stats.pearsonr(frame["age_true"], frame["age"] - frame["age_true"]).statistic
    found = judged(frame, config)["error_truth_r"]
    assert found["value"] == pytest.approx(expected)
    assert found["low"] < expected < found["high"]


@pytest.mark.parametrize(("sd", "verdict"), [(5.0, "right"), (2.5, "too sure"), (20.0, "unsure")])
def test_predicted_standard_deviations_cover_what_they_promise(config, sd, verdict):
    found = judged(ages(600, noise=5.0).assign(age_sd=sd), config)["predicted_sd"]
    assert found["mean_sd"]["value"] == pytest.approx(sd)
    share, one = found["within_1_96_sd"], found["within_1_sd"]
    assert (share["expected"], one["expected"]) == pytest.approx((0.95, 0.6827), abs=1e-4)
    if verdict == "right":
        assert share["low"] < 0.95 < share["high"]
        assert one["low"] < 0.6827 < one["high"]
    else:
        expected = stats.norm.cdf(1.96 * sd / 5) - stats.norm.cdf(-1.96 * sd / 5)
        assert share["value"] == pytest.approx(expected, abs=0.04)


def test_a_standard_deviation_that_is_none_is_refused(config):
    with pytest.raises(MedtfError, match="standard deviation is not a positive number"):
        judged(ages(20).assign(age_sd=0.0), config)


def test_unknown_truths_have_no_standard_deviation_to_judge(config):
    frame = ages(20).assign(age_sd=3.0, age_true=np.nan)
    assert judged(frame, config)["predicted_sd"]["mean_sd"]["value"] is None
    assert judged(frame, config)["agreement"]["upper_limit"]["value"] is None


def test_draws_of_copies_do_not_break_the_intervals(config):
    frame = pd.concat([ages(12)] * 3).assign(row=range(36))
    assert judged(frame, config)["pearson_r"]["low"] is not None
