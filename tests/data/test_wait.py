"""The clock in the graph: how long the consumer waited, measured against sleeps of known length."""

import time

import pytest
import tensorflow as tf

from medtf.data.wait import stamped


def sleeper(seconds, n=10):
    def wait(x):
        time.sleep(seconds)
        return x

    return tf.data.Dataset.range(n).map(lambda x: tf.numpy_function(wait, [x], tf.int64))


def test_a_slow_data_set_is_measured():
    ds, seconds = stamped(sleeper(0.05))
    assert [int(x) for x in ds] == list(range(10))
    assert 0.5 <= float(seconds) < 0.8


def test_a_fast_data_set_takes_no_time():
    ds, seconds = stamped(tf.data.Dataset.range(10))
    assert len(list(ds)) == 10
    assert float(seconds) < 0.05


def test_a_prefetched_data_set_that_keeps_up_takes_no_time():
    ds, seconds = stamped(sleeper(0.01).prefetch(10))
    for _ in ds:
        time.sleep(0.03)  # the consumer is the slow one
    assert float(seconds) < 0.1  # the first element alone: 0.01 s


def test_the_sum_goes_on_over_iterations_and_inside_a_function():
    ds, seconds = stamped(sleeper(0.02, n=5))

    @tf.function
    def consume():
        total = tf.constant(0, tf.int64)
        for x in ds:
            total += x
        return total

    assert int(consume()) == 10
    first = float(seconds)
    assert int(consume()) == 10
    assert float(seconds) == pytest.approx(2 * first, rel=0.5)
    assert first >= 0.1
