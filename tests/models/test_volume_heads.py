"""Heads of a regression: bins and a Gaussian; where they start, what their losses take."""

import keras
import numpy as np
import pytest
from network_checks import arrays, policy

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import build, heads

BINS = Target(kind="regression", head="bins", bins=(20, 80, 2), sigma=3)
TARGETS = {
    "age": Target(kind="regression"),
    "binned": BINS,
    "sure": Target(kind="regression", head="gaussian"),
    "sex": Target(kind="binary"),
    "site": Target(kind="multiclass", classes=("a", "b", "c")),
}
SHAPE = (16, 16, 16, 1)
CNN = Model(name="cnn3d", dropout=0.0)


def shares():
    """Any distribution over the bins, nowhere 0."""
    share = np.random.default_rng(0).uniform(0.2, 1, 30)
    return share / share.sum()


def priors():
    spread = np.array([50.0, 12.0])
    return {
        "age": spread,
        "binned": shares(),
        "sure": spread,
        "sex": np.array([0.3]),
        "site": np.array([0.5, 0.3, 0.2]),
    }


@pytest.fixture(scope="module")
def model():
    return build.build(CNN, SHAPE, TARGETS, priors=priors())


@pytest.fixture
def volumes():
    return np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("float32")


def test_without_features_every_head_says_what_is_known_before(volumes):
    model = build.build(CNN, SHAPE, TARGETS, priors=priors())
    for name in TARGETS:
        kernel = model.get_layer(f"{name}_logits").kernel
        kernel.assign(np.zeros(kernel.shape))
    found = arrays(model(volumes, training=False))
    np.testing.assert_allclose(found["age"], [[50]] * 3, rtol=1e-6)
    np.testing.assert_allclose(found["sure"], [[50, 12]] * 3, rtol=1e-5)
    np.testing.assert_allclose(found["binned"], [[shares() @ BINS.bin_centers]] * 3, rtol=1e-5)
    np.testing.assert_allclose(found["sex"], [[0.3]] * 3, rtol=1e-5)
    np.testing.assert_allclose(found["site"], [[0.5, 0.3, 0.2]] * 3, rtol=1e-5)
    middle = keras.Model(model.input, model.get_layer("binned_bins").output)(volumes)
    np.testing.assert_allclose(middle, [shares()] * 3, rtol=1e-5)


def test_without_priors_all_bins_are_alike(volumes):
    model = build.build(CNN, SHAPE, {"binned": BINS, "sure": TARGETS["sure"]})
    for name in ("binned", "sure"):
        kernel = model.get_layer(f"{name}_logits").kernel
        kernel.assign(np.zeros(kernel.shape))
    found = arrays(model(volumes, training=False))
    np.testing.assert_allclose(found["binned"], [[50]] * 3, rtol=1e-5)  # the middle of 20 and 80
    np.testing.assert_allclose(found["sure"], [[0, 1]] * 3, atol=1e-6)


def test_a_bin_that_no_label_came_near_stays_possible(volumes):
    share = np.zeros(30)
    share[10] = 1
    model = build.build(CNN, SHAPE, {"binned": BINS}, priors={"binned": share})
    bias = np.asarray(model.get_layer("binned_logits").bias)
    assert np.isfinite(bias).all()
    assert bias[10] - bias[0] == pytest.approx(np.log(1e4), rel=1e-5)


def test_layers_and_shapes(model, volumes):
    outputs = arrays(model(volumes, training=False))
    assert {n: v.shape for n, v in outputs.items()} == {"age": (3, 1), "binned": (3, 1), "sure": (3, 2), "sex": (3, 1), "site": (3, 3)}  # fmt: skip
    assert model.get_layer("binned_logits").output.shape == (None, 30)
    assert model.get_layer("sure_logits").output.shape == (None, 2)
    for name, target in TARGETS.items():
        for layer in heads.names(name, target):
            assert model.get_layer(layer).compute_dtype == "float32", layer
    made = {n for name, target in TARGETS.items() for n in heads.names(name, target)}
    ends = [layer.name for layer in model.layers if layer.name.split("_")[0] in TARGETS]
    assert set(ends) == made


def test_what_the_losses_take(model, volumes):
    outputs = arrays(model(volumes, training=False))
    ends = arrays(build.logits_model(model, TARGETS)(volumes, training=False))
    for name in ("age", "sure"):
        np.testing.assert_array_equal(ends[name], outputs[name])
    exponentials = np.exp(ends["binned"] - ends["binned"].max(axis=1, keepdims=True))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax @ np.array(BINS.bin_centers)[:, None], outputs["binned"], rtol=1e-5)


def test_the_deviation_is_over_its_floor_whatever_comes(volumes):
    model = build.build(CNN, SHAPE, {"sure": TARGETS["sure"]}, priors={"sure": [50.0, 12.0]})
    layer = model.get_layer("sure_logits")
    for raw, expected in (
        (-1e4, 0.12),
        (1e4, 12e4),
    ):  # softplus(x) -> 0 and -> x; a hundredth of the deviation is the least
        layer.set_weights([np.zeros(layer.kernel.shape), np.array([0, raw])])
        mean, deviation = np.asarray(model(volumes, training=False)["sure"])[0]
        assert mean == pytest.approx(50)
        assert deviation == pytest.approx(expected, rel=1e-3)


def test_heads_are_float32_and_finite_in_half_precision(volumes):
    with policy("mixed_float16"):
        model = build.build(CNN, SHAPE, TARGETS, priors=priors())
        outputs = arrays(model(100 * volumes, training=True))
    assert model.get_layer("block1_conv").compute_dtype == "float16"
    for value in outputs.values():
        assert value.dtype == np.float32
        assert np.isfinite(value).all()


def test_the_heads_stand_behind_images_too():
    model = build.build(Model(name="mobilenet"), (32, 32, 1), TARGETS, priors=priors())
    found = arrays(model(np.zeros((2, 32, 32, 1), "float32"), training=False))
    assert found["sure"].shape == (2, 2)
    assert (found["sure"][:, 1] > 0).all()
    assert ((found["binned"] > 20) & (found["binned"] < 80)).all()


def test_a_target_with_the_name_of_a_further_layer_is_refused():
    with pytest.raises(AskedWronglyError, match="target 'age_bins': the network has a layer 'age_bins' already"):
        build.build(CNN, SHAPE, {"age": BINS, "age_bins": TARGETS["sex"]})
    with pytest.raises(AskedWronglyError, match="target 'block1_conv'"):
        build.build(CNN, SHAPE, {"block1_conv": TARGETS["sex"]})
