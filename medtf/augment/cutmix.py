"""CutMix: a box of each image is the partner's, and the labels count by area."""

import keras
from keras import ops

from medtf.augment.mixing import Mixing, beta_quantiles, drawn_share


@keras.saving.register_keras_serializable(package="medtf")
class CutMix(Mixing):
    """Put a box of an example's mirror in the batch into the example; the labels count by the pixels that each has.

    A share is drawn from Beta(alpha, alpha), once a batch. The box has 1 - share of the area (of a volume's voxels), the picture's
    proportions, and its centre anywhere; what hangs over the edge is cut off, and the share becomes what is really left, counted in
    pixels. See `Mixing` for what the labels do. A box of more than half the picture is told the other way round: the partner's
    picture with a frame of the example's.

    Right where the area says something. A finding of a few pixels lies in the box or it does not, and counts by the box's area all the
    same: a nodule that the box has covered goes on counting by what is left of its picture. Where findings are small next to the picture,
    MixUp, which shows all of both pictures, tells the network less that is untrue. A value, such as an age, is mixed by area alike.

    Yun et al. 2019, CutMix: Regularization Strategy to Train Strong Classifiers, arXiv 1905.04899; they take alpha 1.

    Args:
        alpha: of the Beta distribution, 0 or more; 0 mixes nothing.
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), or volumes, (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> CutMix(1.0)(images, training=True)
    """

    strengths = ("alpha",)

    def __init__(self, alpha: float = 1.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.alpha = self.strength("alpha", alpha)
        self.warn_if_idle()
        self.quantiles = beta_quantiles(self.alpha)

    def draw(self, shape):
        """`share`, a scalar, and `center`, the box's, as shares of the sides, one for each."""
        unit = keras.random.uniform((len(shape) - 1,), dtype="float32", seed=self.seed_generator)
        return {"share": drawn_share(self.quantiles, unit[0]), "center": unit[1:]}

    def weights_of(self, draws, sides):
        """0 in the box, 1 elsewhere."""
        return 1.0 - box(draws["share"], draws["center"], sides)


def box(share, center, sides):
    """1 where the middle of a pixel lies in the box, else 0: float32 (1, *sides, 1).

    Args:
        share: of the area outside the box, before the edges cut it; a scalar in [0, 1].
        center: of the box, as shares of the sides, (d,).
        sides: in pixels, d of them.
    """
    length = (1.0 - ops.cast(share, "float32")) ** (1.0 / len(sides))  # of the box, as a share of each side
    inside = ops.ones((1,) * (len(sides) + 2), "float32")
    for axis, side in enumerate(sides):
        middles = (ops.cast(ops.arange(side), "float32") + 0.5) / ops.cast(side, "float32")
        begin = center[axis] - length / 2.0
        within = ops.logical_and(middles >= begin, middles < begin + length)
        shape = [1] * (len(sides) + 2)
        shape[axis + 1] = -1
        inside = inside * ops.reshape(ops.cast(within, "float32"), shape)
    return inside
