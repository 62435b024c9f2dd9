"""Jigsaw: in which order were the tiles of the image laid?"""

import math

import keras
import numpy as np
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.pretrain.classes import ClassTask
from medtf.pretrain.drawing import Draws, below, gathered
from medtf.pretrain.orders import orders
from medtf.schema_pretrain import Pretrain

# of a tile's side that is left out: Noroozi 2016 cut tiles of 64 pixels from cells of 75
GAP = 11 / 75
SMALLEST = 4  # pixels a side that a tile must keep to show anything


class Pretraining(ClassTask):
    """The image is cut into tiles, these are laid in one of `permutations` orders, and the network tells which.

    Noroozi 2016, Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles, arXiv 1603.09246, put each tile through a network
    of its own. Here the tiles are laid together again and the whole picture goes through the encoder once, as in Carlucci 2019 (JiGen, arXiv
    1903.06864): it costs what one image costs, suits convolutional networks and transformers, and what is learnt is the encoder that
    is used afterwards. A network that pools over the whole picture knows a tile's place by its neighbours and by the picture's border: what
    it learns is which parts of the body lie beside which (Doersch 2015, arXiv 1505.05192).

    Edges would tell more than anatomy: lines that go on from tile to tile. So of each tile a somewhat smaller piece is cut, each at a place
    of its own, drawn anew, and laid into a black frame (Doersch's gap and jitter). Brightness is left as it is; a network may go by it.

    Args:
        encoder: images (batch, height, width, channels) in [0, 1] -> features (batch, f).
        pretrain: `grid` and `permutations` count.
        augmentation: layers that change the batch first, in training.
        seed: of the orders, and of what is drawn.
    Raises:
        AskedWronglyError: more permutations than there are, or tiles of a few pixels.
    """

    def __init__(self, encoder: keras.Model, pretrain: Pretrain, *, augmentation=(), seed: int = 0):
        super().__init__(encoder, pretrain.permutations, augmentation=augmentation, seed=seed, name="jigsaw")
        height, width = encoder.inputs[0].shape[1:3]
        self.grid = pretrain.grid
        self.rows, self.columns = (_piece(side, self.grid) for side in (height, width))
        if min(self.rows[1], self.columns[1]) < SMALLEST:
            raise AskedWronglyError(
                f"pretrain.grid: {self.grid} x {self.grid} tiles of {height} x {width} pixels keep {min(self.rows[1], self.columns[1])} pixels"
                f" a side, fewer than {SMALLEST}: lower it, or raise input.size"
            )
        self.orders = orders(self.grid, pretrain.permutations, seed=seed)
        self.jitter = Draws(2 * self.grid**2, seed=seed + 1, name="jitter")

    def changed(self, images, which, *, training):
        """The pieces laid in the orders of `which`."""
        tiles = self.grid**2
        drawn = self.jitter(images, training=training)
        down = below(drawn[:, :tiles], self.rows[0] - self.rows[1] + 1)
        across = below(drawn[:, tiles:], self.columns[0] - self.columns[1] + 1)
        order = ops.take(ops.convert_to_tensor(self.orders), which, axis=0)
        return laid(images, order, down, across, rows=self.rows, columns=self.columns)

    def pictures(self, images) -> dict:
        """The pieces as given, laid back as the network says, and the original."""
        images = ops.convert_to_tensor(images)
        outcome = self.attempt(images, training=False)
        given = self.changed(images, outcome["which"], training=False)  # outside training the same pieces are cut again
        answer = ops.take(ops.convert_to_tensor(self.orders), ops.argmax(outcome["logits"], axis=-1), axis=0)
        back = ops.cast(ops.argsort(answer, axis=1), "int32")  # where each tile lies
        down, across = (ops.full_like(back, (tile - piece) // 2) for tile, piece in (self.rows, self.columns))
        laid_back = laid(given, back, down, across, rows=self.rows, columns=self.columns)
        return {"given": given, "the network's answer": laid_back, "original": images}


def laid(images, order, down, across, *, rows, columns):
    """Pieces of the images' tiles, laid in another order into black frames.

    Args:
        images: (batch, height, width, channels).
        order: int32 (batch, n): at place p lies tile order[p]; places and tiles are counted row by row.
        down, across: int32 (batch, n): where in the tile the piece of place p begins, in pixels.
        rows, columns: (side of a tile, side of a piece), in pixels.

    Returns:
        As `images`; 0 where there is no piece.
    """
    height, width = images.shape[1:3]
    grid = math.isqrt(order.shape[1])
    place_row, inner_row, in_row = _places(height, grid, *rows)
    place_column, inner_column, in_column = _places(width, grid, *columns)
    place = np.reshape(place_row[:, None] * grid + place_column[None], -1)  # of each pixel
    tile, down, across = (ops.take(one, place, axis=1) for one in (order, down, across))  # (batch, height * width)
    edge = (height - grid * rows[0]) // 2, (width - grid * columns[0]) // 2
    row = edge[0] + (tile // grid) * rows[0] + down + np.repeat(inner_row, width)
    column = edge[1] + (tile % grid) * columns[0] + across + np.tile(inner_column, height)
    shown = np.reshape(in_row[:, None] & in_column[None], (1, height, width, 1))
    return ops.where(shown, gathered(images, row * width + column), ops.zeros_like(images))


def _piece(side: int, grid: int) -> tuple[int, int]:
    """Sides of a tile and of the piece that is cut from it, in pixels."""
    tile = side // grid
    return tile, tile - max(1, round(GAP * tile))


def _places(side: int, grid: int, tile: int, piece: int):
    """Of each pixel along one side: int32 place it lies in, int32 number within the piece, and whether it shows anything.

    The pixels that the tiles leave over lie half at either end; a piece lies in the middle of its place.
    """
    along = np.arange(side) - (side - grid * tile) // 2
    inner = along % tile - (tile - piece) // 2
    shown = (along >= 0) & (along < grid * tile) & (inner >= 0) & (inner < piece)
    place = np.clip(along // tile, 0, grid - 1)
    return place.astype(np.int32), np.clip(inner, 0, piece - 1).astype(np.int32), shown
