"""Proportions: published limits, and patients of several rows."""

import numpy as np
import pytest
from scipy.stats import binomtest

from medtf.evaluate.statistics.rates import at_the_edge, effective_number, f1_interval, share_interval, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe 1998, Stat Med 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_newcombe_prints_it(hits, n, low, high):
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)
    found = share_interval(np.arange(n) < hits, np.arange(n))
    assert found.method == "wilson"
    assert found[:2] == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (3, 7), (50, 50), (499, 1000)])
def test_wilson_equals_scipy(hits, n):
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_copies_of_a_patient_add_nothing():
    hits = np.arange(60) < 45
    once = share_interval(hits, np.arange(60))
    copied = share_interval(np.repeat(hits, 10), np.repeat(np.arange(60), 10))
    number, patients = effective_number(np.repeat(hits, 10), np.repeat(np.arange(60), 10))
    assert patients == 60
    assert number == pytest.approx(60 * 59 / 60, rel=0.05)  # and a little less, for few patients
    assert copied.method == "wilson_patients"
    assert copied[:2] == pytest.approx(once[:2], abs=0.01)


def test_rows_that_are_alike_by_chance_only_count_almost_fully():
    hits = np.random.default_rng(0).random(6000) < 0.3
    number, _ = effective_number(hits, np.repeat(np.arange(1000), 6))
    assert number == pytest.approx(6000, rel=0.15)


def test_all_right_of_clustered_rows_counts_patients():
    found = share_interval(np.ones(200), np.repeat(np.arange(20), 10))
    assert found[:2] == pytest.approx((1 - 0.1611, 1), abs=5e-5)  # as 20 of 20
    assert found.method == "wilson_patients"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("hits", [[1], [0, 1], [1, 1, 0]])
def test_one_patient_alone_says_next_to_nothing(hits):
    found = share_interval(np.array(hits), np.zeros(len(hits), int))
    assert found.high - found.low > 0.7


def test_no_row_has_no_interval():
    assert share_interval(np.empty(0), np.empty(0, int)) is None


def test_f1_by_hand():
    """tp 30, fp 10, fn 20: J = 30 of 60, F1 = 60 / 90 = 2 J / (1 + J)."""
    truth = np.repeat([1, 0, 1, 0], [30, 10, 20, 40])
    called = np.repeat([1, 1, 0, 0], [30, 10, 20, 40])
    found = f1_interval(truth, called, np.arange(100))
    low, high = binomtest(30, 60).proportion_ci(method="wilson")
    assert found[:2] == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert found.low < 60 / 90 < found.high


def test_at_the_edge_only():
    share = share_interval(np.ones(20), np.arange(20))
    found = at_the_edge(1.0, lambda a, b: (a + b) / 2, share, share)
    assert found[:2] == pytest.approx((share.low, 1))
    assert found.method == "from_wilson"
    assert at_the_edge(0.9, lambda a: a, share) is None
    assert at_the_edge(1.0, lambda a, b: a, share, None) is None
