"""Grad-CAM: a hand-computed example, and the same as plain NumPy makes of TensorFlow's own gradients, for every kind of network."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made, numpy_grad_cam
from keras import layers

from medtf.config import Model, Target
from medtf.explain.grad_cam import GradCAM
from medtf.models import build

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares with TensorFlow's tape")


def by_tape(parts, rest, images, unit, layout=lambda x: x):
    """A layer's output and the slope of a logit against it, by TensorFlow's tape and nothing of medtf.

    Args:
        parts: ordinary submodel: images -> (layer's output, what `rest` reads). rest: that -> (batch, units). layout: tokens -> grid.
    """
    import tensorflow as tf

    @tf.function(autograph=False)
    def both(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            activations, x = parts(images, training=False)
            score = tf.reduce_sum(rest(x)[:, unit])
        return activations, tape.gradient(score, activations)

    activations, slopes = both(tf.convert_to_tensor(images))
    return [layout(x.numpy().astype(np.float64)) for x in (activations, slopes)]


def as_it_is(x):
    return x


# === by hand ===


def test_a_hand_computed_example():
    """Two feature maps of 2 x 2 from an image of 2 x 2, by a convolution of one pixel and no ReLU:

        image  1 2    first map = image  1 2    second map = 1 - image   0 -1
               3 0                       3 0                            -2  1

    The score is 8 x (upper left of the first) + 4 x (lower right of the first) - 8 x (upper left of the second), by a linear layer on all eight
    numbers. Its slopes against the first map are 8 0 / 0 4, mean 3; against the second -8 0 / 0 0, mean -2.

        3 x first - 2 x second   =   3 x 1 - 2 x 0    3 x 2 + 2 x 1    =   3  8     ReLU and maximum:   3/13   8/13
                                     3 x 3 + 2 x 2    3 x 0 - 2 x 1       13 -2                           1     0
    """
    image = keras.Input((2, 2, 1))
    maps = layers.Conv2D(2, 1, name="maps")
    score = layers.Dense(1, use_bias=False)
    model = keras.Model(image, score(layers.Flatten()(maps(image))))
    maps.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0])])
    # flattened: upper left (first, second), upper right, lower left, lower right
    score.set_weights([np.array([[8.0], [-8.0], [0.0], [0.0], [0.0], [0.0], [4.0], [0.0]])])
    images = np.array([[[[1.0], [2.0]], [[3.0], [0.0]]]])
    np.testing.assert_allclose(GradCAM().relevance(images, model, layer_name="maps"), [[[3, 8], [13, 0]]], rtol=1e-6)
    np.testing.assert_allclose(GradCAM().heatmap(images, model), [[[3 / 13, 8 / 13], [1, 0]]], rtol=1e-6)
    # what speaks against it is the other sign: -3 -8 / -13 2
    np.testing.assert_allclose(GradCAM().heatmap(images, model, against=True), [[[0, 0], [0, 1]]], rtol=1e-6)


# === against TensorFlow's tape ===


@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.parametrize("kind", ["flat", "volume"])
def test_flat_networks(kind, layer):
    model, images, tops = made(kind), images_of(kind), []
    parts = keras.Model(model.inputs, [model.get_layer(layer).output, model.get_layer("logits").output])
    for unit in range(3):
        expected = numpy_grad_cam(*by_tape(parts, as_it_is, images, unit), images.shape[1:-1])
        tops.append(expected.max())
        found = GradCAM().heatmap(images, model, class_index=unit, layer_name=layer)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert max(tops) == 1


@pytest.mark.parametrize("layer", [None, "last", "backbone/last"])
def test_a_nested_network(layer):
    """A model inside of a Sequential: the layer is found inside, by its name, by its path, and without either."""
    model, images = made("nested"), images_of("nested")
    scaling, backbone, gap, logits, _ = model.layers
    inner = keras.Model(backbone.inputs, [backbone.get_layer("last").output, backbone.output])
    activations = by_tape(lambda x, training: inner(scaling(x), training=training), lambda x: logits(gap(x)), images, 1)
    found = GradCAM().heatmap(images, model, class_index=1, layer_name=layer)
    np.testing.assert_allclose(found, numpy_grad_cam(*activations, (16, 16)), atol=1e-5)


def test_a_network_inside_a_network_inside_a_network():
    innermost, images = made("nested"), images_of("nested")
    image = keras.Input((16, 16, 1))
    outer = keras.Model(image, {"finding": keras.Sequential([innermost])(image)})
    for layer in (None, "last"):
        found = GradCAM().heatmap(images, outer, class_index=1, layer_name=layer)
        np.testing.assert_allclose(found, GradCAM().heatmap(images, innermost, class_index=1), atol=1e-6)


def test_a_network_written_as_a_class():
    """The same weights as in a graph give the same map, though its layers were made in another order than they run."""
    model, images, flat = made("class"), images_of("class"), made("flat")
    for name in ("first", "last"):
        flat.get_layer(name).set_weights(model.get_layer(name).get_weights())
    flat.get_layer("logits").set_weights(model.get_layer("answer").get_weights())
    image = keras.Input((16, 16, 1))
    assert GradCAM().heatmap(images, flat, class_index=2).max() == 1
    for one in (model, keras.Model(image, model(image)), keras.Sequential([model])):
        for layer in (None, "first"):
            found = GradCAM().heatmap(images, one, class_index=2, layer_name=layer)
            np.testing.assert_allclose(found, GradCAM().heatmap(images, flat, 2, layer), atol=1e-6)


@pytest.mark.parametrize(("kind", "layer"), [("patches", "norm"), ("class token", "block_1_norm_1")])
def test_a_transformer(kind, layer):
    """Patches are places; a class token has none. Behind the last attention only the class token reaches the answer."""
    model, images = made(kind), images_of(kind)
    first = kind == "class token"
    parts = keras.Model(model.inputs, [model.get_layer(layer).output, model.get_layer("logits").output])

    def layout(x):
        return x[:, int(first) :].reshape(-1, 4, 4, x.shape[-1])

    expected = numpy_grad_cam(*by_tape(parts, as_it_is, images, 1, layout), (16, 16))
    assert expected.max() == 1
    np.testing.assert_allclose(GradCAM().heatmap(images, model, class_index=1), expected, atol=1e-5)
    np.testing.assert_allclose(GradCAM().heatmap(images, model, 1, layer), expected, atol=1e-5)


def test_a_transformer_inside_a_network():
    """The map of a nested transformer is that of the same layers and weights laid flat."""
    model, images, flat = made("nested transformer"), images_of("nested transformer"), made("class token")
    for layer in flat.layers:
        if layer.weights:
            held = model if layer.name == "logits" else model.get_layer("backbone")
            layer.set_weights(held.get_layer(layer.name).get_weights())
    expected = GradCAM().heatmap(images, flat, class_index=0)
    assert expected.max() == 1
    np.testing.assert_allclose(GradCAM().heatmap(images, model, class_index=0), expected, atol=1e-5)


@pytest.mark.parametrize("end", ["value", "bins", "gaussian"])
def test_a_regression_head(end):
    """What is explained of a regression is the value in its unit, through the head's scale or its mean over bins."""
    options = {"bins": {"bins": [20, 80, 5]}}.get(end, {})
    target = Target(kind="regression", head=end, **options)
    prior = None if end == "bins" else [45.0, 12.0]
    keras.utils.set_random_seed(0)
    model = build.build(Model(name="cnn3d"), (16, 16, 16, 1), {"age": target}, priors={"age": prior} if prior else None)
    images = np.random.default_rng(1).random((2, 16, 16, 16, 1), dtype=np.float32)
    layer = model.get_layer("block2_conv")  # 8 x 8 x 8 places
    parts = keras.Model(model.inputs, [layer.output, model.get_layer("age").output])
    expected = numpy_grad_cam(*by_tape(parts, as_it_is, images, 0), (16, 16, 16))
    assert expected.max() == 1
    np.testing.assert_allclose(GradCAM().heatmap(images, model, 0, layer.name), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", ["flat", "volume", pytest.param("class token", marks=pytest.mark.slow)])
def test_half_precision_gives_the_same_map(kind, dtype):
    """Slopes of the order 1e-4 are within float16's reach because they are made larger on the way."""
    full, half, images = made(kind), made(kind, dtype=dtype), images_of(kind)
    half.set_weights(full.get_weights())
    expected, found = (GradCAM().heatmap(images, model, class_index=1) for model in (full, half))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-2 if dtype == "mixed_float16" else 5e-2)


@pytest.mark.parametrize("by", [1e-6, 1e6], ids=["too small", "too large"])
def test_slopes_beyond_the_reach_of_half_precision(by):
    """A head of very small or very large weights: the map is the one of ordinary weights, for it is divided by its maximum."""
    images, half = images_of("flat"), made("flat", dtype="mixed_float16")
    expected = GradCAM().heatmap(images, half, class_index=1)
    kernel, bias = half.get_layer("logits").get_weights()
    half.get_layer("logits").set_weights([kernel * by, bias])
    np.testing.assert_allclose(GradCAM().heatmap(images, half, class_index=1), expected, atol=2e-2)


def test_a_class_for_each_image_and_the_highest_where_none_is_named():
    model, images = made("flat"), images_of("flat", 5)
    highest = model.predict_on_batch(images).argmax(axis=1)
    chosen = GradCAM().heatmap(images, model)
    each = GradCAM(batch_size=2).heatmap(images, model, class_index=highest)
    np.testing.assert_allclose(chosen, each, atol=1e-6)
    for number, one in enumerate(highest):
        alone = GradCAM().heatmap(images[number : number + 1], model, class_index=int(one))
        np.testing.assert_allclose(alone[0], each[number], atol=1e-6)


def test_no_images_give_no_maps():
    assert GradCAM().heatmap(images_of("flat", 0), made("flat")).shape == (0, 16, 16)


def test_a_method_of_ones_own_has_its_own_answer():
    """A user who changes `cam` and keeps the name is not given Grad-CAM's compiled answer of the same network."""

    class Mine(GradCAM):
        def cam(self, activations, slopes):
            return 0 * super().cam(activations, slopes) + 1

    model, images = made("flat"), images_of("flat")
    GradCAM(fields=False).heatmap(images, model, 1)
    assert (Mine(fields=False).heatmap(images, model, 1) == 1).all()
