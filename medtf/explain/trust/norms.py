"""Batch normalisation of a network whose weights were drawn anew: its statistics are counted again, as a training would have counted them."""

from contextlib import ExitStack

import keras
import numpy as np
from keras import ops

from medtf.explain import gradients, hooks
from medtf.explain.method import BATCH


def settle(model: keras.Model, drawn: list, images: np.ndarray) -> None:
    """Set moving means and variances of the batch normalisations among some layers to what they are given now.

    Statistics of the trained network, or those in another order, do not fit what a random convolution gives: a channel that is divided by the
    deviation of another one grows some tenfold at every layer, and a deep network soon leaves the range of its numbers.

    Args:
        drawn: layers whose weights were drawn anew.
        images: float32 (n, *spatial, channels); the first batch of them is what is counted.
    """
    found = _norms(model)
    inside = {id(part) for layer in drawn for part in layer._flatten_layers()}
    chosen = np.array([id(norm) in inside for norm in found], np.float32)
    if not chosen.any():
        return
    sizes = [2 * int(norm.moving_mean.shape[0]) for norm in found]

    def question(call, images, chosen):
        seen = {}
        with ExitStack() as stack:
            for number, norm in enumerate(found):
                stack.enter_context(hooks.replaced(norm, "call", _counting(norm, number, chosen, seen)))
            call(images)
        kept = [seen.get(i, ops.concatenate([norm.moving_mean, norm.moving_variance])) for i, norm in enumerate(found)]
        return ops.concatenate([ops.cast(one, "float32") for one in kept])

    told = gradients.ask(model, ("statistics",), question, images[:BATCH], chosen)
    for norm, yes, values in zip(found, chosen, np.split(told, np.cumsum(sizes)[:-1]), strict=True):
        if yes:
            mean, variance = np.split(values, 2)
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)


def _counting(norm, number: int, chosen, seen: dict):
    """The call of a layer that normalises by its batch where it is chosen, else by what it learnt, and tells the statistics."""

    def call(x, *_, **__):
        whole = ops.cast(x, "float32")
        others = [axis for axis in range(len(x.shape)) if axis != norm.axis % len(x.shape)]
        mean, variance = ops.moments(whole, axes=others)
        mean = ops.where(chosen[number] > 0, mean, ops.cast(norm.moving_mean, "float32"))
        variance = ops.where(chosen[number] > 0, variance, ops.cast(norm.moving_variance, "float32"))
        seen[number] = ops.concatenate([mean, variance])
        scale = ops.cast(norm.gamma, "float32") if norm.scale else None
        offset = ops.cast(norm.beta, "float32") if norm.center else None
        made = ops.batch_normalization(whole, mean, variance, norm.axis, offset, scale, norm.epsilon)
        return ops.cast(made, norm.compute_dtype)

    return call


def _norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    found = {id(one): one for one in model._flatten_layers() if isinstance(one, keras.layers.BatchNormalization)}
    return list(found.values())
