"""HiResCAM: activation times slope, place by place, without a mean over places in between (Draelos 2020)."""

from keras import ops

from medtf.explain.grad_cam import CamOfGradients


class HiResCAM(CamOfGradients):
    """ReLU of the sum over channels of slope x activation: equation 4 of the paper.

    Grad-CAM's mean over places may light up where the network did not look: a channel counts everywhere as it counts on average. Here each
    place has its own slope. For a network that ends in global average pooling and a linear layer both are the same map of the last layer.
    """

    name, label, paper = "hires-cam", "HiResCAM", "Draelos 2020, arXiv 2011.08891"
    words = (
        "Shows the places of a layer that raised the answer, each by its own slope. It shows neither why, nor anything finer than the layer's"
        " places."
    )

    def cam(self, activations, slopes):
        """See `CamOfGradients.cam`."""
        return ops.sum(slopes * activations, axis=-1)
