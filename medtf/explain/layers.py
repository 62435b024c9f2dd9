"""Which layer a heat map is of: by its name, or the last one that still knows where things are; inside nested models too."""

import math
from typing import NamedTuple

import keras
from keras import ops

from medtf.errors import AskedWronglyError, nearest
from medtf.explain import graph, recorded


class Found(NamedTuple):
    """A layer, its path through nested models (`backbone/mixed10`), and the grid of places that its output has.

    `leading` tokens stand in front of a transformer's patches (class tokens) and have no place.
    """

    path: str
    layer: keras.layers.Layer
    grid: tuple[int, ...]
    leading: int = 0
    tokens: bool = False  # a row of patches, which lie evenly


class _Inside(NamedTuple):
    """A layer of a network, and the shape of its output without the batch; None where it has several, or was never called."""

    path: str
    layer: keras.layers.Layer
    shape: tuple | None
    holder: keras.Model | None = None  # the nested model that the graph holds in its place


def find(model: keras.Model, name: str | None = None, *, to=None) -> Found:
    """The layer to look into.

    Without a name: the last layer whose output still has places, which holds the highest concepts (Selvaraju 2017, section 3). Of a transformer
    with a class token it is the last layer that its last attention still reads: what comes behind it reaches the answer through the class
    token alone, and no patch has a gradient.

    Args:
        model: Keras model of images (batch, height, width, channels) or volumes (batch, x, y, z, channels).
        name: of a layer, or its path where several have the name.
        to: the symbolic output that is explained (`Score.tensor`): of several branches, those that lead to it alone.
    Raises:
        AskedWronglyError: no such layer (the nearest is named), several of that name, a layer without places, one that does not lead to
            the output, a network without any.
    """
    inside = _all(model)
    if name is not None:
        return _named(inside, name, model, to)
    inside = _leading_to(inside, to)
    spatial = [found for one in inside if (found := _spatial(one, inside, model)) is not None]
    if not spatial:
        raise AskedWronglyError(
            f"{model.name}: no layer keeps places (its outputs have no height and width left), so no heat map of layers can be made;"
            " take a method that reads the input: integrated-gradients, smooth-grad or occlusion"
        )
    if spatial[-1].leading:
        paths = [one.path for one in inside]
        attention = [at for at, one in enumerate(inside) if attends(one.layer)]
        spatial = [one for one in spatial if not attention or paths.index(one.path) < attention[-1]] or spatial
    return spatial[-1]


def attends(layer) -> bool:
    """Is a layer attention between tokens, or does it hold some?"""
    held = layer._flatten_layers() if isinstance(layer, keras.layers.Layer) else []
    return any(isinstance(one, ATTENTION) for one in held)


ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)


def _leading_to(inside: list[_Inside], to) -> list[_Inside]:
    """The layers that the output depends on; those of a model that was written as a class as a whole."""
    if to is None:
        return inside
    there = graph.on_the_way(to)
    return [one for one in inside if id(one.layer) in there or id(one.holder) in there]


def _named(inside: list[_Inside], name: str, model, to) -> Found:
    same = [one for one in inside if one.path == name or one.layer.name == name]
    same = [one for one in same if one.path == name] or same
    if not same:
        known = list(dict.fromkeys([one.layer.name for one in inside] + [one.path for one in inside]))
        raise AskedWronglyError(f"layer {name!r}: {model.name} has no such layer: {_nearest(name, known)}")
    if len(same) > 1:
        raise AskedWronglyError(
            f"layer {name!r}: several layers have this name: name one by its path: {', '.join(one.path for one in same[:5])}"
        )
    found = _spatial(same[0], inside, model)
    if found is None:
        had = "several outputs" if same[0].shape is None else f"shape {same[0].shape}"
        raise AskedWronglyError(
            f"layer {name!r}: its output has no places ({had}); the last layer that has is {find(model).path!r}"
        )
    if same[0] not in _leading_to(inside, to):
        raise AskedWronglyError(
            f"layer {name!r}: the answer does not depend on it: name a layer on the way to the target, such as {find(model, to=to).path!r}"
        )
    return found


def _nearest(name: str, known: list[str]) -> str:
    said = nearest(name, known)
    if said.startswith("did you mean"):
        return said
    return f"the last of its {len(known)} layers are {', '.join(known[-5:])}"


def walk(model: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    """All layers with their paths, in the order in which the network runs; of nested models what they hold."""
    return [(one.path, one.layer) for one in _all(model)]


def _all(model, prefix: str = "") -> list[_Inside]:
    found = []
    for layer in getattr(model, "operations", None) or model.layers:
        path = prefix + layer.name
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if not isinstance(layer, keras.Model):
            found.append(_Inside(path, layer, _shape(layer)))
        elif graph.outputs(layer) is None or None in layer.input_shape[1:]:  # no graph, or one of images of any size
            found += [_Inside(f"{path}/{one.path}", one.layer, one.shape, layer) for one in recorded.ran(layer)]
        else:
            found += _all(layer, path + "/")
    return found


def _shape(layer) -> tuple | None:
    """Of the symbolic output; of a layer that was called several times the last one."""
    nodes = getattr(layer, "_inbound_nodes", [])
    outputs = nodes[-1].output_tensors if nodes else []
    return tuple(outputs[0].shape[1:]) if len(outputs) == 1 else None


def _spatial(one: _Inside, inside: list[_Inside], model) -> Found | None:
    if one.shape is None:
        return None
    image = model.input_shape[1:-1]
    sides = one.shape[:-1]
    if len(sides) == len(image) and any(side != 1 for side in sides):
        return Found(one.path, one.layer, sides)
    if len(sides) == 1 and len(image) > 1 and sides[0]:
        return _tokens(one, inside, image)
    return None


def _tokens(one: _Inside, inside: list[_Inside], image: tuple) -> Found | None:
    """A row of tokens is a grid where some layer gave that grid of patches; what is left over stands in front."""
    count = one.shape[0]
    grids = [other.shape[:-1] for other in inside if other.shape and len(other.shape) == len(image) + 1]
    if all(image) and any(attends(other.layer) for other in inside):  # patches may be cut inside of a layer
        sides = [patch for patch in range(2, min(image) + 1) if not any(side % patch for side in image)]
        grids += [tuple(side // patch for side in image) for patch in sides]
    for grid in grids:
        patches = math.prod(grid) if all(grid) else 0
        if 1 < patches <= count <= patches + MOST_LEADING:
            return Found(one.path, one.layer, grid, count - patches, tokens=True)
    return None


MOST_LEADING = 8  # class, distillation and register tokens


def on_grid(x, found: Found):
    """A layer's output with its places as axes: (batch, *grid, channels); tokens without a place are left out."""
    if len(x.shape) == len(found.grid) + 2:
        return x
    return ops.reshape(x[:, found.leading :], (-1, *found.grid, x.shape[-1]))
