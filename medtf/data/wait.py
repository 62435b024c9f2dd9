"""How long the consumer of a data set waits for it, stamped in the graph: Keras calls `next` inside the compiled step."""

import tensorflow as tf


def stamped(dataset: tf.data.Dataset) -> tuple[tf.data.Dataset, "tf.Variable"]:
    """The same elements, and a float64 variable that sums the seconds between asking for one and having it.

    `zip` asks its inputs in turn: a clock, the data set, a clock again. Nothing may be prefetched behind it.
    """
    with tf.device("cpu"):
        seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def clock() -> tf.data.Dataset:
        return tf.data.Dataset.counter().map(lambda _: tf.timestamp(), num_parallel_calls=None)

    def add(asked, element, had):
        seconds.assign_add(had - asked)
        return element

    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    return tf.data.Dataset.zip((clock(), dataset, clock())).map(add).with_options(options), seconds
