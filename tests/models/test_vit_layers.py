"""Stochastic depth, the class token, the exact GELU."""

import math

import keras
import numpy as np
import pytest
from layers import compiled, numpy

from medtf.models.vit.drop_path import DropPath
from medtf.models.vit.gelu import gelu
from medtf.models.vit.tokens import ClassToken, FirstToken

ONES = np.ones((400, 3, 2), "float32")


def test_an_example_loses_its_branch_whole_or_has_it_in_larger():
    """0 or 1 / 0.8 = 1.25 throughout an example; 0.2 of 4,000 is 800, with a standard deviation of 25."""
    layer = DropPath(0.2, seed=1)
    found = np.concatenate([numpy(layer(ONES, training=True)) for _ in range(10)]).reshape(4000, 6)
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 6, axis=1))
    assert set(np.unique(found)) == {np.float32(0), np.float32(1.25)}
    assert abs((found[:, 0] == 0).sum() - 800) < 4 * 25


def test_outside_training_and_at_rate_0_nothing_happens():
    for layer, training in ((DropPath(0.9), False), (DropPath(0.0), True)):
        np.testing.assert_array_equal(numpy(layer(ONES, training=training)), ONES)
    np.testing.assert_array_equal(numpy(DropPath(0.9)(ONES)), ONES)


def test_the_seed_fixes_the_draws_and_each_batch_draws_anew():
    one, same, other = (DropPath(0.5, seed=seed) for seed in (1, 1, 2))
    first = numpy(one(ONES, training=True))
    np.testing.assert_array_equal(numpy(same(ONES, training=True)), first)
    assert (numpy(other(ONES, training=True)) != first).any()
    assert (numpy(one(ONES, training=True)) != first).any()


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=r"`rate`: expected a number in \[0, 1\), got"):
        DropPath(rate)


def test_a_dropped_branch_gets_no_gradient():
    """The weight of a branch learns from the examples that keep it, and 1.25 times as much from each."""
    import tensorflow as tf

    layer, scale = DropPath(0.2, seed=3), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        dropped = layer(ONES * scale, training=True)
        total = tf.reduce_sum(dropped)
    kept = (numpy(dropped)[:, 0, 0] > 0).sum()
    assert float(tape.gradient(total, scale)) == pytest.approx(1.25 * 6 * kept)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_dropping_compiles_in_every_precision(dtype):
    layer = DropPath(0.2, seed=1, dtype=dtype)
    found = compiled(lambda x: layer(x, training=True))(ONES)
    assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
    assert set(np.unique(numpy(found))) == {np.float32(0), np.float32(1.25)}


def test_the_class_token_stands_in_front_and_is_found_again():
    tokens = np.random.default_rng(0).normal(size=(3, 4, 8)).astype("float32")
    layer = ClassToken()
    found = numpy(layer(tokens))
    assert found.shape == (3, 5, 8)
    np.testing.assert_array_equal(found[:, 1:], tokens)
    np.testing.assert_array_equal(found[:, 0], np.repeat(layer.get_weights()[0][0], 3, axis=0))
    np.testing.assert_array_equal(numpy(FirstToken()(found)), found[:, 0])
    assert layer(keras.Input((None, 8))).shape == (None, None, 8)
    assert FirstToken()(keras.Input((None, 8))).shape == (None, 8)


def test_gelu_is_x_times_the_normal_distribution_below_it():
    x = np.linspace(-6, 6, 49)
    expected = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x]
    found = numpy(gelu(keras.ops.convert_to_tensor(x.astype("float32"))))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    exact = numpy(keras.activations.gelu(x.astype("float32"), approximate=False))
    np.testing.assert_allclose(found, exact, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gelu_keeps_half_precision_and_is_finite_far_out(dtype):
    found = gelu(keras.ops.cast(np.array([-1e4, -3.0, 0.0, 3.0, 1e4], "float32"), dtype))
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_allclose(numpy(found), [0, -0.00405, 0, 2.99595, 1e4], rtol=0.01, atol=0.02)
