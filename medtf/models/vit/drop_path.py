"""Stochastic depth: some examples skip a branch, in training only."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medtf")
class DropPath(keras.layers.Layer):
    """Set a whole branch to zero for each example with probability `rate`, and divide what stays by the share that stays.

    It stands at the end of a branch, before the sum with what went around it: an example whose branch is dropped goes through the block
    unchanged. The division keeps the expected value, so nothing changes between training and judgement.

    Huang et al. 2016, Deep Networks with Stochastic Depth, arXiv 1603.09382; one draw an example, as in transformers (Touvron 2021,
    arXiv 2012.12877), where the paper takes one for the whole batch.

    Args:
        rate: probability, from 0 (the layer is the identity) to under 1.
        seed: of the layer's generator; two layers with one seed would drop the same examples.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        (batch, ...), floats.

    Output shape:
        As the input.

    Raises:
        ValueError: a rate outside [0, 1).
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate`: expected a number in [0, 1), got {rate!r}")
        self.rate, self.seed = float(rate), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """The branch, or in training zeros for some examples."""
        if not training or not self.rate:
            return x
        shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        # float32 under every policy: float16 has too few numbers near 1 to meet a rate
        kept = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) >= self.rate
        return x * ops.cast(ops.where(kept, 1 / (1 - self.rate), 0.0), x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self) -> dict:
        """Rate and seed."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
