"""Flip, affine and erase against NumPy."""

import keras
import numpy as np
import pytest

from medtf.augment.affine import RandomAffine
from medtf.augment.erase import RandomErase
from medtf.augment.flip import RandomFlip

IMAGES = np.random.default_rng(0).random((3, 9, 9, 2), dtype="float32")


def affine(images, **draws):
    still = {"angle": 0.0, "zoom": 1.0, "down": 0.0, "right": 0.0}
    values = {name: np.full(len(images), value, "float32") for name, value in (still | draws).items()}
    return keras.ops.convert_to_numpy(RandomAffine(rotate=10).apply(images, values))


def test_flip_twice_is_the_identity():
    layer, draws = RandomFlip(), {"flip": np.array([True, False, True])}
    once = keras.ops.convert_to_numpy(layer.apply(IMAGES, draws))
    np.testing.assert_array_equal(once[0], IMAGES[0, :, ::-1])
    np.testing.assert_array_equal(once[1], IMAGES[1])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.apply(once, draws)), IMAGES)


def test_flip_has_its_probability():
    flips = keras.ops.convert_to_numpy(RandomFlip(0.3, seed=0).draw((2000, 1, 1, 1))["flip"])
    assert flips.mean() == pytest.approx(0.3, abs=0.04)


def test_still_affine_is_the_identity():
    np.testing.assert_array_equal(affine(IMAGES), IMAGES)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_those_of_numpy(side, quarters):
    images = IMAGES[:, :side, :side]
    turned = affine(images, angle=quarters * np.pi / 2)
    np.testing.assert_allclose(turned, np.rot90(images, quarters, axes=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, -3), (-1, 4)])
def test_whole_pixels_are_a_roll_with_zeros(down, right):
    images = IMAGES[:, :8]  # not square
    expected = np.roll(images, (down, right), axis=(1, 2))
    expected[:, :down] = 0 if down > 0 else expected[:, :down]
    expected[:, 8 + min(down, 0) :] = 0
    expected[:, :, : max(right, 0)] = 0
    expected[:, :, 9 + min(right, 0) :] = 0
    np.testing.assert_allclose(affine(images, down=down / 8, right=right / 9), expected, atol=1e-5)


def test_half_a_pixel_is_the_mean_of_two():
    moved = affine(IMAGES, right=0.5 / 9)
    np.testing.assert_allclose(moved[:, :, 1:], (IMAGES[:, :, 1:] + IMAGES[:, :, :-1]) / 2, atol=1e-5)
    np.testing.assert_allclose(moved[:, :, 0], IMAGES[:, :, 0] / 2, atol=1e-5)  # the other half is air


def test_zoom_above_one_magnifies_about_the_centre():
    ramp = np.broadcast_to(np.arange(9, dtype="float32")[None, :, None, None], (1, 9, 9, 1))
    np.testing.assert_allclose(affine(ramp, zoom=2)[0, :, 4, 0], 4 + (np.arange(9) - 4) / 2, atol=1e-5)


def test_all_outside_is_zero():
    assert np.abs(affine(IMAGES + 1, right=1.5)).max() == 0


def test_affine_draws_cover_their_ranges():
    draws = RandomAffine(rotate=30, zoom=0.2, translate=0.1, seed=0).draw((4000, 9, 9, 1))
    bounds = {"angle": (-np.pi / 6, np.pi / 6), "zoom": (0.8, 1.2), "down": (-0.1, 0.1), "right": (-0.1, 0.1)}
    for name, (low, high) in bounds.items():
        values = keras.ops.convert_to_numpy(draws[name])
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    assert abs(np.corrcoef(draws["angle"], draws["zoom"])[0, 1]) < 0.06


def test_erase_fills_one_rectangle():
    draws = {
        "chosen": [True, False, True],
        "top": [0.2, 0, 0],
        "left": [0.5, 0, 0.9],
        "height": [0.4, 1, 1],
        "width": [0.3, 1, 1],
    }
    images = np.ones((3, 10, 10, 2), "float32")
    erased = keras.ops.convert_to_numpy(RandomErase().apply(images, {n: np.float32(v) for n, v in draws.items()}))
    expected = images.copy()
    expected[0, 2:6, 5:8] = 0
    expected[2, :, 9:] = 0
    np.testing.assert_array_equal(erased, expected)


def test_erased_areas_and_places():
    draws = RandomErase(0.4, seed=0).draw((3000, 1, 1, 1))
    draws = {name: keras.ops.convert_to_numpy(value) for name, value in draws.items()}
    area, ratio = draws["height"] * draws["width"], draws["height"] / draws["width"]
    assert 0.02 <= area.min() < 0.021
    assert 0.199 < area.max() <= 0.2001
    assert 0.299 < ratio.min() < 0.31
    assert 3.2 < ratio.max() < 3.334
    assert draws["top"].min() >= 0
    assert (draws["top"] + draws["height"]).max() <= 1.0001
    assert (draws["left"] + draws["width"]).max() <= 1.0001
    assert draws["chosen"].mean() == pytest.approx(0.4, abs=0.04)
