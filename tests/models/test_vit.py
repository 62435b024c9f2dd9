"""Vision transformers as whole networks: graph, counts by hand, pooling, saving, half precision, what is refused."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from layers import numpy
from network_checks import arrays, check_half, check_outputs, check_saved, check_step, policy

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import build, count, facts
from medtf.models.names import PAPERS, TRANSFORMERS
from medtf.models.vit.positions import sin_cos

TARGETS = {"any": Target(kind="binary"), "age": Target(kind="regression")}


def made(shape=(32, 48, 1), **options):
    keras.utils.set_random_seed(0)
    return build.build(Model(**{"name": "vit_ti16", "dropout": 0.0} | options), shape, TARGETS)


def images(count=2, shape=(32, 48, 1)):
    return np.random.default_rng(0).random((count, *shape), np.float32)


def upto(model, name, batch):
    return numpy(keras.Model(model.input, model.get_layer(name).output)(batch, training=False))


@pytest.fixture(scope="module")
def gap():
    return made()


@pytest.fixture(scope="module")
def token():
    return made(pool="token", drop_path=0.1)


def test_the_graph_is_flat_and_named_the_same_every_time(gap):
    names = [layer.name for layer in gap.layers]
    assert names[:5] == ["image", "scaling", "patch_embedding", "patches", "positions"]
    assert names[5 + 120 : 5 + 122] == ["norm", "gap"]
    assert len(set(names)) == len(names)
    assert names == [layer.name for layer in made().layers]
    assert not any(isinstance(layer, (keras.Model, keras.layers.Lambda)) for layer in gap.layers)


def test_it_is_saved_trained_and_works_in_half_precision(gap, tmp_path):
    expected = arrays(gap(images(), training=False))
    check_outputs(gap, expected)
    check_saved(gap, images(), expected, tmp_path)
    check_half(made, images())
    check_step(made(), images(), False)


def test_bfloat16_is_near_float32(gap):
    with policy("mixed_bfloat16"):
        half = made()
    half.set_weights(gap.get_weights())
    expected = numpy(build.encoder(Model(name="vit_ti16"), (32, 48, 1))(images()))
    assert np.isfinite(expected).all()
    one, other = (upto(model, "gap", images()) for model in (gap, half))
    assert np.abs(one - other).mean() < 0.02 * np.abs(one).mean() + 0.01


def test_patches_are_in_the_order_of_positions_and_count_from_minus_one_to_one(gap):
    """One bright patch, row 1, column 2 of 2 x 3, is token 5; a patch of [0, 1] is -1 where dark and 1 where bright."""
    model = made()
    layer = model.get_layer("patch_embedding")
    layer.set_weights([np.full(layer.kernel.shape, 1 / 256), np.zeros(layer.bias.shape)])
    lit = np.zeros((1, 32, 48, 1), "float32")
    lit[:, 16:, 32:] = 1
    np.testing.assert_allclose(upto(model, "patches", lit)[0, :, 0], [-1, -1, -1, -1, -1, 1], atol=1e-5)
    difference = upto(model, "positions", lit) - upto(model, "patches", lit)
    np.testing.assert_allclose(difference, sin_cos(2, 3, 192), atol=1e-5)


def test_a_patch_starts_as_a_dense_layer_would(gap):
    limit = math.sqrt(6 / (16 * 16 * 1 + 192))
    start = numpy(made().get_layer("patch_embedding").kernel)
    assert 0.99 * limit < np.abs(start).max() <= limit


def test_the_mean_of_the_patches_or_the_class_token(gap, token):
    np.testing.assert_allclose(
        upto(gap, "gap", images()), upto(gap, "norm", images()).mean(axis=1), atol=1e-5, rtol=1e-4
    )
    tokens = upto(token, "norm", images())
    assert tokens.shape == (2, 7, 192)  # 2 x 3 patches and the class token
    np.testing.assert_array_equal(upto(token, "token", images()), tokens[:, 0])
    entering = upto(token, "class_token", images())
    np.testing.assert_array_equal(entering[:, 1:], upto(token, "positions", images()))
    names = [{layer.name for layer in model.layers} for model in (gap, token)]
    assert names[0] ^ names[1] == {"gap", "class_token", "token"}


def test_the_encoder_has_the_layers_of_the_network(token):
    model = Model(name="vit_ti16", pool="token", drop_path=0.1)
    encoder = build.encoder(model, (32, 48, 1))
    assert encoder.output.shape == (None, 192)
    for layer in encoder.layers:
        layer.set_weights(token.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(numpy(encoder(images())), upto(token, "token", images()), atol=1e-5)


def hand_count(width, patch, side, blocks=12, channels=3):
    """Parameters without head, and multiply-adds, of a transformer without a class token."""
    norms, attention = 4 * width, 4 * (width * width + width)
    perceptron = 4 * width * width + 4 * width + 4 * width * width + width
    parameters = patch * patch * channels * width + width + blocks * (norms + attention + perceptron) + 2 * width
    n = (side // patch) ** 2
    block = (
        n * (4 + 8) * width * width + 2 * n * n * width
    )  # matrices; every query with every key, every weight with every value
    return parameters, n * patch * patch * channels * width + blocks * block


@pytest.mark.parametrize(("name", "side"), [("vit_s16", 224), ("vit_ti8", 64)])
def test_counts_by_hand(name, side):
    width, blocks, _, patch = TRANSFORMERS[name]
    parameters, multiply_adds = hand_count(width, patch, side, blocks)
    found = count.size_of(name, side)
    assert (found.parameters, found.multiply_adds) == (parameters + width + 1, multiply_adds + width)
    assert PAPERS[name].startswith("Dosovitskiy 2021")


@pytest.mark.parametrize(
    ("name", "million", "billion"), [("vit_ti16", 5.7, 1.3), ("vit_s16", 22.1, 4.6), ("vit_b16", 86.6, 17.6)]
)
def test_counts_are_as_published(name, million, billion):
    """timm's vit_tiny, small and base at 224: they have 1000 classes, a class token and learnt positions for 197 tokens besides."""
    width, found = TRANSFORMERS[name][0], count.size_of(name)
    assert round((found.parameters + 198 * width + 999 * (width + 1)) / 1e6, 1) == million
    more = 12 * (12 * width * width + 2 * (197**2 - 196**2) * width) + 999 * width
    assert round((found.multiply_adds + more) / 1e9, 1) == billion


