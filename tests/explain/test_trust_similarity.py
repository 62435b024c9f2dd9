"""How alike two maps are: by hand, by the papers' formulas, and for maps without any order."""

import numpy as np
import pytest

from medtf.explain.trust import similarity


def maps(*made) -> np.ndarray:
    return np.array(made, np.float32)


def noise(count=3, shape=(20, 30)) -> np.ndarray:
    return np.random.default_rng(0).random((count, *shape))


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 against 1 2 4 3: 1 - 6 (0 + 0 + 1 + 1) / (4 (16 - 1)) = 0.8
    found = similarity.rank_correlation(maps([[1, 2], [3, 4]]), maps([[0.1, 0.2], [0.9, 0.3]]))
    np.testing.assert_allclose(found, [0.8])
    # with a tie: ranks 1.5 1.5 3 4 against 1 2 3 4: 4.5 / sqrt(4.5 x 5)
    found = similarity.rank_correlation(maps([[0, 0], [2, 3]]), maps([[1, 2], [3, 4]]))
    np.testing.assert_allclose(found, [4.5 / np.sqrt(22.5)])


def test_the_order_of_the_places_counts_alone():
    some = noise()
    np.testing.assert_allclose(similarity.rank_correlation(some, np.exp(some) / 3), 1)
    np.testing.assert_allclose(similarity.rank_correlation(some, 1 - some), -1)
    np.testing.assert_allclose(similarity.rank_correlation(some, 1 - some, absolute=True), 1)


def test_maps_without_order():
    zero, one, some = np.zeros((1, 8, 8)), np.ones((1, 8, 8)), noise(1, (8, 8))
    assert similarity.rank_correlation(zero, zero) == [1]
    assert similarity.rank_correlation(one, one) == [1]
    assert similarity.rank_correlation(zero, one) == [0]
    assert similarity.rank_correlation(zero, some) == [0]
    assert similarity.rank_correlation(some, zero) == [0]


def test_what_differs_by_rounding_alone_is_a_tie():
    flat = np.full((1, 200, 200), 0.3, np.float32)  # reduced to means of 3 or 4 pixels
    flat[0, :50, :50] = 1
    noisy = flat * (1 + 1e-8 * np.random.default_rng(0).normal(size=flat.shape))
    np.testing.assert_allclose(similarity.rank_correlation(flat, noisy), 1)


def test_a_map_with_places_that_are_no_numbers_is_told():
    some = noise(2)
    broken = some.copy()
    broken[1, 3, 3] = np.nan
    found = similarity.rank_correlation(some, broken)
    assert found[0] == pytest.approx(1)
    assert np.isnan(found[1])


def test_every_map_with_every_other_one():
    some = noise(4)
    some[3] = 0
    found = similarity.between(some)
    for i in range(4):
        for j in range(4):
            pair = similarity.rank_correlation(some[i : i + 1], some[j : j + 1])[0]
            assert np.isnan(found[i, j]) if i == j else found[i, j] == pytest.approx(pair)


def test_large_maps_become_means_of_neighbours():
    large = np.arange(2 * 128 * 70).reshape(2, 128, 70)
    found = similarity.reduced(large)
    assert found.shape == (2, 64, 64)
    np.testing.assert_allclose(similarity.reduced(large[:, :, :64])[1, 3, 5], large[1, 6:8, 5].mean())
    np.testing.assert_allclose(found.mean(axis=(1, 2)), large.mean(axis=(1, 2)), rtol=1e-2)
    assert np.array_equal(similarity.reduced(large[:, :10, :10]), large[:, :10, :10])


def test_structural_similarity_of_equal_and_of_constant_maps():
    some = noise()
    np.testing.assert_allclose(similarity.ssim(some, some), 1)
    # without variance only the first factor of equation 13 is left
    a, b = 0.2, 0.6
    wanted = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    found = similarity.ssim(np.full((1, 20, 20), a), np.full((1, 20, 20), b))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_structural_similarity_of_one_window_is_the_papers_formula(dimensions):
    x, y = np.random.default_rng(0).random((2, *[11] * dimensions))
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = line
    for _ in range(dimensions - 1):
        window = np.multiply.outer(window, line)
    window = window / window.sum()
    mx, my = (window * x).sum(), (window * y).sum()
    vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
    vxy = (window * (x - mx) * (y - my)).sum()
    wanted = (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    np.testing.assert_allclose(similarity.ssim(x[None], y[None]), wanted, rtol=1e-9)


def test_structural_similarity_of_maps_smaller_than_a_window():
    some = noise(2, (7, 7))
    np.testing.assert_allclose(similarity.ssim(some, some), 1)
    assert (similarity.ssim(some, some[::-1]) < 0.9).all()
