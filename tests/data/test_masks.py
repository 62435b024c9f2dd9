"""Brain masks: found by a pattern, on the image's own grid or refused, read as the image is."""

import factory
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from medtf.data import masks, nifti, pixels
from medtf.data.header import read_header
from medtf.data.pixels import Rows
from medtf.errors import AskedWronglyError, MedtfError

AFFINE = np.array([[-1.0, 0, 0, 40], [0, 0, 2, -30], [0, 1.5, 0.1, 7], [0, 0, 0, 1]])
VALUES = np.random.default_rng(0).integers(0, 100, (6, 7, 8))
INSIDE = VALUES > 50


def frame_of(root, *names):
    return pd.DataFrame([read_header(root, name)[0] for name in names])


def refused(tmp_path, mask, **how):
    """Why one mask is refused."""
    factory.nifti(tmp_path / "a.nii.gz", VALUES, affine=AFFINE)
    factory.nifti(tmp_path / "a_mask.nii.gz", mask, **({"affine": AFFINE, "dtype": "uint8"} | how))
    return masks.attach(frame_of(tmp_path, "a.nii.gz"), tmp_path, "{stem}_mask.nii.gz")[1].tolist()[0]


def through_the_graph(root, frame):
    layouts, codes = masks.layouts(frame)
    branches = [lambda row, layout=layout: masks.inside(row, layout, str(root)) for layout in layouts]
    ds = tf.data.Dataset.from_tensor_slices(masks.columns(frame) | {"code": tf.constant(codes)})
    ds = ds.map(lambda row: tf.switch_case(row["code"], [lambda b=branch: b(row) for branch in branches]))
    return list(ds.as_numpy_iterator())


def test_masks_of_any_type_say_what_is_above_zero(tmp_path):
    ways = {
        "uint8": {},
        "float64": {"big_endian": True, "version": 2},
        "int16": {"values": INSIDE * 300 - 50, "intercept": 50 - 300 + 1, "slope": 1},  # 1 inside, -299 outside
        "uint32": {"values": INSIDE * 77, "slope": 0.5},  # labels
        "int8": {"values": np.where(INSIDE, -3, 3), "slope": -1},
    }
    names = []
    for number, (dtype, how) in enumerate(ways.items()):
        names.append(f"people/{number}/t1.nii.gz")
        factory.nifti(tmp_path / names[-1], VALUES, affine=AFFINE)
        path = tmp_path / f"people/{number}/brain/t1-{number}.nii"
        factory.nifti(path, **({"values": INSIDE, "affine": AFFINE, "dtype": dtype} | how))
    frame = frame_of(tmp_path, *names).assign(number=range(5))
    with_masks, reasons = masks.attach(frame, tmp_path, "{folder}/brain/{stem}-{number}.nii")
    assert reasons.tolist() == [""] * 5
    assert with_masks["read_mask_path"][3] == "people/3/brain/t1-3.nii"
    expected = nifti._canonical(INSIDE.ravel(order="F"), nifti.parse(frame.iloc[0].to_dict()))
    for row, graph in zip(Rows(with_masks), through_the_graph(tmp_path, with_masks), strict=True):
        assert graph.dtype == bool
        np.testing.assert_array_equal(masks.read(tmp_path, row), expected)
        np.testing.assert_array_equal(graph, expected)


def test_a_mask_of_a_4d_image_is_3d(tmp_path):
    factory.nifti(tmp_path / "a.nii", np.stack([VALUES, VALUES], axis=-1), affine=AFFINE)
    factory.nifti(tmp_path / "a_mask.nii", INSIDE, affine=AFFINE, dtype="uint8")
    frame, reasons = masks.attach(frame_of(tmp_path, "a.nii"), tmp_path, "{stem}_mask.nii")
    assert reasons.tolist() == [""]
    [graph] = through_the_graph(tmp_path, frame)
    np.testing.assert_array_equal(graph, masks.read(tmp_path, Rows(frame)[0]))
    assert graph.sum() == INSIDE.sum()


def test_a_mask_that_is_away_or_broken(tmp_path):
    path = factory.nifti(tmp_path / "a.nii.gz", VALUES, affine=AFFINE)
    frame = frame_of(tmp_path, "a.nii.gz")
    said = masks.attach(frame, tmp_path, "{folder}/{stem}_mask.nii.gz")[1][0]
    assert said == "mask a_mask.nii.gz of a.nii.gz: cannot be read: No such file or directory"
    (tmp_path / "a_mask.nii.gz").write_bytes(path.read_bytes()[:300])
    assert "mask a_mask.nii.gz of a.nii.gz: truncated" in masks.attach(frame, tmp_path, "{stem}_mask.nii.gz")[1][0]
    factory.picture(tmp_path / "a_mask.nii.gz.png", np.zeros((8, 8), np.uint8)).rename(tmp_path / "a_mask.nii.gz")
    assert masks.attach(frame, tmp_path, "{stem}_mask.nii.gz")[1][0].endswith("not a NIfTI volume")


