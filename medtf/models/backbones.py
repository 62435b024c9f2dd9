"""A backbone of keras.applications, laid flat into the caller's graph, its layers named by position.

keras.applications numbers its layers by process (`conv2d_94` is `conv2d_188` in the second model), so each layer is renamed: Grad-CAM,
weight transfer and Netron find the same name in every process.
"""

import re

import keras

from medtf.errors import AskedWronglyError, MedtfError
from medtf.models.names import BACKBONES

_NUMBERED = re.compile(r"^(.*?)(_\d+)?$")


def apply(images, scaled, name: str, *, weights: str | None, norm: str, norm_momentum: float):
    """Feature maps of `scaled` under the backbone `name`.

    Args:
        images: KerasTensor (batch, height, width, channels), the output of keras.Input.
        scaled: what was made of it, scaled as the backbone wants.
        name: a key of `names.BACKBONES`.
        weights: "imagenet" or None.
        norm: `batch`, or `group` to put group normalisation (Wu 2018) in the place of every batch normalisation.
        norm_momentum: of batch normalisation's moving averages.
    Returns:
        KerasTensor (batch, h, w, features).
    Raises:
        MedtfError: ImageNet weights cannot be downloaded. AskedWronglyError: the images are too small for the backbone.
    """
    make = getattr(keras.applications, BACKBONES[name][0])
    try:
        model = make(include_top=False, weights=weights, input_shape=tuple(scaled.shape[1:]))
    except ValueError as error:
        if "size" in str(error) or "Negative dimension" in str(error) or "non-positive" in str(error):
            raise AskedWronglyError(
                f"input.size {images.shape[1:3]}: too small for {name}: {str(error).splitlines()[0]}"
            ) from error
        raise
    except Exception as error:  # the download raises whatever the network stack does
        if weights is None:
            raise
        raise MedtfError(
            f"ImageNet weights of {name} cannot be downloaded. Either train from scratch (model.weights: none), or fetch them on a machine with a "
            f"network and put the file into {keras.config.keras_home()}/models ({str(error).splitlines()[0][:120]})"
        ) from error
    return _laid_flat(model, images, scaled, norm, norm_momentum)


def _laid_flat(model, images, scaled, norm: str, norm_momentum: float):
    """Rebuild every layer of `model` on `scaled`, renamed, without a model inside the model."""
    counts: dict[str, int] = {}
    fresh = {}

    def clone(layer):
        config = layer.get_config()
        config["name"] = _name(layer, counts)
        if isinstance(layer, keras.layers.BatchNormalization):
            if norm == "group":
                groups = _groups(layer.input.shape[-1])
                copy = keras.layers.GroupNormalization(
                    groups=groups, epsilon=1e-5, name=config["name"].replace("batch", "group")
                )
                fresh[layer.name] = (layer, copy)
                return copy
            config["momentum"] = norm_momentum
        copy = layer.__class__.from_config(config)
        fresh[layer.name] = (layer, copy)
        return copy

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.layers.GroupNormalization):
            kwargs.pop("mask", None)  # batch normalisation takes a mask, group normalisation none; images have none
        # clone_model only takes the outcome of keras.Input; what follows it here is put in where the backbone begins
        return layer(*keras.tree.map_structure(lambda t: scaled if t is images else t, args), **kwargs)

    cloned = keras.models.clone_model(model, input_tensors=images, clone_function=clone, call_function=call)
    for old, new in fresh.values():
        if old.weights and type(old) is type(new):
            new.set_weights(old.get_weights())
    return cloned.outputs[0]


def _name(layer, counts: dict[str, int]) -> str:
    """The name the layer would have in a fresh process: `conv2d`, `conv2d_1`, ...; names its author gave (`mixed10`) stay."""
    base = _NUMBERED.match(layer.name)[1]
    if base.replace("_", "") != type(layer).__name__.lower():
        return layer.name
    counts[base] = counts.get(base, -1) + 1
    return f"{base}_{counts[base]}" if counts[base] else base


def _groups(channels: int) -> int:
    """32 groups, or the largest smaller number that divides the channels (Wu 2018 found 32 best, and little between 8 and 32)."""
    return max(g for g in range(1, 33) if channels % g == 0)
