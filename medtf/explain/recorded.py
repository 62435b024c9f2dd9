"""What a model that was written as a class does inside: it has no graph to be read, so it is run once on nothing, and listened to."""

from contextlib import ExitStack
from typing import NamedTuple

import keras

from medtf.explain import hooks


class Ran(NamedTuple):
    """A layer that ran, its path inside the model, the shape of its output without the batch (None: several outputs), and whether that
    was an output of the model: which one."""

    path: str
    layer: keras.layers.Layer
    shape: tuple | None
    place: int | None


def ran(model: keras.Model) -> list[Ran]:
    """The innermost layers of a nested model that was written as a class, in the order in which they run.

    Args:
        model: which has been called on symbolic inputs, as a part of a functional model is.
    """
    tensors = model._inbound_nodes[-1].input_tensors
    given = [keras.KerasTensor((1, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]
    given = given if isinstance(model._inbound_nodes[-1].arguments.args[0], (list, tuple)) else given[0]
    seen, ends = [], []
    with ExitStack() as stack:
        for path, layer in leaves(model):
            stack.enter_context(hooks.passing(layer, _noted(seen, path, layer)))
        stack.enter_context(hooks.passing(model, lambda x: ends.append(x) or x))
        keras.Operation.compute_output_spec(model, given)
    last = [id(one) for one in keras.tree.flatten(ends[-1])]
    return [
        Ran(path, layer, _shape(output), last.index(id(output)) if id(output) in last else None)
        for path, layer, output in seen
    ]


def leaves(model, prefix: str = "") -> list[tuple[str, keras.layers.Layer]]:
    """Layers with their paths, models looked into; in the order of a graph where there is one, else as they were made."""
    found = []
    for layer in getattr(model, "operations", None) or model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inside = isinstance(layer, keras.Model)
        found += leaves(layer, f"{prefix}{layer.name}/") if inside else [(prefix + layer.name, layer)]
    return found


def _noted(seen: list, path: str, layer):
    def note(output):
        seen.append((path, layer, output))
        return output

    return note


def _shape(output) -> tuple | None:
    return tuple(output.shape[1:]) if hasattr(output, "shape") else None
