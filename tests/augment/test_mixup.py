"""MixUp: images and labels by the same share."""

import keras
import numpy as np
import pytest
from scipy import stats

from medtf.augment.mixup import MixUp
from medtf.losses import BinaryLogLoss

IMAGES = np.random.default_rng(0).random((5, 4, 4, 1), dtype="float32")


def test_images_and_labels_take_one_share():
    mixup = MixUp(1.0, seed=1)
    images = keras.ops.convert_to_numpy(mixup(IMAGES, training=True))
    share = float(keras.ops.convert_to_numpy(mixup.share))
    assert 0.01 < share < 0.99
    np.testing.assert_allclose(images, share * IMAGES + (1 - share) * IMAGES[::-1], atol=1e-6)
    labels = np.array([[0.0], [1], [1], [1], [1]], "float32")
    mixed = keras.ops.convert_to_numpy(mixup.mix_labels(labels))
    np.testing.assert_allclose(mixed, [[1 - share], [1], [1], [1], [share]], atol=1e-6)


def test_unknown_stays_unknown_on_both_sides():
    mixup = MixUp(1.0, seed=1)
    mixup(IMAGES, training=True)
    labels = {"a": np.array([[0, np.nan], [1, 0], [1, 0], [0, 1], [1, 1]], "float32"), "age": np.full((5, 1), 60.0)}
    mixed = {name: keras.ops.convert_to_numpy(value) for name, value in mixup.mix_labels(labels).items()}
    expected = np.zeros((5, 2), bool)
    expected[[0, 4], 1] = True
    np.testing.assert_array_equal(np.isnan(mixed["a"]), expected)
    np.testing.assert_allclose(mixed["age"], 60, rtol=1e-6)


def test_integer_labels_become_shares():
    mixup = MixUp(1.0, seed=1)
    mixup.share.assign(0.25)
    mixed = keras.ops.convert_to_numpy(mixup.mix_labels(np.array([[0], [1]])))
    np.testing.assert_allclose(mixed, [[0.75], [0.25]])


def test_before_training_and_without_alpha_labels_are_untouched():
    labels = np.array([[0.0], [1], [0]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(MixUp(0.4).mix_labels(labels)), labels)
    with pytest.warns(UserWarning, match="MixUp does nothing"):
        assert MixUp(0).mix_labels(labels) is labels


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_the_share_is_beta(alpha):
    mixup = MixUp(alpha, seed=0)
    draws = np.array([float(mixup.draw()["share"]) for _ in range(400)])
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 0.001


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_compiled_step_mixes_labels_by_the_share_of_its_images(policy):
    seen = []

    class Model(keras.Model):
        def __init__(self):
            super().__init__(dtype=policy)
            self.mixup = MixUp(1.0, seed=2, dtype=policy)
            self.value = self.add_weight(shape=(), initializer="zeros")

        def call(self, images, training=False):
            mean = keras.ops.mean(self.mixup(images, training=training), axis=(1, 2))
            return keras.ops.cast(mean, "float32") + 0.0 * keras.ops.cast(self.value, "float32")

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            # the label of an image is its mean: mixed alike, they are equal
            return keras.ops.max(keras.ops.abs(self.mixup.mix_labels(y) - y_pred))

    model = Model()
    model.compile("sgd", jit_compile=True)
    for _ in range(3):
        seen.append(model.train_on_batch(IMAGES, IMAGES.mean(axis=(1, 2)), return_dict=True)["loss"])
    assert max(seen) < (1e-5 if policy == "float32" else 0.01)
    assert float(keras.ops.convert_to_numpy(model.mixup.share)) != 1


def test_the_loss_takes_mixed_labels():
    mixup = MixUp(1.0)
    mixup.share.assign(0.25)
    labels = mixup.mix_labels(np.array([[1.0], [np.nan], [1.0], [0.0]], "float32"))  # 0.25, NaN, NaN, 0.75
    loss = float(BinaryLogLoss()(labels, np.full((4, 1), np.log(3), "float32")))  # p = 3/4
    by_hand = -(np.log(3 / 4) + np.log(1 / 4)) / 4  # the shares 1/4 and 3/4 sum to one of each
    assert loss == pytest.approx(by_hand, rel=1e-5)
