"""Resampling to a spacing: what linear interpolation must keep, where voxels lie in the world, and TensorFlow's own resize."""

import factory
import numpy as np
import pytest
import tensorflow as tf

from medtf.data import nifti, resample
from medtf.data.header import read_header

SPACINGS = {
    "finer": ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0)),
    "by whole ratios": ((1.0, 1.5, 0.5), (2.0, 3.0, 2.0)),
    "coarser": ((1.0, 0.9375, 1.2), (2.0, 2.0, 2.5)),
    "both": ((0.9375, 1.5, 3.0), (1.1, 1.1, 1.1)),
    "hardly": ((1.0, 1.0, 1.0), (1.0, 1.03, 0.97)),
    "one axis": ((1.0, 1.0, 2.5), (1.0, 1.0, 1.0)),
    "to one voxel": ((1.0, 1.0, 1.0), (50.0, 1.0, 1.0)),
}


def graph(values, spacing, spacing_mm, **how):
    shape = resample.shape_after(values.shape, spacing, spacing_mm)
    run = tf.function(lambda v, s, n: resample.in_graph(v, s, spacing_mm, n, **how))
    return run(tf.constant(values), tf.constant(spacing, tf.float32), tf.constant(shape, tf.int32)).numpy()


def noise(shape=(17, 12, 20), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("spacing", "wanted"), SPACINGS.values(), ids=SPACINGS)
def test_the_graph_says_what_numpy_says(spacing, wanted):
    values = noise()
    expected = resample.in_numpy(values, spacing, wanted)
    found = graph(values, spacing, wanted)
    assert found.dtype == expected.dtype == np.float32
    assert found.shape == expected.shape == resample.shape_after(values.shape, spacing, wanted)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    labels = (values > 0).astype(np.uint8)
    np.testing.assert_array_equal(
        graph(labels, spacing, wanted, nearest=True), resample.in_numpy(labels, spacing, wanted, nearest=True)
    )


@pytest.mark.parametrize(("spacing", "wanted"), SPACINGS.values(), ids=SPACINGS)
def test_a_constant_stays(spacing, wanted):
    found = graph(np.full((17, 12, 20), 7.25, np.float32), spacing, wanted)
    np.testing.assert_allclose(found, 7.25, atol=1e-5)


