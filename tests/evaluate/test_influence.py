"""Variances from influences: DeLong's where he has one, textbook ones elsewhere, and right where patients have several rows."""

import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics import influence
from medtf.evaluate.statistics.delong import auc_variance


def variance(found, patients):
    return influence.covariance([found[1]], [patients])[0, 0]


@pytest.fixture
def rows():
    generator = np.random.default_rng(3)
    patients = np.repeat(np.arange(150), 4)
    truth = (generator.random(150) < 0.4)[
        patients
    ]  # a patient's rows share their class: what varies together is not cancelled
    score = np.round(truth + generator.normal(size=150)[patients] + generator.normal(size=600), 1)  # with ties
    return truth, score, patients


def test_of_a_mean_it_is_the_standard_error():
    values = np.array([3.0, 5.0, 10.0, 1.0])
    found = influence.of_mean(values, np.arange(4))
    assert found[0] == pytest.approx(4.75)
    assert np.sqrt(variance(found, np.arange(4))) == pytest.approx(stats.sem(values))
    # two patients of two rows: means of patients 4 and 5.5; variance of a mean of two is ((4 - 5.5) / 2)^2
    pairs = np.array([0, 0, 1, 1])
    assert variance(influence.of_mean(values, pairs), pairs) == pytest.approx(0.75**2)


def test_of_an_auc_it_is_delongs(rows):
    truth, score, _ = rows
    each = np.arange(len(truth))
    auc, expected = auc_variance(truth, score)
    found = influence.of_auc(truth, score, each)
    assert found[0] == pytest.approx(auc)
    assert variance(found, each) == pytest.approx(expected, rel=1e-9)


def test_of_clustered_rows_it_is_near_obuchowskis(rows):
    truth, score, patients = rows
    clustered = variance(influence.of_auc(truth, score, patients), patients)
    assert clustered == pytest.approx(auc_variance(truth, score, patients)[1], rel=0.02)
    assert clustered > 1.5 * auc_variance(truth, score)[1]


def test_the_mean_of_two_opposite_aucs_is_the_binary_one(rows):
    truth, score, _ = rows
    each, both = np.arange(len(truth)), np.column_stack([-score, score])
    binary, macro = influence.of_auc(truth, score, each), influence.of_macro_auc(truth.astype(int), both, each)
    assert macro[0] == pytest.approx(binary[0])
    assert macro[1] == pytest.approx(binary[1])


def test_of_balanced_accuracy_it_is_half_the_root_of_two_variances():
    classes, right = np.repeat([0, 1], [20, 30]), np.r_[np.ones(15), np.zeros(5), np.ones(12), np.zeros(18)]
    found = influence.of_balanced(right, classes, 2, np.arange(50))
    assert found[0] == pytest.approx((0.75 + 0.4) / 2)
    assert variance(found, np.arange(50)) == pytest.approx((0.75 * 0.25 / 19 + 0.4 * 0.6 / 29) / 4)


def test_of_r_it_agrees_with_fishers_z():
    generator = np.random.default_rng(0)
    x = generator.normal(size=20_000)
    y = 0.6 * x + 0.8 * generator.normal(size=20_000)
    found = influence.of_r(x, y, np.arange(20_000))
    r = stats.pearsonr(x, y).statistic
    assert found[0] == pytest.approx(r)
    assert variance(found, np.arange(20_000)) / (1 - r**2) ** 2 == pytest.approx(1 / 19_997, rel=0.05)


def test_groups_without_a_common_patient_do_not_vary_together(rows):
    truth, score, patients = rows
    first, second = (
        influence.of_auc(truth[part], score[part], patients[part]) for part in (patients < 70, patients >= 70)
    )
    joint = influence.covariance([first[1], second[1]], [patients[patients < 70], patients[patients >= 70]])
    assert joint[0, 1] == 0
    even = np.arange(600) % 2 == 0
    halves = [influence.of_auc(truth[part], score[part], patients[part]) for part in (even, ~even)]
    joint = influence.covariance([found[1] for found in halves], [patients[even], patients[~even]])
    assert joint[0, 1] > 0.3 * np.sqrt(joint[0, 0] * joint[1, 1])
