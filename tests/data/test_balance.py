"""`undersample: balanced`: several targets at once, with replacement."""

import time

import numpy as np
import pandas as pd
import pytest

from medtf import config as configs
from medtf.data.dataset import order_of
from medtf.data.order import Order, balanced_weights
from medtf.errors import AskedWronglyError, MedtfError
from medtf.schema_data import Undersample

NAN = np.nan


def column(*values):
    return np.array(values, np.float32)[:, None]


def order(labels, seed=3):
    n = len(next(iter(labels.values())))
    rows, none = np.arange(n), np.zeros(n, np.int64)
    return Order(rows, none, rows, Undersample(policy="balanced"), seed, balanced_weights(labels))


def test_two_targets_by_hand():
    """a: 1 in 4 and 3 in 4; b: of three known ones 1 in 3 and 2 in 3; a row has the mean over what is known of it."""
    found = balanced_weights({"a": column(1, 0, 0, 0), "b": column(0, 1, NAN, 0)})
    np.testing.assert_allclose(found, [(4 + 3 / 2) / 2, (4 / 3 + 3) / 2, 4 / 3, (4 / 3 + 3 / 2) / 2])


def test_a_row_that_nobody_labelled_weighs_like_the_average():
    found = balanced_weights({"a": column(1, 0, 0, NAN)})
    np.testing.assert_allclose(found, [3, 1.5, 1.5, 2])


def test_classes_and_a_target_with_one_class():
    one_hot = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [NAN] * 3], np.float32)
    np.testing.assert_allclose(balanced_weights({"site": one_hot}), [1.5, 1.5, 3, 2])
    same = balanced_weights({"site": one_hot, "nobody": column(0, 0, 0, 0)})
    np.testing.assert_allclose(same, [1.5, 1.5, 3, 2])
    assert balanced_weights({"nobody": column(0, 0, NAN)}) is None
    assert balanced_weights({}) is None


def test_each_class_of_each_target_brings_the_same_weight():
    rng = np.random.default_rng(0)
    labels = {name: (rng.random((500, 1)) < share).astype(np.float32) for name, share in (("a", 0.02), ("b", 0.3))}
    found = balanced_weights(labels)
    # alone each target's classes weigh alike; the mean of the two is drawn by both
    parts = [balanced_weights({name: values}) for name, values in labels.items()]
    np.testing.assert_allclose(found, (parts[0] + parts[1]) / 2)
    for name, part in zip(labels, parts, strict=True):
        yes = labels[name][:, 0] == 1
        assert part[yes].sum() == pytest.approx(part[~yes].sum())


def test_draws_are_with_replacement_by_the_weights_and_pure():
    labels = {"a": column(*[1] * 20, *[0] * 180)}
    one = order(labels)
    assert one.length() == 200
    seen = np.concatenate([one.epoch(e) for e in range(50)])
    # both classes a half; standard error of 10,000 draws: 0.5 %
    assert (seen < 20).mean() == pytest.approx(0.5, abs=0.02)
    assert len(np.unique(one.epoch(0))) < 200
    np.testing.assert_array_equal(one.epoch(7), order(labels).epoch(7))
    assert not np.array_equal(one.epoch(7), one.epoch(8))
    assert not np.array_equal(one.epoch(7), order(labels, seed=4).epoch(7))
    np.testing.assert_array_equal(one.batches(2, 16, step=3), one.batches(2, 16)[3:])


def test_a_million_rows_and_fourteen_findings():
    rng = np.random.default_rng(0)
    labels = {f"f{i}": (rng.random((1_000_000, 1)) < 0.05).astype(np.float32) for i in range(14)}
    start = time.process_time()
    one = order(labels)
    one.batches(0, 32, step=1000)
    assert time.process_time() - start < 5


class Rows:
    """What `order_of` takes of a table."""

    def __init__(self, **columns):
        self.frame = pd.DataFrame({"patient": ["p"] * len(next(iter(columns.values()))), **columns})

    def __len__(self):
        return len(self.frame)


def config(targets, **undersample):
    raw = {"pipeline": "table", "targets": targets, "data": {"undersample": {"policy": "balanced", **undersample}}}
    return configs.parse(raw)


def test_regressions_do_not_count():
    table = Rows(sick=[1, 0, 0, 0], age=[20, 30, 40, 50])
    found = order_of(table, config({"age": "regression", "sick": "binary"}))
    np.testing.assert_allclose(found.weights, [4, 4 / 3, 4 / 3, 4 / 3])


def test_what_cannot_be_balanced_is_told():
    said = "balanced: none of the targets age has two classes in the training fold"
    with pytest.raises(MedtfError, match=said):
        order_of(Rows(age=[20, 30]), config({"age": "regression"}))
    with pytest.raises(MedtfError, match="none of the targets sick has two classes"):
        order_of(Rows(sick=[0, 0]), config({"sick": "binary"}))
    said = r"data\.undersample: balanced goes by all targets: remove `target: sick`, or set `policy: weighted`"
    with pytest.raises(AskedWronglyError, match=said):
        config({"sick": "binary"}, target="sick")
