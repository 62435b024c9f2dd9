"""Occlusion: hand-computed falls of a linear network, windows that cover the image, pixels and shares."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made
from keras import layers
from test_integrated_gradients import linear

from medtf.errors import AskedWronglyError
from medtf.explain.occlusion import Occlusion


def test_the_fall_of_a_linear_network():
    """Of windows of one pixel it is weight x (pixel - fill); a rise counts as 0. Hand-computed with the weights 2 -3 / 0.5 0."""
    model, _ = linear()
    image = np.array([[[[1.0], [1.0]], [[4.0], [9.0]]]])
    np.testing.assert_allclose(Occlusion(patch=1).relevance(image, model), [[[2, 0], [2, 0]]], rtol=1e-5)
    np.testing.assert_allclose(Occlusion(patch=1).relevance(image, model, against=True), [[[0, 3], [0, 0]]], rtol=1e-5)
    np.testing.assert_allclose(Occlusion(patch=1, fill=2).relevance(image, model), [[[0, 3], [1, 0]]], rtol=1e-5)
    np.testing.assert_allclose(  # the mean is 3.75: 2 x -2.75, -3 x -2.75, 0.5 x 0.25
        Occlusion(patch=1, fill="mean").relevance(image, model), [[[0, 8.25], [0.125, 0]]], rtol=1e-5
    )


def test_windows_that_overlap_are_averaged():
    """Rows of three pixels, weights 1 2 4, image of ones, windows of two: falls 3 and 6, in the middle their mean."""
    image = keras.Input((3, 1, 1))
    model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(image)))
    model.layers[-1].set_weights([np.array([[1.0], [2.0], [4.0]])])
    found = Occlusion(patch=(2, 1), stride=1).relevance(np.ones((1, 3, 1, 1)), model)
    np.testing.assert_allclose(found[0, :, 0], [3, 4.5, 6], rtol=1e-6)


@pytest.mark.parametrize("sides", [(16, 16), (299, 200), (9, 13, 11), (1, 5)])
@pytest.mark.parametrize("options", [{}, {"patch": 0.4, "stride": 0.2}, {"patch": 1}, {"patch": 0.3, "stride": 0.3}])
def test_windows_cover_the_image_and_leave_nothing_out(sides, options):
    covered = np.zeros(sides, int)
    windows = Occlusion(**options).windows(sides)
    for window in windows:
        covered[window] += 1
    assert covered.min() >= 1
    assert len({covered[window].shape for window in windows}) == 1, "windows of one size, also at the edge"


def test_the_number_of_windows_by_default():
    """An eighth of a side, half of it from window to window: 15 along an axis."""
    assert len(Occlusion().windows((64, 64))) == 15**2
    assert len(Occlusion().windows((16, 16, 16))) == 15**3


def test_a_network_that_looks_into_a_corner():
    """What decides is in the corner, and nowhere else is anything, in 2D and in 3D."""
    for sides in ((8, 8), (6, 6, 6)):
        image = keras.Input((*sides, 1))
        model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(image)))
        weights = np.zeros((*sides, 1))
        corner = (slice(0, 2),) * len(sides)
        weights[corner] = 1
        model.layers[-1].set_weights([weights.reshape(-1, 1)])
        found = Occlusion(patch=2, stride=2).heatmap(np.ones((1, *sides, 1)), model)
        np.testing.assert_array_equal(found[0] > 0, weights[..., 0] > 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patch": 0}, "patch 0: expected pixels, 1 or more, or a share of a side"),
        ({"stride": -1}, "stride -1: expected"),
        ({"fill": "grey"}, "fill 'grey': expected black, mean or a number"),
        ({"patch": 20}, "patch 20: a window of 20 pixels on a side of 16"),
        ({"patch": 4, "stride": 5}, "stride 5: 5 pixels leave gaps between windows of 4"),
        ({"patch": (4, 4, 4)}, r"patch \(4, 4, 4\): expected one number, or 2, one for each axis"),
    ],
)
def test_what_is_refused(options, said):
    with pytest.raises(AskedWronglyError, match=said):
        Occlusion(**options).heatmap(images_of("flat"), made("flat"))
