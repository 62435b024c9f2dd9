"""Images beside what a proxy task makes of them, as one PNG: a row an image, a column a title."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from medtf.evaluate.draw.plots import png

SIDE = 1.5  # inches of one image
WRAPPED = 24  # letters of a title that stand above an image of this side


def drawn(pictures: dict[str, np.ndarray]) -> bytes:
    """The PNG.

    Args:
        pictures: {title: float (rows, height, width, channels) in [0, 1]}; three channels are colours, else the first is shown in grey.
    """
    rows = len(next(iter(pictures.values())))
    figure = Figure(figsize=(SIDE * len(pictures), SIDE * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, len(pictures), squeeze=False)
    for column, (title, images) in enumerate(pictures.items()):
        axes[0, column].set_title(textwrap.fill(title, WRAPPED), fontsize=8)
        for row, image in enumerate(np.clip(np.asarray(images, np.float32), 0, 1)):
            grey = image.shape[-1] != 3
            axes[row, column].imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=1)
            axes[row, column].set_axis_off()
    return png(figure)
