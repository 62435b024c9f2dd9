"""Layer-wise learning-rate decay: what was pretrained moves the less, the nearer it lies to the image.

The rate of a layer at depth d of D is `decay ** (D - d)` times that of the head (Clark 2020, ELECTRA, arXiv 2003.10555; Bao 2021, BEiT,
arXiv 2106.08254; He 2022, arXiv 2111.06377). Keras's optimizers know one rate for all variables; those here take one factor for each.
"""

import re

import keras
from keras import ops

from medtf.models.parts import heads_of

_BLOCK = re.compile(r"block_(\d+)_")


def depths(model: keras.Model) -> tuple[dict[str, int], int]:
    """How far from the image each layer lies.

    A vision transformer counts as in BEiT: patch embedding, class token and positions 0, block i (from 0) i + 1, the last norm and the
    heads blocks + 1. A convolutional network counts by stages, each beginning where a convolution or a pooling with a stride makes the
    image smaller; most have four to six of them, so that one `decay` takes less from them than from twelve blocks. The heads come after
    the last. A layer that two ways lead to counts by the longer one.

    Args:
        model: one flat graph, as `medtf.models.build` makes it.
    Returns:
        {name of a layer with weights: depth from 0}, and the depth of the heads, D.
    """
    fixed = keras.layers.Normalization  # of the image, with an EfficientNet's ImageNet weights: nothing learns there
    weighted = [layer.name for layer in model.layers if layer.weights and not isinstance(layer, fixed)]
    if "patch_embedding" in weighted:
        return _of_transformer(weighted)
    heads, stages = heads_of(model), _stages(model)
    order = sorted({stages[name] for name in weighted if name not in heads})
    last = len(order)
    return {name: last if name in heads else order.index(stages[name]) for name in weighted}, last


def factors(model: keras.Model, variables, decay: float) -> tuple[float, ...] | None:
    """What each variable's learning rate and weight decay are multiplied with; None where that is 1 for all.

    Args:
        model: whose layers say how deep a variable lies.
        variables: that are trained, in the order in which the optimizer is built on them; one that is not the model's gets 1.
        decay: in (0, 1].
    """
    if decay == 1:
        return None
    found, last = depths(model)
    known = {
        id(v): decay ** (last - found[layer.name])
        for layer in model.layers
        for v in layer.trainable_weights
        if layer.name in found
    }
    return tuple(known.get(id(variable), 1.0) for variable in variables)


def line(model: keras.Model, decay: float) -> str:
    """What the user is told, before the training."""
    found, last = depths(model)
    first = next(name for name, depth in found.items() if depth == min(found.values()))
    return f"layer decay {decay:g}: {last + 1} depths; the learning rate of {first} is {decay**last:.2g} of the head's"


def _of_transformer(names: list[str]) -> tuple[dict[str, int], int]:
    blocks = {name: int(match[1]) for name in names if (match := _BLOCK.match(name))}
    last = max(blocks.values(), default=-1) + 2
    begin = dict.fromkeys(("patch_embedding", "positions", "class_token"), 0)
    return {name: blocks[name] + 1 if name in blocks else begin.get(name, last) for name in names}, last


def _stages(model: keras.Model) -> dict[str, int]:
    """How many strides lie between the image and each operation's output."""
    reached, found = {}, {}
    for operation in model.operations:  # in topological order
        before = [reached.get(id(tensor), 0) for tensor in keras.tree.flatten(operation.input)]
        stage = max(before, default=0) + _shrinks(operation)
        reached |= {id(tensor): stage for tensor in keras.tree.flatten(operation.output)}
        found[operation.name] = stage
    return found


def _shrinks(operation) -> bool:
    strides = getattr(operation, "strides", None) or 1
    return max(keras.tree.flatten(strides)) > 1


class _ByLayer:
    """Before an optimizer of Keras: learning rate and decoupled weight decay of each variable times its factor."""

    def __init__(self, *args, factors, **kwargs):
        super().__init__(*args, **kwargs)
        self.factors = tuple(float(factor) for factor in factors)
        self._decay_of_all = self.weight_decay

    def build(self, variables):
        """Make the optimizer's variables.

        Raises:
            ValueError: not one factor a variable.
        """
        if len(variables) != len(self.factors):
            raise ValueError(f"`factors`: expected one for each of {len(variables)} variables, got {len(self.factors)}")
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Keras's own step at this variable's rate."""
        super().update_step(gradient, variable, ops.multiply(learning_rate, self._factor(variable)))

    def _apply_weight_decay(self, variables):
        """Keras decays by weight_decay x learning rate, both of all variables: here once for each factor.

        Always set from the same number and never from what stands there, for with several GPUs one thread each passes here.
        """
        if self._decay_of_all is None:
            return
        for factor in sorted({self._factor(variable) for variable in variables}):
            self.weight_decay = self._decay_of_all * factor
            super()._apply_weight_decay([variable for variable in variables if self._factor(variable) == factor])
        self.weight_decay = self._decay_of_all

    def get_config(self):
        """With the factors."""
        return super().get_config() | {"factors": list(self.factors)}

    def _factor(self, variable) -> float:
        return self.factors[self._get_variable_index(variable)]


@keras.saving.register_keras_serializable(package="medtf")
class LayerwiseAdamW(_ByLayer, keras.optimizers.AdamW):
    """AdamW with a factor for each variable: Keras's own arguments, and `factors`, in the order of the variables."""


@keras.saving.register_keras_serializable(package="medtf")
class LayerwiseSGD(_ByLayer, keras.optimizers.SGD):
    """SGD with a factor for each variable: Keras's own arguments, and `factors`, in the order of the variables."""
