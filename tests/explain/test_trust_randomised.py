"""Weights that are drawn anew: in which order, how, and that the network is itself again afterwards, on TensorFlow and JAX."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import trust_checks

from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain.grad_cam import GradCAM
from medtf.explain.trust import parts, randomised


@pytest.mark.parametrize("check", trust_checks.CHECKS, ids=lambda check: check.__name__)
def test_of_this_backend(check):
    check()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_of_jax():
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    script = Path(trust_checks.__file__)
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_heads_come_first_and_every_layer_once():
    model = trust_checks.network()
    names = [[path for path, _ in group] for group in parts.groups(model, 3)]
    assert set(names[0]) == {"age_logits", "site_logits"}
    assert names[1:] == [
        ["backbone/second_norm", "backbone/second"],
        ["backbone/first_norm", "backbone/first"],
    ]
    assert [len(group) for group in parts.groups(model, 100)] == [2, 1, 1, 1, 1]
    assert [len(group) for group in parts.groups(model, 1)] == [6]


def test_heads_are_found_where_the_outputs_come_from_a_nested_model():
    """As the model under `fit` holds the network."""
    model = trust_checks.network()
    logits = keras.Model(model.inputs, {"age": model.get_layer("age").output})
    image = keras.Input((16, 16, 1))
    outer = keras.Model(image, logits(keras.layers.Rescaling(1.0)(image)))
    assert [layer.name for layer in parts.heads(outer)] == ["age_logits"]
    assert parts.dense(outer, "age") is model.get_layer("age_logits")


def test_a_layer_that_is_used_twice_is_drawn_once():
    shared = keras.layers.Conv2D(2, 3, padding="same", name="shared")
    image = keras.Input((8, 8, 2))
    x = keras.layers.GlobalAveragePooling2D()(shared(shared(image)))
    model = keras.Model(image, keras.layers.Dense(1, name="head")(x))
    assert [path for group in parts.groups(model, 9) for path, _ in group] == ["head", "shared"]


def test_values_lose_their_places_and_nothing_else():
    layer = keras.layers.Conv2D(8, 3)
    layer.build((None, 8, 8, 4))
    layer.bias.assign(np.arange(8.0))
    kernel, bias = (np.array(one) for one in layer.weights)
    randomised.shuffled([layer], np.random.default_rng(0))
    now = [np.array(one) for one in layer.weights]
    assert np.array_equal(np.sort(np.abs(now[0]), axis=None), np.sort(np.abs(kernel), axis=None))
    assert np.array_equal(np.sort(now[1]), bias)
    assert np.mean(now[0] == kernel) < 0.05
    assert 0.4 < np.mean(now[0] > 0) < 0.6


def test_a_kernel_with_one_sign_does_not_keep_it():
    layer = keras.layers.Dense(1)
    layer.build((None, 200))
    layer.kernel.assign(np.ones((200, 1)))
    randomised.shuffled([layer], np.random.default_rng(0))
    assert abs(np.mean(np.array(layer.kernel))) < 0.3


def test_all_steps_explain_the_class_that_the_trained_network_gives_most():
    model, shown = trust_checks.network(), trust_checks.images()
    answers = model.predict(shown, verbose=0)["site"].argmax(axis=1)
    assert np.array_equal(randomised.called(model, shown, target="site"), answers)
    assert np.array_equal(randomised.called(model, shown, 2, target="site"), np.full(9, 2))


def test_the_same_seed_draws_the_same_weights():
    model, shown = trust_checks.network(), trust_checks.images(3)
    same, again, other = (
        randomised.cascade(GradCAM(), model, shown, target="age", steps=1, draws=2, seed=seed).random
        for seed in (0, 0, 1)
    )
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)
    assert not np.array_equal(same[0], same[1])


def test_a_deep_network_stays_in_the_range_of_half_precision():
    """Channels of very different strength, each divided by its own: divided by another's, numbers grow some tenfold at every layer."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = deep(np.random.default_rng(0))
    finally:
        keras.config.set_dtype_policy("float32")
    shown = np.random.default_rng(1).normal(size=(4, 8, 8, 4))
    drawn = randomised.cascade(GradCAM(), model, shown, draws=1, steps=2)
    assert np.isfinite(drawn.steps).all()


def deep(generator, layers=16) -> keras.Model:
    image = x = keras.Input((8, 8, 4))
    for _ in range(layers):
        convolution, norm = keras.layers.Conv2D(4, 3, padding="same", use_bias=False), keras.layers.BatchNormalization()
        x = keras.layers.ReLU()(norm(convolution(x)))
        strength = 10.0 ** generator.uniform(-5, 0, 4)
        convolution.kernel.assign(generator.normal(size=(3, 3, 4, 4)) * np.sqrt(strength * 2 / 36))
        norm.moving_variance.assign(strength)
    return keras.Model(image, keras.layers.Dense(1, dtype="float32")(keras.layers.GlobalAveragePooling2D()(x)))


class Written(keras.Model):
    """As a class, without a graph."""

    def __init__(self):
        super().__init__(name="written")
        self.first, self.second = (keras.layers.Conv2D(3, 3, padding="same", name=f"conv{i}") for i in (1, 2))
        self.pool, self.end = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, name="end")

    def call(self, x):
        return self.end(self.pool(self.second(self.first(x))))


def test_a_model_that_was_written_as_a_class():
    model, shown = Written(), trust_checks.images(4)
    model(shown)
    before = trust_checks.weights(model)
    drawn = randomised.cascade(GradCAM(), model, shown, steps=3, draws=1)
    assert [path.rpartition("/")[2] for step in drawn.layers for path in step] == ["end", "conv2", "conv1"]
    assert not np.array_equal(drawn.random[0], drawn.original)
    assert trust_checks.weights(model) == before


def test_a_network_without_weights_has_learnt_nothing():
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image), name="plain")
    with pytest.raises(MedtfError, match="plain: has no weights"):
        randomised.cascade(GradCAM(), model, np.zeros((2, 8, 8, 1)))


def test_errors_of_the_network_as_it_is_are_told():
    model = trust_checks.network()
    with pytest.raises(AskedWronglyError, match="did you mean 'site'"):
        randomised.cascade(GradCAM(), model, trust_checks.images(), target="sites")
    with pytest.raises(AskedWronglyError, match="no such layer"):
        randomised.cascade(GradCAM(), model, trust_checks.images(), target="site", layer="third")
