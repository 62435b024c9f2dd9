"""A whole network as one flat functional graph: image or volume -> scaling -> backbone -> pooling -> dropout -> a head for each target."""

import keras
import numpy as np
from keras import layers

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import backbones, heads, volumes
from medtf.models.names import BACKBONES, TRANSFORMERS
from medtf.models.vit import vit


def build(
    model: Model,
    input_shape,
    targets: dict[str, Target],
    *,
    priors: dict[str, np.ndarray] | None = None,
    momentum: float = 0.99,
):
    """A keras.Model: float32 images (batch, height, width, channels) in [0, 1], or volumes, -> {target: (batch, k)}.

    Volumes are (batch, depth, height, width, channels), normalised as `input.normalise` says; a 3D network scales nothing.
    Outputs are probabilities (binary: sigmoid; multi-class: softmax) or values in the target's unit; layer `<target>` gives them, layer
    `<target>_logits` what comes before, both float32 under every policy; see `medtf.models.heads`. For the losses: `logits_model`.

    Args:
        model: name, weights, dropout, norm; se and init of a 3D network; pool and drop_path of a transformer.
        input_shape: (height, width, channels), or (depth, height, width, channels).
        targets: what to predict.
        priors: per target what the head starts from: class frequencies (binary: 1, multi-class: k), [mean, deviation] of a regression
            in its unit, or with `head: bins` the share of each bin; a head that starts at the mean need not learn it, and the
            first steps do not shake the backbone.
        momentum: of batch normalisation's moving averages; `norm_momentum` chooses it.
    Raises:
        MedtfError, AskedWronglyError: as `check`; a target with the name of a layer.
    """
    base = encoder(model, input_shape, momentum=momentum)
    image, x = base.inputs[0], base.outputs[0]
    if model.dropout:
        x = layers.Dropout(model.dropout, name="dropout")(x)
    priors = priors or {}
    _refuse_clashes([operation.name for operation in keras.Model(image, x).operations], targets)
    outputs = {name: heads.head(x, name, target, priors.get(name)) for name, target in targets.items()}
    return keras.Model(image, outputs, name="medtf")


def encoder(model: Model, input_shape, *, momentum: float = 0.99) -> keras.Model:
    """All but the heads: float32 images or volumes, as for `build`, to one vector of features an example, (batch, f).

    Its layers have the names that they have in `build`, so that weights go from one to the other by name. What pretraining learns is this.

    Args:
        model, input_shape, momentum: as for `build`.
    Raises:
        MedtfError, AskedWronglyError: as `check`.
    """
    _refuse_options(model)
    image = keras.Input(tuple(input_shape), name="image")
    return keras.Model(image, _features(image, model, momentum), name="encoder")


def check(model: Model, input_shape) -> None:
    """Say what is wrong with the network before hours of reading, in 2D and in 3D.

    Args:
        model: as for `build`.
        input_shape: (height, width, channels) or (depth, height, width, channels).
    Raises:
        AskedWronglyError: too small images, an option that the network does not have. MedtfError: weights that no network brings.
    """
    _refuse_options(model)
    if model.transformer:
        vit.check(model.name, weights=model.weights, norm=model.norm, input_shape=input_shape)
    elif model.dimensions == 3:
        volumes.check(model.name, weights=model.weights, input_shape=input_shape)
    else:
        weights = "imagenet" if model.weights == "imagenet" else None
        backbones.check(model.name, weights=weights, input_shape=input_shape)


def logits_model(model: keras.Model, targets: dict[str, Target]) -> keras.Model:
    """The same layers and weights, ending where the losses begin: logits, or the values of a regression."""
    ends = {name: heads.before_loss(model, name, target) for name, target in targets.items()}
    return keras.Model(model.inputs[0], ends, name="logits")


def norm_momentum(model: Model, steps: int) -> float:
    """Momentum of batch normalisation's moving averages for a training of `steps` steps.

    Keras's 0.99 forgets its start (zeros and ones) after some 500 steps; a shorter training would be judged with statistics it never had. A
    tenth of the training is the memory here, between 10 and 100 steps.
    """
    if model.norm_momentum != "auto":
        return float(model.norm_momentum)
    return 1 - 1 / min(max(steps / 10, 10), 100)


def _features(image, model: Model, momentum: float):
    """One vector an image; weights from a file are loaded by name afterwards: `medtf.models.transfer`."""
    if model.transformer:
        vit.check(model.name, weights=model.weights, norm=model.norm, input_shape=image.shape[1:])
        return vit.features(image, model.name, pool=model.pool, drop_path=model.drop_path)
    if model.dimensions == 3:
        volumes.check(model.name, weights=model.weights, input_shape=image.shape[1:])
        x = volumes.apply(image, model.name, norm=model.norm, se=model.se, init=model.init, momentum=momentum)
        return layers.GlobalAveragePooling3D(name="gap")(x)
    weights = "imagenet" if model.weights == "imagenet" else None
    scaled = _scaled(image, model)
    x = backbones.apply(image, scaled, model.name, weights=weights, norm=model.norm, norm_momentum=momentum)
    return layers.GlobalAveragePooling2D(name="gap")(x)


def _refuse_options(model: Model) -> None:
    if model.dimensions == 2 and model.se:
        raise AskedWronglyError(f"model.se: {model.name} is a 2D network; squeeze-and-excitation is for 3D networks")
    if model.transformer:
        for key, default in (("init", "he"), ("norm_momentum", "auto")):
            if getattr(model, key) != default:
                raise AskedWronglyError(f"model.{key}: means nothing to {model.name}: remove the key")
        return
    if model.pool != "gap":
        raise AskedWronglyError(
            f"model.pool: {model.pool}: {model.name} has no class token; remove the key, or take a vision transformer ({', '.join(TRANSFORMERS)})"
        )
    if model.drop_path:
        raise AskedWronglyError(
            f"model.drop_path: is for vision transformers ({', '.join(TRANSFORMERS)}); for {model.name} see model.dropout"
        )


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
    """A target names two layers or more; the network must not have them already."""
    for name, target in targets.items():
        for layer in heads.names(name, target):
            if layer in taken:
                raise AskedWronglyError(
                    f"target {name!r}: the network has a layer {layer!r} already; give the column another name with "
                    f"data.columns: {{new_name: {name}}}"
                )
            taken.append(layer)
