"""Jigsaw: orders far from each other, pieces in their places, and a network that tells the order."""

import keras
import numpy as np
import pytest
from proxy_checks import check_task, encoder, fitted, numpy, task

from medtf.errors import AskedWronglyError
from medtf.pretrain.jigsaw import laid
from medtf.pretrain.orders import orders


def test_as_every_task():
    check_task("jigsaw")


def hamming(found):
    return (found[:, None] != found[None]).sum(axis=-1)


def test_four_orders_of_four_tiles_share_no_place():
    """A Latin square: each tile comes to each place once. A fifth order must share a place with one of them."""
    found = orders(2, 4)
    np.testing.assert_array_equal(found[0], [0, 1, 2, 3])
    np.testing.assert_array_equal(np.sort(found, axis=0), np.arange(4)[:, None].repeat(4, axis=1))
    assert hamming(orders(2, 5))[:4, 4].min() < 4


def test_all_orders_of_four_tiles():
    found = orders(2, 24, seed=3)
    assert len(np.unique(found, axis=0)) == 24
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(4), (24, 1)))


def test_nine_tiles_are_chosen_greedily():
    """Nine orders of nine tiles can share no place at all; each next one is as far as any order could be."""
    found = orders(3, 12)
    distances = hamming(found)
    assert distances[:3, :3][~np.eye(3, dtype=bool)].min() == 9
    rng = np.random.default_rng(0)
    for number in range(1, 12):
        least = distances[number, :number].min()
        others = rng.permuted(np.tile(np.arange(9), (2000, 1)), axis=1)
        assert least >= (others[:, None] != found[None, :number]).sum(axis=-1).min(axis=1).max()


def test_sixteen_tiles_are_sampled():
    found = orders(4, 30)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(16), (30, 1)))
    assert hamming(found)[~np.eye(30, dtype=bool)].min() >= 12


def test_orders_are_a_function_of_the_seed():
    np.testing.assert_array_equal(orders(3, 6, seed=1), orders(3, 6, seed=1))
    assert not np.array_equal(orders(3, 6, seed=1), orders(3, 6, seed=2))


def test_pieces_by_hand():
    """2 x 2 tiles of 4 pixels, pieces of 3: place 0 shows tile 3 from its second row and column on."""
    image = np.arange(1, 65, dtype="float32").reshape(1, 8, 8, 1)
    order, zeros = np.array([[3, 1, 2, 0]], "int32"), np.zeros((1, 4), "int32")
    down = np.array([[1, 0, 0, 0]], "int32")
    found = keras.ops.convert_to_numpy(laid(image, order, down, zeros, rows=(4, 3), columns=(4, 3)))[0, :, :, 0]
    picture = image[0, :, :, 0]
    np.testing.assert_array_equal(found[0:3, 0:3], picture[5:8, 4:7])
    np.testing.assert_array_equal(found[0:3, 4:7], picture[0:3, 4:7])
    np.testing.assert_array_equal(found[4:7, 0:3], picture[4:7, 0:3])
    np.testing.assert_array_equal(found[4:7, 4:7], picture[0:3, 0:3])
    assert (found[3] == 0).all()
    assert (found[:, [3, 7]] == 0).all()


def test_pixels_that_are_left_over_lie_at_both_ends():
    """11 pixels hold three tiles of 3 and one pixel at either end; pieces of 3 leave no gap."""
    image = np.arange(1, 122, dtype="float32").reshape(1, 11, 11, 1)
    order, zeros = np.arange(9, dtype="int32")[None], np.zeros((1, 9), "int32")
    found = keras.ops.convert_to_numpy(laid(image, order, zeros, zeros, rows=(3, 3), columns=(3, 3)))
    expected = image.copy()
    expected[:, [0, 10]] = 0
    expected[:, :, [0, 10]] = 0
    np.testing.assert_array_equal(found, expected)


def test_edges_do_not_go_on_from_tile_to_tile():
    """Of the picture in its own order every piece lies off its place by the jitter, and black lines part them."""
    made = task("jigsaw", encoder(32), grid=2, permutations=2)
    images = np.random.default_rng(0).random((50, 32, 32, 2), dtype="float32") + 0.01
    found = keras.ops.convert_to_numpy(made.changed(images, np.zeros(50, "int32"), training=True))
    assert made.rows == (16, 14)  # 11/75 of 16 is 2
    assert (found[:, [0, 15, 16, 31]] == 0).all()
    assert (found[:, 1:15, 1:15] > 0).all()
    moved = (found[:, 1:15, 1:15] != images[:, 1:15, 1:15]).any(axis=(1, 2, 3))
    assert 0.7 < moved.mean() < 1  # one in nine stands where it stood


def test_chance_and_validation():
    made = task("jigsaw", grid=2, permutations=5)
    assert made.baseline() == pytest.approx(0.2)
    np.testing.assert_array_equal(
        numpy(made.attempt(np.zeros((7, 16, 16, 2), "float32"), training=False))["which"], [0, 1, 2, 3, 4, 0, 1]
    )


def quadrants(count):
    """Four tiles of different brightness, each picture a little darker or brighter than the others."""
    tiles = np.kron(np.array([[0.2, 0.4], [0.6, 0.8]]), np.ones((8, 8)))[None, :, :, None]
    return (tiles + np.random.default_rng(0).uniform(-0.1, 0.1, (count, 1, 1, 1))).astype("float32")


def test_it_is_learnt_and_the_pictures_are_laid_back():
    keras.utils.set_random_seed(0)
    made = task("jigsaw", encoder(channels=1, filters=(16, 32, 32)), permutations=4)
    history = fitted(made, quadrants(128), epochs=8)
    assert history["val_accuracy"][-1] > 0.9
    pictures = {title: np.asarray(picture) for title, picture in made.pictures(quadrants(4)).items()}
    back, original = pictures["the network's answer"], pictures["original"]
    assert np.abs(back - original)[back > 0].max() < 1e-6  # what shows is where it was
    assert (back > 0).mean() > 0.6


def test_what_cannot_be_is_told():
    with pytest.raises(
        AskedWronglyError, match=r"pretrain.permutations: 2 x 2 tiles have 24 orders, and 30 were asked"
    ):
        task("jigsaw", permutations=30)
    with pytest.raises(AskedWronglyError, match=r"pretrain.grid: 4 x 4 tiles of 16 x 16 pixels keep 3 pixels a side"):
        task("jigsaw", grid=4)
