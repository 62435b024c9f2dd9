import json
import warnings

import numpy as np
import pytest
from samples import known

from medtf.evaluate.decision import GRID, grid, net_benefit, section
from medtf.evaluate.statistics.intervals import PatientBootstrap


@pytest.fixture(autouse=True)
def _nothing_from_the_depths():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def judged(truth, probability, prevalence=None, replicates=100):
    sample = known(truth, probability)
    names = [f"p{i:05d}" for i in range(len(sample.truth))]
    return section(sample, PatientBootstrap(names, replicates=replicates), prevalence)


def calibrated(n=3000, seed=0):
    generator = np.random.default_rng(seed)
    probability = generator.beta(1, 4, n)
    return (generator.random(n) < probability).astype(float), probability


def at(found, threshold):
    return next(row for row in found["curve"] if row["threshold"] == pytest.approx(threshold))


def test_by_hand():
    # 10 people, 4 positive; from 0.25 on: 3 true, 2 false positives: 3/10 - 2/10 x (1/4)/(3/4)
    assert net_benefit(0.3, 0.2, 0.25) == pytest.approx(0.3 - 0.2 / 3)
    truth = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    scores = [0.9, 0.8, 0.25, 0.2, 0.7, 0.3, 0.24, 0.1, 0.1, 0.1]
    found = judged(truth, scores)
    assert at(found, 0.25)["model"]["value"] == pytest.approx(0.3 - 0.2 / 3)  # >=: a score of 0.25 counts
    assert at(found, 0.25)["treat_all"] == pytest.approx(0.4 - 0.6 / 3)
    assert at(found, 0.25)["gain"]["value"] == pytest.approx(0.3 - 0.2 / 3 - 0.2)
    assert at(found, 0.5)["model"]["value"] == pytest.approx(0.2 - 0.1)
    assert at(found, 0.5)["gain"]["value"] == pytest.approx(0.1)  # treating no one is the better of the others


@pytest.mark.parametrize(
    ("threshold", "model", "treat_all"),
    [
        (0.05, 0.025614035087719297, 0.09473684210526317),
        (0.1, 0.018518518518518517, 0.04444444444444445),
        (0.2, 0.0016666666666666635, -0.07499999999999998),
        (0.3, -0.02000000000000001, -0.2285714285714286),
        (0.5, -0.08933333333333335, -0.72),
    ],
)
def test_the_example_of_the_authors_own_package(threshold, model, treat_all):
    """dcurves 1.0 of Vickers's group, r_dca_famhistory.csv: 750 men, 105 with cancer, family history in 24 of them and in 91 of the others."""
    truth = np.r_[np.ones(105), np.zeros(645)]
    history = np.r_[np.ones(24), np.zeros(81), np.ones(91), np.zeros(554)]
    row = at(judged(truth, history, replicates=0), threshold)
    assert row["model"]["value"] == pytest.approx(model)
    assert row["treat_all"] == pytest.approx(treat_all)


def test_a_case_control_study_at_a_given_prevalence():
    """dcurves, test-dca.R: at a prevalence of 0.15 treating everyone is worth -0.13333333 at a threshold of 0.25."""
    truth = np.r_[np.ones(50), np.zeros(50)]
    assert at(judged(truth, truth, 0.15, replicates=0), 0.25)["treat_all"] == pytest.approx(-0.13333333)


@pytest.mark.parametrize("prevalence", [None, 0.02, 0.5])
def test_treating_everyone_is_worth_nothing_at_the_prevalence(prevalence):
    truth, probability = calibrated(500)
    found = judged(truth, probability, prevalence)
    p = truth.mean() if prevalence is None else prevalence
    assert at(found, p)["treat_all"] == pytest.approx(0, abs=1e-12)
    assert (found["prevalence"], found["at"]) == (pytest.approx(p), "data" if prevalence is None else "given")
    ends = [row["treat_all"] for row in found["curve"]]
    assert (np.diff(ends) < 0).all()


def test_a_perfect_model_is_worth_the_prevalence_everywhere():
    truth = np.r_[np.ones(30), np.zeros(70)]
    found = judged(truth, truth, 0.1)
    assert [row["model"]["value"] for row in found["curve"]] == pytest.approx([0.1] * len(found["curve"]))


