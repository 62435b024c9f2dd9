"""Left-right flip of volumes."""

import keras
from keras import ops

from medtf.augment.volume.layer import VolumeLayer, by_volume


@keras.saving.register_keras_serializable(package="medtf")
class RandomFlip3D(VolumeLayer):
    """Mirror a volume along one axis, left to right unless told, each with `probability`.

    A brain is nearly symmetrical in the mid-sagittal plane and in no other one. A label that names a side becomes
    wrong.

    Args:
        probability: that a volume is flipped, in [0, 1].
        axis: 1 left-right, 2 posterior-anterior, 3 inferior-superior.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> RandomFlip3D(0.5, seed=0)(volumes, training=True)
    """

    strengths = ("probability",)

    def __init__(self, probability: float = 0.5, *, axis: int = 1, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.probability = self.strength("probability", probability, top=1)
        if axis not in (1, 2, 3):
            raise ValueError(f"`axis`: expected 1 (left-right), 2 or 3, got {axis!r}")
        self.axis = axis
        self.warn_if_idle()

    def draw(self, shape):
        """`flip`, (batch,) bool."""
        return {"flip": keras.random.uniform((shape[0],), dtype="float32", seed=self.seed_generator) < self.probability}

    def apply(self, volumes, draws):
        """Mirror the volumes where `flip`."""
        return ops.where(by_volume(draws["flip"], "bool"), ops.flip(volumes, axis=self.axis), volumes)

    def apply_mask(self, masks, draws):
        """As `apply`: a mirror mixes no values."""
        return self.apply(masks, draws)

    def get_config(self):
        """Strength, seed and axis."""
        return {**super().get_config(), "axis": self.axis}
