"""How the tests of losses call one: each example's value, and the mean with its gradient."""

import keras
import numpy as np
import tensorflow as tf


def values(loss, y_true, y_pred):
    """The loss of each example, before the mean."""
    return keras.ops.convert_to_numpy(loss.call(np.array(y_true, "float32"), np.array(y_pred, "float32")))


def value_and_gradient(loss, y_true, y_pred):
    """The mean, and its gradient by the predictions."""
    y_pred = tf.constant(y_pred, "float32")
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(tf.constant(y_true, "float32"), y_pred)
    return float(value), tape.gradient(value, y_pred).numpy()
