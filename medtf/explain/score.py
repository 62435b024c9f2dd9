"""Which number of the network is explained: a class's logit, a value in its unit, one target of several."""

import keras
import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError, nearest
from medtf.explain import hooks

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
        tensor = _tensor(model, self.target)
        self.units = 1 if tensor is None else int(np.prod([side or 1 for side in tensor.shape[1:]]))
        self.end = None if tensor is None else _end(tensor)

    @property
    def key(self) -> tuple:
        """What tells two scores of one model apart."""
        return self.target, self.against

    def classes(self, class_index, count: int) -> np.ndarray:
        """int32 (count,): the unit that is explained of each example.

        Args:
            class_index: of all examples, or (count,) of each; None: the only one, or of several the highest.
        Raises:
            AskedWronglyError: a class that the network does not have.
        """
        if class_index is None:
            return np.full(count, HIGHEST if self.units > 1 else 0, np.int32)
        asked = np.broadcast_to(np.asarray(class_index, np.int32), (count,))
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
        values = ops.cast(self._values(call), "float32")
        values = ops.reshape(values, (-1, self.units))
        if self.units > 1:
            classes = ops.where(classes == HIGHEST, ops.cast(ops.argmax(values, axis=-1), "int32"), classes)
            score = ops.sum(values * ops.one_hot(classes, self.units, dtype="float32"), axis=-1)
        else:
            score = values[:, 0]
        return -score if self.against else score

    def _values(self, call):
        seen = []
        if self.end is None:
            outputs = call()
            return outputs[self.target] if isinstance(outputs, dict) else keras.tree.flatten(outputs)[0]
        if isinstance(self.end, (keras.layers.Activation, keras.layers.Softmax)):
            with hooks.given(self.end, seen.append):
                call()
        else:
            with hooks.linear(self.end), hooks.passing(self.end, lambda x: seen.append(x) or x):
                call()
        return seen[-1]


def _target(model: keras.Model, target: str | None) -> str | None:
    outputs = _outputs(model)
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


def _outputs(model):
    """The symbolic outputs as the model gives them; None where a model was written as a class and has none."""
    if isinstance(model, keras.Sequential):
        return model.outputs[0] if model.built else None
    return getattr(model, "output", None)


def _tensor(model, target):
    """The symbolic output that is explained."""
    outputs = _outputs(model)
    if outputs is None:
        return None
    return outputs[target] if isinstance(outputs, dict) else keras.tree.flatten(outputs)[0]


def _end(tensor):
    """The layer whose sigmoid or softmax is left out; None where the output is explained as it is."""
    operation, _, place = tensor._keras_history
    if isinstance(operation, keras.Model):  # a nested model: its own end
        inner = keras.tree.flatten(_outputs(operation))
        return None if inner[0] is None else _end(inner[place])
    named = getattr(getattr(operation, "activation", None), "__name__", "")
    soft = isinstance(operation, keras.layers.Softmax) or named in ("sigmoid", "softmax")
    return operation if soft else None
