"""Attention rollout: whose content each token holds at the end, if attention alone moved it (Abnar and Zuidema 2020)."""

from contextlib import ExitStack

import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.explain import gradients, hooks, layers
from medtf.explain.enlarge import enlarged
from medtf.explain.method import Method


class AttentionRollout(Method):
    """The product of all layers' attention, the mean over heads with half of the identity for the way around it: equation 1 of the paper.

    Of a network with a class token it is that token's row, else the mean of all rows. Target and class are not asked: the map is the same for
    every answer of the network.
    """

    name, label, paper = "attention-rollout", "Attention rollout", "Abnar and Zuidema 2020, arXiv 2005.00928"
    words = (
        "Shows from which patches a transformer's attention gathers, through all its layers. It knows neither target nor class: it is the same map"
        " for every answer, and says nothing of what the network makes of those patches."
    )
    of_layers, of_classes = False, False

    def prepared(self, model, score, layer_name):
        """See `Method.prepared`; a layer is refused, since all of them are read.

        Raises:
            AskedWronglyError: a layer, a network without attention, or one whose attention is not between all of its patches.
        """
        if layer_name is not None:
            raise AskedWronglyError(
                f"layer {layer_name!r}: {self.name} reads all layers of attention: leave the layer out"
            )
        attention = _attention(model)
        found = layers.find(model)

        def question(call, images):
            rows = _rolled(_seen(attention, lambda: call(images)), found, model)
            kept = rows[:, 0] if found.leading else ops.mean(rows, axis=1)
            return ops.reshape(kept[:, found.leading :], (-1, *found.grid))

        def ask(images, classes):
            small = gradients.ask(model, (self.name,), question, images)
            return ops.convert_to_numpy(enlarged(ops.convert_to_tensor(small), images.shape[1:-1]))

        return ask


def _attention(model) -> list:
    """Every layer of attention, also those inside other layers."""
    found = [layer for layer in model._flatten_layers() if isinstance(layer, layers.ATTENTION)]
    if not found:
        raise AskedWronglyError(
            f"{model.name}: no layer of attention (keras.layers.MultiHeadAttention), so no attention-rollout: it is for transformers;"
            " take grad-cam"
        )
    return found


def _seen(attention: list, call) -> list:
    """The attention of each layer, (batch, heads, to, from), in the order in which they run."""
    seen = []
    with ExitStack() as stack:
        for layer in attention:
            stack.enter_context(hooks.attending(layer, seen.append))
        call()
    return seen


def _rolled(seen: list, found: layers.Found, model):
    """float32 (batch, tokens, tokens): what each token (row) holds of each of the first (column)."""
    tokens = int(np.prod(found.grid)) + found.leading
    rolled = ops.eye(tokens, dtype="float32")
    for scores in seen:
        if tuple(scores.shape[2:]) != (tokens, tokens):
            raise AskedWronglyError(
                f"{model.name}: attention between {' and '.join(map(str, scores.shape[2:]))} tokens where it has {tokens}:"
                " attention-rollout is for networks whose tokens all attend to each other, in every layer; take grad-cam"
            )
        mixed = ops.mean(ops.cast(scores, "float32"), axis=1) + ops.eye(tokens, dtype="float32")
        mixed = mixed / ops.sum(mixed, axis=-1, keepdims=True)
        rolled = ops.matmul(mixed, rolled)
    return rolled
