"""A whole network as one flat functional graph: image -> scaling -> backbone -> GAP -> dropout -> a head for each target."""

import math

import keras
import numpy as np
from keras import layers

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import backbones
from medtf.models.names import BACKBONES


def build(
    model: Model,
    input_shape,
    targets: dict[str, Target],
    *,
    priors: dict[str, np.ndarray] | None = None,
    momentum: float = 0.99,
):
    """A keras.Model: float32 images (batch, height, width, channels) in [0, 1] -> {target: (batch, k)}.

    Outputs are probabilities (binary: sigmoid; multi-class: softmax) or values in the target's unit; layer `<target>` gives them, layer
    `<target>_logits` what comes before, both float32 under every policy. Losses work on the logits: see `logits_model`.

    Args:
        model: name, weights, dropout, norm.
        input_shape: (height, width, channels).
        targets: what to predict.
        priors: per target what the head starts from: class frequencies (binary: 1, multi-class: k), or [mean, deviation] of a regression;
            a head that starts at the mean need not learn it, and the first steps do not shake the backbone.
        momentum: of batch normalisation's moving averages; `norm_momentum` chooses it.
    """
    image = keras.Input(tuple(input_shape), name="image")
    x = _scaled(image, model)
    if model.weights not in ("none", "imagenet"):
        weights = None  # loaded by name afterwards: `medtf.models.transfer`
    else:
        weights = None if model.weights == "none" else "imagenet"
    x = backbones.apply(image, x, model.name, weights=weights, norm=model.norm, norm_momentum=momentum)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    if model.dropout:
        x = layers.Dropout(model.dropout, name="dropout")(x)
    priors = priors or {}
    _refuse_clashes([operation.name for operation in keras.Model(image, x).operations], targets)
    outputs = {name: _head(x, name, target, priors.get(name)) for name, target in targets.items()}
    return keras.Model(image, outputs, name="medtf")


def logits_model(model: keras.Model, targets: dict[str, Target]) -> keras.Model:
    """The same layers and weights, ending where the losses begin: logits, or the values of a regression."""
    ends = {
        name: model.get_layer(name if target.kind == "regression" else f"{name}_logits").output
        for name, target in targets.items()
    }
    return keras.Model(model.inputs[0], ends, name="logits")


def norm_momentum(model: Model, steps: int) -> float:
    """Momentum of batch normalisation's moving averages for a training of `steps` steps.

    Keras's 0.99 forgets its start (zeros and ones) after some 500 steps; a shorter training would be judged with statistics it never had. A
    tenth of the training is the memory here, between 10 and 100 steps.
    """
    if model.norm_momentum != "auto":
        return float(model.norm_momentum)
    return 1 - 1 / min(max(steps / 10, 10), 100)


def _scaled(image, model: Model):
    """[0, 1] to what the backbone wants; one grey channel becomes three only where the backbone needs it."""
    _, scale, offset = BACKBONES[model.name]
    plain = isinstance(scale, float)
    channels = image.shape[-1]
    needs_three = model.weights == "imagenet" or model.name.startswith(("efficientnet", "convnext"))
    if needs_three and channels == 1:
        image = layers.Concatenate(name="grey_to_three")([image, image, image])
    elif needs_three and channels != 3:
        raise AskedWronglyError(
            f"model {model.name} with weights {model.weights} takes one or three channels; input.windows names {channels}"
        )
    if not plain and image.shape[-1] != 3:
        scale, offset, plain = float(np.mean(scale)), float(np.mean(offset)), True
    if plain and (scale, offset) == (1.0, 0.0):
        return image
    return layers.Rescaling(scale if plain else list(scale), offset if plain else list(offset), name="scaling")(image)


def _refuse_clashes(taken: list[str], targets) -> None:
    """A target names two layers; the network must not have them already."""
    for name in targets:
        for layer in (name, f"{name}_logits"):
            if layer in taken:
                raise AskedWronglyError(
                    f"target {name!r}: the network has a layer {layer!r} already; give the column another name with "
                    f"data.columns: {{new_name: {name}}}"
                )
            taken.append(layer)


def _head(features, name: str, target: Target, prior):
    if target.kind == "regression":
        mean, deviation = (0.0, 1.0) if prior is None else (float(prior[0]), float(prior[1]))
        value = layers.Dense(1, dtype="float32", name=f"{name}_logits")(features)
        return layers.Rescaling(deviation, mean, dtype="float32", name=name)(value)
    bias = 0.0 if prior is None else _log_odds(np.asarray(prior, float), target)
    start = keras.initializers.Constant(bias)
    logits = layers.Dense(target.units, dtype="float32", bias_initializer=start, name=f"{name}_logits")(features)
    return layers.Activation("sigmoid" if target.kind == "binary" else "softmax", dtype="float32", name=name)(logits)


def _log_odds(prior: np.ndarray, target: Target):
    prior = np.clip(prior, 0.01, 0.99)
    if target.kind == "binary":
        return math.log(prior[0] / (1 - prior[0]))
    return np.log(prior / prior.sum()).tolist()
