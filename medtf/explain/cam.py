"""CAM: the head's own weights on the last feature maps, of networks that end in a global mean and a linear layer (Zhou 2016)."""

import keras
import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.explain import graph, layers
from medtf.explain.grad_cam import CamOfGradients

POOLING = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)
# what may stand between the pooling and the score, each linear at inference; operations of `keras.ops` by their names
LINEAR = (
    keras.layers.Dropout,
    keras.layers.Rescaling,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Concatenate,
)
LINEAR_NAMES = ("GetItem", "Identity", "Squeeze", "Cast")


class CAM(CamOfGradients):
    """The sum over channels of weight x activation: equation 2 of the paper, and of that what is above 0.

    The weights of a linear head are the slopes of its score against the pooled features, in whatever way the head is written (one layer, or with a
    scale behind it as that of a value in its unit). So they are read as slopes, and the network is looked at to be sure that they are constant.
    It is Grad-CAM of the same layer times the number of places. A head that is not linear, such as one over bins or with a
    deviation of its own, is refused.
    """

    name, label, paper = "cam", "CAM", "Zhou 2016, arXiv 1512.04150"
    words = (
        "Shows how much each place of the last feature maps adds to the answer, by the weights of the head itself: the mean over all places is"
        " the answer, but for a constant. What lowers the answer is left out, and nothing is finer than the layer's places."
    )

    def prepared(self, model, score, layer_name):
        """See `Method.prepared`.

        Raises:
            AskedWronglyError: a network that does not end in a global mean and a linear layer; another layer than the one before the mean.
        """
        before = _pooled(model, score)
        found = layers.find(model, layer_name, to=score.tensor)
        if found.layer is not before:
            raise AskedWronglyError(
                f"layer {found.path!r}: cam is of the layer before the global mean alone, {before.name!r}; take grad-cam for another"
            )
        return super().prepared(model, score, layer_name)

    def cam(self, activations, slopes):
        """See `CamOfGradients.cam`; the slope against a mean over n places is n times that against each of them."""
        places = float(np.prod(activations.shape[1:-1]))
        return places * ops.sum(slopes * activations, axis=-1)


def _pooled(model: keras.Model, score):
    """The layer whose mean over places the linear head reads."""
    waiting, pooled, end = [(score.tensor, ())], [], score.end
    while waiting:
        operation, inputs = graph.made(*waiting.pop())
        if isinstance(operation, POOLING):
            pooled.append(graph.made(*inputs[0]).operation)
        elif _linear(operation, end):
            waiting += inputs
        else:
            raise AskedWronglyError(
                f"{model.name}: cam is for networks that end in a global mean over places and a linear layer, and {operation.name!r} stands"
                " between them and the answer: take grad-cam, which is the same where cam is possible"
            )
    if any(one is not pooled[0] for one in pooled):
        raise AskedWronglyError(
            f"{model.name}: cam is for networks with one global mean over places, and this has several: take grad-cam"
        )
    return pooled[0]


def _linear(operation, end) -> bool:
    if isinstance(operation, LINEAR) or type(operation).__name__ in LINEAR_NAMES or operation is end:
        return True  # the score stands before the softmax or sigmoid of `end`
    if not isinstance(operation, (keras.layers.Dense, keras.layers.Activation)):
        return False
    return getattr(operation.activation, "__name__", "") == "linear"
