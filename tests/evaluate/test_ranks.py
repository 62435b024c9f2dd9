import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from medtf.evaluate.statistics.ranks import Midranks, Spearman


def test_midranks_by_hand():
    # 5 stands twice, 7 once, 9 three times: 5 5 7 9 9 9 -> 1.5 1.5 3 5 5 5
    ranks = Midranks([9, 5, 7])(np.array([[3.0, 2, 1]]))
    np.testing.assert_array_equal(ranks, [[5, 1.5, 3]])


@pytest.mark.parametrize("decimals", [8, 0])  # without ties, and with many
def test_weighted_equals_scipy_on_the_expanded_sample(decimals):
    generator = np.random.default_rng(0)
    x = generator.normal(size=60).round(decimals)
    y = (x + generator.normal(size=60)).round(decimals)
    weights = generator.integers(0, 4, size=(20, 60))
    found = Spearman(x, y)(weights.astype(float))
    for weight, value in zip(weights, found, strict=True):
        assert value == pytest.approx(spearmanr(np.repeat(x, weight), np.repeat(y, weight)).statistic, abs=1e-12)
    np.testing.assert_allclose(Midranks(x)(np.ones((1, 60)))[0], rankdata(x))


def test_a_draw_without_spread_is_undefined():
    found = Spearman([1, 2, 3], [1, 2, 3])(np.array([[3.0, 0, 0], [1, 1, 1], [0, 0, 0]]))
    assert np.isnan(found).tolist() == [True, False, True]


def test_weighting_patients_equals_weighting_their_rows():
    generator = np.random.default_rng(2)
    x, units = generator.normal(size=200).round(1), np.arange(200) % 30
    y = (x + generator.normal(size=200)).round(1)
    weights = generator.integers(0, 4, size=(20, 30)).astype(float)
    np.testing.assert_allclose(Spearman(x, y, units)(weights), Spearman(x, y)(weights[:, units]))
    np.testing.assert_allclose(Midranks(x, units)(weights), Midranks(x)(weights[:, units]))
