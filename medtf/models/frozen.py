"""Hold the encoder while the head learns."""

import keras

from medtf.models.parts import encoder_of


def freeze(model: keras.Model) -> None:
    """Neither weights nor statistics of the encoder change any more, and its features are those of inference.

    Batch normalisation that is not trainable takes its moving averages, also in training. What drops features or paths inside the encoder
    would go on doing so: its rate is set to 0, so that a head on a frozen encoder is what it is called, a probe of one set of features.
    The dropout before the head stays.

    Args:
        model: as `medtf.models.build.build` makes it; changed in place, before it is compiled.
    """
    for layer in encoder_of(model):
        layer.trainable = False
        if isinstance(getattr(layer, "rate", None), float):
            layer.rate = 0.0
