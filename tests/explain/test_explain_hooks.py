"""Looking into a network leaves it as it was; weights that change are seen; nothing is compiled twice."""

import keras
import numpy as np
import pytest
from explain_networks import convolutions, images_of, made
from keras import layers

from medtf.explain import hooks
from medtf.explain.grad_cam import GradCAM


def state(layer) -> dict:
    return dict(vars(layer))


def test_a_hook_leaves_the_layer_as_it_was_also_after_an_error():
    model, images = made("patches"), images_of("patches")
    logits, attention = model.get_layer("logits"), model.get_layer("block_0_attention")
    before, answers = {layer: state(layer) for layer in (logits, attention)}, model.predict_on_batch(images)
    for open_hook, layer in (
        (lambda: hooks.passing(logits, lambda x: x), logits),
        (lambda: hooks.given(logits, print), logits),
        (lambda: hooks.linear(logits), logits),
        (lambda: hooks.attending(attention, print), attention),
    ):
        with open_hook():
            assert state(layer) != before[layer]
        assert state(layer) == before[layer]
        with pytest.raises(ZeroDivisionError), open_hook():
            raise ZeroDivisionError
        assert state(layer) == before[layer]
    np.testing.assert_array_equal(model.predict_on_batch(images), answers)


def test_hooks_of_one_layer_stand_inside_each_other():
    """The inner one sees the layer's output, the outer one what the inner one made of it."""
    layer, seen = layers.Dense(1, use_bias=False, kernel_initializer="ones"), []
    layer.build((None, 2))
    with hooks.passing(layer, lambda x: seen.append(float(x[0, 0])) or x), hooks.passing(layer, lambda x: 10 * x):
        assert float(layer(np.array([[1.0, 2.0]]))[0, 0]) == 30
    assert seen == [3]


def test_an_error_inside_the_network_is_passed_on_and_everything_works_after_it():
    class Failing(layers.Layer):
        fails = False

        def call(self, x):
            if self.fails:
                raise ZeroDivisionError("inside")
            return x

    failing, image = Failing(), keras.Input((16, 16, 1))
    x = layers.GlobalAveragePooling2D()(failing(convolutions(image)))
    model = keras.Model(image, layers.Dense(1, activation="sigmoid")(x))
    failing.fails, layer = True, model.get_layer("last")
    before = state(layer)
    with pytest.raises(ZeroDivisionError):
        GradCAM().heatmap(images_of("flat"), model, layer_name="last")
    assert state(layer) == before
    failing.fails = False
    assert GradCAM().heatmap(images_of("flat"), model, layer_name="last").shape == (3, 16, 16)


def test_a_layer_that_is_called_twice_is_explained_where_it_is_called_last():
    """The same convolution on the image and on its own output: the map is that of a network with two layers of these weights."""
    keras.utils.set_random_seed(0)

    def network(first, second):
        image = keras.Input((16, 16, 1))
        x = layers.Conv2D(4, 1, activation="relu")(image)
        x = second(first(x))
        return keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))

    one, two, shared = (layers.Conv2D(4, 3, padding="same", name=name) for name in ("one", "two", "shared"))
    twice, apart = network(shared, shared), network(one, two)
    weights = twice.get_weights()
    apart.set_weights(weights[:4] + weights[2:])
    images = images_of("flat")
    for against in (False, True):
        expected = GradCAM().heatmap(images, apart, 0, "two", against=against)
        np.testing.assert_allclose(GradCAM().heatmap(images, twice, 0, "shared", against=against), expected, atol=1e-5)


def test_weights_that_are_changed_are_seen():
    """By assignment and by training; the compiled question is kept."""
    model, other, images = made("flat"), made("flat", seed=5), images_of("flat")
    first = GradCAM().heatmap(images, model, class_index=0)
    model.set_weights(other.get_weights())
    changed = GradCAM().heatmap(images, model, class_index=0)
    np.testing.assert_allclose(changed, GradCAM().heatmap(images, other, class_index=0), atol=1e-6)
    assert not np.allclose(changed, first)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 0.5
    model.fit(images, np.array([0, 1, 2]), epochs=3, verbose=0)
    trained = GradCAM().relevance(images, model, class_index=0)
    other.set_weights(model.get_weights())
    np.testing.assert_allclose(trained, GradCAM().relevance(images, other, class_index=0), atol=1e-6)


def test_weights_that_are_frozen_or_freed_change_no_map():
    model, images = made("flat"), images_of("flat")
    expected = GradCAM().heatmap(images, model, class_index=0)
    model.trainable = False
    np.testing.assert_allclose(GradCAM().heatmap(images, model, class_index=0), expected, atol=1e-6)
