"""NIfTI masks on the network's grid: where nibabel says they lie, and never by a guess that is not told."""

import factory
import nibabel
import numpy as np
import pandas as pd
import pytest
from marked import config_of, table_of

from medtf.data import annotations, placing
from medtf.errors import MedtfError

WHOLE = config_of(8, 8, 8)
LPS = np.array([[-2, 0, 0, 30], [0, -2, 0, 20], [0, 0, 3, -10], [0, 0, 0, 1]], float)
NOWHERE = {"qform_code": 0, "sform_code": 0}


def scan(root, shape=(12, 10, 9), affine=LPS, **fields):
    """A volume of noise, and its row."""
    factory.nifti(root / "sub1.nii.gz", np.random.default_rng(0).integers(0, 99, shape), affine=affine, **fields)
    return table_of(root, "sub1.nii.gz")


def found_by(root, frame, config=WHOLE, **how):
    return annotations.find(root / "m", frame, root, config, **how)


def by_world(mask, row, config):
    """What the mask holds at the centre of each of the network's voxels, by nibabel's own coordinates, voxel by voxel."""
    shape, affine = placing.network_affine(row, config)
    image = nibabel.load(mask)
    values = np.asarray(image.dataobj)
    made = np.zeros(shape, bool)
    for place in np.ndindex(*shape):
        at = nibabel.affines.apply_affine(np.linalg.inv(image.affine) @ affine, place)
        at = np.ceil(at - 0.5 - 1e-3).astype(int)  # the nearest; of two, the first
        if (at >= 0).all() and (at < values.shape).all():
            made[place] = values[tuple(at)] > 0
    return made


def test_a_mask_on_its_images_grid_is_turned_as_the_image(tmp_path):
    frame = scan(tmp_path)
    values = np.zeros((12, 10, 9), np.uint8)
    values[0:3, 0:2, 0:4] = 2  # left, posterior of LPS: the last voxels of RAS+
    factory.nifti(tmp_path / "m" / "sub1_lesion.nii.gz", values, affine=LPS, dtype="uint8")
    found = found_by(tmp_path, frame)
    expected = np.zeros((12, 10, 9), bool)
    expected[-3:, -2:, 0:4] = True
    np.testing.assert_array_equal(found.mask(0), expected)
    assert found.notes == ["found by their names without the last word: 1, such as sub1_lesion.nii.gz"]
    with pytest.raises(MedtfError, match=r"no pixel is of value 1 in any mask of the table's rows \(1: sub1_lesion"):
        found_by(tmp_path, frame, label=1)


@pytest.mark.parametrize("spacing", [None, 1.5, (4, 2, 3)])
def test_a_mask_on_another_grid_goes_through_the_world(tmp_path, spacing):
    frame, config = scan(tmp_path), config_of(8, 8, 8, spacing_mm=spacing, pad=True)
    turn = np.deg2rad(10)
    other = np.array(
        [[0, 1.1, 0, 4], [np.cos(turn), 0, -np.sin(turn), 1], [np.sin(turn), 0, np.cos(turn), -9], [0, 0, 0, 1]]
    )
    values = np.random.default_rng(1).integers(0, 2, (22, 24, 20))
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values, affine=other, dtype="uint8")
    found = found_by(tmp_path, frame, config)
    row = frame.iloc[0].to_dict()
    expected = by_world(tmp_path / "m" / "sub1.nii.gz", row, config)
    assert 0.1 < expected.mean() < 0.6
    assert (found.mask(0) != expected).mean() < 0.002  # a centre on the very face of two voxels may fall to either
    assert [note.split(":")[0] for note in found.notes] == ["masks on another grid of the same world than their images"]


def test_a_mask_without_an_affine(tmp_path):
    frame = scan(tmp_path)
    values = np.zeros((12, 10, 9), np.uint8)
    values[0:3, 0:2, 0:4] = 1
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values, dtype="uint8", **NOWHERE)
    found = found_by(tmp_path, frame)
    assert found.mask(0)[-3:, -2:, 0:4].all()
    assert found.mask(0).sum() == 24
    assert found.notes == [
        "masks without an affine, but of the shape of their images: taken to lie on their grids: 1, such as sub1.nii.gz"
    ]
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values[::2], dtype="uint8", **NOWHERE)
    with pytest.raises(
        MedtfError,
        match=r"m/sub1\.nii\.gz: no affine \(qform_code and sform_code are 0\) and 6 x 10 x 9 voxels, but sub1\.nii\.gz has 12 x 10 x 9",
    ):
        found_by(tmp_path, frame)


