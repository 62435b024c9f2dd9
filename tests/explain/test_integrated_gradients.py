"""Integrated gradients: the parts sum up, a linear network is explained exactly, the baselines are what they are called."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made
from keras import layers

from medtf.errors import AskedWronglyError
from medtf.explain.integrated_gradients import IntegratedGradients


def linear():
    """score = 2 x upper left - 3 x upper right + 0.5 x lower left, of two pixels by two; and its weights as an image."""
    weights = np.array([[2.0, -3.0], [0.5, 0.0]])
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(image)))
    model.layers[-1].set_weights([weights.reshape(4, 1), np.array([7.0])])
    return model, weights


def test_a_linear_network_is_explained_exactly():
    """Weight x (pixel - baseline), whatever the number of steps; hand-computed. The constant is nobody's part."""
    model, weights = linear()
    image = np.array([[[[1.0], [1.0]], [[4.0], [9.0]]]])
    for steps in (1, 5):
        found = IntegratedGradients(steps=steps).attributions(image, model)
        np.testing.assert_allclose(found.values[0, ..., 0], [[2, -3], [2, 0]], rtol=1e-5)
        np.testing.assert_allclose([found.scores, found.baseline_scores], [[8], [7]], rtol=1e-5)
        np.testing.assert_allclose(found.gap, 0, atol=1e-5)
    np.testing.assert_allclose(IntegratedGradients().relevance(image, model), [[[2, 0], [2, 0]]], rtol=1e-5)
    np.testing.assert_allclose(
        IntegratedGradients().relevance(image, model, against=True), [[[0, 3], [0, 0]]], rtol=1e-5
    )
    mean = IntegratedGradients(baseline="mean").attributions(image, model)  # of 1, 1, 4, 9: 3.75
    np.testing.assert_allclose(mean.values[0, ..., 0], weights * (image[0, ..., 0] - 3.75), rtol=1e-5)


@pytest.mark.parametrize("baseline", ["black", "mean", "blur"])
@pytest.mark.parametrize("kind", ["flat", "volume"])
def test_the_parts_sum_up_to_the_score_less_that_of_the_baseline(kind, baseline):
    """Sundararajan 2017, proposition 1 (completeness): to 1 %."""
    images = images_of(kind, 2)
    method = IntegratedGradients(baseline=baseline, steps=64)
    found = method.attributions(images, made(kind), class_index=1)
    assert found.values.shape == images.shape
    said = found.scores - found.baseline_scores
    assert (np.abs(said) > 1e-3).all()
    np.testing.assert_allclose(found.values.reshape(2, -1).sum(axis=1), said, rtol=1e-2)
    assert (found.gap < 1e-2).all()


def test_too_few_steps_are_told():
    """One step in a network with bends: the sum does not come out, and `gap` says by how much."""
    images, model = images_of("flat"), made("flat")
    few, many = (IntegratedGradients(steps=steps).attributions(images, model, 1).gap for steps in (1, 64))
    assert few.max() > 3 * many.max()


def test_baselines():
    """Nothing is left where image and baseline are equal; an array is an image, or one for each."""
    images, model = images_of("flat"), made("flat")
    assert not IntegratedGradients(baseline=images).attributions(images, model, 1).values.any()
    one = IntegratedGradients(baseline=images[0], steps=4).attributions(images, model, 1).values
    assert not one[0].any()
    assert one[1].any()
    black, zeros = (IntegratedGradients(baseline=x, steps=4).heatmap(images, model) for x in ("black", 0 * images))
    np.testing.assert_array_equal(black, zeros)
    even = np.full((1, 16, 16, 1), 0.3, np.float32)  # an even image blurred, or its mean, is itself
    for baseline in ("blur", "mean"):
        values = IntegratedGradients(baseline=baseline, steps=4).attributions(even, model, 1).values
        np.testing.assert_allclose(values, 0, atol=1e-6)


def test_the_highest_class_is_that_of_the_image_on_the_whole_way():
    """A constant makes another class the highest of a black image than of this one: the parts still sum up to one class's score."""
    image, model = images_of("flat", 1), made("flat")
    logits = model.get_layer("logits")
    answers = keras.Model(model.inputs, logits.output).predict_on_batch
    highest = answers(image).argmax()
    lead = [answers(x)[0, highest] - answers(x)[0] for x in (0 * image, image)]
    other = int(np.argmax(lead[1] - lead[0]))
    kernel, bias = logits.get_weights()
    bias[other] += (lead[0][other] + lead[1][other]) / 2
    logits.set_weights([kernel, bias])
    assert answers(0 * image).argmax() != answers(image).argmax()
    found = IntegratedGradients(steps=64).attributions(image, model)
    np.testing.assert_allclose(found.scores, answers(image).max(), rtol=1e-5)
    np.testing.assert_allclose(found.baseline_scores, answers(0 * image)[0, highest], rtol=1e-4)
    assert found.gap < 1e-2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"baseline": "grey"}, "baseline 'grey': expected black, mean, blur or an array"),
        ({"steps": 0}, "steps 0: expected 1 or more"),
        (
            {"baseline": np.zeros((8, 8, 1))},
            r"baseline of shape \(8, 8, 1\): expected that of one image, \(16, 16, 1\)",
        ),
    ],
)
def test_what_is_refused(options, said):
    with pytest.raises(AskedWronglyError, match=said):
        IntegratedGradients(**options).heatmap(images_of("flat"), made("flat"))
