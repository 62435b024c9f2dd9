"""Which layer a heat map is of: by its name, or the last one that still knows where things are; inside nested models too."""

from typing import NamedTuple

import keras
from keras import ops

from medtf.errors import AskedWronglyError, nearest


class Found(NamedTuple):
    """A layer, its path through nested models (`backbone/mixed10`), and the grid of places that its output has.

    `leading` tokens stand in front of a transformer's patches (class tokens) and have no place.
    """

    path: str
    layer: keras.layers.Layer
    grid: tuple[int, ...]
    leading: int = 0


def find(model: keras.Model, name: str | None = None) -> Found:
    """The layer to look into.

    Without a name: the last layer whose output still has places, which holds the highest concepts (Selvaraju 2017, section 3). Of a transformer
    with a class token it is the last layer that its last attention still reads: what comes behind it reaches the answer through the class
    token alone, and no patch has a gradient.

    Args:
        model: Keras model of images (batch, height, width, channels) or volumes (batch, x, y, z, channels).
        name: of a layer, or its path where several have the name.
    Raises:
        AskedWronglyError: no such layer (the nearest is named), several of that name, a layer without places, a network without any.
    """
    inside = _walk(model)
    if name is not None:
        return _named(inside, name, model)
    spatial = [found for path, layer in inside if (found := _spatial(path, layer, model)) is not None]
    if not spatial:
        raise AskedWronglyError(
            f"{model.name}: no layer keeps places (its outputs have no height and width left), so no heat map of layers can be made;"
            " take a method that reads the input: integrated-gradients, smooth-grad or occlusion"
        )
    if spatial[-1].leading:
        before = [path for path, layer in inside if isinstance(layer, keras.layers.MultiHeadAttention)]
        paths = [path for path, _ in inside]
        spatial = [one for one in spatial if paths.index(one.path) < paths.index(before[-1])] if before else spatial
    return spatial[-1]


def _named(inside, name: str, model) -> Found:
    same = [(path, layer) for path, layer in inside if path == name or layer.name == name]
    exact = [(path, layer) for path, layer in same if path == name]
    same = exact or same
    if not same:
        known = list(dict.fromkeys([layer.name for _, layer in inside] + [path for path, _ in inside]))
        raise AskedWronglyError(f"layer {name!r}: {model.name} has no such layer: {_nearest(name, known)}")
    if len(same) > 1:
        raise AskedWronglyError(
            f"layer {name!r}: several layers have this name: name one by its path: {', '.join(path for path, _ in same[:5])}"
        )
    found = _spatial(*same[0], model)
    if found is None:
        shape = getattr(same[0][1], "output", None)
        had = tuple(shape.shape[1:]) if hasattr(shape, "shape") else "several outputs"
        last = find(model)
        raise AskedWronglyError(
            f"layer {name!r}: its output has no places (shape {had}); the last layer that has is {last.path!r}"
        )
    return found


def _nearest(name: str, known: list[str]) -> str:
    said = nearest(name, known)
    if said.startswith("did you mean"):
        return said
    return f"the last of its {len(known)} layers are {', '.join(known[-5:])}"


def _walk(model, prefix: str = "") -> list[tuple[str, keras.layers.Layer]]:
    """All layers with their paths, in the order in which the network runs; nested models stand before what they hold."""
    found = []
    operations = getattr(model, "operations", None) or model.layers
    for layer in operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        path = prefix + layer.name
        if isinstance(layer, keras.Model):
            found += _walk(layer, path + "/")
        else:
            found.append((path, layer))
    return found


def _spatial(path: str, layer, model) -> Found | None:
    output = _output(layer)
    shape = getattr(output, "shape", None)
    if shape is None:
        return None
    dimensions = len(model.input_shape) - 2
    sides = tuple(shape[1:-1])
    if len(shape) == dimensions + 2 and all(sides) and max(sides) > 1:
        return Found(path, layer, sides)
    if len(shape) == 3 and dimensions > 1 and shape[1]:
        return _tokens(path, layer, shape[1], model)
    return None


def _output(layer):
    """The symbolic output; of a layer that was called several times the last one; None where there is none or are several."""
    nodes = getattr(layer, "_inbound_nodes", [])
    if not nodes:
        return None
    outputs = nodes[-1].output_tensors
    return outputs[0] if len(outputs) == 1 else None


def _tokens(path: str, layer, count: int, model) -> Found | None:
    """A row of tokens is a grid where some layer before it gave that grid of patches; what is left over stands in front."""
    for _, earlier in _walk(model):
        shape = getattr(_output(earlier), "shape", None)
        if shape is None or len(shape) != len(model.input_shape) or not all(shape[1:-1]):
            continue
        sides, patches = tuple(shape[1:-1]), 1
        for side in sides:
            patches *= side
        if 1 < patches <= count <= patches + MOST_LEADING:
            return Found(path, layer, sides, count - patches)
    return None


MOST_LEADING = 8  # class, distillation and register tokens


def on_grid(x, found: Found):
    """A layer's output with its places as axes: (batch, *grid, channels); tokens without a place are left out."""
    if len(x.shape) == len(found.grid) + 2:
        return x
    return ops.reshape(x[:, found.leading :], (-1, *found.grid, x.shape[-1]))
