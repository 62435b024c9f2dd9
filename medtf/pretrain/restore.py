"""Context restoration: squares of the image have changed places; put everything back."""

import keras
import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.pretrain.drawing import Draws, below, gathered
from medtf.pretrain.task import Task
from medtf.pretrain.unet_decoder import Decoder, skips_model
from medtf.schema_pretrain import Pretrain

SHARE = 8  # a square's side is this part of the image's smaller side


class Pretraining(Task):
    """Pairs of equal squares change places, and a CNN with a U-Net-like decoder restores the image; the loss is L2 over all its pixels.

    Chen 2019, Self-supervised learning for medical image analysis using image context restoration, Medical Image Analysis 58: 101539. The
    grey values stay those of the image, so nothing but anatomy tells what is out of place; a hole, as in inpainting (Pathak 2016, arXiv
    1604.07379), can be seen by any network. Holes are what `masked_cnn` fills.

    The squares lie on a lattice whose origin is drawn for each image, so that no line of pixels is an edge more often than
    others; no square is moved twice.

    Args:
        encoder: `medtf.models.build.encoder` of a 2D CNN: images (batch, height, width, channels) in [0, 1].
        pretrain: `swaps` counts.
        augmentation: layers that change the batch first, in training; the changed image is what is restored.
        seed: of what changes places.
    Raises:
        AskedWronglyError: the encoder is no 2D CNN; more swaps than the image has room for.
    """

    def __init__(self, encoder: keras.Model, pretrain: Pretrain, *, augmentation=(), seed: int = 0):
        skips = skips_model(encoder)
        super().__init__(encoder, augmentation=augmentation, name="restore")
        self.skips = skips
        self.height, self.width, channels = encoder.inputs[0].shape[1:]
        self.lattice = lattice(self.height, self.width, pretrain.swaps)
        self.swaps = pretrain.swaps
        rows, columns, _ = self.lattice
        self.draws = Draws(2 + rows * columns, seed=seed, name="draws")
        self.decoder = Decoder(encoder, channels)

    def changed(self, images, *, training: bool):
        """The images with `swaps` pairs of squares in each other's place."""
        rows, columns, side = self.lattice
        drawn = self.draws(images, training=training)
        top = below(drawn[:, :1], self.height - rows * side + 1)
        left = below(drawn[:, 1:2], self.width - columns * side + 1)
        return swapped(images, partners(drawn[:, 2:], self.swaps), top, left, lattice=self.lattice)

    def attempt(self, images, *, training: bool) -> dict:
        """Float32 `restored` and `target`, both (batch, height, width, channels)."""
        images = ops.cast(images, "float32")
        maps = self.skips(self.changed(images, training=training), training=training)
        return {"restored": self.decoder(maps), "target": images}

    def example_losses(self, outcome: dict):
        """Mean square error over all pixels."""
        return ops.mean(ops.square(outcome["restored"] - outcome["target"]), axis=(1, 2, 3))

    def pictures(self, images) -> dict:
        """The image with its squares exchanged, what was made of it, and the original."""
        images = ops.cast(ops.convert_to_tensor(images), "float32")
        restored = self.attempt(images, training=False)["restored"]
        given = self.changed(images, training=False)  # outside training the same squares are drawn again
        return {"given": given, "restored": ops.clip(restored, 0, 1), "original": images}


def lattice(height: int, width: int, swaps: int) -> tuple[int, int, int]:
    """Rows and columns of the squares, and their side in pixels.

    Where it can be, one row and one column fewer than would fit, so that the lattice has room to move.

    Raises:
        AskedWronglyError: `swaps` pairs are more than there are squares.
    """
    side = max(2, min(height, width) // SHARE)
    rows, columns = (length // side - (length % side == 0) for length in (height, width))
    if 2 * swaps > rows * columns:
        raise AskedWronglyError(
            f"pretrain.swaps: {swaps} pairs are {2 * swaps} squares, and an image of {height} x {width} has room for {rows * columns} of"
            f" {side} x {side} pixels: set it to {rows * columns // 2} or less"
        )
    return rows, columns, side


def partners(numbers, swaps: int):
    """From random numbers to pairs: the places with the smallest numbers change with each other, first with second, third with fourth.

    Args:
        numbers: int32 (batch, n), random.
        swaps: pairs; 2 * swaps is at most n.

    Returns:
        int32 (batch, n): which square comes to each place.
    """
    order = ops.cast(ops.argsort(numbers, axis=1), "int32")
    rank = ops.cast(ops.argsort(order, axis=1), "int32")
    other = rank + 1 - 2 * ops.mod(rank, 2)  # 0 and 1, 2 and 3, ...
    return ops.take_along_axis(order, ops.where(rank < 2 * swaps, other, rank), axis=1)


def swapped(images, source, top, left, *, lattice):
    """Squares of a lattice moved to other places.

    Args:
        images: (batch, height, width, channels).
        source: int32 (batch, n): which square comes to each place; counted row by row.
        top, left: int32 (batch, 1): where the lattice begins.
        lattice: (rows, columns, side in pixels).

    Returns:
        As `images`; what lies beside the lattice stays where it is.
    """
    rows, columns, side = lattice
    height, width = images.shape[1:3]
    row, column = (one.reshape(1, -1).astype(np.int32) for one in np.mgrid[:height, :width])
    down, across = row - top, column - left  # (batch, height * width): within the lattice
    inside = ops.logical_and(
        ops.logical_and(down >= 0, down < rows * side), ops.logical_and(across >= 0, across < columns * side)
    )
    place = ops.where(inside, down // side * columns + across // side, 0)
    square = ops.take_along_axis(source, place, axis=1)
    from_row = top + square // columns * side + ops.mod(down, side)
    from_column = left + ops.mod(square, columns) * side + ops.mod(across, side)
    here = row * width + column
    return gathered(images, ops.where(inside, from_row * width + from_column, here))
