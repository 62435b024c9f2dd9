"""Context restoration: squares change places, and are put back."""

import keras
import numpy as np
import pytest
from proxy_checks import IMAGES, asked, check_task, encoder, fitted, task

from medtf.errors import AskedWronglyError
from medtf.pretrain.restore import lattice, partners, swapped


@pytest.mark.slow
def test_as_every_task():
    check_task("restore")


def test_pairs_by_hand():
    """The smallest numbers stand at places 2, 0, 3, 1: 2 and 0 change with each other, and with two swaps 3 and 1."""
    numbers = np.array([[20, 40, 10, 30, 50]], "int32")
    np.testing.assert_array_equal(np.asarray(partners(numbers, 1)), [[2, 1, 0, 3, 4]])
    np.testing.assert_array_equal(np.asarray(partners(numbers, 2)), [[2, 3, 0, 1, 4]])


def test_squares_by_hand():
    """A lattice of 1 x 2 squares of 2 pixels that begins at row 1, column 1 of 4 x 6 pixels: rows 1 and 2 change sides."""
    image = np.arange(24, dtype="float32").reshape(1, 4, 6, 1)
    place = np.array([[1]], "int32")
    found = keras.ops.convert_to_numpy(swapped(image, np.array([[1, 0]], "int32"), place, place, lattice=(1, 2, 2)))[
        0, :, :, 0
    ]
    expected = [[0, 1, 2, 3, 4, 5], [6, 9, 10, 7, 8, 11], [12, 15, 16, 13, 14, 17], [18, 19, 20, 21, 22, 23]]
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_lost_and_as_many_pixels_move_as_were_asked_for():
    made = task("restore", encoder(32), swaps=5)
    images = np.random.default_rng(0).permutation(6 * 32 * 32 * 2).reshape(6, 32, 32, 2).astype("float32")
    for _ in range(3):
        found = asked(made, True, images)
        for before, after in zip(images, found, strict=True):
            np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
            assert (before != after).any(axis=-1).sum() == 5 * 2 * 4 * 4


def test_the_lattice_moves():
    made = task("restore", encoder(32), swaps=20)
    tops = set()
    for _ in range(4):
        moved = (asked(made, True, np.random.default_rng(0).random((8, 32, 32, 2), dtype="float32"))).astype("float32")
        still = moved == np.random.default_rng(0).random((8, 32, 32, 2), dtype="float32")
        tops |= {int(np.argmin(one.all(axis=(1, 2)))) for one in still}
    assert len(tops) >= 3


@pytest.mark.parametrize(("size", "expected"), [((64, 64), (7, 7, 8)), ((64, 80), (7, 9, 8)), ((66, 64), (8, 7, 8))])
def test_the_lattice(size, expected):
    assert lattice(*size, 10) == expected


def test_more_swaps_than_squares_are_refused():
    said = r"pretrain.swaps: 25 pairs are 50 squares, and an image of 64 x 64 has room for 49 of 8 x 8 pixels: set it to 24"
    with pytest.raises(AskedWronglyError, match=said):
        lattice(64, 64, 25)


def test_the_loss_by_hand():
    made = task("restore")
    outcome = {"restored": np.zeros((2, 2, 2, 1), "float32"), "target": np.zeros((2, 2, 2, 1), "float32")}
    outcome["target"][1, 0, 0, 0] = 2
    np.testing.assert_allclose(np.asarray(made.example_losses(outcome)), [0, 1])


def test_the_target_is_the_image_as_the_network_would_have_got_it():
    """After augmentation, and never the changed one."""
    darker = keras.layers.Rescaling(0.5)
    outcome = task("restore", augmentation=[darker])(IMAGES, training=True)
    np.testing.assert_allclose(np.asarray(outcome["target"]), IMAGES / 2, rtol=1e-6)


def test_it_learns_to_do_better_than_to_leave_everything_as_it_is():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    plane = np.linspace(0, 1, 16)[None, :, None, None] + rng.normal(0, 0.02, (32, 16, 16, 1))
    images = np.clip(plane, 0, 1).astype("float32")
    made = task("restore", encoder(channels=1), swaps=10)
    untouched = np.mean((asked(made, False, images) - images) ** 2)
    history = fitted(made, images, epochs=12, rate=0.001, batch=8)
    assert history["val_loss"][-1] < 0.5 * untouched
