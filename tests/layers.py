"""What must hold for every random layer and every network, on the backend of the process and on JAX.

    check_layer(layer, images, folder)              one layer, here
    check_network(build, input_shape, folder)       one network, here (tests/models/network_checks.py)
    on_jax(layers, networks, folder)                all of them in one process with the JAX backend, and its numbers

As a script, `layers.py FOLDER`, it is that other process.
"""

import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "models"))
from network_checks import check_network, check_step, policy

__all__ = ["check_layer", "check_network", "compiled", "network", "numpy", "on_jax", "with_strengths"]


def numpy(tensor) -> np.ndarray:
    """A tensor of any backend, float16 and bfloat16 as float32."""
    tensor = keras.ops.convert_to_tensor(tensor)
    half = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32") if half else tensor))


def with_strengths(layer, **changed):
    """The same layer anew, with some arguments changed; its generator stands at the beginning."""
    return type(layer).from_config(layer.get_config() | changed)


def compiled(function):
    """`function` of one batch through XLA."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def check_layer(layer, images, folder: Path, *, near: float = 0.03, dtypes=("float16", "bfloat16")) -> None:
    """A random layer keeps shapes, rests outside training and at strength 0, replays, compiles, is saved, runs in half precision.

    Args:
        layer: with a seed and strengths that show.
        images: a batch, float32, of examples that differ.
        folder: for the saved model.
        near: how far half precision may lead, as a share of the images' range (mean difference).
        dtypes: of half precision.
    """
    _check_symbols(layer, images)
    _check_sizes(layer, images)
    _check_rest(layer, images)
    _check_draws(layer, images)
    _check_compiled(layer, images)
    _check_saved(layer, images, folder)
    for dtype in dtypes:
        _check_half(layer, images, dtype, near)


def _check_symbols(layer, images):
    """Known and unknown batches; the same shape comes out."""
    static = with_strengths(layer)(keras.Input(batch_shape=images.shape), training=True)
    assert static.shape == images.shape
    dynamic = with_strengths(layer)(keras.Input(images.shape[1:]), training=True)
    assert dynamic.shape == (None, *images.shape[1:])
    assert dynamic.dtype == "float32"


def _check_sizes(layer, images):
    """Batches of other sizes than the first one."""
    for count in (1, 3):
        assert numpy(layer(np.repeat(images[:1], count, axis=0), training=True)).shape == (count, *images.shape[1:])


def _check_rest(layer, images):
    """The identity outside training, and at strength 0, of which it warns."""
    for changed in (layer(images), layer(images, training=False)):
        np.testing.assert_array_equal(numpy(changed), images)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        idle = with_strengths(layer, **dict.fromkeys(layer.strengths, 0))
    assert any(f"{type(layer).__name__} does nothing as configured" in str(w.message) for w in caught)
    np.testing.assert_array_equal(numpy(idle(images, training=True)), images)


def _check_draws(layer, images):
    """The seed fixes every batch, a call is `draw` then `apply`, and the next batch draws anew."""
    one, same, other, replay = (with_strengths(layer, seed=seed) for seed in (3, 3, 4, 3))
    first = numpy(one(images, training=True))
    assert np.isfinite(first).all()
    assert np.abs(first - images).max() > 0.01 * np.ptp(images), "nothing happened"
    np.testing.assert_array_equal(first, numpy(same(images, training=True)))
    np.testing.assert_array_equal(first, numpy(replay.apply(images, replay.draw(images.shape))))
    later = [numpy(made(images, training=True)) for made in (one, other, one, other)]
    assert any(not np.array_equal(first, batch) for batch in later), "every batch takes the same draws"


def _check_compiled(layer, images):
    """Compiled and plain agree, draws given; a compiled draw replays a plain one."""
    draws = layer.draw(images.shape)
    plain = numpy(layer.apply(images, draws))
    through = numpy(compiled(lambda x: layer.apply(x, draws))(images))
    np.testing.assert_allclose(through, plain, atol=2e-4 * np.ptp(images))


def _check_saved(layer, images, folder, modes=(False, True)):
    """A .keras file gives back the layer with its configuration and its draws."""
    inputs = keras.Input(images.shape[1:])
    model = keras.Model(inputs, with_strengths(layer)(inputs))
    path = folder / f"{layer.name}.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()
    assert type(loaded.layers[-1]) is type(layer)
    for training in modes:
        one, other = (numpy(made(images, training=training)) for made in (model, loaded))
        np.testing.assert_array_equal(one, other)


def _check_half(layer, images, dtype, near):
    """Finite, of the right dtype, and near to float32 with the same draws."""
    half = with_strengths(layer, dtype=f"mixed_{dtype}", seed=3)
    changed = half(images, training=True)
    assert keras.backend.standardize_dtype(changed.dtype) == dtype
    full = numpy(with_strengths(layer, dtype="float32", seed=3)(images, training=True))
    assert np.isfinite(numpy(changed)).all()
    assert np.abs(numpy(changed) - full).mean() < near * np.ptp(images)


def step_of_all(layers, images) -> None:
    """One compiled training step through all layers leaves numbers, and draws in each."""
    inputs = outputs = keras.Input(images.shape[1:])
    made = [with_strengths(layer, name=f"layer_{number}") for number, layer in enumerate(layers)]
    for layer in made:
        outputs = layer(outputs)
    pool = keras.layers.GlobalAveragePooling3D() if images.ndim == 5 else keras.layers.GlobalAveragePooling2D()
    model = keras.Model(inputs, keras.layers.Dense(1)(pool(outputs)))
    model.compile("sgd", "mse", jit_compile=True)
    assert model.jit_compile, "a layer switched jit off"
    before = [numpy(layer.seed_generator.state) for layer in made]
    assert np.isfinite(model.train_on_batch(images, np.zeros((len(images), 1), "float32")))
    for layer, state in zip(made, before, strict=True):
        assert not np.array_equal(numpy(layer.seed_generator.state), state), f"{type(layer).__name__} drew nothing"


def network(name: str, side: int, **options):
    """A network of volumes by its name, with a head for age and one for sex."""
    from medtf.config import Model, Target
    from medtf.models import build

    targets = {"age": Target(kind="regression"), "sex": Target(kind="binary")}
    return build.build(Model(name=name, **options), (side, side, side, 1), targets)


def on_jax(layers, networks, folder: Path, *, steps: bool = False) -> None:
    """All checks in one process with JAX, whose numbers are compared with those of this one.

    Args:
        layers: pairs of a layer and its batch.
        networks: names of networks of volumes and their sides.
        folder: for what the two processes tell each other.
        steps: networks also run in float16 and take a compiled step, which costs minutes.
    """
    case = {"layers": [], "networks": networks, "steps": steps}
    expected, arrays = {}, {}
    for number, (layer, images) in enumerate(layers):
        draws = {key: numpy(value) for key, value in layer.draw(images.shape).items()}
        expected[f"layer {number} {type(layer).__name__}"] = numpy(layer.apply(images, draws))
        arrays |= {f"{number}/{key}": value for key, value in draws.items()} | {f"{number}": images}
        case["layers"].append({"layer": keras.saving.serialize_keras_object(layer), "draws": list(draws)})
    for name, side in networks.items():
        model = network(name, side)
        model.save_weights(folder / f"{name}.weights.h5")
        expected |= {f"{name} {key}": numpy(value) for key, value in model(volumes(side)).items()}
    (folder / "case.json").write_text(json.dumps(case))
    np.savez(folder / "case.npz", **arrays)
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, __file__, folder], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = np.load(folder / "numbers.npz")
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-4 * max(1, np.ptp(values)), err_msg=name)


def volumes(side: int) -> np.ndarray:
    """Two volumes of noise."""
    return np.random.default_rng(0).normal(size=(2, side, side, side, 1)).astype("float32")


def _network_numbers(name: str, side: int, folder: Path, steps: bool) -> dict[str, np.ndarray]:
    """Outputs with the weights of the other process; saved and loaded; with `steps` float16 and one compiled step."""
    images, path = volumes(side), folder / f"{name}.keras"
    model = network(name, side)
    model.load_weights(folder / f"{name}.weights.h5")
    found = model.predict_on_batch(images)
    model.save(path)
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    if not steps:
        return {f"{name} {key}": np.asarray(value) for key, value in found.items()}
    with policy("mixed_float16"):
        half = network(name, side)
        assert half.get_layer("gap").compute_dtype == "float16"
        for key, value in half.predict_on_batch(images).items():
            assert value.dtype == np.float32, key
            assert np.isfinite(value).all(), key
    check_step(model, images, jit=True)
    return {f"{name} {key}": np.asarray(value) for key, value in found.items()}


def _main(folder: Path) -> None:
    """The other process: check, and write the numbers down."""
    assert keras.backend.backend() == "jax"
    case, arrays, found = json.loads((folder / "case.json").read_text()), np.load(folder / "case.npz"), {}
    made, inputs = [], []
    for number, one in enumerate(case["layers"]):
        importlib.import_module(one["layer"]["module"])  # where the layer is registered
        layer = keras.saving.deserialize_keras_object(one["layer"])
        draws = {key: arrays[f"{number}/{key}"] for key in one["draws"]}
        made.append((layer, with_strengths(layer, dtype="mixed_float16")))
        inputs.append((arrays[f"{number}"], draws))
        _check_symbols(layer, arrays[f"{number}"])
        _check_saved(layer, arrays[f"{number}"], folder, modes=(False,))

    def every(
        inputs,
    ):  # one compilation for all: JAX compiles each operation of each shape apart where it runs them one by one
        return [
            (full.apply(images, draws), half.apply(keras.ops.cast(images, "float16"), draws))
            for (full, half), (images, draws) in zip(made, inputs, strict=True)
        ]

    for number, (full, half) in enumerate(compiled(every)(inputs) if made else ()):
        name, images = f"layer {number} {type(made[number][0]).__name__}", inputs[number][0]
        found[name] = numpy(full)
        assert keras.backend.standardize_dtype(half.dtype) == "float16", name
        assert np.abs(numpy(half) - found[name]).mean() < 0.03 * np.ptp(images), name
    those = [layer for (layer, _), (images, _) in zip(made, inputs, strict=True) if images.ndim == 5]
    if those:
        step_of_all(those, next(images for images, _ in inputs if images.ndim == 5))
    for name, side in case["networks"].items():
        found |= _network_numbers(name, side, folder, case["steps"])
    np.savez(folder / "numbers.npz", **found)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
