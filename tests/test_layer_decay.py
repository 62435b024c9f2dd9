"""Layer-wise decay: the factors by hand, what one step moves, and plain Keras where the decay is 1."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from medtf import layer_decay
from medtf.config import Model, Target, Train
from medtf.models import build
from medtf.schedule import optimizer

STILL = {"learning_rate": 0.5, "warmup": 0, "schedule": "constant", "clip_norm": None}
PLAIN = {"optimizer": "sgd", "weight_decay": 0}
BINARY = {"sick": Target(kind="binary")}


def two_layers():
    """Two weights of one number each, both 1, and a loss whose gradient is the input for each."""
    image, made = keras.Input((1,), name="image"), {"use_bias": False, "kernel_initializer": "ones"}
    first, second = (keras.layers.Dense(1, name=name, **made)(image) for name in ("first", "second"))
    model = keras.Model(image, [first, second])
    return model, lambda y, p: keras.ops.sum(p, axis=-1)


def stepped(train, factors, *, gradients=(3.0, 5.0), steps=1, accumulate=1):
    """Both weights after so many updates with these gradients."""
    weights = [keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="kernel")]
    made = optimizer(train, steps * accumulate, factors=factors)
    made.build(weights)
    for _ in range(steps * accumulate):
        made.apply([keras.ops.convert_to_tensor([gradient]) for gradient in gradients])
    return [float(keras.ops.convert_to_numpy(weight)[0]) for weight in weights], made


def test_a_step_of_sgd_moves_each_weight_by_its_factor():
    """Nesterov's first step is 1.9 times rate x gradient: momentum 0.9 of it is added at once."""
    found, _ = stepped(Train(**STILL, **PLAIN), (0.1, 1.0))
    np.testing.assert_allclose(found, [1 - 1.9 * 0.5 * 0.1 * 3, 1 - 1.9 * 0.5 * 5], rtol=1e-6)


