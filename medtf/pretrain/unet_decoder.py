"""Feature maps of any 2D CNN back to an image: the decoder of a U-Net, its skips found in the encoder's graph."""

import math

import keras
from keras import layers, ops

from medtf.errors import AskedWronglyError

WIDTH = 256  # channels of the coarsest step; half as many at each finer one
LEAST = 16  # channels
GROUPS = 8  # of group normalisation (Wu 2018): unlike a batch's, its statistics are those of one image


def skips_model(encoder: keras.Model) -> keras.Model:
    """The encoder up to its feature maps, one of each stride but 1, from fine to coarse; layers and weights are the encoder's own.

    Of each stride, counted in powers of two, it is the last map through which everything passes: the end of the stage, not a thin branch
    on the way to the next. Stride 1 is left out, where no network has more than the image itself.

    Args:
        encoder: `medtf.models.build.encoder` of a 2D CNN.
    Raises:
        AskedWronglyError: the encoder has no maps that shrink, as a transformer's.
    """
    found = {}
    for operation in _necks(encoder):
        shape = operation.output.shape
        if len(shape) == 4 and not isinstance(operation, layers.ZeroPadding2D):
            found[_octave(encoder, shape)] = operation.output
    octaves = sorted(octave for octave in found if octave > 0)
    if len(octaves) < 2:
        raise AskedWronglyError(
            "a decoder with skips is for 2D CNNs, whose maps shrink step by step (model.name: densenet121); for vision transformers:"
            " pretrain.task: masked_autoencoder"
        )
    return keras.Model(encoder.inputs[0], [found[octave] for octave in octaves], name="skips")


class Decoder(layers.Layer):
    """Maps of `skips_model`, from fine to coarse, to an image of `channels`, float32 and unbounded.

    Each step doubles the map, puts the encoder's own map of that size beside it, and mixes both in a 3 x 3 convolution (Ronneberger 2015,
    arXiv 1505.04597). Doubling repeats pixels and what is too wide or too narrow is cut or filled evenly on all sides: convolutions
    without padding (Inception) lose their borders evenly too, so the maps stay in place.

    Args:
        encoder: `medtf.models.build.encoder` of a 2D CNN.
        channels: of the image.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        A list of (batch, h, w, c).

    Output shape:
        (batch, height, width, channels) of the encoder's images.
    """

    def __init__(self, encoder: keras.Model, channels: int, *, name: str = "decoder", **kwargs):
        super().__init__(name=name, **kwargs)
        maps = skips_model(encoder).outputs
        self.octaves = [_octave(encoder, one.shape) for one in maps]
        widths = [max(WIDTH >> (self.octaves[-1] - octave), LEAST) for octave in [0, *self.octaves]]

        def convolution(kind, step, filters, side, **more):
            return layers.Conv2D(filters, side, padding="same", name=f"{name}_{kind}_{step}", **more)

        self.top = convolution("top", 0, widths[-1], 1)
        self.skips = [convolution("skip", step, widths[step + 1], 1) for step in range(len(maps) - 1)]
        self.mixers = [convolution("mix", step, width, 3, use_bias=False) for step, width in enumerate(widths[:-1])]
        self.norms = [
            layers.GroupNormalization(GROUPS, epsilon=1e-5, name=f"{name}_norm_{step}") for step in range(len(maps))
        ]
        # the first answer is near 0 everywhere: far outside [0, 1] it would take epochs to come back
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.pixels = convolution("pixels", 0, channels, 1, dtype="float32", kernel_initializer=small)
        self.size = tuple(encoder.inputs[0].shape[1:3])  # no argument of `call`: under JAX it would be traced
        self(maps)  # builds every layer, so that a checkpoint knows the weights

    def call(self, maps):
        """The image, coarse to fine."""
        x, octave = self.top(maps[-1]), self.octaves[-1]
        for step in reversed(range(len(maps))):
            finer = self.octaves[step - 1] if step else 0
            x = enlarged(x, 2 ** (octave - finer), maps[step - 1].shape[1:3] if step else self.size)
            if step:
                x = ops.concatenate([x, self.skips[step - 1](maps[step - 1])], axis=-1)
            x = ops.relu(self.norms[step](self.mixers[step](x)))
            octave = finer
        return self.pixels(x)


def enlarged(maps, times: int, size: tuple[int, int]):
    """Each pixel `times` x `times` times; then cut, or filled with zeros, evenly on all sides, until the map has `size`."""
    x = ops.repeat(ops.repeat(maps, times, axis=1), times, axis=2)
    for axis, wanted in ((1, size[0]), (2, size[1])):
        surplus = x.shape[axis] - wanted
        if surplus > 0:
            x = (
                x[:, surplus // 2 : surplus // 2 + wanted]
                if axis == 1
                else x[:, :, surplus // 2 : surplus // 2 + wanted]
            )
        elif surplus < 0:
            before = -surplus // 2
            x = ops.pad(x, [(before, -surplus - before) if axis == one else (0, 0) for one in range(4)])
    return x


def _octave(encoder: keras.Model, shape) -> int:
    """How many times the image was halved: log2 of the stride, to the nearest integer, for paddings move it a little."""
    return round(math.log2(max(encoder.inputs[0].shape[1] / shape[1], encoder.inputs[0].shape[2] / shape[2])))


def _necks(model: keras.Model) -> list:
    """Operations through whose output everything passes that comes after: no edge of the graph leads past them."""
    operations = [one for one in model.operations if not isinstance(one, layers.InputLayer)]
    place = {id(operation): number for number, operation in enumerate(operations)}
    reach = dict.fromkeys(range(-1, len(operations)), -1)  # place -> place of its last consumer; -1: the image
    for number, operation in enumerate(operations):
        for tensor in keras.tree.flatten(operation.input):
            reach[place.get(id(tensor._keras_history.operation), -1)] = number
    necks, furthest = [], reach[-1]
    for number, operation in enumerate(operations):
        if furthest <= number:
            necks.append(operation)
        furthest = max(furthest, reach[number])
    return necks
