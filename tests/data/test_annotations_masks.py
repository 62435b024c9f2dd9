"""Masks of pictures: found by name, brought to the network's grid, and every decision told."""

import factory
import numpy as np
import pytest
from marked import config_of, pictures, square, table_of
from PIL import Image

from medtf.data import annotations
from medtf.errors import AskedWronglyError, MedtfError

SIZE = config_of(8, 8)


def test_masks_come_by_row_on_the_networks_grid(tmp_path):
    frame = pictures(tmp_path, "a/x.png", "a/y.png", "a/z.png")
    factory.picture(tmp_path / "m" / "x.png", square((16, 16), slice(4, 8), slice(10, 16)))
    factory.picture(tmp_path / "m" / "a" / "z.png", square((16, 16), slice(0, 16), slice(0, 2), value=1))
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    assert found.rows.tolist() == [0, 2]
    assert found.without.tolist() == [1]
    assert len(found) == 2
    assert 2 in found
    assert 1 not in found
    assert found.notes == []
    assert found.named(2) == "a/z.png"
    expected = np.zeros((8, 8), bool)
    expected[2:4, 5:8] = True
    np.testing.assert_array_equal(found.mask(0), expected)
    assert found.mask(0).dtype == bool
    assert found.mask(2).sum() == 8
    with pytest.raises(KeyError, match="row 1"):
        found.mask(1)


def test_a_mask_lies_over_a_dicom_that_is_padded(tmp_path):
    factory.slice_of_head(tmp_path / "s" / "ID_1.dcm", size=16)
    factory.dicom(tmp_path / "s" / "ID_2.dcm", factory.head(8, 16) + 1024)
    frame = table_of(tmp_path, "s/ID_1.dcm", "s/ID_2.dcm")
    for name, shape in (("ID_1", (16, 16)), ("ID_2", (8, 16))):
        factory.picture(tmp_path / "m" / f"{name}.png", square(shape, slice(0, 4), slice(0, 4)))
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    np.testing.assert_array_equal(np.argwhere(found.mask(0)), [[0, 0], [0, 1], [1, 0], [1, 1]])
    # 8 x 16 stands in the middle of 16 x 16: two of the network's rows lie above it
    np.testing.assert_array_equal(np.argwhere(found.mask(1)), [[2, 0], [2, 1], [3, 0], [3, 1]])


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "RGB", "RGBA"])
def test_every_way_of_storing_grey_is_one_mask(tmp_path, mode):
    frame = pictures(tmp_path, "x.png")
    values = square((16, 16), slice(0, 4), slice(0, 4), value=3) + square((16, 16), slice(8, 12), slice(8, 12), value=5)
    if mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16))
    elif mode == "P":
        image = Image.fromarray(values, mode="P")
        image.putpalette([n % 256 for n in range(768)])
    else:
        image = Image.fromarray((values > 0) if mode == "1" else values).convert(mode)
    (tmp_path / "m").mkdir()
    image.save(tmp_path / "m" / "x.png")
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    assert found.mask(0).sum() == 8
    if mode != "1":
        one = annotations.find(tmp_path / "m", frame, tmp_path, SIZE, label=5)
        np.testing.assert_array_equal(np.argwhere(one.mask(0)), [[4, 4], [4, 5], [5, 4], [5, 5]])


def test_a_mask_of_another_size_and_the_same_aspect_is_scaled_and_told(tmp_path):
    frame = pictures(tmp_path, "x.png", "y.png", shape=(40, 60))
    for name, factor in (("x", 1), ("y", 4)):
        small = square((10, 15), slice(2, 5), slice(3, 9))
        factory.picture(tmp_path / "m" / f"{name}.png", np.kron(small, np.ones((factor, factor), np.uint8)))
    found = annotations.find(tmp_path / "m", frame, tmp_path, config_of(12, 12))
    np.testing.assert_array_equal(found.mask(0), found.mask(1))
    assert found.notes == [
        "masks of another size than their pictures, but of the same aspect: scaled: 1, such as x.png"
    ]


