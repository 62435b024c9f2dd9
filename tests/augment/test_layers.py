"""What holds for every random layer."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from medtf.augment import build
from medtf.augment.affine import RandomAffine
from medtf.augment.erase import RandomErase
from medtf.augment.flip import RandomFlip
from medtf.augment.intensity import RandomIntensity
from medtf.augment.mixup import MixUp
from medtf.augment.noise import RandomNoise
from medtf.config import Augment

STRENGTHS = {
    RandomFlip: {"probability": 0.5},
    RandomAffine: {"rotate": 20, "zoom": 0.2, "translate": 0.2},
    RandomIntensity: {"contrast": 0.5, "brightness": 0.3},
    RandomNoise: {"deviation": 0.2},
    RandomErase: {"probability": 0.7},
    MixUp: {"alpha": 0.8},
}
every_layer = pytest.mark.parametrize("layer", STRENGTHS, ids=lambda layer: layer.__name__)
SHAPE = (8, 12, 15, 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).random(SHAPE, dtype="float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@every_layer
def test_outside_training_is_the_identity(layer, images):
    made = layer(**STRENGTHS[layer], seed=0)
    np.testing.assert_array_equal(numpy(made(images)), images)
    np.testing.assert_array_equal(numpy(made(images, training=False)), images)


@every_layer
def test_zero_strength_is_the_identity_and_warns(layer, images):
    with pytest.warns(UserWarning, match=f"{layer.__name__} does nothing as configured"):
        made = layer(**dict.fromkeys(STRENGTHS[layer], 0), seed=0)
    np.testing.assert_array_equal(numpy(made(images, training=True)), images)


@every_layer
def test_training_changes_images_within_zero_and_one(layer, images):
    changed = numpy(layer(**STRENGTHS[layer], seed=0)(images, training=True))
    assert changed.shape == SHAPE
    assert np.abs(changed - images).max() > 0.1
    assert changed.min() >= 0
    assert changed.max() <= 1


@every_layer
def test_the_seed_fixes_every_batch(layer, images):
    one, same, other = (layer(**STRENGTHS[layer], seed=seed) for seed in (3, 3, 4))
    first = numpy(one(images, training=True))
    np.testing.assert_array_equal(first, numpy(same(images, training=True)))
    assert not np.array_equal(first, numpy(other(images, training=True)))
    assert not np.array_equal(first, numpy(one(images, training=True))), "two batches took the same draws"


@every_layer
def test_call_is_draw_then_apply(layer, images):
    one, same = (layer(**STRENGTHS[layer], seed=5) for _ in range(2))
    np.testing.assert_array_equal(numpy(one(images, training=True)), numpy(same.apply(images, same.draw(SHAPE))))


@pytest.mark.parametrize("layer", [c for c in STRENGTHS if c is not MixUp], ids=lambda layer: layer.__name__)
def test_examples_are_drawn_apart(layer):
    same = np.repeat(np.random.default_rng(1).random((1, 12, 15, 3), dtype="float32"), 16, axis=0)
    changed = numpy(layer(**STRENGTHS[layer], seed=0)(same, training=True))
    assert len(np.unique(changed.reshape(16, -1), axis=0)) >= (2 if layer is RandomFlip else 8)


@every_layer
def test_compiled_equals_eager(layer, images):
    made = layer(**STRENGTHS[layer], seed=0)
    draws = made.draw(SHAPE)
    compiled = tf.function(lambda x: made.apply(x, draws), jit_compile=True)
    np.testing.assert_allclose(numpy(compiled(images)), numpy(made.apply(tf.constant(images), draws)), atol=1e-4)


@every_layer
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stays_near(layer, policy, images):
    half, full = (layer(**STRENGTHS[layer], seed=0, dtype=dtype) for dtype in (policy, "float32"))
    changed = half(images, training=True)
    assert changed.dtype == policy.removeprefix("mixed_")
    expected = numpy(full(images, training=True))
    np.testing.assert_allclose(numpy(keras.ops.cast(changed, "float32")), expected, atol=0.03)


@every_layer
def test_config_round_trip(layer):
    made = layer(**STRENGTHS[layer], seed=7, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is layer
    assert again.get_config() == made.get_config()
    assert {name: getattr(again, name) for name in STRENGTHS[layer]} == STRENGTHS[layer]


@pytest.mark.parametrize(
    ("layer", "strengths"),
    [
        (RandomFlip, {"probability": 1.1}),
        (RandomAffine, {"rotate": 181}),
        (RandomAffine, {"zoom": 1}),
        (RandomIntensity, {"contrast": -0.1}),
        (RandomNoise, {"deviation": float("nan")}),
        (RandomErase, {"probability": -1}),
        (MixUp, {"alpha": -0.2}),
    ],
)
def test_a_strength_out_of_range_is_named(layer, strengths):
    (name,) = strengths
    with pytest.raises(ValueError, match=rf"`{name}`: expected a number in \[0, "):
        layer(**strengths)


def test_build_takes_what_is_switched_on():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none may be idle
        assert build(Augment()) == []
        layers = build(Augment(flip=0.5, zoom=0.1, brightness=0.2, noise=0.01, erase=0.3, mixup=0.2), seed=0)
    assert [type(layer) for layer in layers] == [RandomFlip, RandomAffine, RandomIntensity, RandomNoise, RandomErase]
    assert (layers[1].rotate, layers[1].zoom, layers[1].translate) == (0, 0.1, 0)
    assert len({layer.seed for layer in layers}) == 5
    assert [type(layer) for layer in build(Augment(erase=0.1, contrast=0.1))] == [RandomIntensity, RandomErase]


def test_fit_compiles_with_all_layers(images):
    layers = build(
        Augment(flip=0.5, rotate=10, zoom=0.1, translate=0.1, contrast=0.1, brightness=0.1, noise=0.1, erase=0.5)
    )
    outputs = inputs = keras.Input(SHAPE[1:])
    for layer in [*layers, MixUp(0.2)]:
        outputs = layer(outputs)
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(outputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", jit_compile=True)
    assert model.jit_compile, "a layer switched jit off"
    before = [numpy(layer.seed_generator.state) for layer in layers]
    history = model.fit(images, np.zeros((len(images), 1), "float32"), batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for layer, state in zip(layers, before, strict=True):
        assert not np.array_equal(numpy(layer.seed_generator.state), state), f"{layer.name} drew nothing in fit"
