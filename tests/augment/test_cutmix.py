"""CutMix: a box of the partner; the share is what is left, counted. And one of two mixings a batch."""

import importlib.util

import keras
import numpy as np
import pytest
from layers import check_layer, numpy, on_jax, step_of_all

from medtf.augment.cutmix import CutMix, box
from medtf.augment.mix_either import MixUpOrCutMix, layer
from medtf.augment.mixup import MixUp

IMAGES = np.random.default_rng(0).random((4, 8, 10, 1), dtype="float32")
VOLUMES = np.random.default_rng(0).normal(size=(4, 6, 7, 8, 1)).astype("float32")
EVERY = [
    (made, images) for made in (CutMix(1.0, seed=0), MixUpOrCutMix(0.8, 1.0, seed=0)) for images in (IMAGES, VOLUMES)
]


@pytest.mark.parametrize(("made", "images"), EVERY)
def test_as_every_random_layer(made, images, tmp_path):
    check_layer(made, images, tmp_path, dtypes=("float16",))


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
def test_on_jax_with_the_numbers_of_tensorflow(tmp_path):
    on_jax(EVERY, {}, tmp_path)


def test_a_compiled_step():
    step_of_all([CutMix(1.0, seed=0), MixUpOrCutMix(seed=1)], IMAGES)


def test_a_box_by_hand():
    """3/4 stay: half of each side is cut. About the middle of 8 x 10 pixels: rows 2 to 5, columns 3 to 7 (2.5 to 7.5)."""
    found = numpy(box(0.75, [0.5, 0.5], (8, 10)))[0, :, :, 0]
    expected = np.zeros((8, 10))
    expected[2:6, 2:7] = 1  # the middles of columns 2 to 6 lie in [2.5, 7.5)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("share", "area"), [(1.0, 0), (0.0, 64)])
def test_a_box_of_nothing_and_of_all(share, area):
    assert numpy(box(share, [0.5, 0.5], (8, 8))).sum() == area


def test_the_share_is_the_true_area_after_the_edge_has_cut_the_box():
    """The box of a quarter of 8 x 8 about a corner: 4 x 4 pixels, of which 2 x 2 lie inside: 60 of 64 stay."""
    cutmix = CutMix(1.0)
    images = np.random.default_rng(1).random((3, 8, 8, 2), dtype="float32")
    mixed = numpy(cutmix.apply(images, {"share": np.float32(0.75), "center": np.zeros(2, "float32")}))
    assert float(numpy(cutmix.share)) == pytest.approx(60 / 64)
    np.testing.assert_array_equal(mixed[:, :2, :2], images[::-1, :2, :2])
    np.testing.assert_array_equal(mixed[:, 2:], images[:, 2:])
    np.testing.assert_array_equal(mixed[:, :2, 2:], images[:, :2, 2:])


def test_a_box_of_more_than_half_is_told_from_the_partner():
    """9/16 of the area are cut: each place then keeps its own box, and the frame is the partner's."""
    cutmix = CutMix(1.0)
    images = np.random.default_rng(1).random((2, 8, 8, 1), dtype="float32")
    mixed = numpy(cutmix.apply(images, {"share": np.float32(7 / 16), "center": np.full(2, 0.5, "float32")}))
    assert float(numpy(cutmix.share)) == pytest.approx(36 / 64)
    np.testing.assert_array_equal(mixed[:, 1:7, 1:7], images[:, 1:7, 1:7])
    np.testing.assert_array_equal(mixed[:, 0], images[::-1, 0])


def test_the_share_of_a_volume_is_that_of_voxels():
    cutmix = CutMix(1.0)
    volumes = np.zeros((2, 8, 8, 8, 1), "float32")
    cutmix.apply(volumes, {"share": np.float32(7 / 8), "center": np.full(3, 0.5, "float32")})
    assert float(numpy(cutmix.share)) == pytest.approx(7 / 8)  # half of each side: an eighth


def test_pixels_are_never_blended_and_their_number_is_the_share():
    cutmix = CutMix(1.0, seed=5)
    images = np.stack([np.zeros((16, 16, 1)), np.ones((16, 16, 1))]).astype("float32")
    shares = []
    for _ in range(20):
        mixed = numpy(cutmix(images, training=True))
        assert set(np.unique(mixed)) <= {0.0, 1.0}
        shares.append(float(numpy(cutmix.share)))
        assert mixed[1].mean() == pytest.approx(shares[-1], abs=1e-6)
    assert min(shares) >= 0.5
    assert np.ptp(shares) > 0.2


def test_one_of_the_two_is_drawn_for_each_batch():
    either = MixUpOrCutMix(1.0, 1.0, seed=3)
    images = np.stack([np.zeros((16, 16, 1)), np.ones((16, 16, 1))]).astype("float32")
    cut = []
    for _ in range(40):
        mixed = numpy(either(images, training=True))
        assert mixed[1].mean() == pytest.approx(float(numpy(either.share)), abs=1e-6)
        cut.append(set(np.unique(mixed)) <= {0.0, 1.0})
    assert 10 < sum(cut) < 30  # 20 expected; 10 and 30 lie three deviations off


def test_what_the_two_keys_ask_for():
    assert layer(0, 0) is None
    assert type(layer(0.2, 0)) is MixUp
    assert type(layer(0, 1.0)) is CutMix
    both = layer(0.2, 1.0)
    assert (type(both), both.mixup, both.cutmix) == (MixUpOrCutMix, 0.2, 1.0)


def test_strengths_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"`alpha`: expected a number in \[0, inf\), got -1"):
        CutMix(-1)
    with pytest.raises(ValueError, match=r"expected both over 0, got 0\.2 and 0"):
        MixUpOrCutMix(0.2, 0)