def test_a_constant_model_is_treating_everyone_or_no_one():
    truth, _ = calibrated(200)
    found = judged(truth, np.full(200, 0.3))
    for row in found["curve"]:
        assert row["model"]["value"] == pytest.approx(row["treat_all"] if row["threshold"] <= 0.3 else 0)
        assert row["gain"]["value"] <= 1e-12
    assert found["better"] == []
    assert "At no range of threshold probabilities" in found["words"]


def test_weighting_gives_what_a_fold_of_that_prevalence_gives():
    truth, probability = calibrated(400)
    rare = np.concatenate([np.flatnonzero(truth == 1), np.tile(np.flatnonzero(truth == 0), 5)])
    there = judged(truth[rare], probability[rare], replicates=0)
    weighted = judged(truth, probability, truth[rare].mean(), replicates=0)
    for one, other in zip(there["curve"], weighted["curve"], strict=True):
        assert one["model"]["value"] == pytest.approx(other["model"]["value"])


def test_a_calibrated_model_is_never_worse_in_truth_and_better_in_a_stretch_that_is_said():
    truth, probability = calibrated(20_000)
    found = judged(truth, probability)
    assert all(row["gain"]["high"] > -1e-9 for row in found["curve"])
    first, last = found["better"][0]
    assert first < truth.mean() < last
    assert "better than treating everyone" in found["words"]
    assert "not calibrated" not in found["words"]


def test_probabilities_that_are_too_high_are_named():
    truth, probability = calibrated()
    found = judged(truth, np.sqrt(probability))
    assert found["excess"]["low"] > 0
    assert "is above the prevalence of" in found["words"]
    assert "not calibrated for it" in found["words"]


def test_the_mean_probability_is_weighted_too():
    truth = np.array([1, 1, 0, 0])
    found = judged(truth, [0.8, 0.6, 0.3, 0.1], 0.25)
    assert found["mean_probability"]["value"] == pytest.approx(0.25 * 0.7 + 0.75 * 0.2)
    assert found["excess"]["value"] == pytest.approx(0.325 - 0.25)


def test_the_grid_goes_where_a_rare_finding_bends():
    assert set(GRID) <= set(grid(0.3))
    assert grid(0.008).min() == pytest.approx(0.0008)
    assert (np.diff(grid(0.1)) > 0).all()
    assert grid(0.99).max() <= 0.95
    assert grid(0.001).min() == 0.0005  # below it, one true positive is worth thousands of false ones


@pytest.mark.parametrize(("truth", "said"), [([1, 1], "one class only"), ([0], "one class only"), ([], "no example")])
def test_one_class_has_no_curve(truth, said):
    assert said in judged(truth, [0.5] * len(truth))["reason"]


def test_a_single_patient_has_a_curve_without_intervals():
    sample = known([0, 1, 1], [0.2, 0.4, 0.9])
    found = section(sample, PatientBootstrap(["a"] * 3))
    assert found["curve"][5]["model"]["low"] is None
    assert found["excess"]["reason"] == "no interval: a single patient"
    assert found["words"] == ""
    assert "NaN" not in json.dumps(found)


def test_three_examples():
    assert "NaN" not in json.dumps(judged([0, 1, 1], [0.2, 0.4, 0.4]), allow_nan=False)


def test_slices_of_a_patient_are_not_people():
    """Ten copies of each slice change no number, and no interval by more than a Student's t of 150 people differs from a normal."""
    truth, probability = calibrated(150)
    people = np.arange(150)
    once = section(known(truth, probability), PatientBootstrap(people, replicates=100))
    copies = known(np.repeat(truth, 10), np.repeat(probability, 10))
    often = section(copies, PatientBootstrap(np.repeat(people, 10), replicates=100))
    for a, b in zip(once["curve"], often["curve"], strict=True):
        for name in ("model", "gain"):
            assert a[name]["value"] == pytest.approx(b[name]["value"])
            for end in ("low", "high"):
                assert b[name][end] == pytest.approx(a[name][end], abs=2e-3)
