"""Grad-CAM++: as Grad-CAM, but a place counts by its own slope, so that several small findings are not drowned (Chattopadhay 2018)."""

from keras import ops

from medtf.explain.grad_cam import CamOfGradients

LEAST = 1e-6  # a denominator nearer to 0 says nothing of a place


class GradCAMPlusPlus(CamOfGradients):
    """ReLU of the sum over channels of (sum over places of alpha x ReLU of the slope) x activation: equations 10 to 19 of the paper.

    With g the slope of a place and A the activations of its channel, the paper's closed form for the exponential of the score is
    alpha = g^2 / (2 g^2 + g^3 sum(A)), which is 1 / (2 + g sum(A)) wherever g is not 0; so written it neither divides 0 by 0 nor loses
    slopes of 1e-15 to their cube. Where g is 0, the ReLU leaves nothing to be weighted. The factor exp(score), the same for all places of
    an example, is left out: it changes no map, and beyond 88 it is no float32.
    """

    name, label, paper = "grad-cam++", "Grad-CAM++", "Chattopadhay 2018, arXiv 1710.11063"
    words = (
        "Shows where feature maps of a layer are active that speak for the answer, each place weighted by its own slope, so that several small"
        " findings count like one large. It shows neither why, nor anything finer than the layer's places."
    )

    def cam(self, activations, slopes):
        """See `CamOfGradients.cam`."""
        places = tuple(range(1, len(slopes.shape) - 1))
        below = 2 + slopes * ops.sum(activations, axis=places, keepdims=True)
        sound = ops.abs(below) > LEAST
        alpha = ops.where(sound, 1 / ops.where(sound, below, 1.0), 0.0)
        weights = ops.sum(alpha * ops.relu(slopes), axis=places, keepdims=True)
        return ops.sum(weights * activations, axis=-1)
