"""Erased boxes."""

import keras
from keras import ops

from medtf.augment.volume.layer import VolumeLayer, background, by_volume


@keras.saving.register_keras_serializable(package="medtf")
class RandomCutout(VolumeLayer):
    """Fill one box of a volume with its background, each volume with `probability`.

    So that the network looks at the whole brain, not at one region. DeVries and Taylor 2017, Improved regularization of
    convolutional neural networks with cutout, arXiv 1708.04552. Masks stay: what the box hides is still there.

    Args:
        probability: that a box is erased, in [0, 1]; its sides are each uniform in `SIDES`, and it lies within.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomCutout(0.25)(volumes, training=True)
    """

    SIDES = (0.15, 0.45)  # shares of the volume's sides: 0.3 to 9 per cent of its voxels
    strengths = ("probability",)

    def __init__(self, probability: float = 0.25, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.probability = self.strength("probability", probability, top=1)
        self.warn_if_idle()

    def draw(self, shape):
        """`chosen` (batch,) bool; the box's `start` and `size`, (batch, 3), shares of the sides."""
        unit = keras.random.uniform((shape[0], 7), dtype="float32", seed=self.seed_generator)
        size = self.SIDES[0] + unit[:, 1:4] * (self.SIDES[1] - self.SIDES[0])
        return {"chosen": unit[:, 0] < self.probability, "start": unit[:, 4:] * (1.0 - size), "size": size}

    def apply(self, volumes, draws):
        """Background inside the boxes of the chosen volumes."""
        start, size = ops.convert_to_tensor(draws["start"]), ops.convert_to_tensor(draws["size"])
        inside = by_volume(draws["chosen"], "bool")
        for axis, side in enumerate(ops.shape(volumes)[1:4]):
            middle = (ops.cast(ops.arange(side), "float32") + 0.5) / ops.cast(side, "float32")
            first, width = start[:, axis : axis + 1], size[:, axis : axis + 1]
            within = ops.logical_and(middle >= first, middle < first + width)  # (batch, side)
            inside = ops.logical_and(
                inside, ops.reshape(within, [-1, *(side if i == axis else 1 for i in range(3)), 1])
            )
        return ops.where(inside, background(volumes), volumes)
