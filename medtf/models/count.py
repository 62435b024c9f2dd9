"""Parameters and multiply-adds of a model, counted from its layers."""

import dataclasses
import math

import keras
from keras import layers

from medtf.config import Model
from medtf.models import backbones, volumes
from medtf.models.names import PAPERS, SIDES, TRANSFORMERS
from medtf.models.vit import vit

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)


@dataclasses.dataclass(frozen=True)
class Size:
    """What a network costs at a size; `parameters` and `multiply_adds` are those of the network with one output."""

    name: str
    dimensions: int
    side: int  # pixels or voxels
    parameters: int
    multiply_adds: int  # of one example
    paper: str


def size_of(name: str, side: int | None = None) -> Size:
    """Count a network with a head of one output, and forget it.

    Args:
        name: a key of `names.BACKBONES` or `names.TRANSFORMERS` (three channels), or one of `names.VOLUME_BACKBONES` (one channel).
        side: of the image or volume; None: what the network was made for, 96 for volumes.
    Raises:
        AskedWronglyError: too small for the network, or no multiple of a transformer's patch.
    """
    dimensions, side = Model(name=name).dimensions, side or SIDES.get(name, 224)
    shape = (side,) * dimensions + (1 if dimensions == 3 else 3,)
    try:
        with keras.StatelessScope(
            initialize_variables=False
        ):  # weights that are never used need no numbers: twice as fast
            backbone = _backbone(name, shape)
            pooled = backbone.output.shape[-1]
            counted = parameters(backbone) + pooled + 1, multiply_adds(backbone) + pooled
    finally:
        keras.utils.clear_session()
    return Size(name, dimensions, side, *counted, PAPERS[name])


def _backbone(name: str, shape) -> keras.Model:
    if name in TRANSFORMERS:
        vit.check(name, input_shape=shape)
        image = keras.Input(shape)
        return keras.Model(image, vit.features(image, name))
    if len(shape) == 3:
        return backbones.made(name, None, shape)
    volumes.check(name, weights="none", input_shape=shape)
    volume = keras.Input(shape)
    return keras.Model(volume, volumes.apply(volume, name, norm="batch", se=False, init="he", momentum=0.99))


def parameters(model: keras.Model) -> int:
    """What training changes, as papers count it: moving averages of batch normalisation, which Keras counts too, are left out."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def multiply_adds(model: keras.Model) -> int:
    """Multiplications with an addition, of one example, in convolutions, dense layers and attention: nearly all of a network's work.

    Bias, normalisation, activations, pooling and sums are not counted, nor what the border saves. Some papers call two of these
    operations a FLOP each.

    Args:
        model: a functional graph whose sizes are known.
    """
    return sum(_of(layer) for layer in model._flatten_layers(include_self=False))


def _of(layer) -> int:
    if isinstance(layer, _SEPARABLE):
        weights = (layer.depthwise_kernel, layer.pointwise_kernel)
        return _positions(layer) * sum(math.prod(weight.shape) for weight in weights)
    if isinstance(
        layer, (*_CONVOLUTIONS, *_DEPTHWISE)
    ):  # the weights of a kernel meet every position of the outcome once
        return _positions(layer) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.MultiHeadAttention):
        return _of_attention(layer)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    return 0


def _of_attention(layer) -> int:
    """Of n tokens that look at m: the projections, then every query with every key, and every weight with every value."""
    n, m = layer.output.shape[1], keras.tree.flatten(layer.input)[-1].shape[1]
    query, key, value, output = (
        math.prod(part.kernel.shape)
        for part in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    return n * (query + output) + m * (key + value) + n * m * layer.num_heads * (layer.key_dim + layer.value_dim)


def _positions(layer) -> int:
    return math.prod(layer.output.shape[1:-1])