@pytest.mark.parametrize(("spacing", "wanted"), SPACINGS.values(), ids=SPACINGS)
def test_a_ramp_in_mm_stays_where_it_is(spacing, wanted):
    """World coordinates as values: inside, each voxel must say where the new affine puts it; oblique, so that all axes mix.

    Exactly so, but where an axis shrinks by a ratio that is not whole: there a triangle over few voxels is not quite symmetric.
    """
    shape = np.array((17, 12, 20))
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0] @ np.diag(spacing)
    affine[:3, 3] = 5, -7, 11
    world = np.einsum("ab,bxyz->axyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]
    after = resample.shape_after(shape, spacing, wanted)
    turned = resample.affine_after(affine, shape, spacing, wanted)
    expected = np.einsum("ab,bxyz->axyz", turned[:3, :3], np.indices(after)) + turned[:3, 3, None, None, None]
    np.testing.assert_allclose(np.linalg.norm(turned[:3, :3], axis=0), wanted)
    # the triangle must lie within the volume: that far from the faces
    margin = [int(np.ceil(max(1, s / w) + 1)) if n > 1 else 0 for s, w, n in zip(spacing, wanted, after, strict=True)]
    inside = tuple(slice(m, n - m) for m, n in zip(margin, after, strict=True))
    ratios = np.divide(wanted, spacing)
    whole = (ratios <= 1) | np.isclose(ratios, np.round(ratios))
    tolerance = max(1e-5, 0.09 * np.linalg.norm(np.where(whole, 0, spacing)))
    for one, place in zip(world, expected, strict=True):
        found = resample.in_numpy(one.astype(np.float64), spacing, wanted)
        assert found[inside].size
        np.testing.assert_allclose(found[inside], place[inside], atol=tolerance)


@pytest.mark.parametrize(("spacing", "wanted"), SPACINGS.values(), ids=SPACINGS)
def test_the_field_of_view_is_kept(spacing, wanted):
    """Its middle exactly, its faces to a quarter of a new voxel (but where one voxel is all there is)."""
    shape = np.array((17, 12, 20))
    affine = np.diag([*spacing, 1.0])
    after = np.array(resample.shape_after(shape, spacing, wanted))
    turned = resample.affine_after(affine, shape, spacing, wanted)
    middle = turned[:3, :3] @ ((after - 1) / 2) + turned[:3, 3]
    np.testing.assert_allclose(middle, (shape - 1) / 2 * spacing, atol=1e-9)
    faces = turned[:3, 3] - np.array(wanted) / 2
    assert (np.abs(faces + np.array(spacing) / 2) <= np.array(wanted) / 4 + 1e-9)[after > 1].all()


def test_an_equal_spacing_changes_nothing():
    values = noise()
    for run in (resample.in_numpy, graph):
        np.testing.assert_array_equal(run(values, (1.1, 0.9, 2.0), (1.1, 0.9, 2.0)), values)
        np.testing.assert_array_equal(run(values, (1.1, 0.9, 2.0), (1.1, 0.9, 2.0), nearest=True), values)


def test_weights_by_hand():
    half = resample.axis_weights(4, 1.0, 2, 2.0)  # a triangle of 2 voxels to each side, about 1.0 and 3.0
    np.testing.assert_allclose(half[0], np.array([3, 3, 1, 0]) / 7)
    np.testing.assert_allclose(half[1], np.array([0, 1, 3, 3]) / 7)
    double = resample.axis_weights(2, 2.0, 4, 1.0)
    np.testing.assert_allclose(double, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


@pytest.mark.parametrize(("n_in", "n_out"), [(12, 6), (12, 4), (12, 24), (12, 18), (13, 5), (5, 13), (64, 7)])
def test_one_axis_equals_tensorflows_resize(n_in, n_out):
    values = noise((n_in, 3), seed=n_out)
    expected = tf.image.resize(values[..., None], (n_out, 3), antialias=True).numpy()[..., 0]
    found = resample.axis_weights(n_in, 1 / n_in, n_out, 1 / n_out) @ values
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_nearest_takes_the_first_of_two_that_are_equally_near():
    labels = np.arange(8, dtype=np.int16)[:, None, None]
    found = resample.in_numpy(labels, (1.0, 1.0, 1.0), (2.0, 1.0, 1.0), nearest=True)
    assert found[:, 0, 0].tolist() == [0, 2, 4, 6]
    assert found.dtype == np.int16
    found = resample.in_numpy(labels, (3.0, 1.0, 1.0), (1.0, 1.0, 1.0), nearest=True)
    assert found[:, 0, 0].tolist() == np.repeat(np.arange(8), 3).tolist()


def test_fine_stripes_become_grey_and_not_stripes():
    """Without a filter, every third voxel of stripes two voxels wide would give stripes again."""
    values = np.tile(np.float32([0, 0, 1, 1]), 12)[:, None, None] * np.ones((1, 4, 4), np.float32)
    found = resample.in_numpy(values, (1.0, 1.0, 1.0), (3.0, 1.0, 1.0))
    assert np.abs(found[2:-2] - 0.5).max() < 0.12


def test_the_brain_of_a_real_head_keeps_its_size(shared):
    row = read_header(shared, "mri/aging/dlmuse_seg/Subj1_T1_DLMUSE.nii.gz")[0]
    mask, spacing = nifti.volume(shared, row) > 0, nifti.parse(row).spacing
    wanted = (1.5, 3.0, 2.5)
    coarse = resample.in_numpy(mask, spacing, wanted, nearest=True)
    assert nifti.foreground_ml(None, wanted, coarse) == pytest.approx(
        nifti.foreground_ml(None, spacing, mask), rel=0.01
    )


def test_resampled_files_of_one_head_agree_whatever_their_orientation(tmp_path):
    values = noise((10, 11, 12))
    factory.nifti(tmp_path / "a.nii", values, dtype="float32", affine=np.diag([1, 1.2, 1.5, 1]))
    turned = np.array(
        [[0, -1, 0, 9], [1.2, 0, 0, 0], [0, 0, 1.5, 0], [0, 0, 0, 1]]
    )  # AL, i.e. y first and x from right
    factory.nifti(tmp_path / "b.nii", values[::-1].transpose(1, 0, 2), dtype="float32", affine=turned)
    found = []
    for name in ("a.nii", "b.nii"):
        row = read_header(tmp_path, name)[0]
        found.append(graph(nifti.volume(tmp_path, row), nifti.parse(row).spacing, (2.0, 2.0, 2.0)))
    np.testing.assert_array_equal(*found)
