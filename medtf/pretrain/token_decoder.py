"""The light transformer that makes pixels of what a masked autoencoder saw; it is dropped after pretraining."""

import keras
from keras import layers, ops

from medtf.models.vit.blocks import layers_of, through, uniform
from medtf.models.vit.positions import sin_cos
from medtf.pretrain.masking import taken

HEAD_WIDTH = 32  # He 2022: 16 heads for a width of 512


def decoder(
    grid: tuple[int, int], *, tokens: int, width: int, depth: int, pixels: int, class_token: bool = False
) -> keras.Model:
    """Visible tokens of width `tokens` (batch, v, tokens) and the `rank` of each place (batch, n) -> (batch, n, pixels), float32.

    Dense to `width`, a learnt token at each hidden place, positions, `depth` blocks, normalisation, Dense: He 2022 (arXiv 2111.06377).

    Args:
        grid: rows and columns of the image's patches, n of them.
        tokens: width of the encoder's tokens.
        width: of the decoder's own, a multiple of 4.
        depth: blocks.
        pixels: numbers to tell of each patch.
        class_token: a class token comes first, which has no place and is left out at the end.
    """
    places, first = grid[0] * grid[1], int(class_token)
    seen = keras.Input((None, tokens), name="visible")
    rank = keras.Input((places,), dtype="int32", name="rank")
    x = layers.Dense(width, name="decoder_embedding")(seen)
    x = Restored(grid, class_token=class_token, name="decoder_tokens")(x, rank)
    made = layers_of(width, depth, heads(width), prefix="decoder_")
    x = through(x, made.__getitem__, depth, prefix="decoder_")
    if first:
        x = x[:, 1:]
    # float32: the loss is of these numbers
    x = layers.Dense(pixels, dtype="float32", kernel_initializer=uniform(width, pixels), name="decoder_pixels")(x)
    return keras.Model([seen, rank], x, name="decoder")


def heads(width: int) -> int:
    """As many heads as are 32 wide or a little more, and share the width evenly."""
    return max(number for number in range(1, max(width // HEAD_WIDTH, 1) + 1) if width % number == 0)


class Restored(layers.Layer):
    """Put visible tokens where they were, one learnt token at every other place, and add the places' positions.

    Args:
        grid: rows and columns of places.
        class_token: the first token is none of a place, and stays first.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        Tokens (batch, v, width) and int32 ranks (batch, n): the token of a place stands at its rank, and a rank of v or more is hidden.

    Output shape:
        (batch, n, width), with the class token (batch, 1 + n, width).
    """

    def __init__(self, grid: tuple[int, int], *, class_token: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.grid, self.class_token = tuple(grid), class_token

    def build(self, tokens_shape, rank_shape=None):
        """The token of hidden places, and sines and cosines, which stay as they are."""
        width = tokens_shape[-1]
        self.positions = sin_cos(*self.grid, width)
        self.token = self.add_weight(
            name="token", shape=(1, 1, width), initializer=keras.initializers.RandomNormal(stddev=0.02)
        )
        super().build(tokens_shape)

    def call(self, tokens, rank):
        """All places in order."""
        first, tokens = (tokens[:, :1], tokens[:, 1:]) if self.class_token else (None, tokens)
        count = ops.shape(tokens)[1]
        seen = taken(tokens, ops.minimum(rank, count - 1))
        x = ops.where(rank[:, :, None] < count, seen, ops.cast(self.token, tokens.dtype))
        x = x + ops.cast(self.positions, x.dtype)
        return x if first is None else ops.concatenate([first, x], axis=1)

    def compute_output_shape(self, tokens_shape, rank_shape):
        """As many tokens as there are places, and the class token."""
        return (tokens_shape[0], self.grid[0] * self.grid[1] + self.class_token, tokens_shape[-1])

    def get_config(self) -> dict:
        """Grid and class token."""
        return {**super().get_config(), "grid": list(self.grid), "class_token": self.class_token}
