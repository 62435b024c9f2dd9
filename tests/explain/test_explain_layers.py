"""Which layer is looked into: found wherever it stands, refused in one line where it is none."""

import re

import keras
import numpy as np
import pytest
from explain_networks import images_of, made
from keras import layers as keras_layers

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.explain import layers
from medtf.explain.grad_cam import GradCAM
from medtf.models import build


@pytest.mark.parametrize(
    ("kind", "path", "grid", "leading"),
    [
        ("flat", "last", (8, 8), 0),
        ("nested", "backbone/last", (8, 8), 0),
        ("volume", "last", (4, 4, 4), 0),
        ("patches", "norm", (4, 4), 0),
        ("class token", "block_1_norm_1", (4, 4), 1),
        ("nested transformer", "backbone/block_1_norm_1", (4, 4), 1),
    ],
)
def test_the_last_layer_with_places(kind, path, grid, leading):
    """Of a transformer with a class token the last one that its last attention reads."""
    found = layers.find(made(kind))
    assert (found.path, found.grid, found.leading) == (path, grid, leading)
    assert found == layers.find(made(kind), path)._replace(layer=found.layer)


@pytest.mark.slow
def test_networks_of_medtf():
    """What a user of the house's own networks gets to see without naming a layer."""
    targets = {"sex": Target(kind="binary")}
    for name, options, path, grid, leading in (
        ("vit_ti16", {"pool": "token"}, "block_11_norm_1", (5, 7), 1),
        ("vit_ti16", {"pool": "gap"}, "norm", (5, 7), 0),
        ("inception_v3", {}, "mixed10", (1, 2), 0),
    ):
        found = layers.find(build.build(Model(name=name, **options), (80, 112, 1), targets))
        assert (found.path, found.grid, found.leading) == (path, grid, leading)


def test_a_nested_network_of_images_of_any_size():
    """As keras.applications gives them without a size: the grid is that of the images it is given here."""
    inner = keras.applications.MobileNetV2(include_top=False, weights=None, alpha=0.35, input_shape=(None, None, 3))
    pooled = keras_layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input((64, 96, 3)), inner, pooled, keras_layers.Dense(2)])
    found = layers.find(model)
    assert (found.layer.name, found.grid) == ("out_relu", (2, 3))
    assert GradCAM().heatmap(np.ones((1, 64, 96, 3)), model, 0).shape == (1, 64, 96)


def test_a_network_of_images_of_any_size():
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 1))
    x = keras_layers.Conv2D(3, 3, activation="relu", padding="same", name="last")(image)
    model = keras.Model(image, keras_layers.Dense(1)(keras_layers.GlobalAveragePooling2D()(x)))
    for sides in ((16, 16), (9, 20)):
        images = np.random.default_rng(0).random((2, *sides, 1))
        maps = [GradCAM().heatmap(images, model, layer_name="last", against=against) for against in (False, True)]
        assert maps[0].shape == (2, *sides)
        assert np.maximum(*maps).max() == 1


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("nested", "lst", "layer 'lst': sequential has no such layer: did you mean 'last'?"),
        ("nested", "backbone/lost", "has no such layer: did you mean 'backbone/last'?"),
        ("flat", "xyz", "layer 'xyz': flat has no such layer: the last of its 7 layers are last, gap, "),
        ("flat", "gap", "layer 'gap': its output has no places (shape (6,)); the last layer that has is 'last'"),
        (
            "class token",
            "token",
            "layer 'token': its output has no places (shape (8,)); the last layer that has is 'block_1_",
        ),
    ],
)
def test_a_layer_that_cannot_be_looked_into(kind, name, said):
    model = made(kind)
    model.name = model.name.split("_")[0]
    with pytest.raises(AskedWronglyError, match=re.escape(said)) as error:
        GradCAM().heatmap(images_of(kind), model, layer_name=name)
    assert "\n" not in str(error.value)


def test_a_name_that_two_layers_have():
    """In two nested models: the paths are said, and each of them is understood."""
    image, parts = keras.Input((16, 16, 1)), []
    for name in ("left", "right"):
        inner = keras.Input((16, 16, 1))
        parts.append(keras.Model(inner, keras_layers.Conv2D(2, 3, name="last")(inner), name=name)(image))
    x = keras_layers.GlobalAveragePooling2D()(keras_layers.Concatenate()(parts))
    model = keras.Model(image, keras_layers.Dense(1)(x))
    with pytest.raises(AskedWronglyError, match=r"several layers have this name: .* its path: left/last, right/last"):
        layers.find(model, "last")
    assert layers.find(model, "left/last").layer is not layers.find(model, "right/last").layer


def test_a_model_without_places():
    image = keras.Input((16, 16, 1))
    model = keras.Model(image, keras_layers.Dense(2)(keras_layers.Flatten()(image)), name="plain")
    with pytest.raises(AskedWronglyError, match="plain: no layer keeps places"):
        layers.find(model)
