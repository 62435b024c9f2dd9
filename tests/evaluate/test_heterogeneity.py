"""Tests for a difference between groups, against numbers worked by hand, from papers, and from scipy's other routes."""

import warnings

import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics.heterogeneity import cochran_q, detectable, kruskal_wallis, proportions, welch


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_cochrans_q_by_hand():
    # weights 100, 25, 100; weighted mean (10 + 7.5 + 50) / 225 = 0.3; Q = 100 x 0.04 + 0 + 100 x 0.04 = 8; with 2 df p = exp(-Q / 2)
    found = cochran_q([0.1, 0.3, 0.5], [0.01, 0.04, 0.01])
    assert found["statistic"] == pytest.approx(8)
    assert (found["df"], found["p"]) == (2, pytest.approx(np.exp(-4)))


def test_two_groups_give_the_square_of_z():
    z = (0.9 - 0.8) / np.hypot(0.03, 0.04)
    found = cochran_q([0.9, 0.8], [0.03**2, 0.04**2])
    assert found["statistic"] == pytest.approx(z**2)
    assert found["p"] == pytest.approx(2 * stats.norm.sf(z))


def test_groups_that_rise_together_are_told_apart_better():
    apart = cochran_q([0.5, 0.6], np.diag([0.01, 0.01]))
    joint = cochran_q([0.5, 0.6], [[0.01, 0.008], [0.008, 0.01]])
    assert apart["statistic"] == pytest.approx(0.1**2 / 0.02)
    assert joint["statistic"] == pytest.approx(0.1**2 / (0.02 - 0.016))  # variance of a difference, 2 covariances less


def test_few_patients_are_held_against_f():
    found = cochran_q([0.5, 0.6], [0.001, 0.001], people=12)
    t = 0.1 / np.sqrt(0.002)
    assert found["df"] == [1.0, 10.0]
    assert found["p"] == pytest.approx(2 * stats.t.sf(t, 10))


@pytest.mark.parametrize("covariance", [[0.0, 0.01], [np.nan, 0.01], [[0.01, 0.01], [0.01, 0.01]]])
def test_q_without_a_variance_says_so(covariance):
    found = cochran_q([0.5, 0.6], covariance)
    assert found["p"] is None
    assert found["reason"]


def test_chi_squared_by_hand_and_fishers_tea():
    # (10 x 10 - 20 x 20)^2 x 60 / 30^4 = 6.667
    found = proportions([[10, 20], [20, 10]])
    assert found["statistic"] == pytest.approx(60 * 300**2 / 30**4)
    assert found["df"] == 1
    # Fisher 1935: the lady who names 3 of 4 cups rightly, two-sided 34 / 70
    tea = proportions([[3, 1], [1, 3]])
    assert tea["p"] == pytest.approx(34 / 70)
    assert tea["method"] == "Fisher's exact test"


def test_chi_squared_of_three_groups_equals_scipys_and_small_ones_are_drawn():
    table = [[30, 12], [25, 20], [40, 8]]
    assert proportions(table)["p"] == pytest.approx(stats.chi2_contingency(table).pvalue)
    small = [[3, 0], [1, 2], [0, 3]]
    found = proportions(small)
    # all tables with rows of 3 and columns 4 and 5: probability C(3,a) C(3,b) C(3,c) / C(9,4), those no likelier than this one summed
    weights = {
        (a, b, 4 - a - b): stats.hypergeom.pmf(a, 9, 4, 3) * stats.hypergeom.pmf(b, 6, 4 - a, 3)
        for a in range(4)
        for b in range(4)
        if 0 <= 4 - a - b <= 3
    }
    exact = sum(w for w in weights.values() if w <= weights[3, 1, 0] * (1 + 1e-9))
    assert found["p"] == pytest.approx(exact, abs=0.02)  # of 9,999 tables
    assert proportions(small) == found
    assert proportions([[9, 0], [5, 0]])["reason"] == "the same answer for everybody in all groups"


def test_the_bottle_caps_of_kruskal_and_wallis():
    # Kruskal and Wallis 1952, table 1.1: daily output of three machines, H = 5.656
    machines = [340, 345, 330, 342, 338], [339, 333, 344], [347, 343, 349, 355]
    found = kruskal_wallis([np.array(machine, float) for machine in machines])
    assert found["statistic"] == pytest.approx(5.656, abs=5e-4)
    assert found["df"] == 2
    assert "same value" in kruskal_wallis([np.ones(3), np.ones(4)])["reason"]


def test_welch_of_two_groups_is_his_t_test():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0, 1, 12), generator.normal(1, 4, 30)
    found, t = welch([a, b]), stats.ttest_ind(a, b, equal_var=False)
    assert found["statistic"] == pytest.approx(t.statistic**2)
    assert found["p"] == pytest.approx(t.pvalue)
    assert found["df"] == [1.0, pytest.approx(t.df)]
    assert welch([a, np.ones(5)])["p"] is None
    assert welch([a, np.ones(1)])["p"] is None


def test_the_detectable_difference_is_found_four_times_in_five():
    variances = np.array([0.0004, 0.0009, 0.01])
    size = detectable(np.diag(variances))
    error = np.sqrt(0.0013)  # the two best-measured groups
    power = stats.norm.sf(1.959964 - size / error) + stats.norm.cdf(-1.959964 - size / error)
    assert power == pytest.approx(0.8, abs=1e-4)
    assert detectable(np.zeros((2, 2))) is None
