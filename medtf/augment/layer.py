"""What the random layers share: one generator, `draw` then `apply`, and silence outside training."""

import math
import warnings

import keras
from keras import ops


class RandomLayer(keras.layers.Layer):
    """A random change of a batch of images that compiles under XLA.

    A subclass names its strengths, sets them in `__init__` through `strength`, calls `warn_if_idle` there, and writes
    two methods: `draw` takes all the randomness, `apply` uses it and is deterministic. So a change can be replayed,
    tested and shown.

    Keras's own random layers are not used: on TensorFlow its affine ones switch `jit_compile` off for the whole model.

    Args:
        seed: of the layer's generator; None takes one from Python's `random`, which `keras.utils.set_random_seed`
            fixes.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        (batch, height, width, channels), floats in [0, 1]; for volumes see `medtf.augment.volume.layer`.

    Output shape:
        As the input.
    """

    strengths: tuple[str, ...] = ()  # attributes that make the layer idle when all are 0

    def __init__(self, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @staticmethod
    def strength(name: str, value: float, *, below: float = math.inf, top: float = math.inf) -> float:
        """`value` as a float.

        Raises:
            ValueError: it is not in [0, top], or not under `below`.
        """
        if not (0 <= value <= top and value < below):
            high = f"{top:g}]" if top < math.inf else f"{below:g})"
            raise ValueError(f"`{name}`: expected a number in [0, {high}, got {value!r}")
        return float(value)

    @property
    def idle(self) -> bool:
        """Whether all strengths are 0: the layer is then the identity."""
        return not any(getattr(self, name) for name in self.strengths)

    def warn_if_idle(self) -> None:
        """Say so where the layer does nothing as configured (after TorchIO's transforms)."""
        if self.idle:
            names = " and ".join(f"`{name}`" for name in self.strengths)
            warnings.warn(f"{type(self).__name__} does nothing as configured: {names} 0", stacklevel=3)

    def draw(self, shape: tuple) -> dict:
        """All the randomness for a batch of `shape` (batch, height, width, channels): tensors by name."""
        raise NotImplementedError

    def apply(self, images, draws: dict):
        """The batch changed as `draws` says; the same draws give the same images."""
        raise NotImplementedError

    def call(self, images, training=False):
        """The changed batch where `training`, else the batch itself."""
        if not training or self.idle:
            return images
        return self.apply(images, self.draw(ops.shape(images)))

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self) -> dict:
        """Strengths and seed."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.strengths}, "seed": self.seed}


def by_example(values, dtype):
    """(batch,) as (batch, 1, 1, 1) of `dtype`."""
    return ops.cast(ops.reshape(values, (-1, 1, 1, 1)), dtype)
