"""Volumes in NumPy and inside the graph: both equal nibabel, for every type, byte order, version, packing and orientation."""

from itertools import permutations, product

import factory
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from medtf.data import nifti, nifti_graph
from medtf.data.header import read_header
from medtf.errors import MedtfError

DTYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def rows_of(root, *names):
    rows = [read_header(root, name)[0] for name in names]
    assert [row["excluded"] for row in rows] == [""] * len(rows)
    return rows


def through_the_graph(root, rows, index=None):
    """Every row by the branch of its layout, in one tf.data pipeline as in training: [(x, y, z)]."""
    frame = pd.DataFrame(rows)
    layouts, codes = nifti_graph.layouts(frame)
    branches = [lambda row, layout=layout: nifti_graph.volume(row, layout, str(root)) for layout in layouts]
    cells = nifti_graph.columns(frame, index) | {"code": tf.constant(codes)}
    ds = tf.data.Dataset.from_tensor_slices(cells)
    ds = ds.map(lambda row: tf.switch_case(row["code"], [lambda b=branch: b(row) for branch in branches]))
    return list(ds.as_numpy_iterator())


def eagerly(root, rows):
    """The same operations one by one, without a graph: what TensorFlow optimises, it must not change."""
    frame = pd.DataFrame(rows)
    layouts, codes = nifti_graph.layouts(frame)
    columns = nifti_graph.columns(frame)
    cells = [{name: values[number] for name, values in columns.items()} for number in range(len(rows))]
    return [nifti_graph.volume(row, layouts[code], str(root)).numpy() for row, code in zip(cells, codes, strict=True)]


def by_nibabel(path):
    image = nib.as_closest_canonical(nib.load(path))
    with np.errstate(over="ignore"):
        return image.get_fdata().astype(np.float32), image.affine


