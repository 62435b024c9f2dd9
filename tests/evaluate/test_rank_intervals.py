"""Intervals of AUCs and correlations that need no draws."""

import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics.delong import auc_variance
from medtf.evaluate.statistics.rank_intervals import auc_interval, fisher, newcombe_low, pearson_interval


def binormal(n=200, distance=1.0, seed=0):
    generator = np.random.default_rng(seed)
    truth = (np.arange(n) % 2).astype(float)
    return truth, generator.normal(size=n) + distance * truth


def test_auc_on_the_logit_scale_by_hand():
    truth, scores = binormal()
    auc, variance = auc_variance(truth, scores)
    found = auc_interval(truth, scores, np.arange(200))
    logit = np.log(auc / (1 - auc))
    middle = np.mean([np.log(end / (1 - end)) for end in found[:2]])
    assert found.method == "delong"
    assert middle == pytest.approx(logit)  # symmetric there
    # and next to DeLong's plain interval where the AUC is far from 1
    half = 1.96 * np.sqrt(variance)
    assert found[:2] == pytest.approx((auc - half, auc + half), abs=0.01)


def test_the_interval_does_not_depend_on_the_unit_of_scores():
    truth, scores = binormal()
    assert auc_interval(truth, np.exp(3 * scores), np.arange(200)) == auc_interval(truth, scores, np.arange(200))


def test_copies_of_a_patient_add_nothing():
    truth, scores = binormal()
    once = auc_interval(truth, scores, np.arange(200))
    copied = auc_interval(np.repeat(truth, 5), np.repeat(scores, 5), np.repeat(np.arange(200), 5))
    assert copied.method == "obuchowski"
    assert copied[:2] == pytest.approx(once[:2], abs=3e-3)  # t of 99 degrees of freedom for 1.96


@pytest.mark.filterwarnings("error")
def test_a_perfect_auc_is_not_sure():
    truth = np.repeat([0.0, 1.0], 10)
    right, wrong = auc_interval(truth, truth, np.arange(20)), auc_interval(truth, -truth, np.arange(20))
    assert right.method == "newcombe"
    assert (right.high, wrong.low) == (1, 0)
    assert right.low == pytest.approx(1 - wrong.high)
    many = auc_interval(np.repeat(truth, 10), np.repeat(truth, 10), np.arange(200))
    assert right.low < 0.9 < many.low < 1
    rows = auc_interval(np.repeat(truth, 10), np.repeat(truth, 10), np.repeat(np.arange(20), 10))
    assert rows == right  # ten rows a patient count once


@pytest.mark.parametrize(("positives", "negatives"), [(10, 10), (5, 50), (200, 30)])
def test_newcombes_limit_solves_his_equation(positives, negatives):
    """1 lies 1.96 standard errors above it, in the variance of Hanley and McNeil (1982) with the mean of both numbers."""
    auc, n = newcombe_low(positives, negatives), (positives + negatives) / 2
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2 + q2 - auc**2)) / (positives * negatives)
    assert 1 - auc == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("truth", "scores"),
    [([1, 1, 1], [0.1, 0.2, 0.3]), ([0, 1, 0], [0.1, 0.2, 0.3]), ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])],
)
def test_nothing_to_go_by_gives_no_interval(truth, scores):
    assert auc_interval(np.array(truth, float), np.array(scores), np.arange(len(truth))) is None


def test_fisher_as_printed():
    assert fisher(0.903, 50) == pytest.approx((0.83, 0.94), abs=0.006)
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 30))
    expected = stats.pearsonr(x, x + y).confidence_interval(0.95)
    assert fisher(stats.pearsonr(x, x + y).statistic, 30) == pytest.approx((expected.low, expected.high))
    assert fisher(0.5, 3) is None


def test_of_many_normal_people_the_interval_is_fishers():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 5000))
    found = pearson_interval(x, x + y, np.arange(5000))
    expected = fisher(stats.pearsonr(x, x + y).statistic, 5000)
    assert found.method == "fisher_z"
    assert found[:2] == pytest.approx(expected, abs=0.0015)  # of a width of 0.028


def test_flat_variables_vary_less():
    """Of y = x + normal noise the variance of z is (1 + r^2 (kurtosis of x - 3) / 4) / n: the influence of a pair, squared, by hand."""
    x = np.linspace(-1, 1, 20_000)  # kurtosis 1.8
    y = x + 0.5 * np.random.default_rng(0).normal(size=len(x))
    r = stats.pearsonr(x, y).statistic
    half = np.ptp(np.arctanh(pearson_interval(x, y, np.arange(len(x)))[:2])) / 2
    assert half == pytest.approx(1.96 * np.sqrt((1 - 0.3 * r**2) / len(x)), rel=0.02)


def test_copies_of_a_pair_add_nothing():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 40))
    once = pearson_interval(x, x + y, np.arange(40))
    copied = pearson_interval(np.repeat(x, 5), np.repeat(x + y, 5), np.repeat(np.arange(40), 5))
    assert copied[:2] == pytest.approx(once[:2], abs=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("x", "y"), [([1, 2, 3], [1, 2, 4]), ([1, 2, 3, 4], [2, 4, 6, 8]), ([1, 1, 1, 1], [1, 2, 3, 5]), ([1], [1])]
)
def test_too_little_for_a_correlation(x, y):
    assert pearson_interval(np.array(x, float), np.array(y, float), np.arange(len(x))) is None
