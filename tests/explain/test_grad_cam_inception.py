"""Grad-CAM of InceptionV3 as it comes from keras.applications: the numbers that TensorFlow's own tape gives, also inside another model."""

import keras
import numpy as np
import pytest
from explain_networks import numpy_grad_cam
from scipy import ndimage

from medtf.explain.grad_cam import GradCAM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares with TensorFlow's tape"),
]
SIDE = 139  # 3 x 3 places; the reference is stretched over the picture, so Grad-CAM is asked for that, too (`fields=False`)


@pytest.fixture(scope="module")
def inception():
    """With weights as they start, since those of ImageNet are on no machine without a network."""
    keras.utils.set_random_seed(0)
    return keras.applications.InceptionV3(weights=None, classes=5, input_shape=(SIDE, SIDE, 3))


def images_of(count: int) -> np.ndarray:
    """Smooth, as bones and lungs are, in [-1, 1]."""
    noise = np.random.default_rng(0).normal(size=(count, SIDE, SIDE, 1))
    smooth = ndimage.gaussian_filter(noise, (0, 4, 4, 0))
    return np.repeat(np.clip(smooth / smooth.std() / 2, -1, 1), 3, axis=-1).astype(np.float32)


def expected_of(model, images, layer: str, unit: int) -> np.ndarray:
    import tensorflow as tf

    parts = keras.Model(model.inputs, [model.get_layer(layer).output, model.get_layer("avg_pool").output])
    kernel, bias = model.get_layer("predictions").weights

    @tf.function(autograph=False)
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            activations, pooled = parts(x, training=False)
            logit = (tf.cast(pooled, "float32") @ kernel.value + bias.value)[:, unit]
        return activations, tape.gradient(logit, activations)

    return numpy_grad_cam(*(x.numpy() for x in both(tf.convert_to_tensor(images))), (SIDE, SIDE))


@pytest.mark.parametrize("layer", ["mixed10", "mixed7"])
def test_inception(inception, layer):
    """Float32: 1e-5 of a map's maximum."""
    images = images_of(2)
    expected = expected_of(inception, images, layer, 3)
    assert (expected.max(axis=(1, 2)) == 1).all()
    assert expected.std() > 0.05
    found = GradCAM(fields=False).heatmap(images, inception, class_index=3, layer_name=layer)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if layer == "mixed10":
        np.testing.assert_array_equal(found, GradCAM(fields=False).heatmap(images, inception, class_index=3))


def test_inception_in_mixed_float16(inception):
    """The same weights: 1e-2 of a map's maximum from the map of float32."""
    images = images_of(2)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = keras.applications.InceptionV3(weights=None, classes=5, input_shape=(SIDE, SIDE, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(inception.get_weights())
    for layer in ("mixed10", "mixed7"):
        found = GradCAM(fields=False).heatmap(images, half, class_index=3, layer_name=layer)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected_of(inception, images, layer, 3), atol=1e-2)


def test_inception_inside_another_model(inception):
    """In a Sequential, behind a layer that scales: the last layer with places is found inside, and has the map it has outside."""
    image = keras.Input((SIDE, SIDE, 3))
    around = keras.Model(image, {"finding": keras.Sequential([keras.layers.Rescaling(2.0, -1.0), inception])(image)})
    images = images_of(2)
    expected = expected_of(inception, images, "mixed10", 3)
    for layer in (None, "mixed10"):
        found = GradCAM(fields=False).heatmap(
            (images + 1) / 2, around, class_index=3, layer_name=layer, target="finding"
        )
        np.testing.assert_allclose(found, expected, atol=1e-5)
