"""Motion during the scan."""

import math

import keras
from keras import ops

from medtf.augment.volume.layer import IntensityLayer
from medtf.augment.volume.resample import moved, rotation, trilinear
from medtf.augment.volume.separable import along, filtered, frequencies


@keras.saving.register_keras_serializable(package="medtf")
class RandomMotion(IntensityLayer):
    """A head that moves while k-space is filled: later lines come from a turned and shifted head.

    Shaw et al. 2019, MRI k-space motion artefact augmentation, MIDL (PMLR 102:427); TorchIO's RandomMotion. Lines are
    acquired in order along one axis; the head moves `movements` times, at drawn moments of the second half, so that
    the middle of k-space, and with it the place of the head and the mean of the volume, is that of the unmoved one.
    The real part of the inverse FFT is taken, as in TorchIO.

    Along the other two axes FFT and inverse FFT cancel, so the whole of it is a product with one circulant matrix a
    movement.

    Args:
        degrees: in [0, 45]: the largest turn about each axis, uniform in +-degrees; with it goes a shift along
            each axis, uniform in +- `SHIFT` * degrees * side.
        movements: 1 or more.
        axis: along which lines are acquired one after the other: 1, 2 or 3; by default posterior-anterior, where
            many brain protocols have their slow phase encoding.
        seed: see `RandomLayer`.

    Input shape:
        (batch, depth, height, width, channels); voxels are taken as cubes.

    Output shape:
        As the input.

    Example:
        >>> RandomMotion(5)(volumes, training=True)
    """

    SHIFT = (
        0.005  # of the side, a degree: 1 mm on a field of view of 200 mm, the ratio of TorchIO's 10 mm to 10 degrees
    )
    strengths = ("degrees",)

    def __init__(self, degrees: float = 5.0, *, movements: int = 2, axis: int = 2, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.degrees = self.strength("degrees", degrees, top=45)
        if movements < 1:
            raise ValueError(f"`movements`: expected 1 or more, got {movements!r}")
        if axis not in (1, 2, 3):
            raise ValueError(f"`axis`: expected 1, 2 (posterior-anterior) or 3, got {axis!r}")
        self.movements, self.axis = int(movements), axis
        self.warn_if_idle()

    def draw(self, shape):
        """`angles` (batch, m, 3) in radians, `shift` (batch, m, 3) in shares of the sides, `times` (batch, m) rising in 0.5 to 1."""
        unit = keras.random.uniform((shape[0], self.movements, 7), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        turn = ops.arange(self.movements, dtype="float32")
        return {
            "angles": unit[..., :3] * math.radians(self.degrees),
            "shift": unit[..., 3:6] * (self.degrees * self.SHIFT),
            "times": 0.5 + (turn + (unit[..., 6] + 1.0) / 2.0) / (2.0 * self.movements),
        }

    def change(self, volumes, draws):
        """The volume, and for each pose the lines that were acquired in it exchanged for those of the moved head."""
        angles, shift, times = (ops.convert_to_tensor(draws[name]) for name in ("angles", "shift", "times"))
        shape = ops.shape(volumes)
        sides = ops.stack([ops.cast(side, "float32") for side in shape[1:4]])
        side = shape[self.axis]
        line = ops.cast(frequencies(side), "float32")[None]
        acquired = 0.5 + line / ops.cast(side, "float32")  # 0 to 1, (1, side)
        changed = volumes
        for number in range(self.movements):
            matrix = ops.swapaxes(rotation(angles[:, number]), 1, 2)
            turned = trilinear(volumes, moved(shape, matrix, shift[:, number] * sides))
            during = ops.logical_and(acquired > times[:, number, None], line > 0)
            if number + 1 < self.movements:
                during = ops.logical_and(during, acquired <= times[:, number + 1, None])
            matrices = [None, None, None]
            matrices[self.axis - 1] = filtered(ops.cast(during, "float32"))
            changed = changed + along(turned - volumes, matrices)
        return changed

    def get_config(self):
        """Strength, seed, number of movements and axis."""
        return {**super().get_config(), "movements": self.movements, "axis": self.axis}