def extremes(dtype, shape=(4, 3, 5), seed=0):
    """Values of the whole range of a type, its ends among them."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        values = (rng.normal(size=shape) * 10.0 ** rng.integers(-9, 9, shape)).astype(dtype)
        values.flat[:4] = 0, -0.0, np.finfo(np.float32).max, 1 / 3
        return values
    ends = np.iinfo(dtype)
    values = rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    values.flat[:3] = ends.min, ends.max, 1
    return values


# === Types, byte orders, versions, packings ===


def test_every_way_to_store_a_voxel(tmp_path):
    """1/3 and 0.1 have no exact float32: in a NIfTI-2 header the scale is a float64 and must be used as such."""
    names = []
    for dtype, big, version, packed in product(DTYPES, (False, True), (1, 2), ("", ".gz")):
        slope, intercept = ((1, 0), (1 / 3, 0), (0.1, -1024.7))[len(names) % 3]
        names.append(f"{len(names)}.nii{packed}")
        how = {"dtype": dtype, "big_endian": big, "version": version, "slope": slope, "intercept": intercept}
        factory.nifti(tmp_path / names[-1], extremes(dtype, seed=len(names)), **how)
    rows = rows_of(tmp_path, *names)
    for row, graph in zip(rows, through_the_graph(tmp_path, rows), strict=True):
        expected, affine = by_nibabel(tmp_path / row["path"])
        numpy = nifti.volume(tmp_path, row)
        assert numpy.dtype == graph.dtype == np.float32
        np.testing.assert_array_equal(numpy, expected, err_msg=str(row))
        np.testing.assert_array_equal(graph, expected, err_msg=str(row))
        np.testing.assert_array_equal(nifti.parse(row).affine, affine)


def test_what_was_stored_comes_back_without_scaling(tmp_path):
    for dtype in DTYPES:
        values = extremes(dtype)
        factory.nifti(tmp_path / "a.nii", values, dtype=dtype, slope=2, big_endian=True)
        [row] = rows_of(tmp_path, "a.nii")
        np.testing.assert_array_equal(nifti.stored(tmp_path, row), values)
        [layout], _ = nifti_graph.layouts(pd.DataFrame([row]))
        cells = {name: value[0] for name, value in nifti_graph.columns(pd.DataFrame([row])).items()}
        stored = nifti_graph.stored(cells, layout, str(tmp_path))
        assert stored.dtype.name == dtype
        np.testing.assert_array_equal(stored.numpy().T, values)


@pytest.mark.parametrize("slope", [0, np.nan, np.inf, 1, 0.37])
def test_a_scale_of_zero_or_none_is_no_scale(tmp_path, slope):
    factory.nifti(tmp_path / "a.nii", extremes("int16"), slope=slope, intercept=5)
    rows = rows_of(tmp_path, "a.nii")
    expected, _ = by_nibabel(tmp_path / "a.nii")
    np.testing.assert_array_equal(nifti.volume(tmp_path, rows[0]), expected)
    np.testing.assert_array_equal(through_the_graph(tmp_path, rows)[0], expected)


def test_extensions_before_the_voxels_are_passed_over(tmp_path):
    comment = b"\x20\0\0\0\x06\0\0\0" + b"written by a test".ljust(24, b"\0")  # size, code 6, text (nifti1.h)
    for name, version in (("1.nii", 1), ("2.nii.gz", 2)):
        factory.nifti(tmp_path / name, extremes("int16"), version=version, extension=comment)
    factory.nifti(tmp_path / "3.nii", extremes("int16"), extension=bytes(7), dtype="float64")  # not on any boundary
    rows = rows_of(tmp_path, "1.nii", "2.nii.gz", "3.nii")
    assert [row["read_offset"] for row in rows] == [384, 576, 359]
    for row, graph in zip(rows, through_the_graph(tmp_path, rows), strict=True):
        np.testing.assert_array_equal(graph, extremes("int16"))
        np.testing.assert_array_equal(nifti.volume(tmp_path, row), extremes("int16"))


# === Orientation ===


def test_all_48_orientations_come_to_ras(tmp_path):
    """One world in every order and direction of the axes: the same canonical volume each time, whatever nibabel says as well."""
    world = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    spacing = np.array([1.5, 2.0, 0.75])
    names, hashes = [], set()
    for axes, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        values, affine = world, np.diag([*spacing, 1.0])
        affine[:3, 3] = -10, 20, 30
        for axis in np.flatnonzero(flips):
            values = np.flip(values, axis)
            affine[:, 3] += affine[:, axis] * (world.shape[axis] - 1)
            affine[:, axis] *= -1
        names.append(f"{len(names)}.nii")
        factory.nifti(tmp_path / names[-1], values.transpose(axes), affine=affine[:, [*axes, 3]])
    rows = rows_of(tmp_path, *names)
    assert len(nifti_graph.layouts(pd.DataFrame(rows))[0]) == 48
    np.testing.assert_array_equal(through_the_graph(tmp_path, rows[::7]), [world] * 7)
    for row, graph in zip(rows, eagerly(tmp_path, rows), strict=True):
        grid = nifti.parse(row)
        assert (grid.shape, grid.spacing) == (world.shape, tuple(spacing))
        np.testing.assert_array_equal(grid.affine[:3, 3], (-10, 20, 30))
        np.testing.assert_array_equal(nifti.volume(tmp_path, row), world)
        np.testing.assert_array_equal(graph, world)
        np.testing.assert_array_equal(by_nibabel(tmp_path / row["path"])[0], world)
        hashes.add(nifti.check(tmp_path, row))
    assert len(hashes) == 1


def rotation(degrees, axis):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = np.eye(3)
    first, second = [k for k in range(3) if k != axis]
    turned[[first, first, second, second], [first, second, first, second]] = cos, -sin, sin, cos
    return turned


OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = rotation(25, 0) @ rotation(-40, 1) @ rotation(170, 2) @ np.diag([1.0, 1.1, 2.5])
OBLIQUE[:3, 3] = 12.5, -80.25, 3.0
QUATERNION = {"quatern": [0.1, -0.7, 0.3], "qoffset": [5, 6, 7]}
# the scanner's own place, a few degrees from where the sform lays the brain
NEARBY = nib.quaternions.mat2quat(rotation(12, 0) @ OBLIQUE[:3, :3] / np.linalg.norm(OBLIQUE[:3, :3], axis=0))[
    1:
].tolist()
HEADERS = {
    "sform": {"affine": OBLIQUE},
    "sform before qform": {"affine": OBLIQUE, "qform_code": 1, "quatern": NEARBY, "qoffset": [5, 6, 7]},
    "qform": {"sform_code": 0, "qform_code": 1, **QUATERNION},
    "qform, left-handed": {"sform_code": 0, "qform_code": 2, "pixdim": [-1, 2, 3, 4, 1, 1, 1, 1], **QUATERNION},
    "qform, half a turn": {"sform_code": 0, "qform_code": 1, "quatern": [0, 1, 0]},
    "qform, qfac 0": {"sform_code": 0, "qform_code": 1, "pixdim": [0, 2, 3, 4, 1, 1, 1, 1], **QUATERNION},
    "neither": {"sform_code": 0, "pixdim": [1, 2, 3, 4, 1, 1, 1, 1]},
    "neither, negative size": {"sform_code": 0, "pixdim": [1, -2, 3, 4, 1, 1, 1, 1]},
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("how", HEADERS.values(), ids=HEADERS)
def test_the_affine_is_nibabels(tmp_path, how, version):
    factory.nifti(tmp_path / "a.nii", extremes("int16"), version=version, **how)
    rows = rows_of(tmp_path, "a.nii")
    expected, affine = by_nibabel(tmp_path / "a.nii")
    grid = nifti.parse(rows[0])
    np.testing.assert_array_equal(grid.affine, affine)
    np.testing.assert_array_equal(grid.spacing, nib.affines.voxel_sizes(affine))
    np.testing.assert_array_equal(nifti.volume(tmp_path, rows[0]), expected)
    np.testing.assert_array_equal(through_the_graph(tmp_path, rows)[0], expected)


# === 4D ===


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_one_volume_of_a_4d_file(tmp_path, packed):
    values = extremes("int16", (3, 4, 5, 6))
    name = f"a.nii{packed}"
    factory.nifti(tmp_path / name, values, affine=np.diag([-1, 1, 1, 1]))
    rows = rows_of(tmp_path, name)
    assert nifti.parse(rows[0]).volumes == 6
    for index in (0, 3, 5):
        np.testing.assert_array_equal(nifti.volume(tmp_path, rows[0], index=index), values[::-1, ..., index])
        np.testing.assert_array_equal(through_the_graph(tmp_path, rows, index)[0], values[::-1, ..., index])
    frame = pd.DataFrame(rows)
    for read in (lambda i: nifti.volume(tmp_path, rows[0], index=i), lambda i: nifti_graph.columns(frame, i)):
        with pytest.raises(MedtfError, match=rf"^{name}: 4D, 3 x 4 x 5 x 6: .* input.volume: 0 to 5$"):
            read(None)
        for index in (-1, 6):
            with pytest.raises(MedtfError, match=rf"^{name}: no volume {index}: input.volume may be 0 to 5$"):
                read(index)


def test_a_fourth_axis_of_one_is_none(tmp_path):
    values = extremes("int16", (3, 4, 5, 1))
    factory.nifti(tmp_path / "a.nii", values)
    rows = rows_of(tmp_path, "a.nii")
    assert rows[0]["read_shape"] == "3 4 5"
    np.testing.assert_array_equal(nifti.volume(tmp_path, rows[0], index=0), values[..., 0])
    np.testing.assert_array_equal(through_the_graph(tmp_path, rows)[0], values[..., 0])
    with pytest.raises(MedtfError, match=r"no volume 1: input.volume may be one volume only, number 0"):
        nifti.volume(tmp_path, rows[0], index=1)


# === Faults after the index ===


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_file_cut_after_the_index_is_named(tmp_path, name):
    path = factory.nifti(tmp_path / name, extremes("int16", (16, 16, 16)))
    rows = rows_of(tmp_path, name)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.001):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(MedtfError, match=rf"^{name}: cannot be read: "):
            nifti.volume(tmp_path, rows[0])
        with pytest.raises(tf.errors.OpError, match=rf"{name}"):
            through_the_graph(tmp_path, rows)
    path.unlink()
    with pytest.raises(MedtfError, match=f"{name}: cannot be read: FileNotFoundError: No such file"):
        nifti.volume(tmp_path, rows[0])
    with pytest.raises(tf.errors.NotFoundError, match=name):
        through_the_graph(tmp_path, rows)


# === Real files ===


@pytest.mark.parametrize("folder", ["mri/aging/t1", "mri/aging/dlmuse_seg", "mri/ixi"])
def test_real_volumes_equal_nibabel_exactly(shared, folder):
    names = sorted(p.relative_to(shared).as_posix() for p in (shared / folder).glob("*.nii.gz"))
    assert names
    rows = rows_of(shared, *names)
    for row, graph in zip(rows, through_the_graph(shared, rows), strict=True):
        expected, affine = by_nibabel(shared / row["path"])
        np.testing.assert_array_equal(nifti.volume(shared, row), expected)
        np.testing.assert_array_equal(graph, expected)
        np.testing.assert_array_equal(nifti.parse(row).affine, affine)
        assert nifti.parse(row).shape == expected.shape
