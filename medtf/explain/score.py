"""Which number of the network is explained: a class's logit, a value in its unit, one target of several."""

import keras
import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError, nearest
from medtf.explain import graph, hooks, recorded

HIGHEST = -1  # in place of a class: the one that the network gives most


class Score:
    """One number an example, the higher the more the network says for it.

    Of a probability the logit is explained, as in the papers: the slope of a softmax or sigmoid is near 0 exactly where the network is sure.

    Args:
        model: Keras model with one output, or a dict of them.
        target: which output of a dict; None where there is one only.
        against: explain what speaks against it: the sign is turned round.
    Raises:
        AskedWronglyError: a target that the model does not have, or none named where there are several.
    """

    def __init__(self, model: keras.Model, target: str | None = None, *, against: bool = False):
        self.target, self.against = _target(model, target), against
        self.tensor = _tensor(model, self.target)
        self.units = int(np.prod([side or 1 for side in self.tensor.shape[1:]]))
        self.end = _end(self.tensor)

    @property
    def key(self) -> tuple:
        """What tells two scores of one model apart."""
        return self.target, self.against

    def classes(self, class_index, count: int) -> np.ndarray:
        """int32 (count,): the unit that is explained of each example.

        Args:
            class_index: of all examples, or (count,) of each; None: the only one, or of several the highest.
        Raises:
            AskedWronglyError: a class that the network does not have; another number of classes than of examples.
        """
        if class_index is None:
            return np.full(count, HIGHEST if self.units > 1 else 0, np.int32)
        asked = np.asarray(class_index, np.int32)
        if asked.ndim and asked.shape != (count,):
            raise AskedWronglyError(
                f"class_index of shape {asked.shape}: expected one, or one for each of {count} image{'s' if count != 1 else ''}"
            )
        asked = np.broadcast_to(asked, (count,))
        wrong = asked[(asked < 0) | (asked >= self.units)]
        if len(wrong):
            of = f" of {self.target}" if self.target else ""
            raise AskedWronglyError(
                f"class_index {wrong[0]}: the network has {self.units} output{'s' if self.units > 1 else ''}{of}:"
                f" expected {f'0 to {self.units - 1}' if self.units > 1 else '0, or none'}"
            )
        return asked

    def of(self, call, classes):
        """Run the network and give the score.

        Args:
            call: () -> the network's outputs.
            classes: int tensor (batch,), as `classes` gives them.
        Returns:
            float32 tensor (batch,).
        """
        values = self._values(call)
        if self.units > 1:
            classes = ops.where(classes == HIGHEST, ops.cast(ops.argmax(values, axis=-1), "int32"), classes)
            score = ops.sum(values * ops.one_hot(classes, self.units, dtype="float32"), axis=-1)
        else:
            score = values[:, 0]
        return -score if self.against else score

    def highest(self, call):
        """int32 tensor (batch,): the unit that the network gives most."""
        return ops.cast(ops.argmax(self._values(call), axis=-1), "int32")

    def _values(self, call):
        """float32 (batch, units): logits, or values."""
        seen = []
        if self.end is None:
            outputs = call()
            seen.append(outputs[self.target] if isinstance(outputs, dict) else keras.tree.flatten(outputs)[0])
        elif _own_activation(self.end):
            with hooks.linear(self.end), hooks.passing(self.end, lambda x: seen.append(x) or x):
                call()
        else:
            with hooks.given(self.end, seen.append):
                call()
        return ops.reshape(ops.cast(seen[-1], "float32"), (-1, self.units))


def _target(model: keras.Model, target: str | None) -> str | None:
    outputs = graph.outputs(model)
    if outputs is None:
        raise AskedWronglyError(
            f"{model.name}: was written as a class and has no outputs of its own to look back from: take explain.graph.whole(model, images)"
        )
    names = list(outputs) if isinstance(outputs, dict) else []
    if not names:
        if target is not None:
            raise AskedWronglyError(f"target {target!r}: the network has one output without a name: leave target out")
        return None
    if target is None and len(names) > 1:
        raise AskedWronglyError(f"the network has several targets: say which one is explained: {', '.join(names)}")
    if target is not None and target not in names:
        raise AskedWronglyError(f"target {target!r}: the network has no such target: {nearest(target, names)}")
    return target or names[0]


def _tensor(model, target):
    """The symbolic output that is explained."""
    outputs = graph.outputs(model)
    return outputs[target] if isinstance(outputs, dict) else keras.tree.flatten(outputs)[0]


def _end(tensor, inside: tuple = ()):
    """The layer or operation whose sigmoid or softmax is left out; None where the output is explained as it is."""
    operation, inputs = graph.made(tensor, inside)
    if isinstance(operation, keras.Model):  # written as a class: the layer that gave its output
        place = tensor._keras_history.tensor_index
        last = [one.layer for one in recorded.ran(operation) if one.place == place]
        return last[-1] if last and _soft(last[-1]) else None
    if _soft(operation):
        return operation
    same = isinstance(operation, keras.layers.Identity) or _activation(operation) == "linear"
    if same and not _own_activation(operation):  # such as an Activation("linear", dtype="float32") behind the softmax
        return _end(*inputs[0])
    return None


def _soft(operation) -> bool:
    """Does it end in a sigmoid or softmax? As a layer, as the activation of a layer, or as `keras.ops` has them."""
    return type(operation).__name__ in ("Softmax", "Sigmoid") or _activation(operation) in ("sigmoid", "softmax")


def _activation(operation) -> str:
    return getattr(getattr(operation, "activation", None), "__name__", "")


def _own_activation(operation) -> bool:
    """A layer that does something before its activation, such as Dense."""
    return hasattr(operation, "activation") and not isinstance(operation, keras.layers.Activation)
