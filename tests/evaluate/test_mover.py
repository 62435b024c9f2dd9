import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics.mover import difference, share
from medtf.evaluate.statistics.rates import share_interval


def of(hits, n, start=0, people=None):
    """`hits` of n people who stand from `start` on, of `people` in all."""
    people = people or n
    sizes = np.zeros(people)
    sizes[start : start + n] = 1
    right = np.zeros(people)
    right[start : start + hits] = 1
    return share(right, sizes)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_published_intervals_of_independent_proportions(one, other, low, high):
    people = one[1] + other[1]
    found = difference(of(*one, people=people), of(*other, start=one[1], people=people))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_shares_of_the_same_rows_are_correlated_as_those_of_a_multinomial():
    """Of 1000 people 300 are a and 200 are b: var(a - b) = (p + q - (p - q)²) / n, and of many people the interval is that normal one."""
    n = 100_000
    a, b = np.zeros(n), np.zeros(n)
    a[: int(0.3 * n)] = 1
    b[int(0.3 * n) : int(0.5 * n)] = 1
    found = difference(share(a, np.ones(n)), share(b, np.ones(n)))
    half = stats.norm.ppf(0.975) * np.sqrt((0.5 - 0.01) / n)
    assert found.low == pytest.approx(0.1 - half, abs=1e-5)
    assert found.high == pytest.approx(0.1 + half, abs=1e-5)


def test_a_share_less_itself_is_nothing():
    found = difference(of(50, 100), of(50, 100))
    assert (found.low, found.high) == pytest.approx((0, 0), abs=1e-12)


def test_limits_over_patients_are_those_of_the_rates():
    generator = np.random.default_rng(0)
    units = generator.integers(0, 40, 300)
    hits = (generator.random(300) < np.linspace(0.2, 0.9, 40)[units]).astype(float)
    wanted = share_interval(hits, np.unique(units, return_inverse=True)[1])
    found = share(np.bincount(units, hits, 40), np.bincount(units, minlength=40).astype(float))
    assert (found.low, found.high) == pytest.approx(wanted[:2])
    every = share(np.full(10, 3.0), np.full(10, 3.0))  # all of 30 rows of 10 patients
    assert every.low == pytest.approx(share_interval(np.ones(30), np.repeat(np.arange(10), 3)).low)


def test_times_a_factor():
    assert of(30, 100).times(0.5)[:3] == pytest.approx(np.array(of(30, 100)[:3]) / 2)
