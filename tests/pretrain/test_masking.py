"""Masks: the hash against plain integers, fair shares, the count of the steps, and the same masks on both backends."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from medtf.pretrain import masking

PLACES, SHARE = 49, 0.75


def masks(step, batch, *, places=PLACES, share=SHARE, seed=7):
    """ids, hidden and rank as arrays."""
    found = masking.visible(seed, np.uint32(step), batch, places, share=share)
    return [ops.convert_to_numpy(one) for one in found]


def lowbias32(x: int) -> int:
    """The published function, in Python's own integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ x >> 16


@pytest.mark.parametrize("seed", [0, 7, -1, 2**40 + 5])
def test_draws_are_the_hash_of_their_counts(seed):
    golden = 0x9E3779B9
    step = lowbias32((lowbias32(seed % 2**32) + 5 * golden) % 2**32)
    expected = np.zeros((3, 4), np.uint32)
    for example in range(3):
        row = lowbias32((step + golden * example) % 2**32)
        expected[example] = [lowbias32((row + golden * (place + 1)) % 2**32) for place in range(4)]
    found = masking.draws(seed, np.uint32(5), 3, 4)
    assert keras.backend.standardize_dtype(found.dtype) == "uint32"
    np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)


@pytest.mark.parametrize(
    ("places", "share", "count"),
    [(196, 0.75, 49), (196, 0.9, 20), (9, 0.5, 4), (4, 0.99, 1), (4, 0.01, 3), (2, 0.5, 1)],
)
def test_how_many_are_visible(places, share, count):
    assert masking.visible_count(places, share) == count
    ids, hidden, _ = masks(1, 5, places=places, share=share)
    assert ids.shape == (5, count)
    np.testing.assert_array_equal(hidden.sum(axis=1), places - count)


def test_ids_mask_and_rank_tell_the_same():
    ids, hidden, rank = masks(1, 20)
    assert (ids.dtype, hidden.dtype, rank.dtype) == (np.int32, np.float32, np.int32)
    for example in range(20):
        assert sorted(rank[example]) == list(range(PLACES))
        assert set(ids[example]) == set(np.flatnonzero(hidden[example] == 0))
        np.testing.assert_array_equal(rank[example][ids[example]], np.arange(ids.shape[1]))


def test_every_place_is_hidden_equally_often():
    """Chi-square over the places; the ids' first column as well, for the order of the visible ones is random too."""
    examples = 4000
    ids, hidden, _ = masks(3, examples)
    seen = (1 - hidden).sum(axis=0)
    # v of n drawn without putting back: counts vary by (1 - v / n) less than independent ones, and sum to a constant
    expected = examples * ids.shape[1] / PLACES
    variance = expected * (1 - ids.shape[1] / PLACES) * PLACES / (PLACES - 1)
    assert 1e-4 < stats.chi2.sf(((seen - expected) ** 2 / variance).sum(), PLACES - 1) < 1 - 1e-4
    assert 1e-4 < stats.chisquare(np.bincount(ids[:, 0], minlength=PLACES)).pvalue < 1 - 1e-4


def test_steps_examples_and_seeds_draw_independently():
    """Two masks of 49 places, 12 visible in each, share 12 * 12 / 49 of them by chance."""
    _, one, _ = masks(1, 2000)
    others = {"step": masks(2, 2000)[1], "seed": masks(1, 2000, seed=8)[1], "example": np.roll(one, 1, axis=0)}
    for name, other in others.items():
        common = ((1 - one) * (1 - other)).sum(axis=1)
        assert abs(common.mean() - 12 * 12 / 49) < 4 * common.std() / np.sqrt(2000), name


def test_neighbouring_places_are_hidden_independently():
    """Of the 49 pairs around a ring, 12 * 11 / 48 are visible both."""
    _, hidden, _ = masks(1, 2000)
    common = ((1 - hidden) * (1 - np.roll(hidden, 1, axis=1))).sum(axis=1)
    assert abs(common.mean() - 12 * 11 / 48) < 4 * common.std() / np.sqrt(2000)


