"""A stack of pre-norm transformer blocks: its layers by name, and the way of the tokens through them.

Layers and way are two things because they are used twice: a classifier's graph sends all patches through, a masked autoencoder the
visible ones alone, and both through the same layer objects.
"""

import math
import zlib
from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from medtf.models.vit.drop_path import DropPath
from medtf.models.vit.gelu import gelu

EPSILON = (
    1e-6  # of layer normalisation: Dosovitskiy 2021 and all that follow; Keras's own 1e-3 is for batch normalisation
)
EXPANSION = 4  # the hidden layer of a block is as many times wider than a token


def layers_of(
    width: int, blocks: int, heads: int, *, drop_path: float = 0.0, prefix: str = ""
) -> dict[str, layers.Layer]:
    """All layers of `blocks` blocks and of the normalisation at their end, by name, in the order of `through`.

    A block is `block_<i>_norm_1`, `_attention`, `_drop_path_1`, `_add_1`, then `_norm_2`, `_mlp_1`, `_gelu`, `_mlp_2`, `_drop_path_2`,
    `_add_2`; after the last comes `norm`. Weights start as in He 2022: Xavier-uniform, biases at zero, with the matrices of query, key
    and value taken as three of width x width, as Keras does by itself.

    Args:
        width: of a token; a multiple of `heads`.
        blocks: how many, 1 or more.
        heads: of the attention, each width / heads wide.
        drop_path: rate of stochastic depth in the last block, in [0, 1); it rises evenly from 0 in the first. Each layer has a seed of
            its own, made of its name.
        prefix: put in front of every name, such as "decoder_".
    Returns:
        {name: layer}, none of them built.
    Raises:
        ValueError: a width that the heads do not share evenly.
    """
    if width % heads:
        raise ValueError(f"`width`: expected a multiple of the {heads} heads, got {width}")
    made = []
    for block, rate in enumerate(np.linspace(0, drop_path, blocks)):
        made += _block(f"{prefix}block_{block}_", width, heads, float(rate))
    made.append(layers.LayerNormalization(epsilon=EPSILON, name=f"{prefix}norm"))
    return {layer.name: layer for layer in made}


def through(tokens, layer: Callable[[str], layers.Layer], blocks: int, *, prefix: str = ""):
    """Tokens through the blocks and the normalisation at their end.

    Args:
        tokens: (batch, n, width), any number of them; tensors or KerasTensors.
        layer: name -> layer, such as `layers_of(...).__getitem__`, or `encoder.get_layer`.
        blocks, prefix: as they were for `layers_of`.
    Returns:
        (batch, n, width), normalised.
    """
    for block in range(blocks):

        def of(name, block=block):
            return layer(f"{prefix}block_{block}_{name}")

        x = of("norm_1")(tokens)
        x = of("attention")(x, x)
        tokens = of("add_1")([tokens, of("drop_path_1")(x)])
        x = of("norm_2")(tokens)
        x = of("mlp_2")(of("gelu")(of("mlp_1")(x)))
        tokens = of("add_2")([tokens, of("drop_path_2")(x)])
    return layer(f"{prefix}norm")(tokens)


def uniform(fan_in: int, fan_out: int) -> keras.initializers.Initializer:
    """Xavier-uniform (Glorot and Bengio 2010) of a matrix of fan_in x fan_out, whatever shape it is kept in.

    Keras does so by itself for dense layers and attention. The patch embedding is a convolution to it, each of whose outputs it would count
    once for every pixel of a patch.
    """
    limit = math.sqrt(6 / (fan_in + fan_out))
    return keras.initializers.RandomUniform(-limit, limit)


def _block(name: str, width: int, heads: int, rate: float) -> list[layers.Layer]:
    def drop_path(number):
        full = f"{name}drop_path_{number}"
        return DropPath(rate, seed=zlib.crc32(full.encode()), name=full)

    return [
        layers.LayerNormalization(epsilon=EPSILON, name=f"{name}norm_1"),
        layers.MultiHeadAttention(heads, width // heads, name=f"{name}attention"),
        drop_path(1),
        layers.Add(name=f"{name}add_1"),
        layers.LayerNormalization(epsilon=EPSILON, name=f"{name}norm_2"),
        layers.Dense(EXPANSION * width, name=f"{name}mlp_1"),
        layers.Activation(gelu, name=f"{name}gelu"),
        layers.Dense(width, name=f"{name}mlp_2"),
        drop_path(2),
        layers.Add(name=f"{name}add_2"),
    ]
