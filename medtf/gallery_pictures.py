"""What the network saw of an example as a small grey picture: a CT's windows side by side, a volume's three planes, a radiograph."""

import base64
import io

import numpy as np
from PIL import Image

from medtf import ensembling, pipeline, predictions, preview, preview_volumes
from medtf.config import Config
from medtf.faults import reading
from medtf.table import Table

SIDE = 256  # pixels of a picture's longer side at the most
PANEL = 192  # of each, where several stand side by side
PLANES = 160  # height of a volume's planes
QUALITY = 85  # of JPEG: noise makes a PNG of 256 pixels 50 kB


def draw(table: Table, root, config: Config) -> list[str]:
    """A picture of each row as a data URI, in the table's order.

    Args:
        table: the rows.
        root: data root.
        config: `input` counts; volumes are read from their files.
    Raises:
        MedtfError: a file that is away or damaged.
    """
    config = ensembling.unkept(config)
    with reading(table, root):
        images = seen(table, root, config)
    if config.model.dimensions == 3:
        spacings = preview_volumes.spacings_of(config, table)
        return [encoded(planes(volume[..., 0], mm)) for volume, mm in zip(images, spacings, strict=True)]
    return [encoded(panels(image, windows=config.input.windows is not None)) for image in images]


def seen(table: Table, root, config: Config) -> list[np.ndarray]:
    """What the network is given of each row; where that is patches, the one that holds most foreground."""
    rows = iter(predictions.rows_of_blocks(table, config))
    fullest: dict[int, tuple[float, np.ndarray]] = {}
    for images, _, weights in pipeline.find(config.pipeline).dataset(table, root, config, training=False):
        for image, weight in zip(np.asarray(images), np.asarray(weights), strict=True):
            row = int(next(rows))
            if row not in fullest or weight > fullest[row][0]:
                fullest[row] = float(weight), image.copy()  # the batch need not stay
    return [fullest[row][1] for row in range(len(table))]


def words(config: Config) -> str:
    """What a picture shows."""
    if config.model.dimensions == 3:
        which = "of the patch that holds most foreground" if config.input.patches else "of the volume"
        return f"The middle planes {which}, sagittal, coronal and axial, as the network is given it."
    if config.input.windows is not None:
        names = preview.channel_names(config)[:3]
        return (
            "As the network is given it"
            + (", windows from left to right: " if len(names) > 1 else ": ")
            + ", ".join(names)
            + "."
        )
    return "As the network is given it."


def wide(config: Config) -> bool:
    """Is a picture a strip of several?"""
    return config.model.dimensions == 3 or len(config.input.windows or ()) > 1


def panels(image: np.ndarray, *, windows: bool) -> np.ndarray:
    """(height, width, channels) in [0, 1] as uint8: up to three windows side by side, or one grey or colour picture."""
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    if not windows or pixels.shape[-1] == 1:
        return shrunk(pixels if pixels.shape[-1] == 3 and not windows else pixels[..., 0], SIDE)
    return side_by_side([shrunk(pixels[..., channel], PANEL) for channel in range(min(3, pixels.shape[-1]))])


def planes(volume: np.ndarray, spacing_mm) -> np.ndarray:
    """(depth, height, width) in RAS+ as uint8: the three middle planes in millimetres, side by side, on one scale."""
    low, high = preview_volumes.shown_range(volume)
    extent = np.array(volume.shape) * np.asarray(spacing_mm, float)
    scale = PLANES / max(
        extent[1], extent[2]
    )  # pixels a millimetre: up is the third axis, of the axial plane the second
    found = []
    for name, (cut, *_) in preview_volumes.PLANES.items():
        grey = np.clip((preview_volumes.plane(volume, name) - low) / (high - low), 0, 1)
        across, up = (extent[axis] for axis in range(3) if axis != cut)
        size = max(1, round(across * scale)), max(1, round(up * scale))
        image = Image.fromarray(np.round(255 * grey).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        found.append(np.asarray(image))
    return side_by_side(found)


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """The longer side at most `side` pixels; smaller pictures stay."""
    factor = side / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def side_by_side(pictures: list[np.ndarray], gap: int = 2) -> np.ndarray:
    """Grey pictures in a row on black, each in the middle of its height, a white line between."""
    height = max(picture.shape[0] for picture in pictures)
    row = []
    for picture in pictures:
        above = (height - picture.shape[0]) // 2
        row += [
            np.pad(picture, ((above, height - picture.shape[0] - above), (0, 0))),
            np.full((height, gap), 255, np.uint8),
        ]
    return np.concatenate(row[:-1], axis=1)


def encoded(pixels: np.ndarray) -> str:
    """uint8 (height, width) or (height, width, 3) as the smaller of a JPEG and a PNG, in a data URI; no metadata goes with it."""
    made = {}
    for kind, options in (("jpeg", {"quality": QUALITY}), ("png", {"optimize": True})):
        held = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(held, kind, **options)
        made[kind] = held.getvalue()
    kind = min(made, key=lambda one: len(made[one]))
    return f"data:image/{kind};base64,{base64.b64encode(made[kind]).decode()}"
