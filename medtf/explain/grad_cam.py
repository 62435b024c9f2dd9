"""Grad-CAM: where the feature maps are active whose mean slope speaks for the class (Selvaraju 2017, arXiv 1610.02391)."""

from keras import ops

from medtf.explain import fields, gradients, layers
from medtf.explain.enlarge import enlarged
from medtf.explain.method import BATCH, Method


class CamOfGradients(Method):
    """Grad-CAM and its kin: a layer's output and the slope against it become one number a place; ReLU; enlarged linearly.

    Args:
        batch_size: examples that are asked at once.
        fields: put each place where its receptive field has its middle; False: stretch the map evenly over the picture, as other libraries do.
    """

    def __init__(self, *, batch_size: int = BATCH, fields: bool = True):
        super().__init__(batch_size=batch_size)
        self.fields = fields

    def cam(self, activations, slopes):
        """One number a place.

        Args:
            activations: float32 tensor (batch, *places, channels). slopes: of the score against it, of the same shape.
        Returns:
            float32 tensor (batch, *places).
        """
        raise NotImplementedError

    def prepared(self, model, score, layer_name):
        """See `Method.prepared`."""
        found = layers.find(model, layer_name, to=score.tensor)
        centres = fields.centres(found.layer, score.tensor) if self.fields and not found.tokens else None

        def combine(activations, slopes):
            places = [layers.on_grid(x, found) for x in (activations, slopes)]
            return ops.relu(self.cam(*places))

        def ask(images, classes):
            small = gradients.of_layer(model, found.layer, score, combine, (type(self),), images, classes)
            return ops.convert_to_numpy(enlarged(ops.convert_to_tensor(small), images.shape[1:-1], centres))

        return ask


class GradCAM(CamOfGradients):
    """ReLU of the sum over channels of (mean of the slope over places) x activation: equations 1 and 2 of the paper.

    On a transformer the patches of a block are the places, as in Selvaraju's layers of a CNN.
    """

    name, label, paper = "grad-cam", "Grad-CAM", "Selvaraju 2017, arXiv 1610.02391"
    words = (
        "Shows where feature maps of a layer are active that speak for the answer on average. It shows neither why, nor anything finer than the"
        " layer's places; a map may be active where the network drew nothing from it."
    )

    def cam(self, activations, slopes):
        """See `CamOfGradients.cam`."""
        weights = ops.mean(slopes, axis=tuple(range(1, len(slopes.shape) - 1)), keepdims=True)
        return ops.sum(weights * activations, axis=-1)
