"""Every method on every kind of network: shape, range, precision; what a user gets to see."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made
from PIL import Image

from medtf.errors import AskedWronglyError
from medtf.explain import methods

SMALL = {"integrated-gradients": {"steps": 4}, "smooth-grad": {"samples": 3}, "occlusion": {"patch": 4, "stride": 4}}
TRANSFORMERS = ("patches", "class token", "nested transformer")


def quick(name: str, **options):
    """A method with few steps or samples."""
    return methods.get(name)(**SMALL.get(name, {}), **options)


def possible(name: str, kind: str) -> bool:
    if name == "attention-rollout":
        return kind in TRANSFORMERS
    return name != "cam" or kind not in ("class token", "nested transformer", "class")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("flat", "float32"),
        ("flat", "mixed_float16"),
        pytest.param("flat", "mixed_bfloat16", marks=pytest.mark.slow),
        ("nested", "mixed_float16"),
        pytest.param("volume", "float32", marks=pytest.mark.slow),
        ("volume", "mixed_float16"),
        pytest.param("patches", "float32", marks=pytest.mark.slow),
        pytest.param("class token", "mixed_float16", marks=pytest.mark.slow),
        pytest.param("nested transformer", "float32", marks=pytest.mark.slow),
        ("class", "float32"),
    ],
)
def test_every_method_on_every_kind_of_network(kind, dtype):
    """float32, as large as the image, 0 to 1, the largest place of a map is 1; of no image that of another."""
    model, images = made(kind, dtype=dtype), images_of(kind)
    asked = [name for name in methods.METHODS if possible(name, kind)]
    assert len(asked) >= 5
    for name in asked:
        found = quick(name).heatmap(images, model, class_index=1)
        assert found.shape == images.shape[:-1], name
        assert found.dtype == np.float32, name
        assert np.isfinite(found).all(), name
        tops = found.max(axis=tuple(range(1, found.ndim)))
        assert set(tops.tolist()) <= {0.0, 1.0}, name
        assert tops.any() or quick(name).heatmap(images, model, class_index=1, against=True).any(), name
        assert found.min() >= 0, name
        turned = quick(name).heatmap(images[::-1], model, class_index=1)[::-1]
        np.testing.assert_allclose(turned, found, atol=1e-4 if dtype == "float32" else 5e-2, err_msg=name)


@pytest.mark.parametrize("name", ["grad-cam", "integrated-gradients", "smooth-grad", "occlusion"])
def test_the_size_of_a_batch_changes_nothing(name):
    model, images = made("flat"), images_of("flat", 5)
    whole, parts = (quick(name, batch_size=size).heatmap(images, model) for size in (16, 2))
    np.testing.assert_allclose(parts, whole, atol=1e-4)


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_explains_itself(name):
    method = methods.get(name)
    assert method.name == name
    assert method.label
    assert "arXiv" in method.paper
    assert len(method.words.split(". ")) >= 2, "what it shows, and what it does not"
    assert method.words.endswith(".")


def test_a_method_that_is_none():
    with pytest.raises(AskedWronglyError, match=r"method 'gradcam': did you mean 'grad-cam'\?"):
        methods.get("gradcam")


@pytest.mark.parametrize("name", ["integrated-gradients", "smooth-grad", "occlusion", "attention-rollout"])
def test_a_layer_where_none_is_read(name):
    with pytest.raises(AskedWronglyError, match=f"layer 'norm': {name} reads .*: leave the layer out"):
        quick(name).heatmap(images_of("patches"), made("patches"), layer_name="norm")


def test_a_model_without_places_has_methods_that_read_the_input():
    image = keras.Input((16, 16, 1))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)), name="plain")
    images = images_of("flat")
    for name in ("grad-cam", "grad-cam++", "hires-cam"):
        with pytest.raises(AskedWronglyError, match=r"plain: no layer keeps places .* integrated-gradients"):
            quick(name).heatmap(images, model)
    for name in ("integrated-gradients", "smooth-grad", "occlusion"):
        assert quick(name).heatmap(images, model, class_index=0).max() == 1


def test_answers_of_a_method_leave_the_network_as_it_was(tmp_path):
    """Weights, answers, and that it can be saved and loaded."""
    model, images = made("flat"), images_of("flat")
    weights, before = model.get_weights(), model.predict_on_batch(images)
    for name in methods.METHODS:
        if possible(name, "flat"):
            quick(name).heatmap(images, model)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.predict_on_batch(images), before)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(images), before)


def test_a_grid_of_pictures_as_in_tf_explain(tmp_path):
    """`explain` takes (images, labels) and gives one picture, `save` writes it where there was no folder."""
    method, images = quick("grad-cam"), images_of("flat", 4)
    grid = method.explain((images, None), made("flat"), class_index=0)
    assert grid.dtype == np.uint8
    assert grid.shape == (34, 34, 3)  # two by two, and two pixels between
    method.save(grid, tmp_path / "pictures", "grid.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "pictures" / "grid.png")), grid)
