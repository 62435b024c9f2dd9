"""Which layers of a network hold what training taught it: from the heads down, and the last dense layer of a target."""

import keras

from medtf.errors import AskedWronglyError
from medtf.explain import graph, layers
from medtf.explain.score import Score


def groups(model: keras.Model, steps: int) -> list[list[tuple[str, keras.layers.Layer]]]:
    """All layers with weights, the last ones first: the heads alone, then the others in `steps` - 1 groups of about the same number.

    Args:
        steps: groups at the most; a network with few layers has fewer. 1: all at once.
    Returns:
        (path, layer) of each group; a layer that is used twice stands where it is met first.
    """
    seen, found = set(), []
    for path, layer in reversed(layers.walk(model)):
        if id(layer) not in seen and getattr(layer, "weights", None):
            seen.add(id(layer))
            found.append((path, layer))
    if steps <= 1 or len(found) <= 1:
        return [found] if found else []
    ends = {id(layer) for layer in heads(model)} & seen or {id(found[0][1])}
    rest = [one for one in found if id(one[1]) not in ends]
    count = min(steps - 1, len(rest))
    size = [len(rest) // count + (i < len(rest) % count) for i in range(count)] if count else []
    starts = [sum(size[:i]) for i in range(count)]
    made = [[one for one in found if id(one[1]) in ends]]
    return made + [rest[at : at + many] for at, many in zip(starts, size, strict=True)]


def heads(model: keras.Model) -> list[keras.layers.Layer]:
    """The last layers with weights on the way to each output."""
    outputs = keras.tree.flatten(graph.outputs(model))
    return list({id(layer): layer for tensor in outputs for layer in _before(tensor)}.values())


def dense(model: keras.Model, target: str | None) -> keras.layers.Dense:
    """The last dense layer of a target, whose input are the features that its answer is made of.

    Raises:
        AskedWronglyError: a target that is none; an answer that does not end in one dense layer.
    """
    score = Score(model, target)
    name, found = score.target, _before(score.tensor)
    if len(found) != 1 or not isinstance(found[0], keras.layers.Dense) or len(found[0].kernel.shape) != 2:
        of = f" of {name}" if name else ""
        raise AskedWronglyError(
            f"{model.name}: the answer{of} does not end in one dense layer, so no head can be fitted anew"
        )
    return found[0]


def _before(tensor, inside: tuple = ()) -> list[keras.layers.Layer]:
    """The layers with weights that are met first on all ways back from a tensor."""
    operation, inputs = graph.made(tensor, inside)
    if getattr(operation, "weights", ()):
        return [operation]
    return [found for one, within in inputs for found in _before(one, within)]
