"""Adaptive equalisation in the graph against a plain NumPy one, and what it must leave alone."""

import factory
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from reading import rows_of, through_graph
from scipy.ndimage import gaussian_filter

from medtf import config as configs
from medtf.data import clahe, dataset
from medtf.errors import AskedWronglyError
from medtf.schema_data import Clahe
from medtf.table import Table


def equalised(image, *, clip=0.01, tiles=8):
    found = clahe.equalised(tf.constant(image[..., None], tf.float32), clip=clip, tiles=tiles, named="a.png")
    return found.numpy()[..., 0]


def spread(histogram, clip):
    """Zuiderveld's loop: cut at `clip`, give what was cut off to all bins alike, again until nothing is over."""
    held = histogram.astype(float)
    while held.max() > clip * (1 + 1e-9):
        over = np.maximum(held - clip, 0).sum()
        held = np.minimum(held, clip)
        room = held < clip * (1 - 1e-12)
        held[room] += over / room.sum() if room.any() else 0
    return held


def reference(image, clip, tiles):
    """Pixel by pixel: the maps of the four tiles around it, linear within 256 bins, weighted by the distance of their middles."""
    rows, columns = image.shape
    owner = [np.arange(n) * tiles // n for n in image.shape]
    maps = {}
    for i in range(tiles):
        for j in range(tiles):
            part = image[owner[0] == i][:, owner[1] == j]
            counts, edges = np.histogram(part, 256, (0, 1))
            maps[i, j] = edges, np.concatenate([[0], np.cumsum(spread(counts / part.size, clip))])
    out = np.empty(image.shape)
    for y in range(rows):
        for x in range(columns):
            v = np.clip((y + 0.5) * tiles / rows - 0.5, 0, tiles - 1)
            h = np.clip((x + 0.5) * tiles / columns - 0.5, 0, tiles - 1)
            total = 0.0
            for i in range(tiles):
                for j in range(tiles):
                    weight = max(0, 1 - abs(v - i)) * max(0, 1 - abs(h - j))
                    total += weight * np.interp(image[y, x], *maps[i, j]) if weight else 0
            out[y, x] = total
    return out


def picture(shape, seed=0):
    """Smooth, from 0 to 1, with both ends in it; whole multiples of 1/4096, so that bins have no doubtful edges."""
    image = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    image = (image - image.min()) / np.ptp(image)
    return np.round(image * 4096) / 4096


@pytest.mark.parametrize(
    ("shape", "clip", "tiles"), [((40, 40), 0.01, 4), ((37, 51), 0.02, 4), ((30, 22), 1.0, 3), ((16, 16), 0.005, 2)]
)
def test_it_equals_a_plain_one(shape, clip, tiles):
    image = picture(shape)
    np.testing.assert_allclose(equalised(image, clip=clip, tiles=tiles), reference(image, clip, tiles), atol=2e-5)


def test_no_bin_passes_the_clip_and_none_is_lost():
    histograms = np.random.default_rng(0).dirichlet(np.full(256, 0.05), (3, 3)).astype(np.float32)
    for clip in (1 / 256, 0.005, 0.01, 0.1, 1.0):
        maps = clahe._maps(tf.constant(histograms), clip).numpy()
        np.testing.assert_allclose(maps[..., 0], 0)
        np.testing.assert_allclose(maps[..., -1], 1, atol=1e-6)
        rises = np.diff(maps, axis=-1)
        assert rises.max() <= clip * 1.001 + 1e-6
        expected = np.array([[spread(h, clip) for h in row] for row in histograms])
        np.testing.assert_allclose(rises, expected, atol=2e-6)


def test_the_least_clip_leaves_the_image_as_it_is():
    image = picture((50, 40))
    np.testing.assert_allclose(equalised(image, clip=1 / 256), image, atol=1e-5)


def test_an_even_histogram_stays():
    image = np.tile((np.arange(256) + 0.5) / 256, (16, 1)).reshape(64, 64)[np.random.default_rng(0).permutation(64)]
    even = np.concatenate(
        [np.concatenate([image] * 2, axis=0)] * 2, axis=1
    )  # each of 2 x 2 tiles holds all grey values
    np.testing.assert_allclose(equalised(even, tiles=2, clip=1.0), even, atol=1e-5)


def test_black_stays_black_white_white_and_order_within_one_map_is_kept():
    image = picture((64, 64))
    found = equalised(image)
    assert found[image == 0].max() < 1e-6
    assert found[image == 1].min() > 1 - 1e-6
    flat = np.tile(np.sort(image.ravel()).reshape(1, -1), (2, 1))  # above all tiles there is the same
    assert (np.diff(equalised(flat, tiles=2)[0, : 64 * 16]) >= -1e-6).all()


def test_a_faint_pattern_is_seen_better():
    image = 0.45 + 0.05 * picture((64, 64))
    assert equalised(image, clip=0.02).std() > 2 * image.std()  # at most 256 * 0.02 times


def test_twelve_bits_do_not_become_256_steps():
    image = np.random.default_rng(0).permutation(4096).reshape(64, 64) / 4095
    assert len(np.unique(equalised(image, tiles=2))) > 3000


def test_before_the_resize_and_without_the_border(tmp_path):
    values = (picture((64, 48)) * 65535).astype(np.uint16)
    factory.picture(tmp_path / "a.png", values)
    rows, how = rows_of(tmp_path, "a.png"), {"clahe": Clahe(tiles=4)}
    (whole,) = through_graph(tmp_path, rows, **how)
    np.testing.assert_allclose(whole[..., 0], equalised(values / 65535, tiles=4), atol=1e-5)
    (small,) = through_graph(tmp_path, rows, (16, 12), **how)
    np.testing.assert_allclose(small[..., 0], whole[..., 0].reshape(16, 4, 12, 4).mean(axis=(1, 3)), atol=1e-5)
    (wide,) = through_graph(tmp_path, rows, (64, 64), aspect="pad", **how)
    np.testing.assert_allclose(wide[:, 8:56], whole, atol=1e-5)
    assert not wide[:, :8].any()


def test_padding_stays_black(tmp_path):
    values = np.random.default_rng(0).integers(500, 1000, (32, 32))
    values[:9] = 0
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        how = {"modality": "DX", "signed": False, "slope": None, "padding": 0, "photometric": photometric}
        factory.dicom(tmp_path / "a.dcm", values, **how)
        (image,) = through_graph(tmp_path, rows_of(tmp_path, "a.dcm"), clahe=Clahe(tiles=2))
        assert not image[:9].any()
        assert image[9:].max() > 0.9


def test_fewer_pixels_than_tiles(tmp_path):
    factory.picture(tmp_path / "a.png", np.arange(70, dtype=np.uint8).reshape(7, 10))
    with pytest.raises(tf.errors.OpError, match=r"a\.png.*fewer than 8 pixels on a side.*lower input\.clahe\.tiles"):
        through_graph(tmp_path, rows_of(tmp_path, "a.png"), clahe=Clahe())


def test_a_config_asks_for_it(tmp_path):
    factory.picture(tmp_path / "a.png", (picture((64, 64)) * 65535).astype(np.uint16))
    rows = rows_of(tmp_path, "a.png")
    (expected,) = through_graph(tmp_path, rows, (16, 16), clahe=Clahe(clip=0.02, tiles=4))
    wanted = {"size": 16, "clahe": {"clip": 0.02, "tiles": 4}}
    config = configs.parse({"pipeline": "table", "targets": {"y": "binary"}, "input": wanted})
    table = Table(pd.DataFrame(rows).assign(patient="p", y=0.0))
    ((images, *_),) = dataset.make(table, tmp_path, config, training=False)
    np.testing.assert_array_equal(images[0], expected)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"windows": ["brain"]}, "input: clahe is for grey images .* not for windows of CT: remove `clahe`"),
        ({"channels": 3}, "not for colour"),
        ({"size": [32, 32, 32]}, "not for volumes"),
        ({"clahe": {"clip": 0.001}}, "input.clahe.clip"),
        ({"clahe": {"tile": 4}}, "unknown key 'input.clahe.tile'"),
    ],
    ids=str,
)
def test_where_it_is_refused(how, message):
    with pytest.raises(AskedWronglyError, match=message):
        configs.parse({"pipeline": "table", "targets": {"y": "binary"}, "input": {"clahe": {}} | how})
