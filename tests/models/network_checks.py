"""What must hold for every network: `check_network(build, input_shape)`."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np


def check_network(build: Callable[[], keras.Model], input_shape, folder: Path, *, jit: bool = False) -> None:
    """Flat, named, saved and loaded, finite in half precision, one step of training.

    Args:
        build: makes the model anew, {target: (batch, k)}, under the policy that holds when it is called.
        input_shape: without the batch.
        folder: an empty one, for the saved model.
        jit: compile the step (on a CPU XLA takes some ten seconds for a network of ten convolutions).
    """
    images = np.random.default_rng(0).normal(size=(2, *input_shape)).astype("float32")
    keras.utils.set_random_seed(0)
    model = build()
    check_graph(model, build())
    expected = arrays(model(images, training=False))
    check_outputs(model, expected)
    check_saved(model, images, expected, folder)
    check_half(build, images)
    check_step(model, images, jit)


def check_graph(model, again) -> None:
    """Every layer has a name of its own, the same in every build; no model in the model, nothing that needs code to load."""
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert names == [layer.name for layer in again.layers]
    assert not any(isinstance(layer, (keras.Model, keras.layers.Lambda)) for layer in model.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def check_outputs(model, outputs) -> None:
    for name, value in outputs.items():
        assert value.shape == (2, *model.get_layer(name).output.shape[1:]), name
        assert value.dtype == np.float32, name
        assert np.isfinite(value).all(), name


def check_saved(model, images, expected, folder) -> None:
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    for name, value in arrays(loaded(images, training=False)).items():
        np.testing.assert_array_equal(value, expected[name])


def check_half(build, images) -> None:
    with policy("mixed_float16"):
        half = build()
        outputs = arrays(half(images, training=True))
    check_outputs(half, outputs)
    assert half.get_layer("gap").compute_dtype == "float16"


def check_step(model, images, jit) -> None:
    """One step changes every weight that it may, and leaves numbers."""
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    trainer = keras.Model(model.input, list(model.output.values()))
    trainer.compile(keras.optimizers.Adam(0.01), ["mse"] * len(model.output), jit_compile=jit, run_eagerly=not jit)
    labels = [np.full((2, *value.shape[1:]), 0.3, "float32") for value in model.output.values()]
    assert np.isfinite(trainer.train_on_batch(images, labels)).all()
    after = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    assert all(np.isfinite(a).all() for a in after)
    still = [w.path for w, a, b in zip(model.trainable_weights, before, after, strict=True) if (a == b).all()]
    assert not still


def arrays(outputs) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


@contextlib.contextmanager
def policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
