"""SmoothGrad: the slope of a linear network, noise that is the same for the same question, and by each image's range."""

import numpy as np
import pytest
from explain_networks import images_of, made
from test_integrated_gradients import linear

from medtf.errors import AskedWronglyError
from medtf.explain.smooth_grad import SmoothGrad


def test_the_slope_of_a_linear_network_is_its_weights_without_their_sign():
    model, weights = linear()
    images = np.random.default_rng(0).random((2, 2, 2, 1))
    found = SmoothGrad(samples=3).relevance(images, model)
    np.testing.assert_allclose(found, np.broadcast_to(np.abs(weights), (2, 2, 2)), rtol=1e-5)
    np.testing.assert_allclose(SmoothGrad().relevance(images, model, against=True), found, rtol=1e-5)


def test_equal_questions_have_equal_answers_and_another_seed_another():
    images, model = images_of("flat"), made("flat")
    first = SmoothGrad(samples=4, noise=0.5).heatmap(images, model, 1)
    np.testing.assert_array_equal(SmoothGrad(samples=4, noise=0.5).heatmap(images, model, 1), first)
    assert not np.allclose(SmoothGrad(samples=4, noise=0.5, seed=1).heatmap(images, model, 1), first)


def test_without_noise_it_is_the_slope_itself():
    """Also of an even image, whose range is 0."""
    images, model = images_of("flat"), made("flat")
    plain = SmoothGrad(samples=1, noise=0).relevance(images, model, 1)
    np.testing.assert_allclose(SmoothGrad(samples=3, noise=0).relevance(images, model, 1), plain, rtol=1e-4, atol=1e-7)
    even = np.full((1, 16, 16, 1), 0.5, np.float32)
    expected = SmoothGrad(samples=1, noise=0).relevance(even, model, 1)
    np.testing.assert_allclose(
        SmoothGrad(samples=3, noise=0.5).relevance(even, model, 1), expected, rtol=1e-4, atol=1e-7
    )


def test_more_samples_come_nearer_to_the_mean():
    images, model = images_of("flat", 1), made("flat")
    maps = [SmoothGrad(samples=n, noise=0.3, seed=seed).relevance(images, model, 1) for n in (2, 64) for seed in (0, 1)]
    assert np.abs(maps[2] - maps[3]).mean() < 0.5 * np.abs(maps[0] - maps[1]).mean()  # 1 / sqrt(32) = 0.18 on average


@pytest.mark.parametrize(
    ("options", "said"), [({"samples": 0}, "samples 0"), ({"noise": -0.1}, "noise -0.1: expected a")]
)
def test_what_is_refused(options, said):
    with pytest.raises(AskedWronglyError, match=said):
        SmoothGrad(**options)
