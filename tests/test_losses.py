"""Losses: hand-computed numbers, scikit-learn's, and nothing from unknown labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from losses import value_and_gradient, values
from sklearn.metrics import log_loss

from medtf.config import Target, Train
from medtf.losses import (
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    CategoricalLogLoss,
    RegressionLoss,
    for_target,
)

NAN = np.nan
BINARY, MULTICLASS, REGRESSION = (
    Target(kind="binary"),
    Target(kind="multiclass", classes=("a", "b", "c")),
    Target(kind="regression"),
)
ALL = {
    "binary": BinaryLogLoss(positive_weight=3),
    "binary_focal": BinaryFocalLoss(gamma=0.5, alpha=0.25),
    "categorical": CategoricalLogLoss(class_weight=[1, 2, 3]),
    "categorical_focal": CategoricalFocalLoss(gamma=0.5, class_weight=[1, 2, 3]),
    "absolute": RegressionLoss("absolute", 2),
    "squared": RegressionLoss("squared", 2),
    "huber": RegressionLoss("huber", 2),
}
every_loss = pytest.mark.parametrize("loss", ALL.values(), ids=ALL)


def test_binary_log_loss_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (50, 1)), rng.normal(0, 3, (50, 1))
    unknown = rng.random(50) < 0.3
    expected = log_loss(labels[~unknown], 1 / (1 + np.exp(-logits[~unknown]))) * (~unknown).mean()
    masked = np.where(unknown[:, None], NAN, labels)
    assert float(BinaryLogLoss()(masked, logits)) == pytest.approx(expected, rel=1e-5)


def test_categorical_log_loss_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    classes, logits = rng.integers(0, 3, 40), rng.normal(0, 2, (40, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = log_loss(classes, probabilities, labels=[0, 1, 2])
    assert float(CategoricalLogLoss()(np.eye(3)[classes], logits)) == pytest.approx(expected, rel=1e-5)


def test_by_hand():
    log3 = np.log(3)  # sigmoid(log 3) = 3/4
    np.testing.assert_allclose(
        values(BinaryLogLoss(2), [[1], [0], [0.5]], [[log3]] * 3),
        [2 * np.log(4 / 3), np.log(4), np.log(4 / 3) + np.log(4) / 2],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        values(BinaryFocalLoss(2, 0.25), [[1], [0]], [[log3]] * 2),
        [0.25 / 16 * np.log(4 / 3), 0.75 * 9 / 16 * np.log(4)],
        rtol=1e-6,
    )
    logits = np.log([[1, 2, 5]])  # softmax 1/8, 2/8, 5/8
    np.testing.assert_allclose(values(CategoricalLogLoss([1, 2, 4]), [[0, 1, 0]], logits), [2 * np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(values(CategoricalFocalLoss(2), [[0, 1, 0]], logits), [9 / 16 * np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(
        values(CategoricalLogLoss(), [[0.5, 0.5, 0]], logits), [(np.log(8) + np.log(4)) / 2], rtol=1e-6
    )
    ages, said = [[60], [60], [60]], [[61], [60], [54]]  # errors 0.5, 0, 3 of the scale 2
    np.testing.assert_allclose(values(RegressionLoss("absolute", 2), ages, said), [0.5, 0, 3])
    np.testing.assert_allclose(values(RegressionLoss("squared", 2), ages, said), [0.25, 0, 9])
    np.testing.assert_allclose(values(RegressionLoss("huber", 2), ages, said), [0.125, 0, 2.5])


def test_gamma_zero_is_the_log_loss():
    rng = np.random.default_rng(2)
    labels, logits = rng.random((8, 3)), rng.normal(0, 4, (8, 3))
    np.testing.assert_allclose(
        values(BinaryFocalLoss(0), labels, logits), values(BinaryLogLoss(), labels, logits), rtol=1e-5
    )
    focal, plain = CategoricalFocalLoss(0, [1, 2, 3]), CategoricalLogLoss([1, 2, 3])
    np.testing.assert_allclose(values(focal, labels, logits), values(plain, labels, logits), rtol=1e-5)


@every_loss
def test_unknown_labels_add_nothing_and_have_no_gradient(loss):
    labels, predictions = [[1, 0, 0], [NAN, NAN, NAN], [0, 0, 1]], [[2, -1, 0.5], [NAN, 40, -3], [0.3, 0.2, 0.1]]
    value, gradient = value_and_gradient(loss, labels, predictions)
    known, known_gradient = value_and_gradient(loss, labels[::2], predictions[::2])
    assert known > 0
    assert value == pytest.approx(known * 2 / 3, rel=1e-6)
    np.testing.assert_array_equal(gradient[1], 0)
    np.testing.assert_allclose(gradient[::2], known_gradient * 2 / 3, rtol=1e-5)
    assert np.abs(known_gradient).min() > 0
    assert value_and_gradient(loss, [[NAN] * 3], [[1, 2, 3]])[0] == 0


def test_one_unknown_among_several_labels():
    log3 = np.log(3)
    value, gradient = value_and_gradient(BinaryLogLoss(), [[1, NAN]], [[log3, log3]])
    assert value == pytest.approx(np.log(4 / 3) / 2, rel=1e-6)
    np.testing.assert_allclose(gradient, [[-1 / 8, 0]], rtol=1e-5)
    # one NaN hides a whole row of classes
    value, gradient = value_and_gradient(CategoricalLogLoss(), [[1, NAN, 0]], [[1, 2, 3]])
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@every_loss
@pytest.mark.parametrize("size", [0.0, 20.0, 100.0])
def test_finite_up_to_a_logit_of_one_hundred(loss, size):
    labels = np.array([[1, 0, 0], [0, 1, 0], [0.3, 0.3, 0.4]])
    for sign in (-size, size):
        value, gradient = value_and_gradient(loss, labels, np.array([[sign, 0, 0]] * 3))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
    if size == 100 and loss is ALL["binary"]:
        assert values(loss, [[0]], [[100]]) == pytest.approx(100)


@every_loss
def test_gradients_agree_with_finite_differences(loss):
    rng = np.random.default_rng(3)
    labels, predictions = rng.random((4, 3)), rng.normal(0, 1.5, (4, 3))
    _, gradient = value_and_gradient(loss, labels, predictions)
    for place in ((0, 0), (2, 1), (3, 2)):
        step = np.zeros((4, 3))
        step[place] = 1e-2
        up, down = (float(loss(labels, predictions + sign * step)) for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-2, rel=0.02, abs=1e-4)


@every_loss
def test_compiled_equals_eager_and_half_precision_is_computed_in_float32(loss):
    labels = tf.constant([[1, 0, 0], [NAN, NAN, NAN], [0, 0, 1]], "float32")
    predictions = tf.constant([[2, -1, 0.5], [0, 40, -3], [60, 20, 60]], "float16")
    eager, compiled = loss(labels, predictions), tf.function(loss, jit_compile=True)(labels, predictions)
    assert eager.dtype == "float32"
    assert float(compiled) == pytest.approx(float(eager), rel=1e-5)
    np.testing.assert_allclose(loss.call(labels, predictions), loss.call(labels, tf.cast(predictions, "float32")))


@every_loss
def test_sample_weights_and_config(loss):
    labels, predictions = np.array([[1, 0, 0], [0, 1, 0]], "float32"), np.array([[2, 1, 0], [1, 0, 1]], "float32")
    by_example = values(loss, labels, predictions)
    assert by_example.shape == (2,)
    weighted = float(loss(labels, predictions, sample_weight=np.array([3.0, 1.0])))
    assert weighted == pytest.approx((3 * by_example[0] + by_example[1]) / 2, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    np.testing.assert_array_equal(values(again, labels, predictions), by_example)


def test_fit_with_unknown_labels_moves_only_what_is_known():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="zeros")(inputs))
    model.compile(keras.optimizers.SGD(1.0), BinaryLogLoss(), jit_compile=True)
    model.fit(np.ones((4, 2), "float32"), np.array([[1, NAN]] * 4, "float32"), verbose=0)
    kernel = model.layers[-1].kernel.numpy()
    np.testing.assert_allclose(kernel, [[0.25, 0], [0.25, 0]], rtol=1e-5)  # 1/2 of sigmoid(0) by 1/2 of two labels


def test_for_target():
    assert isinstance(for_target(BINARY, Train()), BinaryLogLoss)
    assert for_target(BINARY, Train(), class_weight=4).positive_weight == 4
    focal = for_target(BINARY, Train(loss="focal", class_weight="balanced"), class_weight=4)
    assert (type(focal), focal.alpha, focal.gamma) == (BinaryFocalLoss, 0.8, 2)
    assert for_target(BINARY, Train(loss="focal")).alpha is None
    assert type(for_target(MULTICLASS, Train())) is CategoricalLogLoss
    focal = for_target(MULTICLASS, Train(loss="focal"), class_weight=(1, 2, 3))
    assert (type(focal), focal.class_weight) == (CategoricalFocalLoss, [1, 2, 3])
    loss = for_target(REGRESSION, Train(regression_loss="huber", class_weight="balanced"), scale=12)
    assert (type(loss), loss.kind, loss.scale) == (RegressionLoss, "huber", 12)


def test_what_is_refused():
    with pytest.raises(ValueError, match="balanced: expected `class_weight`"):
        for_target(BINARY, Train(class_weight="balanced"))
    with pytest.raises(ValueError, match="expected 3 weights, one a class, got 2"):
        for_target(MULTICLASS, Train(), class_weight=[1, 2])
    with pytest.raises(ValueError, match="`scale`: expected a finite number over 0, got 0"):
        RegressionLoss(scale=0)
    with pytest.raises(ValueError, match="`kind`: expected absolute, squared or huber"):
        RegressionLoss("hubber")
    with pytest.raises(ValueError, match="`alpha`"):
        BinaryFocalLoss(alpha=1)
    with pytest.raises(ValueError, match="`gamma`"):
        CategoricalFocalLoss(gamma=-1)
    with pytest.raises(ValueError, match="`positive_weight`"):
        BinaryLogLoss(float("inf"))
