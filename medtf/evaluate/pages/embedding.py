"""Pictures inside a page: a report is mailed and archived, so what it holds is made small without looking worse."""

import base64
import io

from PIL import Image

COLOURS = 128  # a figure has a dozen and their blends at the edges of lines


def small_png(content: bytes) -> bytes:
    """The same picture with a palette of its own, a third of the size; as it was where that does not help.

    Args:
        content: a PNG file. What Pillow cannot read comes back as it is.
    """
    try:
        picture = Image.open(io.BytesIO(content)).convert("RGBA")
    except OSError:
        return content
    paper = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(paper, picture).convert("RGB")
    buffer = io.BytesIO()
    # without dithering areas stay flat, which is what figures are made of
    flat.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        buffer, format="PNG", optimize=True
    )
    return min(content, buffer.getvalue(), key=len)


def embedded(content: bytes) -> str:
    """A PNG as base64, made small."""
    return base64.b64encode(small_png(content)).decode()
