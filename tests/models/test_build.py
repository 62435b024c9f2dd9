"""Heads: where they start, in which precision they end, what their layers are called."""

import keras
import numpy as np
import pytest

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import build

TARGETS = {
    "any": Target(kind="binary"),
    "age": Target(kind="regression"),
    "site": Target(kind="multiclass", classes=("a", "b", "c")),
}
MOBILENET = Model(name="mobilenet", norm="group", dropout=0.5)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((8, 32, 32, 1), np.float32)


def test_an_untrained_model_predicts_near_what_is_known_before(images):
    priors = {"any": np.array([0.1]), "age": np.array([50.0, 12.0]), "site": np.array([0.7, 0.2, 0.1])}
    keras.utils.set_random_seed(0)
    model = build.build(MOBILENET, (32, 32, 1), TARGETS, priors=priors)
    found = {name: np.asarray(value) for name, value in model(images, training=False).items()}
    assert found["any"].mean() == pytest.approx(0.1, abs=0.08)
    assert found["age"].mean() == pytest.approx(50, abs=12)
    np.testing.assert_allclose(found["site"].mean(axis=0), [0.7, 0.2, 0.1], atol=0.15)
    # without features the start is exact
    for name, value in {"any": [[0.0]], "site": [[0.0] * 3], "age": [[0.0]]}.items():
        model.get_layer(f"{name}_logits").kernel.assign(np.zeros_like(model.get_layer(f"{name}_logits").kernel))
        assert len(value[0]) == model.get_layer(f"{name}_logits").units
    exact = model(images[:1], training=False)
    assert float(exact["any"][0, 0]) == pytest.approx(0.1, rel=1e-5)
    assert float(exact["age"][0, 0]) == pytest.approx(50.0)
    np.testing.assert_allclose(exact["site"][0], [0.7, 0.2, 0.1], rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_heads_are_float32_under_every_policy(policy, images):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build.build(MOBILENET, (32, 32, 1), TARGETS)
        for name in TARGETS:
            for layer in (name, f"{name}_logits"):
                assert model.get_layer(layer).compute_dtype == "float32", layer
        assert model.get_layer("conv1").compute_dtype == policy.removeprefix("mixed_")
        assert all(value.dtype == "float32" for value in model(images, training=False).values())
    finally:
        keras.config.set_dtype_policy(before)


def test_the_logits_lead_to_the_outputs(images):
    model = build.build(MOBILENET, (32, 32, 1), TARGETS)
    outputs = {n: np.asarray(v) for n, v in model(images, training=False).items()}
    ends = {n: np.asarray(v) for n, v in build.logits_model(model, TARGETS)(images, training=False).items()}
    np.testing.assert_allclose(1 / (1 + np.exp(-ends["any"])), outputs["any"], rtol=1e-5)
    exponentials = np.exp(ends["site"])
    np.testing.assert_allclose(exponentials / exponentials.sum(axis=1, keepdims=True), outputs["site"], rtol=1e-5)
    np.testing.assert_array_equal(ends["age"], outputs["age"])
    np.testing.assert_allclose(outputs["site"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.9), (100, 0.9), (500, 0.98), (1000, 0.99), (100_000, 0.99)])
def test_the_memory_of_batch_norm_is_a_tenth_of_the_training(steps, momentum):
    assert build.norm_momentum(Model(), steps) == pytest.approx(momentum)
    assert build.norm_momentum(Model(norm_momentum=0.5), steps) == 0.5


@pytest.mark.parametrize("name", ["conv1", "image", "gap", "dropout"])
def test_a_target_with_the_name_of_a_layer_is_refused(name):
    with pytest.raises(AskedWronglyError, match=f"target '{name}'.*has a layer.*data.columns"):
        build.build(MOBILENET, (32, 32, 1), {name: TARGETS["any"]})


def test_two_targets_that_name_one_layer_are_refused():
    with pytest.raises(AskedWronglyError, match="'a_logits'"):
        build.build(MOBILENET, (32, 32, 1), {"a": TARGETS["any"], "a_logits": TARGETS["any"]})
