"""The learning rate's course and what the optimizer does to the weights."""

import keras
import numpy as np
import pytest

from medtf.config import Train
from medtf.schedule import learning_rate, optimizer


def rates(train, steps):
    return [float(learning_rate(train, steps)(step)) for step in range(steps + 1)]


def fitted(train, *, batches=1, batch_norm=False):
    """A dense layer of ones after `fit` on zeros, whose gradient is 0 everywhere: only decay and averaging move it."""
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones", name="beta_dense")(inputs)
    if batch_norm:
        outputs = keras.layers.BatchNormalization(beta_initializer="ones")(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer(train, batches), lambda y, p: keras.ops.sum(p * 0.0, axis=-1))
    model.fit(np.zeros((batches, 2), "float32"), np.zeros((batches, 1), "float32"), batch_size=1, verbose=0)
    return model


def test_warm_up_then_cosine():
    course = rates(Train(learning_rate=0.8, warmup=0.2), 20)
    np.testing.assert_allclose(course[:5], [0.16, 0.32, 0.48, 0.64, 0.8], rtol=1e-5)  # 4 of 20, from no 0
    expected = 0.4 * (1 + np.cos(np.pi * np.arange(17) / 16))
    np.testing.assert_allclose(course[4:], expected, atol=1e-6)
    assert course[12] == pytest.approx(0.4, rel=1e-5)
    assert course[20] == pytest.approx(0, abs=1e-7)


def test_constant_after_warm_up():
    np.testing.assert_allclose(
        rates(Train(learning_rate=0.3, warmup=0.25, schedule="constant"), 8), [0.1, 0.2] + [0.3] * 7, rtol=1e-5
    )
    assert learning_rate(Train(learning_rate=0.3, warmup=0, schedule="constant"), 8) == 0.3


def test_no_warm_up_and_the_shortest_runs():
    course = rates(Train(learning_rate=0.5, warmup=0), 4)
    np.testing.assert_allclose(course, 0.25 * (1 + np.cos(np.pi * np.arange(5) / 4)), atol=1e-6)
    assert rates(Train(learning_rate=0.5, warmup=0.9), 1)[0] == 0.5
    with pytest.raises(ValueError, match="`steps`: expected 1 or more"):
        learning_rate(Train(), 0)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_only_kernels_decay(name):
    train = Train(optimizer=name, learning_rate=0.5, weight_decay=0.1, warmup=0, schedule="constant")
    model = fitted(train, batch_norm=True)
    found = {weight.name: weight.numpy().ravel() for weight in model.trainable_weights}
    assert set(found) == {"kernel", "bias", "gamma", "beta"}
    np.testing.assert_allclose(found.pop("kernel"), 0.95, rtol=1e-6)  # a layer named beta_* decays all the same
    for weight in found.values():
        np.testing.assert_array_equal(weight, 1)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_without_decay_nothing_decays(name):
    model = fitted(Train(optimizer=name, learning_rate=0.5, weight_decay=0))
    np.testing.assert_array_equal(model.get_weights()[0], 1)


def test_the_settings_reach_keras():
    adamw = optimizer(Train(clip_norm=0.7, accumulate=3), 10)
    assert isinstance(adamw, keras.optimizers.AdamW)
    assert (adamw.global_clipnorm, adamw.gradient_accumulation_steps, adamw.use_ema) == (0.7, 3, False)
    sgd = optimizer(Train(optimizer="sgd", clip_norm=None, ema=0.9, warmup=0, schedule="constant"), 10)
    assert isinstance(sgd, keras.optimizers.SGD)
    assert (sgd.momentum, sgd.nesterov, sgd.global_clipnorm, sgd.gradient_accumulation_steps) == (0.9, True, None, None)
    assert (sgd.use_ema, sgd.ema_momentum, sgd.ema_overwrite_frequency) == (True, 0.9, None)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(adamw))
    assert again.get_config() == adamw.get_config()


def test_the_schedule_counts_batches_under_accumulation():
    train = Train(learning_rate=0.5, weight_decay=0.1, warmup=0, accumulate=2)
    model = fitted(train, batches=6)
    assert int(model.optimizer.iterations) == 3
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-7), "the cosine is not over with the run"
    at_updates = 0.25 * (1 + np.cos(np.pi * np.array([1, 3, 5]) / 6))
    np.testing.assert_allclose(model.get_weights()[0], np.prod(1 - 0.1 * at_updates), rtol=1e-5)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_average_is_by_update_and_written_when_fit_ends(accumulate):
    seen = []
    train = Train(learning_rate=0.5, weight_decay=0.2, warmup=0, schedule="constant", ema=0.75, accumulate=accumulate)
    made = optimizer(train, 9)
    weight = keras.Variable([1.0], name="kernel")
    made.build([weight])
    for _ in range(4 * accumulate - 1):  # three updates, and all averaging that the third has coming
        made.apply([keras.ops.zeros((1,))])
        seen.append(float(weight.numpy()[0]))
    raw = [0.9, 0.81, 0.729]
    np.testing.assert_allclose(seen[accumulate - 1 :: accumulate], raw, rtol=1e-5)  # raw until `finalize`
    made.finalize_variable_values([weight])
    average = 0.75 * (0.75 * raw[0] + 0.25 * raw[1]) + 0.25 * raw[2]
    assert float(weight.numpy()[0]) == pytest.approx(average, rel=1e-5)


def test_fit_writes_the_average():
    train = Train(learning_rate=0.5, weight_decay=0.2, warmup=0, schedule="constant", ema=0.75)
    model = fitted(train, batches=2)
    np.testing.assert_allclose(model.get_weights()[0], 0.75 * 0.9 + 0.25 * 0.81, rtol=1e-5)


def test_a_compiled_step_clips_and_accumulates():
    train = Train(
        optimizer="sgd", learning_rate=1.0, weight_decay=0, clip_norm=1.0, warmup=0, schedule="constant", accumulate=2
    )
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs))
    model.compile(optimizer(train, 2), lambda y, p: keras.ops.sum(-p, axis=-1), jit_compile=True)
    model.fit(np.array([[5.0], [9.0]], "float32"), np.zeros((2, 1), "float32"), batch_size=1, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], 1.9, rtol=1e-5)  # gradient 7 clipped to 1, Nesterov 1 + 0.9
