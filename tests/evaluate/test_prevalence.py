import warnings

import numpy as np
import pytest
from samples import known

from medtf.errors import MedtfError
from medtf.evaluate.prevalence import GRID, predictive_section, predictive_values_over, prior_section, shift
from medtf.evaluate.statistics.intervals import PatientBootstrap


@pytest.fixture(autouse=True)
def _nothing_from_the_depths():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def people(sample, replicates=200):
    return PatientBootstrap([f"p{i:05d}" for i in range(len(sample.truth))], replicates=replicates)


def drawn(n, prevalence, seed=0, gap=2.0):
    """Truth, and the score of two normal classes `gap` apart."""
    generator = np.random.default_rng(seed)
    truth = (generator.random(n) < prevalence).astype(float)
    return truth, generator.normal(size=n) + gap * truth


# === The shift of probabilities ===


def test_shift_by_hand():
    # odds 1 at 1:1 become odds 1/9 where one in ten is positive
    assert shift(0.5, 0.5, 0.1) == pytest.approx(0.1)
    # odds 4 x (1/9) = 4/9
    assert shift(0.8, 0.5, 0.1) == pytest.approx(4 / 13)
    assert shift([0.0, 1.0], 0.5, 0.001).tolist() == [0, 1]


def test_shift_there_and_back_changes_nothing_and_keeps_the_order():
    p = np.linspace(0, 1, 101)
    there = shift(p, 0.4, 0.03)
    assert (np.diff(there) > 0).all()
    assert shift(there, 0.03, 0.4) == pytest.approx(p, abs=1e-12)
    assert shift(p, 0.2, 0.2) == pytest.approx(p, abs=1e-15)


def test_shift_gives_the_posterior_that_bayes_gives_there():
    """Two normal classes: the posterior is known at any prevalence."""
    _, score = drawn(500, 0.5)
    likelihood = np.exp(2 * score - 2)  # of N(2, 1) against N(0, 1)

    def posterior(p):
        return likelihood * p / (likelihood * p + 1 - p)

    assert shift(posterior(0.5), 0.5, 0.07) == pytest.approx(posterior(0.07))


def test_several_classes():
    p = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    before, after = [1 / 3, 1 / 3, 1 / 3], [0.8, 0.1, 0.1]
    # 0.5 x 0.8, 0.3 x 0.1, 0.2 x 0.1 = 40 : 3 : 2
    assert shift(p, before, after) == pytest.approx(np.array([[40, 3, 2], [0, 0, 45]]) / 45)
    two = np.column_stack([1 - p[:, 0], p[:, 0]])
    assert shift(two, [0.6, 0.4], [0.9, 0.1])[:, 1] == pytest.approx(shift(p[:, 0], 0.4, 0.1))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.0, 0.1, r"'from': expected a prevalence between 0 and 1, got 0\.0"),
        (0.5, 1.0, r"'to': expected a prevalence between 0 and 1, got 1\.0"),
        ([0.5, 0.5], [0.5, 0.6], r"'to': expected class shares above 0 that sum to 1"),
        ([0.0, 1.0], [0.5, 0.5], r"'from': expected class shares"),
    ],
)
def test_no_prevalence_to_shift_from_or_to(before, after, said):
    with pytest.raises(MedtfError, match=said):
        shift(np.full((1, 2), 0.5), before, after)


# === Predictive values ===


def test_predictive_values_of_a_published_pair_of_rates():
    """Sensitivity 95.2 % and specificity 90.4 % at 14.4 %: 0.62 (docs/metrics.md)."""
    truth = np.r_[np.ones(1000), np.zeros(1000)]
    called = np.r_[np.ones(952), np.zeros(48), np.ones(96), np.zeros(904)]
    row = predictive_values_over(known(truth, called), 0.5, [0.144], people(known(truth, called)))[0]
    assert row["ppv"]["value"] == pytest.approx(0.952 * 0.144 / (0.952 * 0.144 + 0.096 * 0.856))
    assert round(row["ppv"]["value"], 2) == 0.63
    assert row["npv"]["value"] == pytest.approx(0.904 * 0.856 / (0.904 * 0.856 + 0.048 * 0.144))
    assert row["ppv"]["low"] < row["ppv"]["value"] < row["ppv"]["high"]


def test_at_the_folds_own_prevalence_the_value_is_the_precision():
    truth, score = drawn(400, 0.3)
    sample = known(truth, 1 / (1 + np.exp(1 - score)))
    called = sample.prediction >= 0.5
    row = predictive_values_over(sample, 0.5, [truth.mean()], people(sample))[0]
    assert row["ppv"]["value"] == pytest.approx(truth[called].mean())
    assert row["npv"]["value"] == pytest.approx(1 - truth[~called].mean())


def test_values_rise_and_fall_with_the_prevalence_and_marks_stand_among_them():
    truth, score = drawn(300, 0.4)
    sample = known(truth, 1 / (1 + np.exp(1 - score)))
    found = predictive_section(sample, 0.5, people(sample), {"data": 0.4, "undersampled": 0.5, "given": 0.002})
    at = [row["prevalence"] for row in found["rows"]]
    assert at == sorted({*GRID, 0.4})
    assert {row["prevalence"]: row["marks"] for row in found["rows"] if row["marks"]} == {
        0.4: ["data"],
        0.5: ["undersampled"],
        0.002: ["given"],
    }
    for end in ("value", "low", "high"):
        assert (np.diff([row["ppv"][end] for row in found["rows"]]) > 0).all()
        assert (np.diff([row["npv"][end] for row in found["rows"]]) < 0).all()
    assert found["rows"][0]["ppv"]["low"] <= found["rows"][0]["ppv"]["value"] <= found["rows"][0]["ppv"]["high"]


