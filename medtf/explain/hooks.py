"""Look into a layer while the network runs, wherever it stands: at the top, inside a nested model, in a subclassed one.

A sub-model that ends at an inner layer cannot be built where that layer is part of a nested model ("graph disconnected"). So the network itself
is called, and the layer hands out what passes through it.
"""

from collections.abc import Callable
from contextlib import contextmanager


@contextmanager
def passing(layer, change: Callable):
    """While this is open, `layer` gives `change(output)` in place of its output; the layer is left as it was found.

    Meant for the tracing of one function: `change` sees the tensor of the trace. A layer that is called several times is changed at each call.

    Args:
        layer: a Keras layer, operation or nested model.
        change: output -> output, of the same structure.
    """

    def call(*args, **named):
        return change(original(*args, **named))

    original = layer.call
    with replaced(layer, "call", call):
        yield


@contextmanager
def given(layer, keep: Callable):
    """While this is open, `keep` is handed what `layer` is given, and the layer does as always."""

    def call(x, *args, **named):
        keep(x)
        return original(x, *args, **named)

    original = layer.call
    with replaced(layer, "call", call):
        yield


@contextmanager
def attending(layer, keep: Callable):
    """While this is open, `keep` is handed the attention of a layer such as `keras.layers.MultiHeadAttention`: (batch, heads, to, from).

    Flash attention, which never has it whole, is off the while; so is every other fast path, because the scores are asked for.
    """

    def call(*args, return_attention_scores=False, **named):
        output, attention = original(*args, return_attention_scores=True, **named)
        keep(attention)
        return (output, attention) if return_attention_scores else output

    original = layer.call
    with replaced(layer, "call", call), replaced(layer, "_flash_attention", False):
        yield


@contextmanager
def linear(layer):
    """While this is open, a layer with an activation of its own goes without, so that it gives logits."""
    with replaced(layer, "activation", lambda x: x):
        yield


@contextmanager
def replaced(layer, name: str, value):
    """An attribute of an instance, past Keras's tracking of attributes, which is locked once a layer is built."""
    held = vars(layer)
    there, before = name in held, held.get(name)
    held[name] = value
    try:
        yield
    finally:
        if there:
            held[name] = before
        else:
            del held[name]
