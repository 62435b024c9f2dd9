"""Positions in two dimensions: by hand, stretched, and in their layer."""

import keras
import numpy as np
import pytest

from medtf.models.vit.positions import Positions, interpolated, sin_cos


def test_a_grid_of_two_by_two_by_hand():
    """Width 8: two frequencies, 1 and 10000^(-1/2) = 0.01; column first, as in the code published with He 2022."""
    s, t, c, d = np.sin(1.0), np.sin(0.01), np.cos(1.0), np.cos(0.01)
    at_0, at_1 = [0, 0, 1, 1], [s, t, c, d]  # sines of both frequencies, then cosines
    expected = [at_0 + at_0, at_1 + at_0, at_0 + at_1, at_1 + at_1]  # (row, column): 0 0, 0 1, 1 0, 1 1
    found = sin_cos(2, 2, 8)
    assert (found.shape, found.dtype) == ((1, 4, 8), np.float32)
    np.testing.assert_allclose(found[0], expected, atol=1e-7)


def test_every_place_of_an_oblong_grid_is_another_and_all_are_as_long():
    found = sin_cos(3, 5, 64)[0]
    np.testing.assert_allclose((found**2).sum(axis=1), 32, rtol=1e-5)  # sin^2 + cos^2 = 1 for each of 32 pairs
    apart = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert apart[~np.eye(15, dtype=bool)].min() > 0.5
    np.testing.assert_array_equal(found[1, 32:], found[0, 32:])  # neighbours in a row share it
    np.testing.assert_array_equal(found[5, :32], found[0, :32])  # and those in a column theirs


def test_a_width_that_four_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"`width`: expected a multiple of 4, got 6"):
        sin_cos(2, 2, 6)


def test_at_the_same_size_positions_stay_as_they_are():
    positions = np.random.default_rng(0).normal(size=(1, 6, 4)).astype("float32")
    np.testing.assert_array_equal(interpolated(positions, (2, 3), (2, 3)), positions)


def test_stretched_positions_follow_a_slope_and_do_not_mix_channels():
    """Bicubic interpolation meets a straight line exactly where all four neighbours are there; pixel centres stay aligned."""
    row, column = np.divmod(np.arange(24, dtype="float32"), 6)
    found = interpolated(np.stack([row, column, row * 0], axis=-1)[None], (4, 6), (8, 12))
    assert (found.shape, found.dtype) == ((1, 96, 3), np.float32)
    rows, columns, nothing = np.moveaxis(found.reshape(8, 12, 3), -1, 0)
    np.testing.assert_allclose(rows[3:5, 0], [(3 + 0.5) / 2 - 0.5, (4 + 0.5) / 2 - 0.5], atol=1e-5)
    np.testing.assert_allclose(columns[0, 3:9], (np.arange(3, 9) + 0.5) / 2 - 0.5, atol=1e-5)
    assert (np.diff(rows, axis=0) > 0).all()
    assert (np.diff(columns, axis=1) > 0).all()
    np.testing.assert_allclose(nothing, 0, atol=1e-6)


def test_stretched_positions_tell_neighbours_from_those_far_away():
    """What a network learnt of nearness survives: each new place is nearest to the old one that it lies on."""
    old, new = sin_cos(4, 4, 64)[0], interpolated(sin_cos(4, 4, 64), (4, 4), (8, 8))[0]
    row, column = np.divmod(np.arange(64), 8)
    nearest = np.linalg.norm(new[:, None] - old[None], axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(nearest, row // 2 * 4 + column // 2)


def test_positions_of_another_grid_are_refused():
    with pytest.raises(ValueError, match=r"expected \(1, 2 \* 3, width\) for a grid of 2 x 3 patches, got \(1, 5, 4\)"):
        interpolated(np.zeros((1, 5, 4)), (2, 3), (4, 6))
    with pytest.raises(ValueError, match=r"positions: expected 2 x 3 = 6 patches, got 5"):
        Positions((2, 3), name="positions")(np.zeros((1, 5, 4), "float32"))


def test_the_layer_adds_them_and_training_leaves_them_alone():
    layer = Positions((2, 3))
    tokens = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(tokens)), tokens + sin_cos(2, 3, 8), atol=1e-6)
    assert layer.trainable_weights == []
    assert [tuple(weight.shape) for weight in layer.weights] == [(1, 6, 8)]
    layer.set_weights([np.ones((1, 6, 8))])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(tokens)), tokens + 1, atol=1e-6)


def test_the_layer_keeps_float32_positions_in_half_precision():
    layer = Positions((2, 3), dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(np.zeros((1, 6, 8), "float32")).dtype) == "bfloat16"
    assert layer.positions.dtype == "float32"
    np.testing.assert_array_equal(layer.get_weights()[0], sin_cos(2, 3, 8))
