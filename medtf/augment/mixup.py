"""MixUp: pairs of images, and their labels, in shares."""

import keras
import numpy as np
from keras import ops
from scipy.special import betaincinv

from medtf.augment.layer import RandomLayer


@keras.saving.register_keras_serializable(package="medtf")
class MixUp(RandomLayer):
    """Mix each example with its mirror in the batch: share * example i + (1 - share) * example B-1-i.

    The share is drawn from Beta(alpha, alpha), once a batch. The labels must be mixed by the same share:
    `mix_labels`, called in `compute_loss` of the same step, reads it from the weight `share`. The batch is shuffled
    already, so its mirror image is a random partner.

    The share is drawn through the quantiles of the Beta distribution, since `keras.random.beta` does not compile
    under XLA on TensorFlow (StatelessRandomGammaV3).

    Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv 1710.09412; they take alpha from 0.1 to 0.4.

    Args:
        alpha: of the Beta distribution, 0 or more; 0 mixes nothing.
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), or volumes, (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> mixup = MixUp(0.2)
        >>> images = mixup(images, training=True)
        >>> labels = mixup.mix_labels(labels)  # (batch, k), or a dict of them
    """

    QUANTILES = 1025
    strengths = ("alpha",)

    def __init__(self, alpha: float = 0.2, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.alpha = self.strength("alpha", alpha)
        self.warn_if_idle()
        places = np.linspace(0.0, 1.0, self.QUANTILES)
        self.quantiles = None if self.idle else betaincinv(self.alpha, self.alpha, places).astype("float32")
        # float32 under every policy: 1 - share in bfloat16 would be off by 0.004
        self.share = self.add_weight(
            shape=(), initializer="ones", dtype="float32", trainable=False, autocast=False, name="share"
        )

    def draw(self, shape=()):
        """`share`, a scalar; the batch's shape does not matter."""
        quantiles = ops.convert_to_tensor(self.quantiles)
        place = keras.random.uniform((), dtype="float32", seed=self.seed_generator) * (self.QUANTILES - 1)
        below = ops.cast(ops.minimum(ops.floor(place), self.QUANTILES - 2), "int32")
        low, high = ops.take(quantiles, below), ops.take(quantiles, below + 1)
        return {"share": low + (high - low) * (place - ops.cast(below, "float32"))}

    def apply(self, images, draws):
        """The mixed images; keeps the share for `mix_labels`."""
        self.share.assign(draws["share"])
        return _mix(images, draws["share"])

    def mix_labels(self, labels):
        """The labels of the mixed images.

        Args:
            labels: (batch, k), or a structure of them, NaN = unknown; also sample weights, (batch,).

        Returns:
            The same structure. A pair with an unknown label is unknown. Before the first training step nothing is
            mixed. Call it in training only: it cannot know that the images were left alone.
        """
        if self.idle:
            return labels
        share = ops.convert_to_tensor(self.share)
        return keras.tree.map_structure(lambda values: _mix(values, share), labels)


def _mix(values, share):
    values = ops.convert_to_tensor(values)
    if not keras.backend.is_float_dtype(values.dtype):
        values = ops.cast(values, "float32")  # integer labels have no shares
    one, other = ops.cast(share, values.dtype), ops.cast(1.0 - share, values.dtype)
    return values * one + ops.flip(values, axis=0) * other