def test_a_mask_on_another_grid_names_both_files_and_what_differs(tmp_path):
    both = r"mask a_mask.nii.gz of a.nii.gz: "
    assert refused(tmp_path, INSIDE) == ""
    assert refused(tmp_path, INSIDE[:-1]) == both + "another grid, 5 x 7 x 8 voxels, expected 6 x 7 x 8"
    assert refused(tmp_path, np.stack([INSIDE] * 2, -1)) == both + "4D, 6 x 7 x 8 x 2: expected one 3D mask"
    turned = np.diag([-1.0, -1.5, 2, 1])
    assert refused(tmp_path, INSIDE, affine=turned).startswith(both + "another orientation, LPS, expected LSA")
    moved = AFFINE.copy()
    moved[1, 3] += 0.5
    assert refused(tmp_path, INSIDE, affine=moved).startswith(both + "another place, up to 0.5 mm apart")


def test_a_thousandth_of_a_mm_is_rounding_and_more_is_not(tmp_path):
    """A spacing that is off by a little is worst at the far corner: 5 voxels times 1e-4 mm there, 9e-4 with 1.8e-4."""
    for off, ok in ((1.8e-4, True), (2.2e-4, False)):
        affine = AFFINE.copy()
        affine[0, 0] -= off
        assert (refused(tmp_path, INSIDE, affine=affine, version=2) == "") is ok


def test_patterns(tmp_path):
    frame = pd.DataFrame({"path": ["x/a.nii.gz"], "site": ["Guys"]})
    assert masks._paths(frame, tmp_path, "{folder}/./m/{site}/{stem}.nii") == ["x/m/Guys/a.nii"]
    with pytest.raises(AskedWronglyError, match=r"input.mask: no column 'sit' for .*did you mean 'site'"):
        masks._paths(frame, tmp_path, "{sit}/{stem}.nii")
    for pattern in ("../{stem}.nii", "/masks/{stem}.nii"):
        with pytest.raises(AskedWronglyError, match="below the data root"):
            masks._paths(frame, tmp_path, pattern)


def test_a_table_may_not_name_a_mask_elsewhere(tmp_path):
    factory.nifti(tmp_path / "a.nii", VALUES, affine=AFFINE)
    factory.nifti(tmp_path / "a_mask.nii", INSIDE, affine=AFFINE, dtype="uint8")
    frame, _ = masks.attach(frame_of(tmp_path, "a.nii"), tmp_path, "{stem}_mask.nii")
    frame["read_mask_path"] = "../elsewhere/a_mask.nii"
    for read in (lambda: masks.columns(frame), lambda: masks.read(tmp_path, Rows(frame)[0])):
        with pytest.raises(AskedWronglyError, match="below the data root"):
            read()


def test_a_mask_cut_after_the_index_is_named(tmp_path):
    factory.nifti(tmp_path / "a.nii", VALUES, affine=AFFINE)
    path = factory.nifti(tmp_path / "a_mask.nii", INSIDE, affine=AFFINE, dtype="uint8")
    frame, _ = masks.attach(frame_of(tmp_path, "a.nii"), tmp_path, "{stem}_mask.nii")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MedtfError, match=r"^a_mask.nii: cannot be read"):
        masks.read(tmp_path, Rows(frame)[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a_mask.nii"):
        through_the_graph(tmp_path, frame)
    assert pixels.check(tmp_path, Rows(frame)[0])[1] == ""


def test_a_brain_that_the_edge_cuts_off():
    grid = np.indices((40, 40, 40)) - 19.5
    brain = (grid**2).sum(axis=0) < 18.5**2  # a ball that stays inside
    assert masks.cut_faces(brain) == []
    assert masks.cut_faces(brain[:, :, :30]) == ["superior"]
    assert masks.cut_faces(brain[8:, :-9]) == ["left", "anterior"]
    assert masks.cut_faces(brain & False) == []


def test_the_real_masks_lie_on_their_images(shared):
    root = shared / "mri/aging"
    frame = frame_of(root, *sorted(f"t1/{p.name}" for p in (root / "t1").iterdir()))
    found, reasons = masks.attach(frame, root, "dlmuse_seg/{stem}_DLMUSE.nii.gz")
    assert len(found) == 23
    assert not reasons.any()
    for row, graph in zip(Rows(found), through_the_graph(root, found), strict=True):
        mask = masks.read(root, row)
        np.testing.assert_array_equal(graph, mask)
        assert 900 < nifti.foreground_ml(None, nifti.parse(row).spacing, mask) < 2000  # ml: the brains of adults
        assert masks.cut_faces(mask) == []


def test_an_inverted_mask_is_left_out_by_the_pixel_pass(tmp_path):
    grid = np.indices((20, 20, 20)) - 9.5
    brain = ((grid**2).sum(axis=0) < 8**2).astype("uint8")
    values = np.random.default_rng(0).integers(10, 200, brain.shape)
    for name, mask in (("right", brain), ("wrong", 1 - brain)):
        factory.nifti(tmp_path / f"{name}.nii", values)
        factory.nifti(tmp_path / f"{name}_mask.nii", mask, dtype="uint8")
    frame, _ = masks.attach(frame_of(tmp_path, "right.nii", "wrong.nii"), tmp_path, "{stem}_mask.nii")
    right, wrong = (pixels.examine(tmp_path, row) for row in Rows(frame))
    assert right[1] == ""
    assert right[2] == pytest.approx(brain.sum() / 1000)
    assert wrong[1].startswith("mask wrong_mask.nii: reaches the edge of the volume at left, right, posterior")
