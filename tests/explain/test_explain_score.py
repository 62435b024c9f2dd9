"""What is explained: the logit, however the softmax or sigmoid is written; one target of several; one class of each image."""

import keras
import numpy as np
import pytest
from explain_networks import Written, convolutions, images_of, made
from keras import layers, ops

from medtf.errors import AskedWronglyError
from medtf.explain import gradients, graph
from medtf.explain.grad_cam import GradCAM
from medtf.explain.score import Score

HARD = 25.0  # sigmoid(25) is 1 - 1e-11, in float32 1.0


def _written(x, units, end):
    return layers.Activation(end)(layers.Dense(units, name="logits")(x))


def _in_dense(x, units, end):
    return layers.Dense(units, activation=end, name="logits")(x)


def _softmax_layer(x, units, end):
    x = layers.Dense(units, name="logits")(x)
    return layers.Softmax()(x) if end == "softmax" else layers.Activation(end)(x)


def _operation(x, units, end):
    return getattr(ops, end)(layers.Dense(units, name="logits")(x))


def _cast_behind(x, units, end):
    """As Keras's guide to mixed precision has it."""
    x = layers.Dense(units, activation=end, name="logits")(x)
    return layers.Identity()(layers.Activation("linear", dtype="float32")(x))


def _nested(x, units, end):
    features = keras.Input(x.shape[1:])
    return keras.Model(features, _in_dense(features, units, end), name="head")(x)


def _sequential(x, units, end):
    return keras.Sequential([layers.Dense(units, name="logits"), layers.Activation(end)])(x)


class _Head(keras.Model):
    def __init__(self, units, end):
        super().__init__()
        self.logits = layers.Dense(units, activation=end, name="logits")
        self.before = layers.Activation("linear")

    def call(self, x):
        return self.logits(self.before(x))


def _class(x, units, end):
    return _Head(units, end)(x)


WAYS = [_written, _in_dense, _softmax_layer, _operation, _cast_behind, _nested, _sequential, _class]


def with_end(way, end, units, weights):
    """The same network to the logits, with an end."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1))
    x = layers.GlobalAveragePooling2D()(convolutions(image))
    model = keras.Model(image, way(x, units, end) if end else layers.Dense(units)(x))
    if weights is not None:
        model.set_weights(weights)
    return model


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("end", "units"), [("softmax", 3), ("sigmoid", 1)])
def test_the_logit_is_explained_however_the_end_is_written(way, end, units):
    """The score is that of the network without its end, and so is the map."""
    images, plain = images_of("flat"), with_end(None, None, units, None)
    model = with_end(way, end, units, plain.get_weights())
    score = Score(model)
    logits = plain.predict_on_batch(images)
    for unit in range(units):
        classes = score.classes(unit, len(images))
        np.testing.assert_allclose(gradients.values(model, score, images, classes), logits[:, unit], atol=1e-5)
    # the layers are as they were: what the network answers is a probability still
    assert (model.predict_on_batch(images) > 0).all()
    assert (model.predict_on_batch(images) < 1).all()


@pytest.mark.parametrize("way", [_written, _in_dense, _class])
def test_a_saturated_answer_still_has_a_map(way):
    """Where the network is sure, the probability has no slope left, but the logit has."""
    model = with_end(way, "sigmoid", 1, None)
    images = images_of("flat")
    held = model.get_weights()
    held[-1] = np.array([HARD], np.float32)
    model.set_weights(held)
    assert (model.predict_on_batch(images) == 1).all()
    sure = GradCAM().heatmap(images, model)
    sure_against = GradCAM().heatmap(images, model, against=True)
    held[-1] = np.array([0.0], np.float32)
    model.set_weights(held)
    assert max(sure.max(), sure_against.max()) == 1
    np.testing.assert_allclose(GradCAM().heatmap(images, model), sure, atol=1e-5)
    np.testing.assert_allclose(GradCAM().heatmap(images, model, against=True), sure_against, atol=1e-5)


def test_a_model_written_as_a_class():
    """It has neither graph nor outputs to look back from: it is put into a model that has, once for all calls."""
    model, images = made("class"), images_of("class")
    whole = graph.whole(model, images)
    assert graph.whole(model, images) is whole
    assert Score(whole).end is model.answer
    with pytest.raises(AskedWronglyError, match="written as a class"):
        Score(model)


def test_a_class_that_was_never_called():
    assert GradCAM().heatmap(images_of("class"), Written("softmax", 3)).shape == (3, 16, 16)


# === targets and classes ===


def of_two():
    """Two targets, each with a branch and a last layer of its own."""
    image = keras.Input((16, 16, 1))
    ends = {}
    for name, units in (("age", 1), ("kind", 3)):
        x = layers.Conv2D(3, 3, activation="relu", name=f"{name}_maps")(image)
        x = layers.GlobalAveragePooling2D()(x)
        ends[name] = layers.Dense(units, name=name)(x)
    return keras.Model(image, ends, name="both")


def test_each_target_is_explained_on_its_own_branch():
    """Without a layer: the last one with places on the way to that target."""
    keras.utils.set_random_seed(0)
    model, images = of_two(), images_of("flat")
    for target in ("age", "kind"):
        for against in (False, True):
            chosen = GradCAM().heatmap(images, model, target=target, class_index=0, against=against)
            named = GradCAM().heatmap(images, model, 0, f"{target}_maps", target=target, against=against)
            np.testing.assert_array_equal(chosen, named)
    assert not np.array_equal(
        *[GradCAM().relevance(images, model, 0, target=target, against=True) for target in ("age", "kind")]
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "the network has several targets: say which one is explained: age, kind"),
        ({"target": "kinds"}, "target 'kinds': the network has no such target: did you mean 'kind'?"),
        ({"target": "kind", "class_index": 3}, "class_index 3: the network has 3 outputs of kind: expected 0 to 2"),
        ({"target": "kind", "class_index": [0, -1, 1]}, "class_index -1: .*expected 0 to 2"),
        ({"target": "age", "class_index": 1}, "class_index 1: the network has 1 output of age: expected 0, or none"),
        ({"target": "age", "layer_name": "kind_maps"}, "does not depend on it: name a layer .* such as 'age_maps'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(asked, said):
    with pytest.raises(AskedWronglyError, match=said) as error:
        GradCAM().heatmap(images_of("flat"), of_two(), **asked)
    assert "\n" not in str(error.value)


def test_a_target_of_a_network_that_names_none():
    with pytest.raises(AskedWronglyError, match="target 'age': the network has one output without a name"):
        GradCAM().heatmap(images_of("flat"), made("flat"), target="age")


def test_classes_of_another_number_than_the_images():
    with pytest.raises(AskedWronglyError, match="class_index of shape \\(2,\\): expected one, or one for each of 3"):
        GradCAM().heatmap(images_of("flat"), made("flat"), class_index=[0, 1])


@pytest.mark.parametrize("wrong", [(3, 16, 16), (3, 8, 8, 1), (3, 16, 16, 3), (16, 16, 1)])
def test_images_of_another_shape(wrong):
    with pytest.raises(AskedWronglyError, match=r"images of shape .*: the network takes \(batch, 16, 16, 1\)"):
        GradCAM().heatmap(np.zeros(wrong, np.float32), made("flat"))
