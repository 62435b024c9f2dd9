"""Networks of volumes, their heads and losses give JAX the numbers that they give TensorFlow."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("backend_volumes.py")


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compares with TensorFlow, which is not the backend"
)
@pytest.mark.parametrize("more", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["smallest", "more"])
def test_jax_gives_the_numbers_of_tensorflow(more, tmp_path):
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, SCRIPT, tmp_path / "jax.json", *(["more"] if more else [])]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        expected = runpy.run_path(str(SCRIPT))["numbers"](more)  # while the other one imports
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    found = json.loads((tmp_path / "jax.json").read_text())
    assert (found.pop("backend"), expected.pop("backend")) == ("jax", "tensorflow")
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4, err_msg=name)
    assert found.get("step", [1, 1]) == [1, 1]
