"""The float32 twin of networks in half precision."""

import keras
import numpy as np
import pytest

from medtf.config import parse
from medtf.models import build, full_precision


def network(policy: str, name: str, size):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(3)
        targets = {"any": "binary", "age": {"regression": {"head": "gaussian"}}}
        config = parse({"pipeline": "table", "targets": targets, "model": {"name": name}, "input": {"size": size}})
        return build.build(config.model, (*size, 1), config.targets)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(("name", "size"), [("mobilenet", [64, 64]), ("vit_ti16", [32, 32]), ("cnn3d", [32, 32, 32])])
def test_a_twin_says_what_a_float32_network_of_these_weights_says(policy, name, size):
    half, full = network(policy, name, size), network("float32", name, size)
    full.set_weights(half.get_weights())
    made = full_precision.twin(half)
    assert {layer.compute_dtype for layer in made._flatten_layers()} == {"float32"}
    assert [layer.name for layer in made.layers] == [layer.name for layer in half.layers]
    images = np.random.default_rng(0).random((2, *size, 1), np.float32)
    for target, values in full(images).items():
        np.testing.assert_allclose(np.asarray(made(images)[target]), np.asarray(values), rtol=1e-6)


def test_a_network_in_float32_is_its_own_twin():
    model = network("float32", "cnn3d", [16, 16, 16])
    assert full_precision.twin(model) is model
