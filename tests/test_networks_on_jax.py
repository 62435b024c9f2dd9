"""Networks of volumes on JAX: the numbers that TensorFlow gives with the same weights, float16, a compiled step."""

import importlib.util

import keras
import pytest
from layers import on_jax

# families and the least side that each takes, or little more
SMALLEST = {"cnn3d": 16, "sfcn": 32, "resnet3d_10": 12, "highres3dnet": 10}
LARGE = {"densenet3d_121": 32, "resnet3d_18": 12, "resnet3d_34": 12, "resnet3d_50": 12}


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
@pytest.mark.parametrize(
    ("networks", "steps"),
    [
        (SMALLEST, False),
        pytest.param(SMALLEST, True, marks=pytest.mark.slow),
        pytest.param(LARGE, False, marks=pytest.mark.slow),
    ],
    ids=["smallest", "smallest with a step", "large"],
)
def test_networks_on_jax_with_the_numbers_of_tensorflow(networks, steps, tmp_path):
    on_jax([], networks, tmp_path, steps=steps)
