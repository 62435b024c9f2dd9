"""What MixUp and CutMix share: pairs of examples mixed by a map of weights, and the loss of such a mixture."""

import keras
import numpy as np
from keras import ops
from scipy.special import betaincinv

from medtf.augment.layer import RandomLayer

QUANTILES = 1025  # of the table that a Beta distribution is drawn through


class Mixing(RandomLayer):
    """Mix each example with its mirror in the batch: weights * example i + (1 - weights) * example B-1-i.

    The batch is shuffled already, so its mirror image is a random partner. One map of weights serves the whole batch; its mean
    is the *share* of an example's own picture. Where the mean is under 1/2 the map is turned around, 1 - weights: as both examples
    of a pair are mixed, each with the other, the batch holds the same mixtures as before, but each now stands at the place of the example
    that it shows more of. So what is compared with the labels as they came (the metrics of a training) is compared with the
    larger part of each picture.

    The loss of a mixture is share * loss(own label) + (1 - share) * loss(partner's label), label by label: an unknown label adds
    nothing, and takes nothing from the known one of the pair. `pairs`, called in `compute_loss` of the same step, lays the two out; it
    reads the share from the weight `share`.

    A subclass writes `draw` and `weights`.

    Args:
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), or volumes, (batch, depth, height, width, channels).

    Output shape:
        As the input.
    """

    def __init__(self, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        # float32 under every policy: 1 - share in bfloat16 would be off by 0.004
        self.share = self.add_weight(
            shape=(), initializer="ones", dtype="float32", trainable=False, autocast=False, name="share"
        )

    def weights_of(self, draws: dict, sides):
        """Float32 in [0, 1], of an example's own picture: a scalar, or (1, *sides, 1).

        Args:
            draws: what `draw` gave.
            sides: of the pictures, (height, width) or (depth, height, width).
        """
        raise NotImplementedError

    def apply(self, images, draws):
        """The mixed images; keeps the share for `pairs`."""
        weights = self.weights_of(draws, ops.shape(images)[1:-1])
        share = ops.mean(weights)
        lesser = share < 0.5
        weights = ops.where(lesser, 1.0 - weights, weights)
        self.share.assign(ops.where(lesser, 1.0 - share, share))
        return _mix(images, weights)

    def pairs(self, labels: dict, predictions: dict, sample_weight=None, *, values=()):
        """The batch twice: with its own labels by their share, and with the partners' by the rest.

        A loss that is a mean over the examples then gives share * loss(own) + (1 - share) * loss(partner's). For cross-entropy and
        focal loss, which are linear in the label, that is the loss of the mixed label where both are known.

        A value in its unit is mixed itself, share * own + (1 - share) * partner's, in both halves: a picture half of 20 and half
        of 80 years is one of 50. Two terms would teach other things: the absolute error only the label with the larger share, a Gaussian
        the pair's distance as doubt, bins two heaps. With one value of a pair unknown the other counts alone, by its share.

        Call it in training only: it cannot know that the images were left alone. Before the first training step the share is 1.

        Args:
            labels: {target: (batch, k)}, NaN = unknown.
            predictions: {target: (batch, ...)}.
            sample_weight: (batch,), or None for 1 each.
            values: targets that are values in a unit.

        Returns:
            The same three, for 2 * batch examples.
        """
        share = ops.convert_to_tensor(self.share)
        both = {name: _twice(_floats(one), share if name in values else None) for name, one in labels.items()}
        predictions = keras.tree.map_structure(lambda one: ops.concatenate([one, one], axis=0), predictions)
        first = next(iter(labels.values()))
        if sample_weight is None:
            sample_weight = ops.ones(ops.shape(first)[:1], "float32")
        own = ops.cast(sample_weight, "float32")
        # doubled, since the mean goes over twice as many
        weights = [2.0 * share * own, 2.0 * (1.0 - share) * ops.flip(own, axis=0)]
        return both, predictions, ops.concatenate(weights, axis=0)


def beta_quantiles(alpha: float) -> np.ndarray | None:
    """Quantiles of Beta(alpha, alpha) at 0 to 1, float32 (QUANTILES,); None for alpha 0.

    A share is drawn through them, since `keras.random.beta` does not compile under XLA on TensorFlow (StatelessRandomGammaV3).
    """
    if alpha == 0:
        return None
    return betaincinv(alpha, alpha, np.linspace(0.0, 1.0, QUANTILES)).astype("float32")


def drawn_share(quantiles: np.ndarray, unit):
    """A scalar of the distribution whose quantiles these are, from a uniform one in [0, 1)."""
    quantiles = ops.convert_to_tensor(quantiles)
    place = unit * (QUANTILES - 1)
    below = ops.cast(ops.minimum(ops.floor(place), QUANTILES - 2), "int32")
    low, high = ops.take(quantiles, below), ops.take(quantiles, below + 1)
    return low + (high - low) * (place - ops.cast(below, "float32"))


def _floats(values):
    """Integer labels have no shares."""
    values = ops.convert_to_tensor(values)
    return values if keras.backend.is_float_dtype(values.dtype) else ops.cast(values, "float32")


def _twice(labels, share):
    """Own labels and the partners', (2 batch, k); with a share both are mixed where both are known."""
    halves = [labels, ops.flip(labels, axis=0)]
    if share is not None:
        mixed = _mix(labels, share)
        halves = [ops.where(ops.isnan(mixed), half, mixed) for half in halves]
    return ops.concatenate(halves, axis=0)


def _mix(values, weights):
    own, other = ops.cast(weights, values.dtype), ops.cast(1.0 - weights, values.dtype)
    return values * own + ops.flip(values, axis=0) * other
