"""Grad-CAM++, HiResCAM and CAM: the papers' formulas in NumPy, and what binds them to each other."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made, resized
from keras import layers

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.explain.cam import CAM
from medtf.explain.grad_cam import GradCAM
from medtf.explain.grad_cam_plus_plus import GradCAMPlusPlus
from medtf.explain.hires_cam import HiResCAM
from medtf.models import build


def pair(seed=0, shape=(2, 4, 5, 3)):
    """Activations of 0 or more and slopes of both signs, float64."""
    generator = np.random.default_rng(seed)
    return np.maximum(generator.normal(size=shape), 0), generator.normal(size=shape)


def cam_of(method, activations, slopes) -> np.ndarray:
    return np.asarray(method.cam(activations.astype(np.float32), slopes.astype(np.float32)))


# === Grad-CAM++ ===


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (2, 3, 4, 2, 3)])
def test_grad_cam_plus_plus_is_the_papers_formula(shape):
    """Chattopadhay 2018, equations 19 and 5, with squares and cubes as they stand there, without the factor exp(score)."""
    activations, slopes = pair(shape=shape)
    places = tuple(range(1, len(shape) - 1))
    below = 2 * slopes**2 + slopes**3 * activations.sum(axis=places, keepdims=True)
    weights = (slopes**2 / below * np.maximum(slopes, 0)).sum(axis=places, keepdims=True)
    expected = (weights * activations).sum(axis=-1)
    np.testing.assert_allclose(cam_of(GradCAMPlusPlus(), activations, slopes), expected, rtol=1e-4)


def test_grad_cam_plus_plus_divides_nothing_by_zero():
    """No slope, a slope of 1e-15 whose cube is no float32, and a denominator 2 + slope x sum = 0."""
    activations, slopes = pair()
    assert not cam_of(GradCAMPlusPlus(), activations, 0 * slopes).any()
    tiny = cam_of(GradCAMPlusPlus(), activations, 1e-15 * slopes)
    expected = np.maximum(1e-15 * slopes, 0).sum(axis=(1, 2), keepdims=True) / 2 * activations  # alpha is 1/2 there
    np.testing.assert_allclose(tiny, expected.sum(axis=-1), rtol=1e-3)
    edge = cam_of(GradCAMPlusPlus(), np.full((1, 2, 1, 1), -1.0), np.full((1, 2, 1, 1), 1.0))
    assert np.isfinite(edge).all()


def test_grad_cam_plus_plus_of_one_place_that_speaks_for_it():
    """A hand-computed example: one map, slopes 1 and -3, activations 2 and 4: alpha of the first is 1 / (2 + 6), its weight 1/8."""
    activations, slopes = (np.array([[[one], [two]]], float)[..., None] for one, two in ((2, 4), (1, -3)))
    np.testing.assert_allclose(cam_of(GradCAMPlusPlus(), activations, slopes), [[[2 / 8], [4 / 8]]])


# === HiResCAM ===


def test_hires_cam_multiplies_before_it_adds():
    activations, slopes = pair()
    found = cam_of(HiResCAM(), activations, slopes)
    np.testing.assert_allclose(found, (activations * slopes).sum(axis=-1), rtol=1e-4, atol=1e-5)


def test_hires_cam_of_a_linear_end_adds_up_to_the_score():
    """Draelos 2020, section 3: its map, ReLU aside, sums up to the score less its constant, which Grad-CAM's does not."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    maps = layers.Conv2D(3, 1, name="maps")(image)
    model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(maps)))
    images = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)

    def sums(method):
        for_it, against = (method.relevance(images, model, against=against).sum(axis=(1, 2)) for against in (0, 1))
        return for_it - against

    scores = model.predict_on_batch(images)[:, 0]
    np.testing.assert_allclose(sums(HiResCAM()), scores, atol=1e-4)
    assert np.abs(sums(GradCAM()) - scores).max() > 1e-2


# === CAM ===


@pytest.mark.parametrize("kind", ["flat", "volume", "nested"])
def test_cam_is_the_weights_of_the_head_on_the_feature_maps(kind):
    """Zhou 2016, equation 2, from the kernel of the dense layer itself."""
    model, images = made(kind), images_of(kind)
    inner = model.get_layer("backbone") if kind == "nested" else model
    features = keras.Model(inner.inputs, inner.get_layer("last").output)
    given = model.layers[0](images) if kind == "nested" else images
    kernel = model.get_layer("logits").get_weights()[0]
    maps, seen = np.asarray(features(given)), []
    for unit in range(3):
        small = np.maximum(maps @ kernel[:, unit], 0)
        expected = resized(small, images.shape[1:-1])
        seen.append(expected.max())
        np.testing.assert_allclose(CAM().relevance(images, model, class_index=unit), expected, atol=1e-5)
        by_slopes = small[0].size * GradCAM().relevance(images, model, class_index=unit)
        np.testing.assert_allclose(by_slopes, expected, atol=1e-4)
    assert max(seen) > 0


def test_cam_of_a_value_in_its_unit():
    """The head's scale is part of its weights: years a feature, not deviations."""
    keras.utils.set_random_seed(0)
    targets = {"age": Target(kind="regression")}
    model = build.build(Model(name="cnn3d"), (32, 32, 32, 1), targets, priors={"age": [45.0, 12.0]})
    images = np.random.default_rng(0).random((2, 32, 32, 32, 1), dtype=np.float32)
    features = keras.Model(model.inputs, model.get_layer("gap")._inbound_nodes[0].input_tensors[0])
    kernel = 12 * model.get_layer("age_logits").get_weights()[0][:, 0]
    expected = resized(np.maximum(np.asarray(features(images)) @ kernel, 0), (32, 32, 32))
    assert expected.any()
    np.testing.assert_allclose(CAM().relevance(images, model, class_index=0), expected, rtol=1e-3, atol=1e-4)


def test_cam_of_another_head_is_refused_and_grad_cam_named():
    """Bins and deviations are not linear, a hidden layer is not; a class token and a flattened map are no means over places."""
    of = Model(name="cnn3d"), (16, 16, 16, 1)
    bins = build.build(*of, {"age": Target(kind="regression", head="bins", bins=(20, 80, 5))})
    deviation = build.build(*of, {"age": Target(kind="regression", head="gaussian")})
    image = keras.Input((16, 16, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    hidden = keras.Model(image, layers.Dense(1)(layers.Dense(4, activation="relu", name="hidden")(pooled)))
    flattened = keras.Model(image, layers.Dense(1)(layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))))
    for model in (bins, deviation, hidden, flattened, made("class token")):
        with pytest.raises(AskedWronglyError, match=r"cam is for networks that end in a global mean .* take grad-cam"):
            CAM().heatmap(np.zeros((1, *model.input_shape[1:])), model, class_index=0)


def test_cam_of_another_layer_is_refused():
    with pytest.raises(
        AskedWronglyError, match="layer 'first': cam is of the layer before the global mean alone, 'last'"
    ):
        CAM().heatmap(images_of("flat"), made("flat"), layer_name="first")
    named, chosen = (CAM().heatmap(images_of("flat"), made("flat"), 0, name) for name in ("last", None))
    np.testing.assert_array_equal(named, chosen)
