"""Patches: their order and their numbers, worked out by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.pretrain import patches


def test_patches_of_an_image_that_is_not_square():
    """Two rows of three: 0 1 | 2 3 | 4 5 over 6 7 | 8 9 | 10 11."""
    image = np.arange(24, dtype="float32").reshape(1, 4, 6, 1)
    expected = [
        [0, 1, 6, 7],
        [2, 3, 8, 9],
        [4, 5, 10, 11],
        [12, 13, 18, 19],
        [14, 15, 20, 21],
        [16, 17, 22, 23],
    ]
    np.testing.assert_array_equal(ops.convert_to_numpy(patches.patchify(image, 2))[0], expected)


def test_channels_of_a_pixel_lie_side_by_side():
    image = np.array([[[1, 10], [2, 20], [5, 50], [6, 60]], [[3, 30], [4, 40], [7, 70], [8, 80]]], "float32")[None]
    found = ops.convert_to_numpy(patches.patchify(image, 2))
    np.testing.assert_array_equal(found, [[[1, 10, 2, 20, 3, 30, 4, 40], [5, 50, 6, 60, 7, 70, 8, 80]]])


@pytest.mark.parametrize("shape", [(2, 4, 6, 1), (1, 6, 4, 3), (3, 8, 8, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_there_and_back(shape, dtype):
    images = np.random.default_rng(0).random(shape).astype(dtype)
    cut = patches.patchify(images, 2)
    assert keras.backend.standardize_dtype(cut.dtype) == dtype
    np.testing.assert_array_equal(ops.convert_to_numpy(patches.unpatchify(cut, 2, *shape[1:3])), images)


def test_a_patch_is_laid_out_as_the_kernel_of_a_convolution():
    images = np.random.default_rng(0).normal(size=(2, 6, 9, 2)).astype("float32")
    convolution = keras.layers.Conv2D(4, 3, strides=3)
    embedded = ops.reshape(convolution(images), (2, 6, 4))
    by_hand = ops.matmul(patches.patchify(images, 3), ops.reshape(convolution.kernel, (18, 4)))
    np.testing.assert_allclose(ops.convert_to_numpy(embedded), ops.convert_to_numpy(by_hand), atol=1e-5)


def test_normalised_by_the_patchs_own_mean_and_deviation():
    """1 and 3 lie one deviation from their mean; a flat patch becomes 0, whatever its brightness."""
    found = ops.convert_to_numpy(patches.normalised(np.array([[[1, 3, 1, 3], [7, 7, 7, 7]]], "float32")))
    one = 1 / np.sqrt(1 + 1e-6)
    np.testing.assert_allclose(found, [[[-one, one, -one, one], [0, 0, 0, 0]]], rtol=1e-6)


def test_half_precision_is_normalised_in_float32():
    cut = np.random.default_rng(0).random((1, 3, 16)).astype("float16")
    assert keras.backend.standardize_dtype(patches.normalised(cut).dtype) == "float32"
    expected = ops.convert_to_numpy(patches.normalised(cut.astype("float32")))
    np.testing.assert_array_equal(ops.convert_to_numpy(patches.normalised(cut)), expected)


def test_moments_undo_the_normalisation():
    cut = np.random.default_rng(0).random((2, 3, 16)).astype("float32")
    mean, deviation = patches.moments(cut)
    np.testing.assert_allclose(ops.convert_to_numpy(patches.normalised(cut) * deviation + mean), cut, atol=1e-6)


def test_error_of_hidden_patches_alone():
    """First image: patch 1 of 2 hidden, squares 4 and 16, mean 10. Second: both hidden, means 0 and 1, so 0.5."""
    prediction = np.array([[[9, 9], [2, 4]], [[0, 0], [1, 1]]], "float32")
    found = patches.hidden_error(prediction, np.zeros_like(prediction), np.array([[0, 1], [1, 1]], "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(found), [10, 0.5])


@pytest.mark.parametrize(
    ("shape", "side", "message"),
    [
        ((100, 100), 16, "pretrain.square 16 does not divide images of 100 x 100 pixels: 20 does"),
        ((32, 48), 12, "pretrain.square 12 does not divide images of 32 x 48 pixels: 8 does"),
        ((7, 11), 4, "pretrain.square 4 does not divide images of 7 x 11 pixels: change input.size"),
        ((16, 16), 16, "pretrain.square 16 makes one patch of an image of 16 x 16 pixels"),
    ],
)
def test_a_side_that_does_not_fit_is_told_with_one_that_does(shape, side, message):
    with pytest.raises(AskedWronglyError, match=message):
        patches.grid(*shape, side, key="pretrain.square")
