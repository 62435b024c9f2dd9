"""MixUp or CutMix, drawn anew for each batch."""

import keras
from keras import ops

from medtf.augment.cutmix import CutMix, box
from medtf.augment.mixing import Mixing, beta_quantiles, drawn_share
from medtf.augment.mixup import MixUp


@keras.saving.register_keras_serializable(package="medtf")
class MixUpOrCutMix(Mixing):
    """Each batch is mixed by one of the two, each as likely as the other.

    So timm's `Mixup` switches between them (Wightman 2019, PyTorch Image Models), with probability 1/2 unless told otherwise.

    Args:
        mixup, cutmix: alpha of either Beta distribution, over 0.
        seed: see `RandomLayer`.

    Input shape:
        (batch, height, width, channels), or volumes, (batch, depth, height, width, channels).

    Output shape:
        As the input.

    Example:
        >>> MixUpOrCutMix(0.2, 1.0)(images, training=True)
    """

    strengths = ("mixup", "cutmix")

    def __init__(self, mixup: float = 0.2, cutmix: float = 1.0, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.mixup, self.cutmix = self.strength("mixup", mixup), self.strength("cutmix", cutmix)
        self.warn_if_idle()
        if not self.idle and not (self.mixup and self.cutmix):
            raise ValueError(f"`mixup` and `cutmix`: expected both over 0, got {mixup!r} and {cutmix!r}; one alone is MixUp or CutMix")  # fmt: skip
        self.quantiles = [beta_quantiles(self.mixup), beta_quantiles(self.cutmix)]

    def draw(self, shape):
        """`cut` (bool): is it CutMix; `share` of the one that it is; `center` of the box, used or not."""
        unit = keras.random.uniform((len(shape),), dtype="float32", seed=self.seed_generator)
        cut = unit[0] < 0.5
        blended, boxed = (drawn_share(quantiles, unit[1]) for quantiles in self.quantiles)
        return {"cut": cut, "share": ops.where(cut, boxed, blended), "center": unit[2:]}

    def weights_of(self, draws, sides):
        """The share everywhere, or 0 in the box and 1 elsewhere."""
        return ops.where(draws["cut"], 1.0 - box(draws["share"], draws["center"], sides), draws["share"])


def layer(mixup: float, cutmix: float, *, seed: int | None = None) -> Mixing | None:
    """What `augment.mixup` and `augment.cutmix` ask for, each alpha 0 where it is switched off; None: nothing."""
    if mixup and cutmix:
        return MixUpOrCutMix(mixup, cutmix, seed=seed, name="mixup_or_cutmix")
    if cutmix:
        return CutMix(cutmix, seed=seed, name="cutmix")
    return MixUp(mixup, seed=seed, name="mixup") if mixup else None
