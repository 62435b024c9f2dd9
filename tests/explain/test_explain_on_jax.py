"""Heat maps on JAX: those of TensorFlow with the same weights."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from explain_networks import images_of, made
from test_explain_methods import possible, quick

from medtf.explain import methods

QUICK = {
    "nested": ["grad-cam"],
    "volume": ["grad-cam", "integrated-gradients"],
    "class token": ["grad-cam", "attention-rollout"],
}
ALL = {kind: list(methods.METHODS) for kind in ("flat", "volume", "class token", "class")}


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
@pytest.mark.parametrize("asked", [QUICK, pytest.param(ALL, marks=pytest.mark.slow)], ids=["quick", "all"])
def test_maps_on_jax_are_those_of_tensorflow(asked, tmp_path):
    expected, weights = {}, {}
    for kind, names in asked.items():
        model = made(kind)
        weights |= {f"{kind}/{number}": one for number, one in enumerate(model.get_weights())}
        for name in names:
            if possible(name, kind):
                expected[f"{kind}/{name}"] = quick(name).heatmap(images_of(kind), model, class_index=1)
    np.savez(tmp_path / "weights.npz", **weights)
    (tmp_path / "asked.json").write_text(json.dumps(list(expected)))
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, __file__, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(tmp_path / "maps.npz")
    assert set(found.files) == set(expected)
    assert any(one.any() for one in expected.values())
    for key, one in expected.items():
        np.testing.assert_allclose(found[key], one, atol=1e-4, err_msg=key)


def _main(folder: Path) -> None:
    """The other process: the same questions to the same weights."""
    assert keras.backend.backend() == "jax"
    weights, found = np.load(folder / "weights.npz"), {}
    models = {}
    for key in json.loads((folder / "asked.json").read_text()):
        kind, name = key.split("/")
        if kind not in models:
            models[kind] = made(kind)
            models[kind].set_weights([weights[f"{kind}/{n}"] for n in range(len(models[kind].weights))])
        found[key] = quick(name).heatmap(images_of(kind), models[kind], class_index=1)
    np.savez(folder / "maps.npz", **found)
    if len(found) > 5:
        _check_half()


def _check_half() -> None:
    half = made("volume", dtype="mixed_float16")
    half.set_weights(made("volume").get_weights())
    full, near = (quick("grad-cam").heatmap(images_of("volume"), one, 1) for one in (made("volume"), half))
    assert near.dtype == np.float32
    assert np.abs(near - full).max() < 1e-2, np.abs(near - full).max()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
