"""Losses of bins and of a Gaussian: hand-computed numbers, scipy's, and nothing from unknown labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from losses import value_and_gradient, values
from scipy import stats

from medtf.config import Target, Train
from medtf.losses import GaussianLoss, SoftBinsLoss, for_target

NAN = np.nan
BINS = (40, 80, 2)
CENTERS = np.arange(41, 80, 2)
# each with predictions of three examples, as its head gives them
LOGITS = np.random.default_rng(0).normal(0, 2, (3, 20))
ALL = {
    "bins": (SoftBinsLoss(BINS, 3), LOGITS),
    "gaussian": (GaussianLoss(12), np.array([[50, 10], [60, 3], [71, 20.0]])),
}
every_loss = pytest.mark.parametrize(("loss", "predictions"), ALL.values(), ids=ALL)


def soft(age, sigma=3):
    edges = np.arange(40, 81, 2)
    share = np.diff(stats.norm.cdf(edges, age, sigma))
    return share / share.sum()


def test_a_soft_label_is_the_normal_distribution_over_the_bins():
    ages = [40, 47.3, 60, 80]
    found = keras.ops.convert_to_numpy(SoftBinsLoss(BINS, 3).soft_labels(np.array(ages, "float32")[:, None]))
    np.testing.assert_allclose(found, [soft(age) for age in ages], atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert found[2] @ CENTERS == pytest.approx(60, abs=1e-4)  # symmetrical in the middle
    # a sharp one is the bin itself; on an edge it is half of each neighbour
    sharp = keras.ops.convert_to_numpy(SoftBinsLoss(BINS, 1e-3).soft_labels(np.array([[51.5], [52]], "float32")))
    np.testing.assert_allclose(sharp[0], CENTERS == 51, atol=1e-6)
    np.testing.assert_allclose(sharp[1], 0.5 * np.isin(CENTERS, (51, 53)), atol=1e-6)


def test_bins_by_hand():
    """Two bins, the label in the middle of the first: shares by the table of the normal distribution."""
    loss = SoftBinsLoss((0, 4, 2), sigma=1)
    first = stats.norm.cdf(1) - stats.norm.cdf(-1)  # 0.6827
    second = stats.norm.cdf(3) - stats.norm.cdf(1)  # 0.1573
    p, q = first / (first + second), second / (first + second)
    expected = p * np.log(p / 0.75) + q * np.log(q / 0.25)
    np.testing.assert_allclose(values(loss, [[1]], [[np.log(3), 0]]), [expected], rtol=1e-4)


def test_the_divergence_is_scipys_and_zero_for_the_soft_label_itself():
    ages = np.array([45.0, 58.2, 79.0])
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = [stats.entropy(soft(age), share) for age, share in zip(ages, softmax, strict=True)]
    np.testing.assert_allclose(values(SoftBinsLoss(BINS, 3), ages[:, None], LOGITS), expected, rtol=1e-4)
    itself = np.log(np.maximum([soft(age) for age in ages], 1e-20))
    np.testing.assert_allclose(values(SoftBinsLoss(BINS, 3), ages[:, None], itself), [0, 0, 0], atol=1e-5)


def test_the_mean_of_soft_labels_is_the_best_constant():
    ages = np.array([[45.0], [50], [75]])
    loss = SoftBinsLoss(BINS, 3)
    share = np.mean([soft(age) for age in ages[:, 0]], axis=0)
    least = values(loss, ages, np.log(share)[None].repeat(3, 0)).mean()
    for seed in range(5):
        other = np.log(share) + np.random.default_rng(seed).normal(0, 0.1, 20)
        assert values(loss, ages, other[None].repeat(3, 0)).mean() > least


def test_a_value_beyond_the_ends_counts_as_the_end():
    found = values(SoftBinsLoss(BINS, 3), [[10], [40], [80], [500]], LOGITS[:1].repeat(4, 0))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    assert np.isfinite(found).all()


def test_gaussian_by_hand():
    loss = GaussianLoss(scale=10)
    # z = 0, 1, -2 of deviations 10, 5, 20
    found = values(loss, [[50], [55], [10]], [[50, 10], [50, 5], [50, 20]])
    np.testing.assert_allclose(found, [0, 0.5 + np.log(0.5), 2 + np.log(2)], rtol=1e-5, atol=1e-6)
    expected = -stats.norm.logpdf([50, 55, 10], [50, 50, 50], [10, 5, 20]) - np.log(np.sqrt(2 * np.pi) * 10)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_gaussian_is_least_at_the_error_itself():
    """Of all deviations the one that equals the error has the least loss: the gradient is 0 there."""
    _, gradient = value_and_gradient(GaussianLoss(10), [[57]], [[50, 7]])
    assert gradient[0, 1] == pytest.approx(0, abs=1e-6)
    assert gradient[0, 0] == pytest.approx(-1 / 7, rel=1e-5)  # -(y - m) / s^2


def test_gaussian_weighs_like_the_others():
    """At the start (mean and deviation of the labels) it is a half in every unit."""
    ages = np.random.default_rng(0).normal(50, 12, (500, 1))
    for unit in (1, 365):
        start = [[unit * ages.mean(), unit * ages.std()]] * 500
        assert values(GaussianLoss(unit * ages.std()), unit * ages, start).mean() == pytest.approx(0.5, rel=1e-3)


@every_loss
def test_unknown_labels_add_nothing_and_have_no_gradient(loss, predictions):
    broken = predictions.copy()
    broken[1] = NAN
    value, gradient = value_and_gradient(loss, [[45], [NAN], [70]], broken)
    known, known_gradient = value_and_gradient(loss, [[45], [70]], predictions[::2])
    assert value == pytest.approx(known * 2 / 3, rel=1e-5)
    np.testing.assert_array_equal(gradient[1], 0)
    np.testing.assert_allclose(gradient[::2], known_gradient * 2 / 3, rtol=1e-5)
    value, gradient = value_and_gradient(loss, [[NAN]] * 3, predictions)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@every_loss
def test_gradients_agree_with_finite_differences(loss, predictions):
    labels = [[45], [58], [70]]
    _, gradient = value_and_gradient(loss, labels, predictions)
    for place in ((0, 0), (1, 1), (2, 1)):
        step = np.zeros(predictions.shape)
        step[place] = 1e-2
        up, down = (float(loss(np.array(labels), predictions + sign * step)) for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-2, rel=0.02, abs=2e-4)


@every_loss
def test_compiled_equals_eager_and_half_precision_is_computed_in_float32(loss, predictions):
    labels = tf.constant([[45], [NAN], [70]], "float32")
    half = tf.constant(predictions, "float16")
    eager, compiled = loss(labels, half), tf.function(loss, jit_compile=True)(labels, half)
    assert eager.dtype == "float32"
    assert float(compiled) == pytest.approx(float(eager), rel=1e-5)


@every_loss
def test_mixed_labels_lie_between(loss, predictions):
    """MixUp mixes labels in their unit."""
    found = values(loss, [[45], [57.5], [70]], predictions)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_bins_are_finite_for_any_logits(size):
    value, gradient = value_and_gradient(SoftBinsLoss(BINS, 1), [[41], [60], [80]], size * np.sign(LOGITS))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@every_loss
def test_sample_weights_and_config(loss, predictions):
    labels = np.array([[45], [58], [70]], "float32")
    by_example = values(loss, labels, predictions)
    assert by_example.shape == (3,)
    weighted = float(loss(labels, predictions, sample_weight=np.array([3.0, 1.0, 0.0])))
    assert weighted == pytest.approx((3 * by_example[0] + by_example[1]) / 3, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    np.testing.assert_array_equal(values(again, labels, predictions), by_example)


def test_for_target():
    loss = for_target(Target(kind="regression", head="bins", bins=BINS, sigma=3), Train(), scale=12)
    assert (type(loss), loss.bins, loss.sigma) == (SoftBinsLoss, (40, 80, 2), 3)
    loss = for_target(Target(kind="regression", head="gaussian"), Train(), scale=12)
    assert (type(loss), loss.scale) == (GaussianLoss, 12)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`width`: expected a finite number over 0, got 0"):
        SoftBinsLoss((40, 80, 0))
    with pytest.raises(ValueError, match="`bins`: expected at least two"):
        SoftBinsLoss((40, 41, 1))
    with pytest.raises(ValueError, match="`sigma`: expected a finite number over 0"):
        SoftBinsLoss(BINS, 0)
    with pytest.raises(ValueError, match="`scale`: expected a finite number over 0"):
        GaussianLoss(0)
