"""What the random layers of volumes share: masks, and each volume's own background, zero and spread."""

import keras
from keras import ops

from medtf.augment.layer import RandomLayer

SPACE = (1, 2, 3)  # the axes of depth, height and width


class VolumeLayer(RandomLayer):
    """A random change of a batch of volumes; masks get the spatial part of it alone.

    Intensities are of any scale, such as z-scores, and are never clipped. Where a formula needs the signal's zero (a
    field that multiplies, a magnitude), it is the volume's lowest value: air, or the darkest tissue. What comes in from
    outside is the volume's `background`.

    Judgement sees volumes as they are. One that is moved in every step, and so blurred in every step, teaches a network
    that has never seen a sharp one: `share` leaves the others alone.

    Args:
        share: of the volumes of a batch that are changed, in (0, 1]; drawn for each.
        seed: see `RandomLayer`.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        (batch, depth, height, width, channels): left to right, posterior to anterior, inferior to superior.

    Output shape:
        As the input.
    """

    def __init__(self, *, share: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not 0 < share <= 1:
            raise ValueError(f"`share`: expected a number in (0, 1], got {share!r}")
        self.share = float(share)

    def call(self, volumes, training=False):
        """The batch with a share of it changed where `training`, else the batch itself."""
        changed = super().call(volumes, training=training)
        if not training or self.idle or self.share == 1:
            return changed
        unit = keras.random.uniform((ops.shape(volumes)[0],), dtype="float32", seed=self.seed_generator)
        return ops.where(by_volume(unit, "float32") < self.share, changed, volumes)

    def get_config(self) -> dict:
        """Strengths, seed and share."""
        return {**super().get_config(), "share": self.share}

    def apply_mask(self, masks, draws: dict):
        """Masks or label volumes moved as `apply` moves the images of the same `draws`.

        Args:
            masks: (batch, depth, height, width, channels), any dtype; values are picked, never mixed.
            draws: what `draw` gave.

        Returns:
            As `masks`; the masks themselves where the layer changes intensities only.
        """
        return masks


class IntensityLayer(VolumeLayer):
    """A change of what voxels hold, not of where they are. What a brain mask has emptied stays as it is.

    Scanners do not see masks, which come later: neither noise nor ghosts nor a brighter field reach beyond one. A subclass
    writes `draw` and `change`.
    """

    def change(self, volumes, draws: dict):
        """The batch changed as `draws` says, as if there were no mask."""
        raise NotImplementedError

    def apply(self, volumes, draws):
        """`change`, but for the voxels outside a mask: those of the background's value, where it is not the lowest one."""
        volumes = ops.convert_to_tensor(volumes)
        lowest, outside = lowest_value(volumes), background(volumes)
        emptied = ops.logical_and(volumes == outside, outside > lowest)
        return ops.where(emptied, volumes, self.change(volumes, draws))


def by_volume(values, dtype="float32"):
    """(batch,) as (batch, 1, 1, 1, 1) of `dtype`."""
    return ops.cast(ops.reshape(values, (-1, 1, 1, 1, 1)), dtype)


def lowest_value(volumes):
    """The lowest value of each volume and channel, (batch, 1, 1, 1, channels)."""
    return ops.min(volumes, axis=SPACE, keepdims=True)


def background(volumes):
    """What each volume holds outside the head, (batch, 1, 1, 1, channels): what three of its corners share, else its lowest value.

    A volume under a brain mask holds one number outside it, which is 0 among z-scores and not the lowest value; a scan's
    air is noise, and low.
    """
    ends = (0, -1)
    corners = ops.stack([volumes[:, i, j, k] for i in ends for j in ends for k in ends], axis=1)  # (batch, 8, channels)
    alike = ops.sum(ops.cast(corners[:, :, None] == corners[:, None], "int32"), axis=2)  # (batch, 8, channels)
    most = ops.max(alike, axis=1, keepdims=True)
    shared = ops.min(ops.where(alike == most, corners, ops.max(corners, axis=1, keepdims=True)), axis=1, keepdims=True)
    found = ops.where(most >= 3, shared, ops.min(volumes, axis=(1, 2, 3))[:, None])
    return found[:, None, None]  # (batch, 1, 1, 1, channels)


def mean_and_deviation(volumes):
    """Mean and standard deviation of each volume and channel, (batch, 1, 1, 1, channels), float32.

    Float16 ends at 65504: a sum over a volume does not fit.
    """
    values = ops.cast(volumes, "float32")
    mean = ops.mean(values, axis=SPACE, keepdims=True)
    return mean, ops.sqrt(ops.mean(ops.square(values - mean), axis=SPACE, keepdims=True))
