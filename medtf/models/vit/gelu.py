"""The exact GELU, written so that it can be exported."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medtf")
def gelu(x):
    """x times the share of a standard normal distribution below x: x / 2 * (1 + erf(x / sqrt 2)).

    `keras.activations.gelu` is the same function to some 2e-7, but TensorFlow computes it with Erfc, which becomes a node that ONNX
    does not have; Erf is one that it has.

    Hendrycks and Gimpel 2016, Gaussian Error Linear Units, arXiv 1606.08415.

    Args:
        x: floats of any shape.
    Returns:
        The same shape and dtype.
    """
    return 0.5 * x * (1.0 + ops.erf(x * math.sqrt(0.5)))
