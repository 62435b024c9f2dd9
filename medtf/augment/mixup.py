"""MixUp: pairs of images blended, and their labels in shares."""

import keras
from keras import ops

from medtf.augment.mixing import QUANTILES, Mixing, beta_quantiles, drawn_share


@keras.saving.register_keras_serializable(package="medtf")
class MixUp(Mixing):
    """Blend each example with its mirror in the batch: share * example i + (1 - share) * example B-1-i.

    The share is drawn from Beta(alpha, alpha), once a batch, and turned around where it is under 1/2; see `Mixing` for that, for what
    the labels do, and for why.

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
        >>> labels, logits, weights = mixup.pairs({"sick": labels}, {"sick": logits})
    """

    QUANTILES = QUANTILES
    strengths = ("alpha",)

    def __init__(self, alpha: float = 0.2, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.alpha = self.strength("alpha", alpha)
        self.warn_if_idle()
        self.quantiles = beta_quantiles(self.alpha)

    def draw(self, shape=()):
        """`share`, a scalar; the batch's shape does not matter."""
        return {
            "share": drawn_share(self.quantiles, keras.random.uniform((), dtype="float32", seed=self.seed_generator))
        }

    def weights_of(self, draws, sides):
        """The share, the same everywhere."""
        return ops.cast(draws["share"], "float32")
