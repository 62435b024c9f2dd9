"""Both ways of hiding: the loss is of hidden patches, the encoder does not see them, pictures, half precision, JAX."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from masked_checks import MAKERS, arrays, changed_where, noise, stripes

from medtf.pretrain.patches import patchify

both = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@both
def test_a_visible_patchs_target_is_in_neither_loss_nor_gradient(make):
    """A target of another kind moves the loss where it is hidden, and there alone; so does the prediction."""
    made = make()
    outcome = arrays(made.attempt(noise(), training=False))
    before = ops.convert_to_numpy(made.example_losses(outcome))
    for name in ("target", "prediction"):
        for place, moves in ((0, False), (1, True)):
            patch = np.argmax(outcome["hidden"] == place, axis=1)
            other = outcome[name].copy()
            other[np.arange(len(patch)), patch] += 5
            after = ops.convert_to_numpy(made.example_losses(outcome | {name: other}))
            assert (after != before).all() if moves else (after == before).all(), (name, place)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients by TensorFlow's tape")
@both
def test_the_weights_learn_from_hidden_patches_alone(make):
    import tensorflow as tf

    made = make()
    outcome = made.attempt(noise(), training=False)
    weights = made.encoder.trainable_weights

    def gradients(target):
        with tf.GradientTape() as tape:
            told = made.attempt(noise(), training=False) | {"target": target}
            loss = ops.mean(made.example_losses(told))
        return [tf.convert_to_tensor(one).numpy() for one in tape.gradient(loss, weights)]

    hidden = outcome["hidden"][..., None]
    same = gradients(outcome["target"])
    visible_moved = gradients(outcome["target"] + 5 * (1 - hidden))
    hidden_moved = gradients(outcome["target"] + 5 * hidden)
    for one, other in zip(same, visible_moved, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(not np.allclose(one, other) for one, other in zip(same, hidden_moved, strict=True))


@both
def test_the_network_never_sees_hidden_pixels(make):
    """Other hidden pixels leave the prediction as it was, and change what is wanted; other visible ones change the prediction."""
    made, images = make(), noise()
    first = arrays(made.attempt(images, training=False))
    other = arrays(made.attempt(changed_where(images, first["hidden"], made), training=False))
    np.testing.assert_array_equal(other["hidden"], first["hidden"])
    np.testing.assert_allclose(other["prediction"], first["prediction"], atol=1e-6)
    assert (np.abs(other["target"] - first["target"]).max(axis=-1) > 0.1).astype(int).tolist() == first[
        "hidden"
    ].tolist()
    seen = arrays(made.attempt(changed_where(images, 1 - first["hidden"], made), training=False))
    assert np.abs(seen["prediction"] - first["prediction"]).max() > 1e-3


@both
def test_what_is_wanted(make):
    """Pixels, or each patch in its own deviations: mean 0, mean square 1."""
    images = noise()
    made = make(normalise=False)
    plain = arrays(made.attempt(images, training=False))["target"]
    np.testing.assert_array_equal(plain, ops.convert_to_numpy(patchify(images, 8)))
    assert made.baseline() is None
    target = arrays(make().attempt(images, training=False))["target"]
    np.testing.assert_allclose(target.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose((target**2).mean(axis=-1), 1, rtol=1e-4)


@both
def test_saying_nothing_costs_the_baseline(make):
    made = make()
    outcome = made.attempt(noise(), training=False)
    losses = made.example_losses(outcome | {"prediction": ops.zeros_like(outcome["prediction"])})
    np.testing.assert_allclose(ops.convert_to_numpy(losses), 1, rtol=1e-4)  # patches of noise: none is flat
    np.testing.assert_allclose(ops.convert_to_numpy(made.example_baselines(outcome)), losses, rtol=1e-6)


@both
def test_a_black_picture_is_no_merit(make):
    """Of a flat patch nothing has to be told, so an answer that does not look costs nothing there either."""
    made = make()
    outcome = made.attempt(np.zeros_like(noise()), training=False)
    np.testing.assert_allclose(ops.convert_to_numpy(made.example_baselines(outcome)), 0, atol=1e-6)


@both
def test_validation_is_the_same_in_every_epoch_and_training_is_not(make):
    made, images = make(), noise(8)
    fixed = [arrays(made(images, training=False))["hidden"] for _ in range(2)]
    drawn = [arrays(made(images, training=True))["hidden"] for _ in range(2)]
    np.testing.assert_array_equal(*fixed)
    assert (drawn[0] != drawn[1]).any()
    resumed = make()
    resumed.set_weights(made.get_weights())
    np.testing.assert_array_equal(*(arrays(one(images, training=True))["hidden"] for one in (made, resumed)))


@both
@pytest.mark.parametrize("normalise", [True, False])
def test_pictures(make, normalise):
    """Visible pixels as they are in all three; with normalised targets the title says what was given back."""
    made, images = make(normalise=normalise), noise()
    hidden = arrays(made.attempt(images, training=False))["hidden"]
    found = arrays(made.pictures(images))
    titles = list(found)
    assert titles[0] == "given"
    assert titles[1].startswith("reconstructed")
    assert titles[2] == "original"
    assert ("original's" in titles[1]) == normalise
    np.testing.assert_array_equal(found["original"], images)
    for picture in found.values():
        assert picture.shape == images.shape
        assert 0 <= picture.min() <= picture.max() <= 1
        same = ops.convert_to_numpy(patchify(picture, 8)) == ops.convert_to_numpy(patchify(images, 8))
        assert same[hidden == 0].all()
    holes = ops.convert_to_numpy(patchify(found["given"], 8))[hidden == 1].reshape(-1, 64, 2)
    np.testing.assert_allclose(holes.std(axis=1), 0, atol=1e-6)  # one colour a hole, by channel


@both
def test_a_perfect_prediction_draws_the_original(make):
    """Brightness and contrast are given back exactly."""
    made, images = make(), noise()
    outcome = made.attempt(images, training=False)
    made.attempt = lambda images, training: outcome | {"prediction": outcome["target"]}
    found = list(arrays(made.pictures(images)).values())
    np.testing.assert_allclose(found[1], images, atol=1e-5)


@both
def test_eight_images_are_learnt(make):
    """Stripes: one visible patch tells the others. Saying nothing costs 1."""
    keras.utils.set_random_seed(0)
    made, images = make(), stripes()
    made.compile(keras.optimizers.Adam(5e-3), jit_compile=False)
    losses = made.fit(np.tile(images, (15, 1, 1, 1)), epochs=8, batch_size=8, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < 0.7


@both
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(make, policy):
    """Targets are those of float32 to the bit; the loss is finite, and near to that of float32."""
    keras.utils.set_random_seed(0)
    full, images = make(), noise()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        made = make()
    finally:
        keras.config.set_dtype_policy(before)
    assert made.encoder.layers[2].compute_dtype == policy.removeprefix("mixed_")
    made.set_weights(full.get_weights())
    one, other = (arrays(task(images, training=False)) for task in (full, made))
    assert {values.dtype for values in other.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(other["target"], one["target"])
    np.testing.assert_array_equal(other["hidden"], one["hidden"])
    losses = [ops.convert_to_numpy(task.example_losses(told)) for task, told in ((full, one), (made, other))]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.03)
    made.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    assert np.isfinite(made.train_on_batch(images))


ON_JAX = """
import sys
sys.path.insert(0, sys.argv[1])
import keras, numpy as np
from masked_checks import MAKERS, arrays, noise
assert keras.backend.backend() == "jax"
for name, make in MAKERS.items():
    made = make()
    made.set_weights(list(np.load(f"{sys.argv[2]}/{name}_weights.npz").values()))
    np.savez(f"{sys.argv[2]}/{name}.npz", **arrays(made(noise(), training=False)))
    before = [np.array(weight) for weight in made.encoder.get_weights()]
    made.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    history = made.fit(noise(), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(made.masks.step) == 2, int(made.masks.step)
    assert any((one != other).any() for one, other in zip(before, made.encoder.get_weights()))
    np.save(f"{sys.argv[2]}/{name}.npy", arrays(made(noise(), training=True))["hidden"])
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
@pytest.mark.slow
def test_jax_hides_the_same_tells_the_same_and_trains_compiled(tmp_path):
    tasks = {name: make() for name, make in MAKERS.items()}
    for name, made in tasks.items():
        np.savez(tmp_path / f"{name}_weights.npz", *made.get_weights())
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", ON_JAX, Path(__file__).parent, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, made in tasks.items():
        found = np.load(tmp_path / f"{name}.npz")
        for key, values in arrays(made(noise(), training=False)).items():
            np.testing.assert_allclose(found[key], values, atol=2e-4, err_msg=f"{name} {key}")
        for _ in range(3):
            drawn = arrays(made(noise(), training=True))["hidden"]
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), drawn, err_msg=name)
