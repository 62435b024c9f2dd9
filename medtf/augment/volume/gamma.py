"""Gamma: another contrast between the tissues."""

import keras
from keras import ops

from medtf.augment.volume.layer import SPACE, IntensityLayer, by_volume, lowest_value


@keras.saving.register_keras_serializable(package="medtf")
class RandomGamma(IntensityLayer):
    """Raise a volume to a random power: scaled to [0, 1] by its own lowest and highest value, and scaled back.

    Stands for sequences and scanners that separate the tissues differently: an exponent above 1 darkens the middle
    greys, one below 1 brightens them; air and the brightest voxel stay. The log of the exponent is drawn, as in
    TorchIO's RandomGamma, so that darker and brighter are as likely.

    Args:
        log_gamma: in [0, 2); the exponent is exp of a uniform number in +-log_gamma; 0.3 is 0.74 to 1.35.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomGamma(0.3)(volumes, training=True)
    """

    strengths = ("log_gamma",)

    def __init__(self, log_gamma: float = 0.3, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.log_gamma = self.strength("log_gamma", log_gamma, below=2)
        self.warn_if_idle()

    def draw(self, shape):
        """`gamma`, (batch,): the exponents."""
        unit = keras.random.uniform((shape[0],), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {"gamma": ops.exp(unit * self.log_gamma)}

    def change(self, volumes, draws):
        """lowest + range * ((volume - lowest) / range) ** gamma."""
        lowest = lowest_value(volumes)
        low = ops.cast(lowest, "float32")
        span = ops.maximum(ops.cast(ops.max(volumes, axis=SPACE, keepdims=True), "float32") - low, 1e-12)
        gamma = by_volume(draws["gamma"])
        # exp and log, not power: four times as fast on TensorFlow without XLA. log of the share, with span in two places
        # so that the large tensor is passed over once less; the floor makes exp give 0
        height = ops.maximum(ops.cast(volumes, "float32") - low, 1e-30)
        scaled = ops.exp(ops.log(height) * gamma + ops.log(span) * (1.0 - gamma))
        return ops.cast(scaled + low, volumes.dtype)
