"""Ghosts: copies of the head beside itself."""

import keras
from keras import ops

from medtf.augment.volume.layer import IntensityLayer
from medtf.augment.volume.separable import along, filtered, frequencies


@keras.saving.register_keras_serializable(package="medtf")
class RandomGhosting(IntensityLayer):
    """Weaken every n-th line of k-space along one axis, so that n copies of the head stand side by side.

    Pulse and breath change the signal with a period of a few lines of k-space; what has a period there is a shifted
    copy in the image. Axel et al. 1986, Respiratory effects in two-dimensional Fourier transform MR imaging, Radiology
    160:795; parameters as in TorchIO's RandomGhosting. The middle line is left alone, so the mean of the volume stays.

    The whole of it, FFT, weights and inverse FFT, is a product with one circulant matrix an axis.

    Args:
        intensity: in [0, 1): the largest share that the lines lose, uniform between 0 and it.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomGhosting(0.5)(volumes, training=True)
    """

    GHOSTS = (4, 10)  # as TorchIO draws
    strengths = ("intensity",)

    def __init__(self, intensity: float = 0.5, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.intensity = self.strength("intensity", intensity, below=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`intensity`, `ghosts` (an integer of `GHOSTS`) and `axis` (0, 1 or 2), each (batch,)."""
        unit = keras.random.uniform((3, shape[0]), dtype="float32", seed=self.seed_generator)
        low, high = self.GHOSTS
        return {
            "intensity": unit[0] * self.intensity,
            "ghosts": ops.cast(ops.minimum(low + ops.floor(unit[1] * (high - low + 1)), high), "int32"),
            "axis": ops.cast(ops.minimum(ops.floor(unit[2] * 3), 2), "int32"),
        }

    def change(self, volumes, draws):
        """The volume less the share of the lines whose number is a multiple of `ghosts`, but for line 0."""
        intensity, axis = ops.convert_to_tensor(draws["intensity"]), ops.convert_to_tensor(draws["axis"])
        ghosts = ops.cast(draws["ghosts"], "int32")
        matrices = []
        for number, side in enumerate(ops.shape(volumes)[1:4]):
            line = frequencies(side)[None]
            weakened = ops.logical_and(line % ghosts[:, None] == 0, line != 0)  # (batch, side)
            share = ops.where(axis == number, intensity, 0.0)[:, None]
            lost = filtered(ops.where(weakened, share, 0.0))
            matrices.append(ops.eye(side, dtype="float32") - lost)
        return along(volumes, matrices)