def test_no_false_alarm_among_few_is_no_promise():
    """50 of 50 negatives called rightly: at 0.1 % a positive call is not surely right."""
    truth = np.r_[np.ones(50), np.zeros(50)]
    sample = known(truth, np.where(np.arange(100) < 45, 0.9, 0.1))
    row = predictive_values_over(sample, 0.5, [0.001], people(sample))[0]
    assert row["ppv"]["value"] == 1
    assert row["ppv"]["method"] == "from_wilson"
    # Wilson: 50 of 50 from 50 / (50 + 1.96²) = 0.9287, 45 of 50 from 0.7864
    assert row["ppv"]["low"] == pytest.approx(0.7864 * 0.001 / (0.7864 * 0.001 + 0.0713 * 0.999), rel=0.01)
    assert row["npv"]["low"] < row["npv"]["value"] < row["npv"]["high"]


@pytest.mark.parametrize(("truth", "said"), [([1, 1, 1], "one class only"), ([], "no example with a known label")])
def test_one_class_has_no_predictive_values(truth, said):
    sample = known(truth, np.full(len(truth), 0.7))
    found = predictive_section(sample, 0.5, people(sample), {"data": 1.0, "given": None})
    assert all(said in row[kind]["reason"] for row in found["rows"] for kind in ("ppv", "npv"))
    assert all(row[kind]["value"] is None for row in found["rows"] for kind in ("ppv", "npv"))


def test_constant_predictions_and_a_single_patient():
    sample = known([0, 1, 1], [0.2, 0.2, 0.2])
    row = predictive_values_over(sample, 0.5, [0.1], people(sample))[0]
    assert row["ppv"]["reason"] == "nothing would be called positive"
    assert row["npv"]["value"] == pytest.approx(0.9)
    row = predictive_values_over(known([0, 1, 1, 0], [0.2, 0.8, 0.3, 0.7]), 0.5, [0.1], PatientBootstrap(["a"] * 4))[0]
    assert row["ppv"]["value"] == pytest.approx(0.1)
    assert row["ppv"]["reason"] == "no interval: a single patient"


# === The corrected probabilities, judged ===


def test_the_right_correction_is_better_and_its_mean_is_the_prevalence():
    """Posterior probabilities of a 1:1 stream, judged on a fold of 30 %, for people of 5 %."""
    truth, score = drawn(4000, 0.3, seed=3)
    likelihood = np.exp(2 * score - 2)
    sample = known(truth, likelihood / (1 + likelihood))
    found = prior_section(sample, people(sample), trained=0.5, wanted=0.05)
    for metric in ("log_loss", "brier"):
        assert found[metric]["difference"]["high"] < 0
        assert found[metric]["after"]["value"] - found[metric]["before"]["value"] == pytest.approx(
            found[metric]["difference"]["value"]
        )
    assert found["mean_probability"]["after"]["low"] < 0.05 < found["mean_probability"]["after"]["high"]
    assert found["mean_probability"]["before"]["low"] > 0.1
    assert (found["trained"], found["wanted"], found["weighted_to"]) == (0.5, 0.05, 0.05)


def test_weighting_gives_what_a_fold_of_that_prevalence_gives():
    """A fold of 1:1 weighted to 20 % agrees with the same people in which each negative stands four times."""
    truth, score = drawn(200, 0.5, seed=5)
    truth = np.r_[np.ones(100), np.zeros(100)]
    score = 1 / (1 + np.exp(-np.random.default_rng(5).normal(size=200) - truth))
    found = prior_section(known(truth, score), people(known(truth, score), 0), trained=0.5, wanted=0.2)
    copies = np.r_[np.arange(100), np.tile(np.arange(100, 200), 4)]
    assert found["brier"]["before"]["value"] == pytest.approx(((score - truth)[copies] ** 2).mean())
    odds = score / (1 - score) / 4
    after = odds / (1 + odds)
    assert found["log_loss"]["after"]["value"] == pytest.approx(
        -np.log(np.where(truth == 1, after, 1 - after))[copies].mean()
    )
    assert found["brier"]["before"]["reason"] == "no interval: evaluate.replicates is 0"


def test_no_correction_changes_nothing():
    truth, score = drawn(100, 0.5)
    sample = known(truth, 1 / (1 + np.exp(-score)))
    found = prior_section(sample, people(sample), trained=0.3, wanted=0.3)
    assert found["log_loss"]["difference"]["value"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "trained", "said"),
    [([1, 1], 0.5, "one class only"), ([], 0.5, "no example"), ([0, 1], 1.0, "training saw one class only")],
)
def test_what_cannot_be_corrected_says_why(truth, trained, said):
    found = prior_section(known(truth, np.full(len(truth), 0.5)), people(known(truth, truth)), trained, 0.1)
    assert said in found["reason"]
    assert "log_loss" not in found
