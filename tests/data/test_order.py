"""The order: a pure function of (seed, epoch), with the counts that the policy promises."""

import time
import tracemalloc

import numpy as np
import pytest

from medtf.config import Undersample
from medtf.data.order import Order, classes_of

N = 1000
CLASSES = np.repeat([0, 1, -1], [850, 100, 50])  # 850 normal, 100 bleeding, 50 unknown
PATIENTS = np.arange(N) // 10


def order(policy="none", *, classes=CLASSES, patients=PATIENTS, seed=3, rows=None, **how):
    rows = np.arange(len(classes)) if rows is None else rows
    return Order(rows, classes, patients, Undersample(policy=policy, **how), seed)


@pytest.mark.parametrize("policy", ["none", "fixed", "each_epoch", "weighted"])
def test_pure_function_of_seed_and_epoch(policy):
    one, other = order(policy), order(policy)
    other.epoch(7), other.batches(3, 32)  # what was asked before does not matter
    np.testing.assert_array_equal(one.epoch(5), other.epoch(5))
    assert not np.array_equal(one.epoch(5), one.epoch(6))
    assert not np.array_equal(one.epoch(5), order(policy, seed=4).epoch(5))


def test_none_is_a_permutation_of_the_rows():
    rows = np.arange(N) * 3 + 1
    found = order(rows=rows).epoch(0)
    assert not np.array_equal(found, rows)
    np.testing.assert_array_equal(np.sort(found), rows)


@pytest.mark.parametrize(("ratio", "majority"), [(1, 100), (2.5, 250), (0.5, 50), (100, 850)])
@pytest.mark.parametrize("policy", ["fixed", "each_epoch"])
def test_counts_of_undersampling(policy, ratio, majority):
    one = order(policy, ratio=ratio)
    for epoch in range(3):
        found = one.epoch(epoch)
        assert len(np.unique(found)) == len(found) == one.length()
        assert [int((CLASSES[found] == c).sum()) for c in (0, 1, -1)] == [majority, 100, 50]


def test_fixed_draws_once_and_each_epoch_draws_anew():
    kept = [set(order("fixed").epoch(e)) for e in range(20)]
    assert all(k == kept[0] for k in kept)
    drawn = [set(order("each_epoch").epoch(e)) for e in range(60)]
    assert len(drawn[0] & drawn[1]) < 250
    # after 60 draws of 100 among 850, (1 - 100/850)^60 = 0.05 % of the majority was never seen
    assert len(set.union(*drawn)) > 995


def test_three_classes():
    classes = np.repeat([0, 1, 2], [600, 300, 100])
    found = order("each_epoch", classes=classes, ratio=2).epoch(0)
    np.testing.assert_array_equal(np.bincount(classes[found]), [200, 200, 100])


def test_weighted_draws_classes_equally():
    seen = np.concatenate([order("weighted").epoch(e) for e in range(20)])
    share = np.array([(CLASSES[seen] == c).mean() for c in (0, 1, -1)])
    # unknown rows weigh as much as the average row: 5 %; the rest is halved. Standard error of 20,000 draws: 0.35 %
    np.testing.assert_allclose(share, [0.475, 0.475, 0.05], atol=0.015)


def test_undersampling_of_patients_keeps_patients_whole():
    classes = np.zeros(N, np.int64)
    classes[:100:10] = 1  # one bleeding slice in each of the first ten patients
    one = order("each_epoch", classes=classes, level="patients")
    found = one.epoch(0)
    patients = set(PATIENTS[found])
    assert set(range(10)) <= patients
    assert len(patients) == 20
    assert len(found) == 200
    assert one.epoch(1).size == 200
    assert set(PATIENTS[one.epoch(1)]) != patients


def test_patients_of_unequal_size_still_give_every_epoch_its_steps():
    sizes = np.random.default_rng(0).integers(1, 40, 60)
    patients = np.repeat(np.arange(60), sizes)
    one = order("each_epoch", classes=(patients < 10).astype(int), patients=patients, level="patients")
    steps = one.steps(16)
    for epoch in range(30):
        batches = one.batches(epoch, 16)
        assert batches.shape == (steps, 16)
        assert set(batches.ravel()) <= set(one.epoch(epoch))


@pytest.mark.parametrize("policy", ["none", "each_epoch", "weighted"])
def test_shards_partition_the_batch_and_seeking_skips(policy):
    one = order(policy)
    whole = one.batches(2, 24)
    assert whole.shape == (one.steps(24), 24)
    np.testing.assert_array_equal(whole.ravel(), one.epoch(2)[: whole.size])
    shards = [one.batches(2, 24, shard=(i, 4)) for i in range(4)]
    for step, batch in enumerate(whole):
        np.testing.assert_array_equal(np.sort(np.concatenate([s[step] for s in shards])), np.sort(batch))
    np.testing.assert_array_equal(one.batches(2, 24, step=3), whole[3:])
    np.testing.assert_array_equal(one.batches(2, 24, step=3, shard=(1, 4)), shards[1][3:])
    assert one.batches(2, 24, step=len(whole)).shape == (0, 24)


@pytest.mark.parametrize("policy", ["none", "each_epoch", "weighted"])
def test_a_million_rows(policy):
    classes = (np.arange(1_000_000) % 7 == 0).astype(np.int64)
    one = order(policy, classes=classes, patients=np.arange(1_000_000) // 35)
    start = time.process_time()
    one.batches(0, 32, step=1000)
    assert time.process_time() - start < 1
    tracemalloc.start()
    one.batches(1, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


def test_classes_of():
    np.testing.assert_array_equal(classes_of(np.array([[0], [1], [np.nan]], np.float32)), [0, 1, -1])
    one_hot = np.array([[0, 0, 1], [1, 0, 0], [np.nan] * 3], np.float32)
    np.testing.assert_array_equal(classes_of(one_hot), [2, 0, -1])