def test_a_smaller_batch_begins_with_the_same_masks():
    np.testing.assert_array_equal(masks(1, 3)[2], masks(1, 8)[2][:3])


def test_training_counts_and_validation_does_not():
    layer, batch = masking.Masks(PLACES, SHARE, seed=7), np.zeros((4, 2))
    drawn = [ops.convert_to_numpy(layer(batch, training=True)[1]) for _ in range(2)]
    fixed = [ops.convert_to_numpy(layer(batch, training=False)[1]) for _ in range(2)]
    for step, found in ((1, drawn[0]), (2, drawn[1]), (0, fixed[0]), (0, fixed[1])):
        np.testing.assert_array_equal(found, masks(step, 4)[1])
    assert len({one.tobytes() for one in fixed[0]}) == 4  # the examples of a batch differ
    assert int(layer.step) == 2
    assert not layer.trainable_weights


def test_a_resumed_count_goes_on_with_the_masks_that_would_have_come():
    straight, cut, resumed = (masking.Masks(PLACES, SHARE, seed=7) for _ in range(3))
    batch = np.zeros((4, 2))
    for layer in (straight, cut):
        layer(batch, training=True)
    resumed.set_weights(cut.get_weights())
    expected, found = (ops.convert_to_numpy(layer(batch, training=True)[1]) for layer in (straight, resumed))
    np.testing.assert_array_equal(found, expected)


def test_the_count_goes_around_after_four_thousand_million_steps():
    layer = masking.Masks(PLACES, SHARE, seed=7)
    layer.set_weights([np.uint32(2**32 - 1)])
    layer(np.zeros((1, 2)), training=True)
    assert int(layer.step) == 0


def test_rows_are_taken_each_from_its_own_example():
    rows = np.arange(12, dtype="float32").reshape(2, 3, 2)
    found = masking.taken(ops.convert_to_tensor(rows), ops.convert_to_tensor(np.array([[2, 0], [1, 1]], "int32")))
    np.testing.assert_array_equal(ops.convert_to_numpy(found), [[[4, 5], [0, 1]], [[8, 9], [8, 9]]])


def test_squares_of_pixels():
    found = ops.convert_to_numpy(masking.squares(np.array([[1, 0]], "float32"), 1, 2, 2))
    np.testing.assert_array_equal(found[0, :, :, 0], [[1, 1, 0, 0], [1, 1, 0, 0]])


ON_JAX = """
import sys, jax, numpy as np, keras
from medtf.pretrain import masking
assert keras.backend.backend() == "jax"
for places, share in ((49, 0.75), (196, 0.9), (1024, 0.5)):
    plain = masking.visible(7, np.uint32(11), 5, places, share=share)
    compiled = jax.jit(lambda step: masking.visible(7, step, 5, places, share=share))(np.uint32(11))
    for name, one, other in zip(("ids", "hidden", "rank"), plain, compiled):
        np.testing.assert_array_equal(one, other)
        np.save(f"{sys.argv[1]}/{places}_{name}.npy", one)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
def test_tensorflow_and_jax_hide_the_same_patches(tmp_path):
    import tensorflow as tf

    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", ON_JAX, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    for places, share in ((49, 0.75), (196, 0.9), (1024, 0.5)):

        def draw(step, places=places, share=share):
            return masking.visible(7, step, 5, places, share=share)

        compiled = tf.function(draw, jit_compile=True, autograph=False)(tf.constant(11, tf.uint32))
        for name, one, through in zip(("ids", "hidden", "rank"), draw(np.uint32(11)), compiled, strict=True):
            expected = np.load(tmp_path / f"{places}_{name}.npy")
            np.testing.assert_array_equal(one.numpy(), expected)
            np.testing.assert_array_equal(through.numpy(), expected)
