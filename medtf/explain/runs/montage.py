"""A volume under its heat map on one sheet: slices from below to above, and the three planes through the hottest voxel. NumPy and Pillow."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from medtf.explain import pictures
from medtf.explain.runs.anatomy import foreground, shown
from medtf.preview_volumes import PLANES

ROWS, COLUMNS = 2, 6  # of axial slices
TILE = 175  # pixels, the longer side of a slice
PLANE = 285  # pixels, the longest side of the planes
GAP = 4  # pixels between pictures
BAR = (14, 150)  # pixels, width and height of the colour bar
BESIDE = 190  # pixels at least, for the colour bar and the words beside the planes
ANATOMY = 0.1  # of the largest slice's foreground: slices with less are above the head or below the jaw
LETTER, WORDS, LINES = (255, 210, 74), (235, 235, 235), (120, 220, 255)  # colours; the letters' is that of previews
GREY_OF_BAR = 0.45  # under the colours of the bar


def montage(image: np.ndarray, heat: np.ndarray, spacing_mm) -> np.ndarray:
    """One sheet of a volume under its heat map, true in millimetres.

    Args:
        image: float (x, y, z) or (x, y, z, 1), RAS+; NaN where the network was shown nothing, which is drawn black.
        heat: float (x, y, z) in [0, 1].
        spacing_mm: (3,) mm between voxels.
    Returns:
        uint8 (height, width, 3). Radiologists' side: the patient's right is on the left.
    """
    colours = _mix(shown(image), heat)
    hottest = tuple(int(i) for i in np.unravel_index(int(heat.argmax()), heat.shape)) if heat.max() > 0 else None
    tiles = [
        _lettered(_cut(colours, "axial", at, spacing_mm, TILE), "axial", below=False)
        for at in levels(image, ROWS * COLUMNS)
    ]
    above = [_row(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    below = _row(_planes(colours, hottest, spacing_mm))
    width = max(below.shape[1] + BESIDE, *(one.shape[1] for one in above))
    sheet = np.concatenate([np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0))) for one in (*above, below)])
    corner = below.shape[1] + 12, len(sheet) - len(below) + 14
    return _with_bar(sheet, corner, hottest is None)


def levels(image: np.ndarray, count: int) -> list[int]:
    """Up to `count` numbers of axial slices, evenly from the lowest to the highest that holds anatomy."""
    areas = np.count_nonzero(foreground(image), axis=(0, 1))
    held = np.flatnonzero(areas > ANATOMY * areas.max()) if areas.any() else np.arange(len(areas))
    edges = np.linspace(held[0], held[-1] + 1, count + 1)
    return sorted({int(at) for at in (edges[1:] + edges[:-1]) / 2})


def _mix(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (x, y, z, 3): as `pictures.over`, of all slices at once."""
    flat = pictures.over(grey.reshape(len(grey), -1, 1), heat.reshape(len(heat), -1))
    return flat.reshape(*grey.shape, 3)


def _cut(colours: np.ndarray, name: str, at: int, spacing_mm, longest: int, of=None) -> Image.Image:
    """One plane in millimetres, the longest side of `of` (default: of this plane) being `longest` pixels."""
    axis = PLANES[name][0]
    cut = np.take(colours, at, axis).swapaxes(0, 1)[::-1, ::-1]
    sides = [n * mm for i, (n, mm) in enumerate(zip(colours.shape, spacing_mm, strict=False)) if i != axis]
    scale = longest / (of or max(sides))
    size = [max(1, round(side * scale)) for side in sides]
    return Image.fromarray(np.ascontiguousarray(cut)).resize(size, Image.Resampling.BICUBIC)


def _planes(colours: np.ndarray, hottest, spacing_mm) -> list[np.ndarray]:
    """Sagittal, coronal and axial through the hottest voxel, at one scale, each with lines towards it."""
    at = hottest or tuple(side // 2 for side in colours.shape[:3])
    longest = max(side * mm for side, mm in zip(colours.shape, spacing_mm, strict=False))
    made = []
    for name, (axis, *_) in PLANES.items():
        picture = _cut(colours, name, at[axis], spacing_mm, PLANE, longest)
        if hottest:
            across, up = (1 - (at[i] + 0.5) / colours.shape[i] for i in range(3) if i != axis)
            _pointed(picture, across * picture.width, up * picture.height)
        made.append(_lettered(picture, name, below=True))
    return made


def _pointed(picture: Image.Image, x: float, y: float) -> None:
    """Lines from the four edges, which stop before the place itself."""
    draw, free = ImageDraw.Draw(picture), 0.06 * max(picture.size)
    for line in (
        (0, y, x - free, y),
        (x + free, y, picture.width, y),
        (x, 0, x, y - free),
        (x, y + free, x, picture.height),
    ):
        if line[2] > line[0] or line[3] > line[1]:
            draw.line(line, LINES, 1)


def _lettered(picture: Image.Image, name: str, *, below: bool) -> np.ndarray:
    """The letters of the sides that a plane points to: left and right, and with `below` top and bottom too."""
    _, left, right, top, bottom = PLANES[name]
    (wide, high), draw = picture.size, ImageDraw.Draw(picture)
    places = [(left, (3, high / 2), "lm"), (right, (wide - 3, high / 2), "rm")]
    places += [(top, (wide / 2, 4), "mt"), (bottom, (wide / 2, high - 5), "mb")] if below else []
    for letter, place, anchor in places:
        draw.text(place, letter, LETTER, _font(12), anchor, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def _row(made: list[np.ndarray]) -> np.ndarray:
    """Pictures side by side with black around each, in the middle of the height."""
    height = max(one.shape[0] for one in made) + GAP
    parts = []
    for one in made:
        above = (height - one.shape[0]) // 2
        parts.append(np.pad(one, ((above, height - one.shape[0] - above), (0, GAP), (0, 0))))
    return np.concatenate(parts, axis=1)


def _with_bar(sheet: np.ndarray, corner: tuple[int, int], cold: bool) -> np.ndarray:
    """The colour bar and what the planes are, beside them."""
    picture = Image.fromarray(sheet)
    draw, (left, top), (wide, high) = ImageDraw.Draw(picture), corner, BAR
    heat = np.linspace(1, 0, high)[:, None].repeat(wide, axis=1)
    picture.paste(Image.fromarray(pictures.over(np.full((high, wide, 1), GREY_OF_BAR), heat)), (left, top))
    beside = left + wide + 6
    draw.text((beside, top), "1: hottest place", WORDS, _font(12), "la")
    draw.text((beside, top + high), "0", WORDS, _font(12), "ls")
    said = (
        "the map is 0\neverywhere:\nplanes through\nthe middle"
        if cold
        else "above: axial slices,\nlowest first;\nplanes: through\nthe hottest place"
    )
    draw.multiline_text((left, top + high + 14), said, WORDS, _font(12), spacing=4)
    return np.asarray(picture)


def _font(size: int):
    return ImageFont.load_default(size)
