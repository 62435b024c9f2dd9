"""Where the network's pixels lie in the file: held against the real reader, nibabel, and numbers worked out by hand."""

import factory
import nibabel
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from medtf import config as configs
from medtf.data import graph, nifti, placing, resample, volume_grid
from medtf.data.header import read_header
from medtf.data.placing import Placing
from medtf.errors import MedtfError

HOW = {"channels": 1, "intensity": "full", "raster_range": "bits"}


def config_of(size, **keys):
    spec = {"size": list(size), **keys}
    model = "cnn3d" if len(size) == 3 else "mobilenet_v2"
    return configs.parse({"pipeline": "table", "targets": {"any": "binary"}, "model": {"name": model}, "input": spec})


def through_the_pipeline(root, row, config):
    """A row as the network sees it, (height, width)."""
    layouts, _ = graph.layouts(pd.DataFrame([row]))
    reader = graph.reader(layouts[0], str(root), config.input.size, aspect=config.input.aspect, rows=[row], **HOW)
    cells = {name: tf.constant(row[name], kind) for name, kind in graph.NUMBERS.items()}
    return reader(cells | {"path": tf.constant(row["path"]), "row": tf.constant(0)}).numpy()[..., 0]


# === Pictures ===

SHAPES = [((64, 64), (16, 16)), ((61, 97), (24, 24)), ((97, 61), (20, 36)), ((40, 20), (48, 32)), ((30, 31), (21, 20))]


@pytest.mark.parametrize("aspect", ["pad", "stretch"])
@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_a_bright_square_lands_where_its_mask_is_put(tmp_path, shape, size, aspect):
    mask = np.zeros(shape, bool)
    mask[shape[0] // 5 : shape[0] // 5 + shape[0] // 3, shape[1] // 2 : shape[1] // 2 + shape[1] // 3] = True
    factory.picture(tmp_path / "a.png", mask.astype(np.uint8) * 255)
    row, config = read_header(tmp_path, "a.png")[0], config_of(size, aspect=aspect)
    seen, share = through_the_pipeline(tmp_path, row, config), placing.placed(row, config).to_network(mask)
    assert share.shape == size
    assert share.dtype == np.float32
    shrinks = all(n >= 2 * m for n, m in zip(placing.placed(row, config).frame[2:], size, strict=True))
    if shrinks:  # the pipeline averages areas there, and so does the mask
        np.testing.assert_allclose(share, seen, atol=1e-5)
    places = np.mgrid[: size[0], : size[1]] + 0.5  # else the pipeline skips part of a pixel at an edge
    for axis in range(2):
        middles = [(places[axis] * image).sum() / image.sum() for image in (seen, share)]
        assert middles[0] == pytest.approx(middles[1], abs=0.2)
    assert seen.sum() == pytest.approx(share.sum(), rel=0.1)
    assert ((seen > 0.5) != (share >= 0.5)).mean() < 0.03


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_exif_turns_is_turned(tmp_path, orientation):
    values = np.zeros((24, 40), np.uint8)
    values[4:10, 22:36] = 255  # as the file lies: x 22, y 4, 14 wide, 6 high
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    row, config = read_header(tmp_path, "a.png")[0], config_of((40, 40))
    assert row["read_orientation"] == orientation
    where = placing.placed(row, config)
    assert where.source_shape == ((40, 24) if orientation >= 5 else (24, 40))
    box = where.box_to_network(where.upright((22, 4, 14, 6)))
    np.testing.assert_allclose(box, through_the_pipeline(tmp_path, row, config), atol=1e-6)


def test_shares_and_borders_by_hand():
    # 2 x 4 pixels padded to 4 x 4, then halved: the picture is rows 1 and 2, so half of each new row
    where = Placing((2, 4), (2, 2), True)
    assert where.frame == (1, 0, 4, 4)
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)
    np.testing.assert_allclose(where.to_network(mask), [[0.5, 0], [0, 0.25]])
    np.testing.assert_allclose(Placing((2, 4), (2, 2), False).to_network(mask), [[1, 0], [0, 0.5]])
    np.testing.assert_allclose(where.box_to_network((0, 0, 2, 1)), [[0.5, 0], [0, 0]])
    np.testing.assert_allclose(where.box_to_network((1, 0.5, 2, 1)), [[0.125, 0.125], [0.125, 0.125]])


