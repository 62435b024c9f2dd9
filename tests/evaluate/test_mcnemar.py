"""McNemar's test against published tables, the binomial distribution, and calls simulated under the null."""

import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics.mcnemar import mcnemar, p_values


def calls(both, only_a, only_b, neither):
    """(right_a, right_b) of so many people."""
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("table", "exact", "mid"),
    [
        # the two examples of Fagerland, Lydersen and Laake 2013, BMC Med Res Methodol 13:91, p to the three digits that they print: airways
        # before and after stem cell transplantation (Bentur 2009), complete response of 161 patients (Cavo 2012)
        ((1, 1, 7, 12), 0.070, 0.039),
        ((59, 6, 16, 80), 0.052, 0.035),
    ],
)
def test_published_tables(table, exact, mid):
    found = mcnemar(*calls(*table))
    assert found["p_exact"] == pytest.approx(exact, abs=6e-4)
    assert found["p"] == pytest.approx(mid, abs=6e-4)
    assert tuple(found[key] for key in ("both_right", "only_a", "only_b", "both_wrong")) == table
    assert found["favours"] == "b"


def test_agrestis_approval_ratings():
    """Agresti 1990, p. 350 (R's mcnemar.test): 1,600 people, 150 against 86; chi2 17.3559 without correction, p 3.099e-5."""
    found = mcnemar(*calls(794, 150, 86, 570))
    assert found["favours"] == "a"
    assert found["p"] == pytest.approx(3.099e-5, rel=0.2)
    assert found["p_exact"] == pytest.approx(2 * stats.binom.cdf(86, 236, 0.5))


def test_by_hand():
    """Five people differ, all for b: exact 2 / 2^5, mid-p half of it."""
    assert p_values(0, 5) == pytest.approx((1 / 32, 2 / 32))
    # 1 of 4: exact 2 x 5 / 16, mid 2 x (1 + 4 / 2) / 16
    assert p_values(1, 3) == p_values(3, 1) == pytest.approx((6 / 16, 10 / 16))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("table", [(3, 0, 0, 0), (0, 0, 0, 3), (2, 4, 4, 2), (1, 1, 1, 0)])
def test_nothing_that_differs_is_no_difference(table):
    found = mcnemar(*calls(*table))
    assert (found["p"], found["p_exact"], found["favours"]) == (1.0, 1.0, None)


def test_one_in_twenty_equal_runs_is_called_different():
    """20,000 tables under the null; the exact test is below the 5 % that it may use, mid-p near it."""
    generator = np.random.default_rng(0)
    for differ in (30, 100):
        favoured = generator.binomial(differ, 0.5, 20_000)
        ps = np.array([p_values(a, differ - a) for a in range(differ + 1)])[favoured]
        mid, exact = (ps < 0.05).mean(axis=0)
        assert 0.03 < mid < 0.06
        assert exact <= mid
        assert exact < 0.05
