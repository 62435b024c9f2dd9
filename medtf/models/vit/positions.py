"""Where each patch lies in the image: sines and cosines of its row and column."""

import keras
import numpy as np
from keras import ops


def sin_cos(rows: int, columns: int, width: int) -> np.ndarray:
    """Positions in two dimensions as He 2022 (arXiv 2111.06377) and Chen 2021 (MoCo v3, arXiv 2104.02057) compute them.

    The first half of the width tells the column, the second half the row, as in the code published with both papers, so that weights
    trained with it find the positions they know. Each half is sin(p omega_i) for all i, then cos(p omega_i), with p = 0, 1, 2, ... and
    omega_i = 10000^(-i / (width / 4)), i = 0 ... width / 4 - 1.

    Args:
        rows, columns: patches down and across, 1 or more.
        width: of a token, a multiple of 4.
    Returns:
        float32 (1, rows * columns, width) in [-1, 1], patches row after row.
    Raises:
        ValueError: another width.
    """
    if width % 4:
        raise ValueError(f"`width`: expected a multiple of 4, got {width}")
    omega = 10000.0 ** (-np.arange(width // 4) / (width // 4))

    def waves(places):
        angles = places[:, None] * omega
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.concatenate([waves(column), waves(row)], axis=1)[None].astype("float32")


def interpolated(positions, from_grid: tuple[int, int], to_grid: tuple[int, int]) -> np.ndarray:
    """Positions for images of another size: bicubic between those there are, so that a network keeps the sense of place it learnt.

    The sines are stretched, not continued: the middle of the image stays its middle. Touvron 2021 (arXiv 2012.12877) and
    Dosovitskiy 2021, section 3.2.

    Args:
        positions: (1, rows * columns, width), row after row.
        from_grid, to_grid: (rows, columns) of what is there and of what is wanted.
    Returns:
        float32 (1, rows * columns, width) of `to_grid`; the same numbers where both grids are one.
    Raises:
        ValueError: the positions are not those of `from_grid`.
    """
    positions = ops.convert_to_numpy(positions).astype("float32")
    if positions.ndim != 3 or positions.shape[:2] != (1, from_grid[0] * from_grid[1]):
        raise ValueError(
            f"`positions`: expected (1, {from_grid[0]} * {from_grid[1]}, width) for a grid of {from_grid[0]} x {from_grid[1]}"
            f" patches, got {positions.shape}"
        )
    if tuple(from_grid) == tuple(to_grid):
        return positions
    width = positions.shape[-1]
    stretched = ops.image.resize(
        positions.reshape(1, *from_grid, width),
        tuple(to_grid),
        interpolation="bicubic",
        data_format="channels_last",
    )
    return ops.convert_to_numpy(stretched).astype("float32").reshape(1, -1, width)


@keras.saving.register_keras_serializable(package="medtf")
class Positions(keras.layers.Layer):
    """Add to each patch where it lies. The numbers are `sin_cos`, and training leaves them alone.

    They are a weight nevertheless: a network that was trained at another size goes on with its own positions, `interpolated`.

    Args:
        grid: (rows, columns) of patches.
        **kwargs: of `keras.layers.Layer`.

    Input shape:
        (batch, rows * columns, width), patches row after row.

    Output shape:
        As the input.

    Raises:
        ValueError: another number of patches.
    """

    def __init__(self, grid: tuple[int, int], **kwargs):
        super().__init__(**kwargs)
        self.grid = tuple(int(side) for side in grid)

    def build(self, input_shape):
        """One position for each place of the grid, float32 under every policy."""
        rows, columns = self.grid
        if input_shape[1] not in (None, rows * columns):
            raise ValueError(
                f"{self.name}: expected {rows} x {columns} = {rows * columns} patches, got {input_shape[1]}"
            )
        self.positions = self.add_weight(
            name="positions",
            shape=(1, rows * columns, input_shape[-1]),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(sin_cos(rows, columns, shape[-1]), dtype),
            dtype="float32",
            trainable=False,
        )
        super().build(input_shape)

    def call(self, tokens):
        """Patches with their places."""
        return tokens + ops.cast(self.positions, tokens.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self) -> dict:
        """The grid."""
        return {**super().get_config(), "grid": list(self.grid)}
