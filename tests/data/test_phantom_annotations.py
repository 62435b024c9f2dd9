"""Where the phantoms' signs are: masks of blood, bones and planted marks lie on them, and leave the archives as they are."""

import hashlib

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from medtf.data.phantom import ct, lesions, xray

SMALL = {"slices": 6, "matrix": 64, "jobs": 1}


def hashes(root):
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.*")}


def pixels(path):
    return np.asarray(Image.open(path)).astype(float)


def masks(root, kind):
    """{image: bool (rows, columns)}; a mask is 255 inside and 0 outside."""
    found = {}
    for path in (root / "annotations" / kind).glob("*.png"):
        values = pixels(path)
        assert set(np.unique(values)) <= {0, 255}
        found[path.stem] = values > 0
    return found


# === Head CT ===


def labelled_of(root):
    """{(image, label)} of the archive's sheet."""
    lines = [line.rsplit(",", 1) for line in (root / ct.TABLE).read_text().splitlines()[1:]]
    return {tuple(key.rsplit("_", 1)) for key, value in lines if value == "1"}


def hounsfield(path):
    dataset = pydicom.dcmread(path)
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "plain"
    ct.write(root, patients=4, seed=7, **SMALL)
    return root


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "annotated"
    ct.write(root, patients=20, seed=7, shortcut=True, annotations="each", **SMALL | {"slices": 8, "matrix": 96})
    return root


def test_images_with_blood_have_a_mask_and_no_others(plain, annotated):
    for root in (plain, annotated):
        assert set(masks(root, "any")) == {name for name, label in labelled_of(root) if label == "any"}
    assert {p.name for p in (plain / ct.ANNOTATIONS).iterdir()} == {"any"}


def test_each_kind_has_its_masks_and_together_they_are_all_the_blood(annotated):
    blood, together = masks(annotated, "any"), {}
    labelled = labelled_of(annotated)
    for kind in lesions.KINDS:
        found = masks(annotated, kind)
        assert set(found) == {name for name, label in labelled if label == kind}
        for name, mask in found.items():
            assert mask.any()
            together[name] = together.get(name, False) | mask
    assert set(together) == set(blood)
    assert all((together[name] == blood[name]).all() for name in blood)


def test_masks_lie_on_the_blood(annotated):
    """Blood is 56-82 HU, brain 25-40; a voxel of the mask is blood by a third and more."""
    inside, around = [], []
    for name, mask in masks(annotated, "any").items():
        hu = hounsfield(annotated / ct.FOLDER / f"{name}.dcm")
        near = binary_dilation(mask, iterations=8) & ~binary_dilation(mask, iterations=3)
        if (mask & (hu < 150)).any() and (near & (abs(hu - 40) < 60)).any():  # skull and air lie beside blood too
            inside.append(np.median(hu[mask & (hu < 150)]))
            around.append(np.median(hu[near & (abs(hu - 40) < 60)]))
    assert len(inside) > 10
    assert np.mean(inside) - np.mean(around) > 10


def test_the_corner_mark_is_annotated_where_it_is(annotated):
    found = masks(annotated, "shortcut")
    for path in (annotated / ct.FOLDER).iterdir():
        bright = hounsfield(path) > 2900  # bone is 1800 at most
        assert bright.any() == (path.stem in found)
        if bright.any():
            assert (bright == found[path.stem]).all()


def test_annotations_leave_the_archive_as_it_is(plain, tmp_path):
    ct.write(tmp_path / "each", patients=4, seed=7, annotations="each", **SMALL)
    found = hashes(tmp_path / "each")
    assert hashes(plain).items() <= found.items()
    more = set(found) - set(hashes(plain))
    assert more
    assert all(name.startswith(f"{ct.ANNOTATIONS}/") for name in more)


def test_the_pipeline_does_not_take_masks_for_images(annotated):
    from medtf import config, pipeline

    found = pipeline.find("rsna_ich").examples(annotated, config.load("rsna_ich"))
    assert len(found) == 160
    assert len(found.excluded) == 0


# === Shoulders ===


@pytest.fixture(scope="module")
def shoulders(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "shoulders"
    xray.write(root, chest=0, shoulder=40, seed=7, size=64, jobs=1)
    return root


def test_bones_are_annotated_where_the_humerus_is(shoulders):
    root = shoulders
    truth = pd.read_csv(root / "truth.csv").dropna(subset="head_radius")
    bone = masks(root, "bone")
    assert {f"shoulder/images/{name}.png" for name in bone} == set(truth.file)
    assert {p.name for p in (root / "annotations").iterdir()} == {"bone"}
    rows, columns = np.mgrid[:64, :64]
    for _, one in truth.iterrows():
        mask, image = bone[one.file.split("/")[-1][:-4]], pixels(root / one.file)
        black = image == 0
        blades = (black.mean(axis=0) > 0.9)[None] | (black.mean(axis=1) > 0.9)[
            :, None
        ]  # of the collimator, but for letters
        head = np.hypot(columns - one.head_column, rows - one.head_row) < 0.9 * one.head_radius
        assert mask[head & ~blades].all()
        assert not (mask & blades).any()
        assert 0.1 < mask.mean() < 0.6


def test_the_letter_is_annotated_where_it_was_drawn(shoulders, tmp_path):
    plain, marked = shoulders, tmp_path / "marked"
    xray.write(marked, chest=0, shoulder=40, seed=7, shortcut=True, size=64, jobs=1)
    found = masks(marked, "shortcut")
    assert 5 < len(found) < 40
    for path in pd.read_csv(marked / "shoulder" / "shoulder.csv")["path"]:
        name = path.split("/")[-1][:-4]
        changed = pixels(marked / "shoulder" / path) != pixels(plain / "shoulder" / path)
        assert changed.any() == (name in found)
        if changed.any():
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            box = np.zeros_like(changed)
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
            assert (found[name] == box).all()
