"""The way through a network of layers, from its outputs back, as if nested models were not nested."""

from typing import NamedTuple

import keras
import numpy as np


class Made(NamedTuple):
    """The layer or operation that made a tensor, and what it was made of; each input with the nested models it is inside of."""

    operation: keras.Operation
    inputs: list[tuple[keras.KerasTensor, tuple]]


def outputs(model):
    """The symbolic outputs as the model gives them; None where it was written as a class and has none of its own."""
    if isinstance(model, keras.Sequential):
        return model.outputs[0] if model.built and model._functional else None
    return model.output if hasattr(model, "operations") else None


def whole(model: keras.Model, images) -> keras.Model:
    """A model that was written as a class as the only layer of a functional one, whose input and outputs are known; others as they are.

    Args:
        images: that it is asked of, for the shape of its input; (batch, *spatial, channels).
    """
    if outputs(model) is not None:
        return model
    held = vars(model).setdefault(
        "_whole", {}
    )  # one for each shape, so that it is compiled once; past Keras's tracking
    shape = tuple(np.shape(images)[1:])
    if shape not in held:
        image = keras.Input(shape)
        held[shape] = keras.Model(image, model(image), name=model.name)
    return held[shape]


def made(tensor, inside: tuple = ()) -> Made:
    """Who made a tensor. A nested model is looked into; one that was written as a class is taken as one layer.

    Args:
        tensor: of a functional or Sequential model.
        inside: the nested models that it is inside of, as `Made.inputs` gives them: (model, number of its call), the outermost first.
    """
    operation, call, place = tensor._keras_history
    if isinstance(operation, keras.Model) and outputs(operation) is not None:
        return made(keras.tree.flatten(outputs(operation))[place], (*inside, (operation, call)))
    node = operation._inbound_nodes[call]
    if isinstance(operation, keras.layers.InputLayer) and inside:
        *outer, (model, call) = inside
        number = [id(one) for one in model.inputs].index(id(tensor))
        return made(model._inbound_nodes[call].input_tensors[number], tuple(outer))
    return Made(operation, [(one, inside) for one in node.input_tensors])


def on_the_way(tensor) -> set[int]:
    """`id` of every layer and operation that a tensor depends on."""
    found, seen, waiting = set(), set(), [(tensor, ())]
    while waiting:
        operation, inputs = made(*waiting.pop())
        found.add(id(operation))
        for one, inside in inputs:
            place = (id(one), tuple((id(model), call) for model, call in inside))
            if place not in seen:
                seen.add(place)
                waiting.append((one, inside))
    return found
