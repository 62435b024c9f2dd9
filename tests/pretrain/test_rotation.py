"""Rotation: quarters of a turn, and a network that tells them."""

import keras
import numpy as np
import pytest
from proxy_checks import check_task, encoder, fitted, numpy, task

from medtf.errors import AskedWronglyError
from medtf.pretrain.rotation import turned


def test_as_every_task():
    check_task("rotation")


def test_a_quarter_by_hand():
    """Counterclockwise: what was on the right comes to the top."""
    image = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
    expected = {0: [[1, 2], [3, 4]], 1: [[2, 4], [1, 3]], 2: [[4, 3], [2, 1]], 3: [[3, 1], [4, 2]]}
    for quarters, wanted in expected.items():
        found = keras.ops.convert_to_numpy(turned(image, np.array([quarters])))[0, :, :, 0]
        np.testing.assert_array_equal(found, wanted)


def test_each_example_is_turned_by_its_own():
    images = np.random.default_rng(0).random((8, 5, 5, 3), dtype="float32")
    quarters = np.arange(8) % 4
    found = keras.ops.convert_to_numpy(turned(images, quarters))
    for image, quarter, picture in zip(images, quarters, found, strict=True):
        np.testing.assert_array_equal(picture, np.rot90(image, quarter))


def test_loss_and_score_by_hand():
    """Softmax of (log 3, 0, 0, 0): 1/2 and three sixths; class 0 costs log 2, class 1 costs log 6."""
    made = task("rotation")
    outcome = {"logits": np.array([[np.log(3), 0, 0, 0]] * 2, "float32"), "which": np.array([0, 1], "int32")}
    np.testing.assert_allclose(np.asarray(made.example_losses(outcome)), [np.log(2), np.log(6)], rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(made.example_scores(outcome)["accuracy"]), [1, 0])
    assert made.baseline() == 0.25


def test_validation_asks_for_every_quarter_in_turn():
    images = np.zeros((6, 16, 16, 2), "float32")
    outcome = numpy(task("rotation").attempt(images, training=False))
    np.testing.assert_array_equal(outcome["which"], [0, 1, 2, 3, 0, 1])


def test_classes_beyond_the_size_of_the_batch_are_asked_too():
    """Two images at a time, always the same way: each image tells its own class, so all four quarters come."""
    images = gradients(40).repeat(2, axis=-1)
    made = task("rotation")
    asked = [numpy(made.attempt(images[i : i + 2], training=False))["which"] for i in range(0, 40, 2)]
    again = [numpy(made.attempt(images[i : i + 2], training=False))["which"] for i in range(0, 40, 2)]
    np.testing.assert_array_equal(asked, again)
    assert set(np.ravel(asked)) == {0, 1, 2, 3}


def test_quarters_are_drawn_evenly():
    made = task("rotation")
    images = np.zeros((1000, 16, 16, 2), "float32")
    counts = np.bincount(numpy(made.attempt(images, training=True))["which"], minlength=4)
    assert np.abs(counts - 250).max() < 70  # five standard deviations of 13.7


def gradients(count):
    """Bright at the top, dark at the bottom, with noise."""
    rng = np.random.default_rng(0)
    return np.clip(np.linspace(1, 0, 16)[None, :, None, None] + rng.normal(0, 0.1, (count, 16, 16, 1)), 0, 1).astype(
        "float32"
    )


def test_it_is_learnt_and_the_pictures_turn_back():
    keras.utils.set_random_seed(0)
    made = task("rotation", encoder(channels=1))
    history = fitted(made, gradients(128), epochs=8)
    assert history["val_accuracy"][-1] > 0.9
    pictures = {title: np.asarray(picture) for title, picture in made.pictures(gradients(4)).items()}
    quarters = numpy(made.attempt(gradients(4), training=False))["which"]
    for given, original, quarter in zip(pictures["given"], pictures["original"], quarters, strict=True):
        np.testing.assert_array_equal(given, np.rot90(original, quarter))
    np.testing.assert_array_equal(pictures["the network's answer"], pictures["original"])


def test_images_that_are_not_square_are_refused():
    with pytest.raises(AskedWronglyError, match=r"rotation turns images by a quarter, and input.size is \[16, 24\]"):
        task("rotation", encoder(16, 24))