def test_an_image_without_an_affine(tmp_path):
    frame = scan(tmp_path, **NOWHERE)
    values = np.zeros((12, 10, 9), np.uint8)
    values[0:3, 0:2, 0:4] = 1
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values, affine=LPS, dtype="uint8")
    found = found_by(tmp_path, frame)
    assert found.mask(0).sum() == 24
    assert found.notes[0].startswith("images without an affine, whose masks have the same shape")
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values[:, ::2], affine=LPS, dtype="uint8")
    with pytest.raises(
        MedtfError, match=r"^sub1\.nii\.gz: no affine .* 12 x 10 x 9 voxels, but .*m/sub1\.nii\.gz has 12 x 5 x 9"
    ):
        found_by(tmp_path, frame)


def test_a_lesion_between_the_centres_does_not_vanish(tmp_path):
    frame = scan(tmp_path)
    fine = LPS @ np.diag([1 / 8, 1 / 8, 1 / 8, 1])
    values = np.zeros((96, 80, 72), np.uint8)
    values[43:46, 35, 28] = 1  # an eighth of a voxel wide
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", values, affine=fine, dtype="uint8")
    found = found_by(tmp_path, frame)
    # 43 to 45 eighths are nearest to voxels 5 and 6 of the file's, 35 to 4, 28 to 4 (3.5, either): turned, 12 - 1 - 5 and 10 - 1 - 4
    assert {tuple(place[:2]) for place in np.argwhere(found.mask(0))} <= {(6, 5), (5, 5)}
    assert 1 <= found.mask(0).sum() <= 2
    assert any(note.startswith("too small to fill half a pixel") for note in found.notes)


def test_a_mask_of_somewhere_else_is_refused(tmp_path):
    frame, away = scan(tmp_path), LPS.copy()
    away[:3, 3] += 500
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", np.ones((12, 10, 9)), affine=away, dtype="uint8")
    with pytest.raises(
        MedtfError,
        match=r"lies outside of its image sub1\.nii\.gz: the middle of the mask is at 519, 511, 502 mm, of the image at 19, 11, 2 mm",
    ):
        found_by(tmp_path, frame)


@pytest.mark.parametrize(
    ("shape", "fields", "match"),
    [
        ((12, 10, 9, 2), {}, r"4D, 12 x 10 x 9 x 2: expected one 3D mask"),
        ((12, 10), {}, "a single slice or line"),
        ((12, 10, 9), {"datatype": 32}, "voxels are complex64"),
    ],
)
def test_what_is_no_mask_is_named(tmp_path, shape, fields, match):
    frame = scan(tmp_path)
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", np.ones(shape), affine=LPS, dtype="uint8", **fields)
    with pytest.raises(MedtfError, match=r"m/sub1\.nii\.gz: .*" + match):
        found_by(tmp_path, frame)


def test_a_png_is_no_mask_of_a_volume(tmp_path):
    frame = scan(tmp_path)
    factory.picture(tmp_path / "m" / "sub1.png", np.eye(12, dtype=np.uint8))
    with pytest.raises(MedtfError, match=r"sub1\.png: sub1\.nii\.gz is a volume: expected its mask as \.nii\.gz"):
        found_by(tmp_path, frame)


@pytest.mark.parametrize("path", factory.real_files("mri/aging/t1")[:1])
@pytest.mark.parametrize("spacing", [None, 3])
def test_real_segmentations_keep_their_millilitres(path, spacing):
    root = factory.SHARED / "mri" / "aging"
    name = path.rpartition("/")[2]
    frame, config = table_of(root, f"t1/{name}"), config_of(16, 16, 16, spacing_mm=spacing)
    found = annotations.find(root / "dlmuse_seg", frame, root, config)
    seg = nibabel.load(root / "dlmuse_seg" / name.replace("_T1", "_T1_DLMUSE"))
    voxel = abs(np.linalg.det(placing.network_affine(frame.iloc[0].to_dict(), config)[1]))
    ml = (np.asarray(seg.dataobj) > 0).sum() * abs(np.linalg.det(seg.affine)) / 1000
    assert found.mask(0).sum() * voxel / 1000 == pytest.approx(ml, rel=1e-6 if spacing is None else 0.01)
    assert len(found.unmatched) == 22
    # one region alone: label 4 is there in every brain of MUSE's atlas (the third ventricle)
    region = annotations.find(root / "dlmuse_seg", frame, root, config, label=4)
    assert 0 < region.mask(0).sum() < 0.01 * found.mask(0).sum()
    assert not (region.mask(0) & ~found.mask(0)).any()


def test_rows_of_a_frame_are_counted_and_not_its_index(tmp_path):
    frame = scan(tmp_path).set_index(pd.Index([7]))
    factory.nifti(tmp_path / "m" / "sub1.nii.gz", np.ones((12, 10, 9)), affine=LPS, dtype="uint8")
    assert found_by(tmp_path, frame).rows.tolist() == [0]
