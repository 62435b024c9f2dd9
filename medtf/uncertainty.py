"""Several passes of one network over each batch: dropout left on (MC dropout), or images changed at random (test-time augmentation).

Gal and Ghahramani 2016, Dropout as a Bayesian approximation, arXiv 1506.02142; Wang 2019, Aleatoric uncertainty estimation with test-time
augmentation, Neurocomputing 338: 34. What the passes give is summed up in `medtf.evaluate.answers`.
"""

import keras
import numpy as np
from keras import ops

from medtf import augment
from medtf.config import Augment, Config
from medtf.errors import AskedWronglyError

# keys of `augment:` that take away or mix what is to be judged: good for training, no other view of the same image
NO_VIEW = ("erase", "cutout", "mixup", "cutmix")


class Passes:
    """One network, asked several times about each batch; the plain answer comes with it from the same pass.

    Args:
        model: as `medtf.models.build` makes them, with its weights.
        config: `augment` and `model` count.
        mc_dropout: passes with the dropout layers left on, everything else (batch normalisation too) as in judgement; 0: none.
        tta: passes over changed images, the first over the image as it is; 0: none.
        seed: of all that is drawn. The same batches in the same order give the same numbers.
    Raises:
        AskedWronglyError: dropout that the network does not have, or an `augment` that changes nothing.
    """

    def __init__(self, model: keras.Model, config: Config, *, mc_dropout: int = 0, tta: int = 0, seed: int = 0):
        self.mc_dropout, self.tta = mc_dropout, tta
        self.plain, self.dropping, self.changed = model, None, None
        if mc_dropout:
            self.plain, self.dropping = with_dropout(model, seed)
        if tta:
            self.changed = with_changes(model, config, seed + 1_000)

    def __call__(self, images) -> tuple[dict, dict[str, dict[str, np.ndarray]]]:
        """Of images (b, ...): the plain outputs {target: (b, k)}, and {"mc": {target: (T, b, k)}, "tta": likewise}, as far as asked for."""
        outputs = _predict(self.plain, images)
        found = {}
        if self.dropping is not None:
            before = {name: outputs.pop(name) for name in list(outputs) if name.startswith(BEFORE)}
            found["mc"] = _dropped(self.dropping, before, self.mc_dropout, len(images))
        if self.changed is not None:
            passes = [outputs, *(_predict(self.changed, images) for _ in range(self.tta - 1))]
            found["tta"] = {name: np.stack([one[name] for one in passes]) for name in outputs}
        return outputs, found


@keras.saving.register_keras_serializable(package="medtf")
class AlwaysOn(keras.layers.Layer):
    """A layer as it is in training, whatever the model around it does.

    Args:
        layer: such as dropout, or a random change of images.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        The layer's.

    Output shape:
        The layer's.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs):
        super().__init__(dtype=layer.dtype_policy, **kwargs)
        self.layer = layer

    def call(self, inputs):
        """The layer with `training=True`."""
        return self.layer(inputs, training=True)

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)


BEFORE = "before_dropout:"  # names of what no dropout has touched yet, among the outputs of the first network


def with_dropout(model: keras.Model, seed: int) -> tuple[keras.Model, keras.Model]:
    """The network cut where its first dropout layers stand, so that what comes before is computed once for all passes.

    Both parts share the model's weights.

    Returns:
        images -> the model's outputs and what goes into the dropout layers ({BEFORE...: tensor}); and from there to {target: (b, k)}, each
        dropout layer in training mode with a seed of its own, every other layer as in judgement.
    Raises:
        AskedWronglyError: the network has no dropout.
    """
    random, before = {}, {}

    def call(layer, *args, **kwargs):
        found = layer(*args, **kwargs)
        given = [one for one in keras.tree.flatten((args, kwargs)) if isinstance(one, keras.KerasTensor)]
        if _drops(layer) or any(id(one) in random for one in given):
            before.update({id(one): one for one in given if id(one) not in random})
            random.update({id(one): one for one in keras.tree.flatten(found)})
        return found

    same = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    if not before:
        raise AskedWronglyError(
            "evaluate.mc_dropout: the network has no dropout layer, so all passes would be the same: train with model.dropout above 0,"
            " or use test-time augmentation (evaluate.tta) or an ensemble (medtf ensemble)"
        )
    outputs = (
        dict(zip(model.output_names, same.outputs, strict=True)) if not isinstance(same.output, dict) else same.output
    )
    cut = {f"{BEFORE}{number}": tensor for number, tensor in enumerate(before.values())}
    first = keras.Model(same.inputs, {**outputs, **cut}, name="until_dropout")
    after = keras.Model(list(cut.values()), outputs, name="after_dropout")
    number = iter(range(seed, seed + 10_000))

    def left_on(layer):
        if not _drops(layer):
            return layer
        config = layer.get_config() | {"seed": next(number)}
        return AlwaysOn(type(layer).from_config(config), name=f"{layer.name}_always")

    return first, keras.models.clone_model(after, clone_function=left_on)


def with_changes(model: keras.Model, config: Config, seed: int) -> keras.Model:
    """Images -> the config's random changes, as in a training step -> the network.

    `NO_VIEW` is left out of them, and so is the jitter of windows, which belongs to reading.

    Raises:
        AskedWronglyError: nothing is left that changes an image.
    """
    wanted = Augment.model_validate(config.augment.model_dump() | dict.fromkeys(NO_VIEW, 0))
    layers = augment.build(wanted, seed=seed, dimensions=config.model.dimensions)
    if not layers:
        raise AskedWronglyError(
            "evaluate.tta: the config's `augment` changes nothing of an image (erase, cutout, mixup and cutmix do not count), so all passes would be"
            " the same: set such as augment.flip or augment.rotate, or set evaluate.tta to 0"
        )
    x = image = keras.Input(model.input_shape[1:], name="image")
    for layer in layers:
        x = AlwaysOn(layer, name=f"{layer.name}_always")(x)
    return keras.Model(image, model(x), name="changed")


def _drops(layer) -> bool:
    """Is it one of Keras's dropout layers, with a rate above 0?"""
    kinds = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)
    kinds += (keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D)
    return isinstance(layer, kinds) and layer.rate > 0


def _dropped(model: keras.Model, before: dict[str, np.ndarray], count: int, size: int) -> dict[str, np.ndarray]:
    """{target: (count, size, k)} of `count` passes from what no dropout has touched."""
    inputs = list(before.values())
    if all(one.ndim == 2 for one in inputs):  # pooled features are small: all passes are one larger batch
        outputs = _predict(model, [np.tile(one, (count, 1)) for one in inputs])
        return {name: values.reshape(count, size, -1) for name, values in outputs.items()}
    passes = [_predict(model, inputs) for _ in range(count)]
    return {name: np.stack([one[name] for one in passes]) for name in passes[0]}


def _predict(model: keras.Model, inputs) -> dict[str, np.ndarray]:
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    if keras.backend.backend() != "tensorflow":
        inputs = keras.tree.map_structure(np.asarray, inputs)
    return {name: ops.convert_to_numpy(values) for name, values in model.predict_on_batch(inputs).items()}
