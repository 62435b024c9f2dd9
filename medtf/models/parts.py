"""Which layers of a network are its encoder, and which its heads: the encoder ends where it pools."""

import keras

ENDS = ("gap", "token")  # the layer whose output is the features: see `medtf.models.build.encoder`


def heads_of(model: keras.Model) -> set[str]:
    """Names of all that comes after the features: dropout and heads; none in a bare encoder."""
    behind, found = set(), set()
    for operation in model.operations:  # in topological order
        inputs = {id(tensor) for tensor in keras.tree.flatten(operation.input)}
        if operation.name in ENDS:
            behind |= _outputs(operation)
        elif inputs & behind and not isinstance(operation, keras.layers.InputLayer):
            behind |= _outputs(operation)
            found.add(operation.name)
    return found


def encoder_of(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers up to the features; all layers where nothing says where these are."""
    behind = heads_of(model)
    return [layer for layer in model.layers if layer.name not in behind]


def _outputs(operation) -> set[int]:
    return {id(tensor) for tensor in keras.tree.flatten(operation.output)}
