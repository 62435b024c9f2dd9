"""Bias field: coils that see one side of the head better."""

import keras
import numpy as np
from keras import ops

from medtf.augment.volume.layer import SPACE, IntensityLayer, lowest_value
from medtf.augment.volume.separable import expand


@keras.saving.register_keras_serializable(package="medtf")
class RandomBiasField(IntensityLayer):
    """Multiply a volume by exp of a random polynomial of the place: smooth, positive, 20 terms of order 3.

    A receive coil is more sensitive near by, so MRI brightens smoothly across the head. Van Leemput et al. 1999,
    Automated model-based bias field correction of MR images of the brain, IEEE TMI 18:885; Sudre et al. 2017,
    Longitudinal segmentation of age-related white matter hyperintensities, Medical Image Analysis 38:50; the
    polynomial is that of TorchIO's RandomBiasField.

    The field multiplies the signal, which is 0 in air: the height above the volume's lowest value. (TorchIO multiplies
    the numbers as they are, under which the z-score of air would become darker where the coil is near.) Its mean is 1:
    volumes come normalised, which takes the gain of the whole away.

    Args:
        coefficients: 0 or more; each coefficient is uniform in +-coefficients. Places run from -1 to 1.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomBiasField(0.5)(volumes, training=True)
    """

    ORDER = 3
    strengths = ("coefficients",)

    def __init__(self, coefficients: float = 0.5, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.coefficients = self.strength("coefficients", coefficients)
        self.warn_if_idle()

    def draw(self, shape):
        """`polynomial` (batch, 4, 4, 4): of x**i * y**j * z**k at [i, j, k], 0 where i + j + k is above 3."""
        terms = np.indices((self.ORDER + 1,) * 3).sum(axis=0) <= self.ORDER
        unit = keras.random.uniform((shape[0], *terms.shape), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        return {"polynomial": unit * (terms * self.coefficients).astype("float32")}

    def change(self, volumes, draws):
        """lowest + (volume - lowest) * field, with field = exp(polynomial) / mean(exp(polynomial))."""
        polynomial = ops.convert_to_tensor(draws["polynomial"])[:, None]
        bases = [_powers(side, self.ORDER) for side in ops.shape(volumes)[1:4]]
        field = ops.exp(expand(polynomial, bases))[:, 0, ..., None]  # (batch, depth, height, width, 1)
        field = field / ops.mean(field, axis=SPACE, keepdims=True)
        lowest = lowest_value(volumes)
        return (volumes - lowest) * ops.cast(field, volumes.dtype) + lowest


def _powers(side, order: int):
    """1, x, x**2, ... of `side` places from -1 to 1, (side, order + 1)."""
    half = ops.maximum((ops.cast(side, "float32") - 1.0) / 2.0, 0.5)
    place = (ops.cast(ops.arange(side), "float32") - (ops.cast(side, "float32") - 1.0) / 2.0) / half
    powers = [ops.ones_like(place)]
    for _ in range(order):
        powers.append(powers[-1] * place)
    return ops.stack(powers, axis=1)