def test_the_first_step_of_adam_is_the_rate_times_the_factor():
    found, _ = stepped(Train(**STILL, weight_decay=0), (0.1, 1.0), gradients=(-3.0, 5.0))
    np.testing.assert_allclose(found, [1 + 0.05, 1 - 0.5], rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_decay_of_weights_is_multiplied_too(name):
    """Without a gradient only weight decay moves: 1 - rate x factor x decay, once a step."""
    train = Train(**STILL, optimizer=name, weight_decay=0.2)
    found, made = stepped(train, (0.1, 1.0), gradients=(0.0, 0.0), steps=2)
    np.testing.assert_allclose(found, [(1 - 0.5 * 0.1 * 0.2) ** 2, (1 - 0.5 * 0.2) ** 2], rtol=1e-6)
    assert made.weight_decay == 0.2


def test_the_norm_is_clipped_before_the_factors():
    """Gradient (3, 4) has norm 5, so that (0.6, 0.8) is left of it."""
    train = Train(**(STILL | {"clip_norm": 1.0}), **PLAIN)
    found, _ = stepped(train, (0.1, 1.0), gradients=(3.0, 4.0))
    np.testing.assert_allclose(found, [1 - 1.9 * 0.5 * 0.1 * 0.6, 1 - 1.9 * 0.5 * 0.8], rtol=1e-6)


def test_accumulated_batches_make_one_step():
    found, _ = stepped(Train(**STILL, **PLAIN, accumulate=2), (0.1, 1.0), accumulate=2)
    np.testing.assert_allclose(found, [1 - 1.9 * 0.5 * 0.1 * 3, 1 - 1.9 * 0.5 * 5], rtol=1e-6)


def test_the_moving_average_follows():
    """After two updates: three quarters of the weights after the first, with which Keras begins it, and a quarter of those after the second."""
    found, made = stepped(Train(**STILL, **PLAIN, ema=0.75), (0.1, 1.0), steps=2)
    averages = [float(keras.ops.convert_to_numpy(a)[0]) for a in made._model_variables_moving_average]
    first, _ = stepped(Train(**STILL, **PLAIN), (0.1, 1.0))
    np.testing.assert_allclose(averages, 0.75 * np.array(first) + 0.25 * np.array(found), rtol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("jit", [False, True])
def test_a_training_step_of_keras_compiled_and_under_a_loss_scale(jit, scaled):
    model, loss = two_layers()
    made = optimizer(Train(**STILL, **PLAIN), 1, factors=(0.1, 1.0))
    made = keras.optimizers.LossScaleOptimizer(made, initial_scale=4.0) if scaled else made
    model.compile(made, [loss, loss], jit_compile=jit)
    model.fit(np.array([[3.0]], "float32"), [np.zeros((1, 1), "float32")] * 2, verbose=0)
    np.testing.assert_allclose(np.ravel(model.get_weights()), [1 - 1.9 * 0.5 * 0.1 * 3, 1 - 1.9 * 0.5 * 3], rtol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_factors_of_one_are_plain_keras_to_the_bit(name):
    """With everything on: schedule, decay, clipping, averages, accumulation."""
    train = Train(optimizer=name, weight_decay=0.1, ema=0.9, accumulate=2, epochs=1)

    def fitted(factors):
        keras.utils.set_random_seed(4)
        image = keras.Input((3,))
        model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Dense(4, activation="tanh")(image)))
        model.compile(optimizer(train, 8, factors=factors), "mse")
        x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
        model.fit(x, x[:, :1], batch_size=4, verbose=0, shuffle=False)
        return [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]

    plain, ones = fitted(None), fitted((1.0,) * 4)
    for a, b in zip(plain, ones, strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_survive_and_a_wrong_count_is_told():
    made = optimizer(Train(weight_decay=0.1), 10, factors=(0.25, 1.0))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert again.get_config() == made.get_config()
    assert again.factors == (0.25, 1.0)
    with pytest.raises(ValueError, match="expected one for each of 1 variables, got 2"):
        made.build([keras.Variable([1.0])])


def test_the_depths_of_a_transformer_are_those_of_beit():
    """12 blocks: BEiT's num_layers + 2 = 14 depths; decay 0.65 leaves 0.65^13 = 0.00370 to the patches, 0.65^12 to the first block."""
    model = build.build(Model(name="vit_ti16", pool="token"), (32, 32, 1), BINARY)
    found, last = layer_decay.depths(model)
    assert last == 13
    assert {found[name] for name in ("patch_embedding", "positions", "class_token")} == {0}
    for block in range(12):
        assert {depth for name, depth in found.items() if name.startswith(f"block_{block}_")} == {block + 1}
    assert found["norm"] == found["sick_logits"] == 13
    factors = layer_decay.factors(model, model.trainable_variables, 0.65)
    of = {v.path: factor for v, factor in zip(model.trainable_variables, factors, strict=True)}
    assert of["patch_embedding/kernel"] == of["class_token/token"] == pytest.approx(0.0036972, rel=1e-4)
    assert of["block_0_attention/query/kernel"] == pytest.approx(0.65**12)
    assert of["block_11_mlp_2/bias"] == pytest.approx(0.65)
    assert of["norm/gamma"] == of["sick_logits/kernel"] == 1.0
    assert layer_decay.line(model, 0.65) == (
        "layer decay 0.65: 14 depths; the learning rate of patch_embedding is 0.0037 of the head's"
    )


def test_the_depths_of_a_convolutional_network_are_its_strides():
    """MobileNet halves the image five times: at conv1 and at the depthwise convolutions 2, 4, 6 and 12 (Howard 2017, table 1)."""
    model = build.build(Model(name="mobilenet"), (64, 64, 1), BINARY)
    found, last = layer_decay.depths(model)
    assert last == 5
    expected = {"conv1": 0, "conv_pw_1": 0, "conv_dw_2": 1, "conv_pw_3": 1, "conv_dw_4": 2, "conv_dw_6": 3}
    expected |= {"conv_dw_11": 3, "conv_dw_12": 4, "conv_pw_13_bn": 4, "sick_logits": 5}
    assert {name: found[name] for name in expected} == expected
    factors = layer_decay.factors(model, model.trainable_variables, 0.5)
    of = {v.path: factor for v, factor in zip(model.trainable_variables, factors, strict=True)}
    assert (of["conv1/kernel"], of["conv_pw_13/kernel"], of["sick_logits/bias"]) == (0.5**5, 0.5, 1.0)


def test_ways_around_count_by_the_longer_one():
    image = keras.Input((8, 8, 1))
    long = keras.layers.Conv2D(2, 1, strides=2, name="b")(keras.layers.Conv2D(2, 1, strides=2, name="a")(image))
    short = keras.layers.MaxPooling2D(4)(image)
    both = keras.layers.Conv2D(2, 1, name="c")(keras.layers.Concatenate()([long, short]))
    out = keras.layers.Dense(1, name="head")(keras.layers.GlobalAveragePooling2D(name="gap")(both))
    assert layer_decay.depths(keras.Model(image, out)) == ({"a": 0, "b": 1, "c": 1, "head": 2}, 2)


def test_no_decay_asks_for_no_factors():
    model, _ = two_layers()
    assert layer_decay.factors(model, model.trainable_variables, 1.0) is None
    assert type(optimizer(Train(), 3)) is keras.optimizers.AdamW


@pytest.mark.slow
def test_on_jax():
    pytest.importorskip("jax")
    names = "sgd or accumulated or average or loss_scale or (plain_keras and adamw)"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", names],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
