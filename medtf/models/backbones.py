"""A backbone of keras.applications, laid flat into the caller's graph, its layers named by position.

keras.applications numbers its layers by process (`conv2d_94` is `conv2d_188` in the second model), so each layer is renamed: Grad-CAM,
weight transfer and Netron find the same name in every process.
"""

import os
import re
import warnings
from pathlib import Path

import keras

from medtf.errors import AskedWronglyError, MedtfError
from medtf.models.names import BACKBONES, EFFICIENTNET_DIVISOR

_NUMBERED = re.compile(r"^(.*?)(_\d+)?$")


def apply(images, scaled, name: str, *, weights: str | None, norm: str, norm_momentum: float):
    """Feature maps of `scaled` under the backbone `name`.

    Args:
        images: KerasTensor (batch, height, width, channels), the output of keras.Input.
        scaled: what was made of it, scaled as the backbone wants.
        name: a key of `names.BACKBONES`.
        weights: "imagenet" or None.
        norm: `batch`, or `group` (Wu 2018) or `instance` (Ulyanov 2016) in the place of every batch normalisation.
        norm_momentum: of batch normalisation's moving averages.
    Returns:
        KerasTensor (batch, h, w, features).
    Raises:
        MedtfError: ImageNet weights cannot be downloaded. AskedWronglyError: the images are too small for the backbone.
    """
    model = made(name, weights, tuple(scaled.shape[1:]))
    return _laid_flat(model, images, scaled, norm, norm_momentum)


def check(name: str, *, weights: str | None, input_shape: tuple[int, int, int]) -> None:
    """Make the backbone and drop it, so that what is wrong shows before hours of reading.

    Args:
        name: a key of `names.BACKBONES`.
        weights: "imagenet" or None.
        input_shape: (height, width, channels) of the images; ImageNet's weights need three channels, and get them from one.
    Raises:
        MedtfError, AskedWronglyError: as `apply`.
    """
    made(name, weights, (*input_shape[:2], 3 if weights else input_shape[2]))
    keras.utils.clear_session()  # numbers in names begin anew: a resumed run, which does not check, has the same


def made(name: str, weights: str | None, input_shape: tuple[int, int, int]) -> keras.Model:
    """The model of keras.applications without its head; arguments and errors as those of `check`."""
    make = getattr(keras.applications, BACKBONES[name][0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MobileNet says at every odd size which of its weights it takes
            return make(include_top=False, weights=weights, input_shape=input_shape)
    except ValueError as error:
        if "size" in str(error) or "Negative dimension" in str(error) or "non-positive" in str(error):
            least = re.search(r"at least (\d+)\s*x\s*\d+", str(error))
            raise AskedWronglyError(
                f"input.size {input_shape[0]} x {input_shape[1]} is too small for {name}"
                + (f": it needs {least[1]} or more" if least else f": {str(error).splitlines()[0]}")
            ) from error
        raise
    except Exception as error:  # the download raises whatever the network stack does
        if weights is None:
            raise
        folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
        raise MedtfError(
            f"ImageNet weights of {name} cannot be downloaded. Either train from scratch (--set model.weights=none), or fetch the file on a"
            f" machine with a network and put it into {folder} ({str(error).splitlines()[0][:200]})"
        ) from error


def _laid_flat(model, images, scaled, norm: str, norm_momentum: float):
    """Rebuild every layer of `model` on `scaled`, renamed, without a model inside the model."""
    counts: dict[str, int] = {}
    pairs = []
    chains = {}  # stand-in of a Sequential (ConvNeXt's stem) -> copies of its layers

    def clone(layer):
        if isinstance(layer, keras.Sequential):
            stand_in = keras.layers.Identity(name=layer.name)
            chains[stand_in] = [clone(inner) for inner in layer.layers]
            return stand_in
        config = layer.get_config()
        config["name"] = _name(layer, counts)
        if isinstance(layer, keras.layers.BatchNormalization):
            if norm != "batch":
                groups = _groups(layer.input.shape[-1]) if norm == "group" else -1  # -1: each channel by itself
                return keras.layers.GroupNormalization(
                    groups=groups, epsilon=1e-5, name=config["name"].replace("batch", norm)
                )
            config["momentum"] = norm_momentum
        copy = layer.__class__.from_config(config)
        pairs.append((layer, copy))
        return copy

    adapted = [layer for layer in model.layers if isinstance(layer, keras.layers.Normalization) and layer.weights]
    divided = any(isinstance(layer.scale, list) for layer in model.layers if isinstance(layer, keras.layers.Rescaling))

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.layers.GroupNormalization):
            kwargs.pop("mask", None)  # batch normalisation takes a mask, group normalisation none; images have none
        # clone_model only takes the outcome of keras.Input; what follows it here is put in where the backbone begins
        args = keras.tree.map_structure(lambda t: scaled if t is images else t, args)
        if layer in chains:
            for inner in chains[layer]:
                args = (inner(*args),)
            return args[0]
        outcome = layer(*args, **kwargs)
        if adapted and not divided and isinstance(layer, keras.layers.Normalization):
            # keras.applications puts it into an EfficientNet only with ImageNet weights: without it here, a model that
            # takes its weights from a run that began with ImageNet's would scale its input otherwise, and nobody would see
            outcome = keras.layers.Rescaling(list(EFFICIENTNET_DIVISOR), name="rescaling_1")(outcome)
        return outcome

    cloned = keras.models.clone_model(model, input_tensors=images, clone_function=clone, call_function=call)
    for old, new in pairs:
        if getattr(old, "weights", None):  # `x + y` of ConvNeXt is an operation, not a layer
            copy_weights(old, new)
    return cloned.outputs[0]


def copy_weights(old, new) -> None:
    """Give layer `new` the weights of `old`; normalisation layers keep constants that are made of theirs."""
    new.set_weights(old.get_weights())
    if isinstance(new, keras.layers.Normalization):
        new.finalize_state()


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