def test_a_mask_of_another_aspect_is_refused(tmp_path):
    frame = pictures(tmp_path, "x.png", shape=(40, 60))
    factory.picture(tmp_path / "m" / "x.png", square((60, 40), slice(2, 5), slice(3, 9)))
    with pytest.raises(
        MedtfError,
        match=r"x\.png: 60 x 40 pixels \(rows x columns\), its picture x\.png 40 x 60: expected the same size",
    ):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)


def test_what_is_too_small_for_the_grid_does_not_vanish(tmp_path):
    frame = pictures(tmp_path, "x.png", shape=(64, 64))
    factory.picture(tmp_path / "m" / "x.png", square((64, 64), slice(20, 22), slice(50, 53)))
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)  # 8 x 8 pixels each: row 2, column 6
    np.testing.assert_array_equal(np.argwhere(found.mask(0)), [[2, 6]])
    assert found.notes == [
        "too small to fill half a pixel of the network's grid: where they cover most is taken: 1, such as x.png"
    ]


def test_empty_masks_count_as_none_and_are_named(tmp_path):
    frame = pictures(tmp_path, *(f"{n}.png" for n in range(6)))
    for number in range(5):
        factory.picture(tmp_path / "m" / f"{number}.png", square((16, 16), slice(0, 4), slice(0, 4), value=0))
    with pytest.raises(
        MedtfError, match=r"nothing is marked: no pixel is above 0 in any mask of the table's rows \(5: 0\.png, 1"
    ):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    factory.picture(tmp_path / "m" / "5.png", square((16, 16), slice(0, 4), slice(0, 4), value=7))
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    assert found.rows.tolist() == [5]
    assert found.empty == [f"{n}.png" for n in range(5)]
    assert found.notes == ["empty, so counted as no annotation: 5: 0.png, 1.png, 2.png, ..."]
    with pytest.raises(MedtfError, match=r"no pixel is of value 8 in any mask of the table's rows \(6: "):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE, label=8)


def test_what_belongs_to_no_row_is_counted(tmp_path):
    frame = pictures(tmp_path, "x.png")
    for name in ("x", "p", "q", "r", "s"):
        factory.picture(tmp_path / "m" / f"{name}.png", square((16, 16), slice(0, 4), slice(0, 4)))
    (tmp_path / "m" / "notes.txt").write_text("by hand")
    found = annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    assert found.unmatched == ["p.png", "q.png", "r.png", "s.png"]
    assert "of none of the rows: 4: p.png, q.png, r.png, ..." in found.notes
    assert "files that are neither PNG nor NIfTI: 1, such as notes.txt: not read" in found.notes
    (tmp_path / "m" / "x.png").unlink()
    with pytest.raises(
        MedtfError,
        match=r"no row of the table has one of its names \(4: p\.png, q.*such as x\.png, with another ending",
    ):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)


def test_two_readers_are_kept_apart(tmp_path):
    frame = pictures(tmp_path, "x.png")
    for reader, column in (("anna", 0), ("ben", 8)):
        factory.picture(tmp_path / "m" / reader / "x.png", square((16, 16), slice(0, 4), slice(column, column + 4)))
    with pytest.raises(
        MedtfError,
        match=r"anna/x\.png and ben/x\.png are both of x\.png: of two readers, or of two things\? Name one folder",
    ):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
    assert annotations.readers(tmp_path / "m") == ["anna", "ben"]
    assert annotations.readers(tmp_path / "m" / "anna") == []
    masks = [annotations.find(tmp_path / "m", frame, tmp_path, SIZE, reader=name).mask(0) for name in ("anna", "ben")]
    assert not (masks[0] & masks[1]).any()
    with pytest.raises(AskedWronglyError, match="no folder of reader 'bem': did you mean 'ben'"):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE, reader="bem")


