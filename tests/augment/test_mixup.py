"""MixUp: two images by one share, which is kept for the loss."""

import keras
import numpy as np
import pytest
from scipy import stats

from medtf.augment.mixup import MixUp

IMAGES = np.random.default_rng(0).random((5, 4, 4, 1), dtype="float32")


def share_of(mixup):
    return float(keras.ops.convert_to_numpy(mixup.share))


def test_images_take_the_share_that_is_kept():
    mixup = MixUp(1.0, seed=1)
    images = keras.ops.convert_to_numpy(mixup(IMAGES, training=True))
    share = share_of(mixup)
    assert 0.5 <= share < 0.99
    np.testing.assert_allclose(images, share * IMAGES + (1 - share) * IMAGES[::-1], atol=1e-6)


def test_a_small_share_is_turned_around_and_the_batch_holds_the_same_pictures():
    """0.2 of i and 0.8 of j stands where j stood: each place shows more of the example whose label it has."""
    mixup = MixUp(1.0, seed=1)
    images = keras.ops.convert_to_numpy(mixup.apply(IMAGES, {"share": np.float32(0.2)}))
    assert share_of(mixup) == pytest.approx(0.8)
    np.testing.assert_allclose(images[::-1], 0.2 * IMAGES + 0.8 * IMAGES[::-1], atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_the_share_is_beta(alpha):
    mixup = MixUp(alpha, seed=0)
    draws = np.array([float(mixup.draw()["share"]) for _ in range(400)])
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 0.001


def test_without_alpha_nothing_is_mixed():
    with pytest.warns(UserWarning, match="MixUp does nothing"):
        mixup = MixUp(0)
    np.testing.assert_array_equal(mixup(IMAGES, training=True), IMAGES)
    assert share_of(mixup) == 1


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_compiled_step_reads_the_share_of_its_own_images(policy):
    class Model(keras.Model):
        def __init__(self):
            super().__init__(dtype=policy)
            self.mixup = MixUp(1.0, seed=2, dtype=policy)
            self.value = self.add_weight(shape=(), initializer="zeros")

        def call(self, images, training=False):
            mean = keras.ops.mean(self.mixup(images, training=training), axis=(1, 2))
            return keras.ops.cast(mean, "float32") + 0.0 * keras.ops.cast(self.value, "float32")

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            # the label of an image is its mean: a value, and mixed alike they are equal
            labels, predictions, _ = self.mixup.pairs({"mean": y}, {"mean": y_pred}, values=("mean",))
            return keras.ops.max(keras.ops.abs(labels["mean"] - predictions["mean"]))

    model = Model()
    model.compile("sgd", jit_compile=True)
    seen, shares = [], set()
    for _ in range(3):
        seen.append(model.train_on_batch(IMAGES, IMAGES.mean(axis=(1, 2)), return_dict=True)["loss"])
        shares.add(share_of(model.mixup))
    assert max(seen) < (1e-5 if policy == "float32" else 0.01)
    assert len(shares) == 3
