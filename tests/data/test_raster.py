"""PNG and JPEG of every kind, each from an array that is known beforehand; which way up, and the aspect that is kept."""

import struct
import zlib

import factory
import numpy as np
import pytest
from PIL import Image
from reading import rows_of, through_graph

from medtf.data import pixels
from medtf.data.header import read_header

# colour type of PNG (11.2.2) by the number of channels: grey, grey and alpha, RGB, RGBA
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
# first row, first column, step down, step across, of the seven passes of Adam7 (PNG 8.2)
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(path, values, *, interlaced=False):
    """A PNG of (rows, columns, channels) in uint8 or uint16, written by hand: Pillow writes no 16-bit colour and no interlacing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    depth, channels = 8 * values.itemsize, values.shape[2]
    whole = values.astype(values.dtype.newbyteorder(">"))
    parts = [whole[y::down, x::across] for y, x, down, across in PASSES] if interlaced else [whole]
    lines = b"".join(b"\0" + line.tobytes() for part in parts if part.size for line in part)  # filter 0: none
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, COLOUR_TYPES[channels], 0, 0, interlaced)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def noise(*shape, kind=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def seen(root, name, **how):
    """The image of the graph, which the pixels of the index must equal."""
    (row,) = rows_of(root, name)
    (image,) = through_graph(root, [row], **how)
    if how.get("channels", 1) == 1 and "size" not in how:
        # 16-bit colour is hashed by its upper byte
        scale, atol = (
            2.0 ** row["read_bits_allocated"] - 1,
            1.01 / 255 if name.endswith("jpg") or "rgb" in name else 1e-6,
        )
        np.testing.assert_allclose(pixels.intensity(root, row) / scale, image[..., 0], atol=atol)
    return image


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_grey(tmp_path, kind, interlaced):
    values = noise(11, 13, kind=kind)
    png(tmp_path / "a.png", values[..., None], interlaced=interlaced)
    np.testing.assert_allclose(seen(tmp_path, "a.png")[..., 0], values / np.iinfo(kind).max, atol=1e-6)


def test_twelve_bits_in_sixteen_are_read_as_they_stand(tmp_path):
    values = noise(8, 8, kind=np.uint16) % 4096
    factory.picture(tmp_path / "a.png", values)
    np.testing.assert_allclose(seen(tmp_path, "a.png")[..., 0], values / 65535, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_colour(tmp_path, kind, alpha):
    values = noise(8, 9, 4, kind=kind)[..., : 4 if alpha else 3]
    png(tmp_path / "rgb.png", values)
    assert rows_of(tmp_path, "rgb.png")[0]["read_bits_allocated"] == 8 * values.itemsize
    most, colour = np.iinfo(kind).max, values[..., :3].astype(float)
    grey = colour @ [0.299, 0.587, 0.114] / most  # ITU-R 601
    np.testing.assert_allclose(seen(tmp_path, "rgb.png")[..., 0], grey, atol=1.5 / 255 if most == 255 else 1e-4)
    np.testing.assert_allclose(seen(tmp_path, "rgb.png", channels=3), colour / most, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_in_three_channels_or_with_alpha_is_that_grey(tmp_path, kind):
    values = noise(8, 9, kind=kind)
    png(tmp_path / "rgb.png", np.repeat(values[..., None], 3, axis=2))
    png(tmp_path / "rgb_alpha.png", np.stack([values, noise(9, 8, kind=kind).T], axis=2))
    for name in ("rgb.png", "rgb_alpha.png"):
        np.testing.assert_allclose(seen(tmp_path, name)[..., 0], values / np.iinfo(kind).max, atol=1e-6)


def test_one_bit(tmp_path):
    values = noise(9, 10) > 127
    Image.fromarray(values).save(tmp_path / "a.png", bits=1)
    assert (tmp_path / "a.png").read_bytes()[24] == 1
    np.testing.assert_array_equal(seen(tmp_path, "a.png")[..., 0], values)


def test_a_palette(tmp_path):
    places, colours = noise(9, 10) % 16, noise(16, 3)
    image = Image.fromarray(places)
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "a_rgb.png")
    assert Image.open(tmp_path / "a_rgb.png").mode == "P"
    np.testing.assert_allclose(seen(tmp_path, "a_rgb.png", channels=3), colours[places] / 255, atol=1e-6)
    grey = colours[places] @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(seen(tmp_path, "a_rgb.png")[..., 0], grey, atol=1.5 / 255)


# === Which way up ===

TURNS = {  # EXIF 2.3, 4.6.4: where the stored row 0 and column 0 are to be seen -> how an upright image is stored
    1: lambda a: a,  # top, left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.T,  # left, top: the stored rows are columns, from the left; the columns rows, from the top
    6: lambda a: a[:, ::-1].T,  # right, top
    7: lambda a: a[::-1, ::-1].T,  # right, bottom
    8: lambda a: a[::-1].T,  # left, bottom
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_is_turned_as_its_exif_says(tmp_path, orientation, kind):
    upright = np.kron(noise(2, 3) // 2 + 40, np.ones((8, 8), np.uint8))  # even blocks, which JPEG keeps
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    Image.fromarray(stored).save(tmp_path / f"a.{kind}", exif=exif, quality=100)
    (row,) = rows_of(tmp_path, f"a.{kind}")
    assert (row["read_rows"], row["read_columns"], row["read_orientation"]) == (*stored.shape, orientation)
    image = seen(tmp_path, f"a.{kind}", size=upright.shape)[..., 0]
    np.testing.assert_allclose(image, upright / 255, atol=0 if kind == "png" else 1.01 / 255)
    reference = pixels.intensity(tmp_path, row)
    np.testing.assert_allclose(reference / 255, image, atol=1.01 / 255)
    wide = seen(tmp_path, f"a.{kind}", size=(24, 24), aspect="pad")[..., 0]
    np.testing.assert_allclose(wide[4:20], image, atol=1e-6)
    assert not wide[:4].any()
    assert not wide[20:].any()


def test_an_orientation_that_is_none(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.fromarray(noise(8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert "EXIF Orientation (0x0112) is 9, expected 1 to 8" in read_header(tmp_path, "a.jpg")[0]["excluded"]


def test_no_damage_to_exif_raises(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(16, 16)).save(tmp_path / "a.jpg", exif=exif)
    whole, rng = (tmp_path / "a.jpg").read_bytes(), np.random.default_rng(0)
    for _ in range(100):
        broken = bytearray(whole)
        for place in rng.integers(20, 80, 4):
            broken[place] = rng.integers(0, 256)
        (tmp_path / "x.jpg").write_bytes(broken)
        (row,) = read_header(tmp_path, "x.jpg")
        assert row["excluded"] or 0 <= row["read_orientation"] <= 8


# === Aspect ===


@pytest.mark.parametrize(
    ("shape", "size", "padded", "place"),
    [
        ((10, 10), (20, 10), (20, 10), (5, 0)),  # size twice as high as wide
        ((10, 10), (10, 20), (10, 20), (0, 5)),
        ((20, 30), (30, 15), (60, 30), (20, 0)),
        ((20, 10), (30, 15), (20, 10), (0, 0)),  # of that aspect already
        ((12, 16), (16, 16), (16, 16), (2, 0)),
    ],
)
def test_padding_keeps_the_aspect_for_every_size(tmp_path, shape, size, padded, place):
    values = noise(*shape) // 2 + 60
    factory.picture(tmp_path / "a.png", values)
    canvas = np.zeros(padded, np.uint8)
    canvas[place[0] : place[0] + shape[0], place[1] : place[1] + shape[1]] = values
    factory.picture(tmp_path / "b.png", canvas)
    got = seen(tmp_path, "a.png", size=size, aspect="pad")
    np.testing.assert_allclose(got, seen(tmp_path, "b.png", size=size), atol=1e-6)


def test_stretching_fills_the_size(tmp_path):
    factory.picture(tmp_path / "a.png", np.full((10, 40), 51, np.uint8))
    np.testing.assert_allclose(
        seen(tmp_path, "a.png", size=(12, 8), aspect="stretch"), np.full((12, 8, 1), 0.2), atol=1e-6
    )