def test_two_masks_of_one_picture_in_one_folder_are_refused(tmp_path):
    frame = pictures(tmp_path, "x.png")
    for name in ("x.png", "x_seg.png"):
        factory.picture(tmp_path / "m" / name, square((16, 16), slice(0, 4), slice(0, 4)))
    with pytest.raises(MedtfError, match=r"x\.png and x_seg\.png are both of x\.png: keep one"):
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)


def test_the_picture_itself_is_not_taken_for_a_mask_in_silence(tmp_path):
    frame = pictures(tmp_path, "x.png")
    factory.picture(tmp_path / "m" / "x.png", np.full((16, 16), 90, np.uint8))
    assert (
        annotations.find(tmp_path / "m", frame, tmp_path, SIZE)
        .notes[0]
        .startswith("covering 95 % of the picture or more")
    )


def test_files_that_are_no_masks_are_named(tmp_path):
    frame, folder = pictures(tmp_path, "x.png"), tmp_path / "m"
    rgba = np.dstack([square((16, 16), slice(0, 4), slice(0, 4))] * 4)
    factory.picture(folder / "x.png", rgba)
    with pytest.raises(MedtfError, match=r"x\.png: partly transparent"):
        annotations.find(folder, frame, tmp_path, SIZE)
    colour = np.dstack([square((16, 16), slice(0, 4), slice(0, 4)), *[np.zeros((16, 16), np.uint8)] * 2])
    factory.picture(folder / "x.png", colour)
    assert annotations.find(folder, frame, tmp_path, SIZE).mask(0).sum() == 4
    with pytest.raises(MedtfError, match=r"x\.png: in colours, which have no label 1"):
        annotations.find(folder, frame, tmp_path, SIZE, label=1)
    (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(MedtfError, match=r"x\.png: cannot be read as a PNG"):
        annotations.find(folder, frame, tmp_path, SIZE)
    (folder / "x.png").rename(folder / "x.nii.gz")
    with pytest.raises(MedtfError, match=r"x\.nii\.gz: x\.png is a picture: expected its mask as \.png"):
        annotations.find(folder, frame, tmp_path, SIZE)
    (folder / "x.nii.gz").rename(folder / "x.tif")
    with pytest.raises(MedtfError, match=r"no masks: expected \.png for pictures or \.nii\.gz for volumes"):
        annotations.find(folder, frame, tmp_path, SIZE)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("nowhere", "no such folder or sheet"),
        ("x.png", "one file: name the folder of masks"),
        ("table", "no column `boxes`"),
    ],
)
def test_sources_that_are_none(tmp_path, monkeypatch, source, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AskedWronglyError, match=match):
        annotations.find(source, pictures(tmp_path, "x.png"), tmp_path, SIZE)


def test_masks_that_all_cover_their_pictures_are_refused(tmp_path):
    """Inverted masks, and screenshots with marks drawn into them, would be judged as annotations of nearly everything."""
    frame = pictures(tmp_path, "x.png", "y.png")
    marked = square((16, 16), slice(4, 6), slice(4, 6))
    for name in ("x.png", "y.png"):
        factory.picture(tmp_path / "inverted" / name, 255 - marked)
        shot = np.full((16, 16, 3), 90, np.uint8)
        shot[marked > 0] = (255, 0, 0)
        (tmp_path / "shots").mkdir(exist_ok=True)
        Image.fromarray(shot).save(tmp_path / "shots" / name)
    for folder in ("inverted", "shots"):
        with pytest.raises(MedtfError, match=rf"{folder}: every mask covers 95 % .* such as x.png: are they inverted"):
            annotations.find(tmp_path / folder, frame, tmp_path, SIZE)
    factory.picture(tmp_path / "inverted" / "y.png", marked)  # one that is none among others is told, as before
    assert len(annotations.find(tmp_path / "inverted", frame, tmp_path, SIZE)) == 2
