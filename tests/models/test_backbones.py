"""Every backbone: a flat graph of lasting names that computes what keras.applications computes."""

import importlib
from functools import partial

import keras
import numpy as np
import pytest

from medtf.config import Model, Target
from medtf.models import build
from medtf.models.names import BACKBONES

SMALLEST = {"inception_v3": 75, "inception_resnet_v2": 75, "xception": 71}
QUICK = {"inception_v3", "mobilenet", "mobilenet_v2", "efficientnet_b0", "convnext_tiny"}
TARGETS = {
    "any": Target(kind="binary"),
    "age": Target(kind="regression"),
    "site": Target(kind="multiclass", classes=("a", "b", "c")),
}
MODULES = {"convnext": "convnext", "densenet": "densenet", "resnet": "resnet_v2"}


def names(quick=QUICK):
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in BACKBONES]


def preprocessing(name):
    """keras.applications' own scaling of pixels in [0, 255]."""
    if name.startswith("efficientnet"):
        module = "efficientnet_v2" if "v2" in name else "efficientnet"
    else:
        module = next((value for key, value in MODULES.items() if name.startswith(key)), name)
    return importlib.import_module(f"keras.applications.{module}").preprocess_input


def side(name):
    return SMALLEST.get(name, 32)


def make(name, channels, norm="batch", targets=TARGETS, **more):
    return build.build(Model(name=name, norm=norm), (side(name), side(name), channels), targets, **more)


def images(name, channels=3, n=2):
    return np.random.default_rng(0).random((n, side(name), side(name), channels), np.float32)


def stirred(model):
    """Weights that no initialiser would give, statistics and constants of normalisation included."""
    generator = np.random.default_rng(1)
    for layer in model._flatten_layers(include_self=False):
        if layer.weights and not getattr(layer, "layers", None):
            layer.set_weights([_stir(w, generator) for w in layer.get_weights()])
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
    return model


def _stir(weight, generator):
    if not np.issubdtype(weight.dtype, np.floating):
        return weight
    if weight.ndim > 1:
        return weight
    return (np.abs(weight) + generator.uniform(0.1, 0.5, weight.shape)).astype(weight.dtype)


@pytest.mark.parametrize("name", names())
def test_a_backbone_is_flat_and_computes_what_keras_applications_computes(name, monkeypatch, tmp_path):
    """With ImageNet's architecture (its weights replaced): scaling, cloned weights, constants, number of parameters."""
    function = BACKBONES[name][0]
    kept = {}
    original = getattr(keras.applications, function)

    def application(**how):
        monkeypatch.setattr(keras.Model, "load_weights", lambda *args, **kwargs: None)
        monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **kwargs: "nothing.h5")
        model = original(**how | {"weights": "imagenet"})
        monkeypatch.undo()
        kept["model"] = stirred(model)
        return kept["model"]

    monkeypatch.setattr(keras.applications, function, application)
    model = make(name, 3)
    backbone = kept["model"]

    layers = [layer.name for layer in model.layers]
    assert len(set(layers)) == len(layers)
    assert not any(isinstance(layer, (keras.Model, keras.layers.Lambda)) for layer in model.layers)
    heads = sum(layer.count_params() for layer in model.layers if layer.name.endswith("_logits"))
    assert model.count_params() - heads == backbone.count_params()

    x = images(name)
    expected = backbone(preprocessing(name)(255.0 * x.copy()), training=False)
    found = keras.Model(model.input, model.get_layer("gap").input)(x, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert [layer.name for layer in loaded.layers] == layers
    for target, value in model(x, training=False).items():
        np.testing.assert_allclose(loaded(x, training=False)[target], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", names({"mobilenet", "convnext_tiny"}))
def test_one_grey_channel_and_group_norm(name):
    model = make(name, 1, "group")
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    grouped = any(isinstance(layer, keras.layers.GroupNormalization) for layer in model.layers)
    assert grouped == (name != "convnext_tiny")
    found = model(images(name, 1), training=False)
    assert {target: tuple(value.shape) for target, value in found.items()} == {"any": (2, 1), "age": (2, 1), "site": (2, 3)}  # fmt: skip
    assert all(np.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize("name", ["inception_v3", pytest.param("convnext_tiny", marks=pytest.mark.slow)])
def test_layers_have_the_same_names_in_every_build(name):
    first, second = ([layer.name for layer in make(name, 3, targets={"any": TARGETS["any"]}).layers] for _ in range(2))
    assert first == second
    assert first[2] == {"inception_v3": "conv2d"}.get(name, "convnext_tiny_prestem_normalization")


@pytest.mark.parametrize("weights", ["none", "imagenet"])
def test_efficientnet_scales_its_input_alike_with_and_without_imagenet(weights, monkeypatch):
    """A run that takes its weights from a run that began with ImageNet's has the same layers, those without weights too."""
    monkeypatch.setattr(keras.Model, "load_weights", lambda *args, **kwargs: None)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **kwargs: "nothing.h5")
    model = build.build(Model(name="efficientnet_b0", weights=weights), (32, 32, 3), {"any": TARGETS["any"]})
    assert [layer.name for layer in model.layers[1:6]] == ["scaling", "rescaling", "normalization", "rescaling_1", "stem_conv_pad"]  # fmt: skip
    np.testing.assert_allclose(model.layers[4].scale, [0.229**-0.5, 0.224**-0.5, 0.225**-0.5], rtol=1e-6)


def test_imagenet_weights_that_cannot_be_had_are_one_clear_line(monkeypatch):
    from medtf.errors import MedtfError

    def offline(**how):
        raise OSError("URL fetch failure\nmore lines")

    monkeypatch.setattr(keras.applications, "MobileNet", offline)
    with pytest.raises(MedtfError, match="ImageNet weights of mobilenet") as caught:
        build.build(Model(name="mobilenet", weights="imagenet"), (32, 32, 3), {"any": TARGETS["any"]})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "size"), [("inception_v3", 64), ("xception", 32), ("mobilenet", 16)])
def test_images_too_small_are_told_with_the_key(name, size):
    from medtf.errors import AskedWronglyError

    with pytest.raises(AskedWronglyError, match=r"input.size.*too small for"):
        build.build(Model(name=name), (size, size, 3), {"any": TARGETS["any"]})


def test_two_channels_go_where_no_three_are_needed():
    from medtf.errors import AskedWronglyError

    plain = partial(build.build, input_shape=(32, 32, 2), targets={"any": TARGETS["any"]})
    assert plain(Model(name="mobilenet"))(np.zeros((1, 32, 32, 2), np.float32))["any"].shape == (1, 1)
    with pytest.raises(AskedWronglyError, match="one or three channels"):
        plain(Model(name="efficientnet_b0"))
