"""Small maps to the size of the picture."""

import keras
import numpy as np
import pytest
from explain_networks import resized

from medtf.explain.enlarge import enlarged, weights
from medtf.explain.method import scaled

BY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares with tf.image.resize")


def numbers(*shape) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@BY_TENSORFLOW
@pytest.mark.parametrize(
    ("small", "large"), [((8, 8), (299, 299)), ((3, 5), (16, 12)), ((1, 4), (7, 9)), ((6, 6), (6, 6)), ((9, 7), (4, 5))]
)
def test_pictures_are_enlarged_as_tensorflow_does(small, large):
    maps = numbers(2, *small)
    np.testing.assert_allclose(np.asarray(enlarged(maps, large)), resized(maps, large), atol=1e-5)


@BY_TENSORFLOW
def test_volumes_are_enlarged_axis_by_axis():
    maps = numbers(2, 3, 4, 5)
    np.testing.assert_allclose(np.asarray(enlarged(maps, (12, 9, 10))), resized(maps, (12, 9, 10)), atol=1e-5)


def test_a_hand_computed_example():
    """Centres of two pixels lie at 1/2 and 3/2 of four: 0 and 1 become 0, 1/4, 3/4, 1."""
    np.testing.assert_allclose(np.asarray(enlarged(np.array([[0.0, 1.0]], np.float32), (4,))), [[0, 0.25, 0.75, 1]])


@pytest.mark.parametrize(("small", "large"), [(1, 5), (2, 7), (8, 299), (5, 5), (7, 3)])
def test_an_even_map_stays_even(small, large):
    """Every place is a mean of places: the weights are 0 or more and sum up to 1, so no map leaves the range it had."""
    made = weights(small, large)
    assert made.shape == (large, small)
    assert (made >= 0).all()
    np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-6)


def test_a_map_is_divided_by_its_own_maximum_and_zeros_stay_zeros():
    maps = np.stack([np.zeros((2, 2)), [[0, 2], [4, 1]], np.full((2, 2), 1e-30)]).astype(np.float32)
    found = scaled(maps)
    np.testing.assert_array_equal(found, [np.zeros((2, 2)), [[0, 0.5], [1, 0.25]], np.ones((2, 2))])
    assert found.dtype == np.float32