def test_a_mask_of_another_resolution_is_over_the_same_field():
    where = Placing((60, 90), (30, 30), True)
    small = np.random.default_rng(0).random((20, 30)) > 0.5
    large = np.kron(small, np.ones((3, 3), bool))
    np.testing.assert_allclose(where.to_network(small), where.to_network(large), atol=1e-6)


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_the_way_back_keeps_places_and_range(shape, size):
    where = Placing(shape, size, True)
    np.testing.assert_allclose(where.to_source(np.ones(size)), np.ones(shape), atol=1e-6)
    # a ramp over the network's columns is a ramp over the file's, at the same places
    _, left, _, wide = where.frame
    ramp = np.broadcast_to(np.arange(size[1]) + 0.5, size)
    there = where.to_source(ramp)
    assert there.shape == shape
    # a map that shrinks is moved by up to 0.09 of its pixels (medtf.data.resample.axis_weights)
    expected = (left + np.arange(shape[1]) + 0.5) * size[1] / wide
    inside = (expected > 1) & (expected < size[1] - 1)
    np.testing.assert_allclose(there[:, inside], np.broadcast_to(expected[inside], (shape[0], inside.sum())), atol=0.09)


def test_there_and_back_a_square_stays_at_its_place():
    where = Placing((120, 90), (32, 32), True)
    mask = np.zeros((120, 90), bool)
    mask[30:62, 12:44] = True
    back = where.to_source(where.to_network(mask))
    middles = [np.argwhere(image).mean(axis=0) for image in (mask, back > 0.5)]
    np.testing.assert_allclose(*middles, atol=1)


def test_a_volume_has_no_place_in_a_picture(tmp_path):
    factory.nifti(tmp_path / "v.nii", np.arange(8**3).reshape(8, 8, 8))
    row = read_header(tmp_path, "v.nii")[0]
    with pytest.raises(MedtfError, match=r"v\.nii: expected a picture"):
        placing.placed(row, config_of((16, 16)))
    factory.picture(tmp_path / "p.png", np.eye(9, dtype=np.uint8))
    with pytest.raises(MedtfError, match=r"p\.png: not a NIfTI volume"):
        placing.network_affine(read_header(tmp_path, "p.png")[0], config_of((8, 8, 8)))


# === Volumes ===


def world_of(affine, shape, axis):
    """mm of every voxel along one axis of the world."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return index @ affine[axis, :3] + affine[axis, 3]


@pytest.mark.parametrize("path", factory.real_files("mri/aging/t1")[:2])
def test_voxels_of_a_real_volume_lie_where_nibabel_says(path):
    row = read_header(factory.SHARED, path)[0]
    canonical = nibabel.as_closest_canonical(nibabel.load(factory.SHARED / path))
    shape, affine = placing.network_affine(row, config_of((16, 16, 16)))
    assert shape == canonical.shape
    np.testing.assert_allclose(affine, canonical.affine, atol=1e-5)
    config = config_of((16, 16, 16), spacing_mm=4)
    shape, affine = placing.network_affine(row, config)
    assert tuple(volume_grid.plan(pd.DataFrame([row]), config).shapes[0]) == shape
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(affine), 4)
    # a volume that holds its own world coordinates still holds them once it is resampled: 4 is a whole multiple of about 2 mm
    grid = nifti.parse(row)
    middle = tuple(slice(2, n - 2) for n in shape)
    for axis in range(3):
        held = resample.in_numpy(world_of(canonical.affine, canonical.shape, axis), grid.spacing, (4, 4, 4))
        np.testing.assert_allclose(held[middle], world_of(affine, shape, axis)[middle], atol=0.2)


def test_an_oblique_volume_keeps_its_world_when_voxels_are_halved(tmp_path):
    turn = np.deg2rad(20)
    affine = np.array(
        [[np.cos(turn), -np.sin(turn), 0, 5], [np.sin(turn), np.cos(turn), 0, -7], [0, 0, 2, 3], [0, 0, 0, 1]]
    )
    factory.nifti(tmp_path / "v.nii", np.arange(12 * 10 * 8).reshape(12, 10, 8), affine=affine)
    shape, found = placing.network_affine(read_header(tmp_path, "v.nii")[0], config_of((8, 8, 8), spacing_mm=0.5))
    assert shape == (24, 20, 32)
    # the outer corner of the first voxel stays where it was
    np.testing.assert_allclose(found @ [-0.5, -0.5, -0.5, 1], affine @ [-0.5, -0.5, -0.5, 1], atol=1e-5)
    np.testing.assert_allclose(found @ [23.5, 19.5, 31.5, 1], affine @ [11.5, 9.5, 7.5, 1], atol=1e-5)