def test_the_facts_of_a_run_count_layers_of_the_graph_and_attention(gap):
    """Weighted: patches, positions, five a block, the last normalisation, two heads."""
    found = facts.facts(gap)
    parameters, multiply_adds = hand_count(192, 16, 32, channels=1)
    n, square = 6, 4  # 2 x 3 patches in place of 2 x 2
    more = (n - square) * (256 * 192 + 12 * 12 * 192 * 192) + 12 * 2 * (n * n - square * square) * 192
    assert found["parameters"] == parameters + 2 * 193
    assert found["all_parameters"] == found["parameters"] + n * 192
    assert found["multiply_adds"] == multiply_adds + more + 2 * 192
    assert found["layers"] == len(gap.layers)
    assert found["weighted_layers"] == 1 + 1 + 12 * 5 + 1 + 2


REFUSED = {
    r"input.size 230 x 224: vit_ti16 cuts .* multiple of 16: 224 x 224 or 240 x 224$": ({}, (230, 224, 1)),
    r"input.size 10 x 10: vit_ti16 cuts .* multiple of 16: 16 x 16$": ({}, (10, 10, 1)),
    r"input.size 100 x 60: vit_ti8 .* of 8: 96 x 56 or 104 x 64$": ({"name": "vit_ti8"}, (100, 60, 1)),
    r"model.weights: imagenet: there are none for vit_ti16; pretrain": ({"weights": "imagenet"}, (32, 32, 1)),
    r"model.norm: group: vit_ti16 has layer normalisation throughout": ({"norm": "group"}, (32, 32, 1)),
    r"model.se: vit_ti16 is a 2D network": ({"se": True}, (32, 32, 1)),
    r"model.pool: token: mobilenet has no class token; .*vit_s16": ({"name": "mobilenet", "pool": "token"}, (32, 32, 1)),
    r"model.drop_path: is for vision transformers .*mobilenet": ({"name": "mobilenet", "drop_path": 0.1}, (32, 32, 1)),
    r"model.drop_path: .*cnn3d": ({"name": "cnn3d", "drop_path": 0.1}, (16, 16, 16, 1)),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_network_cannot_do_is_told_in_one_line(message):
    options, shape = REFUSED[message]
    model = Model(**{"name": "vit_ti16"} | options)
    for function in (build.check, build.encoder):
        with pytest.raises(AskedWronglyError, match=message) as caught:
            function(model, shape)
        assert "\n" not in str(caught.value)


def test_a_fresh_process_loads_it_and_finds_the_same_numbers_on_jax(token, tmp_path):
    """On TensorFlow where JAX is not installed."""
    backend = "jax" if importlib.util.find_spec("jax") else "tensorflow"
    token.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(4))
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("backend_vit.py"), tmp_path],
        env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert found.pop("backend") == backend
    assert found.pop("layers") == [layer.name for layer in token.layers]
    if backend == "jax":
        assert math.isfinite(found.pop("loss"))
        assert found.pop("drew") == [True, True]
    for name, values in arrays(token(images(4), training=False)).items():
        np.testing.assert_allclose(found.pop(name), values.ravel(), atol=1e-4, rtol=1e-4, err_msg=name)
    assert not found
