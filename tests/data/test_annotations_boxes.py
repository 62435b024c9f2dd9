"""Boxes: NIH's list, one's own sheet, the table's column; in pixels of the file, over the network's grid."""

import gzip
import json

import factory
import numpy as np
import pytest
from marked import config_of, pictures, table_of
from PIL import Image

from medtf.data import annotations
from medtf.errors import AskedWronglyError, MedtfError

SIZE = config_of(8, 8)
NIH = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def sheet(root, *lines):
    path = root / "boxes.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def places(mask):
    """(first row, last row, first column, last column) of a mask that is one full rectangle."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return rows[0], rows[-1], columns[0], columns[-1]


def test_boxes_of_ones_own_are_pixels_of_the_file(tmp_path):
    frame = pictures(tmp_path, "a/x.png", "a/y.png", "a/z.png", shape=(16, 32))
    own = sheet(
        tmp_path,
        "Image,X,Y,Width,Height,Finding",
        "x.png,8,4,16,8,mass",
        "a/y.png,0,0,4,4,mass",
        "y,28,12,4,4,",
        "q.png,1,1,1,1,",
    )
    found = annotations.find(own, frame, tmp_path, SIZE)
    assert found.rows.tolist() == [0, 1]
    # 16 x 32 stands in the middle of 32 x 32 and shrinks to a quarter: rows 2 to 5 are the picture
    assert places(found.mask(0)) == (3, 4, 2, 5)
    np.testing.assert_array_equal(np.argwhere(found.mask(1)), [[2, 0], [5, 7]])  # two boxes, one mask
    assert found.unmatched == ["q.png"]
    assert found.notes == ["of none of the rows: 1: q.png"]
    assert found.named(0) == "a/x.png"


def test_boxes_of_a_picture_that_exif_turns(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees clockwise to be upright
    values = np.zeros((16, 32), np.uint8)
    values[0:4, 0:8] = 255
    Image.fromarray(values).save(tmp_path / "x.png", exif=exif)
    own = sheet(tmp_path, "path,x,y,w,h", "x.png,0,0,8,4")
    found = annotations.find(own, table_of(tmp_path, "x.png"), tmp_path, SIZE)
    upright = np.rot90(values, -1)  # the box is at the right, above
    assert upright[0, -1] == 255
    assert places(found.mask(0)) == (0, 1, 5, 5)


def test_boxes_speak_for_targets(tmp_path):
    frame = pictures(tmp_path, "x.png", "y.png")
    own = sheet(
        tmp_path,
        "image,x,y,width,height,label",
        "x.png,0,0,8,8,Pleural Thickening",
        "x.png,8,8,8,8,Mass",
        "y.png,0,0,2,2,Infiltrate",
        "y.png,8,0,8,8,",
    )
    thick = annotations.find(own, frame, tmp_path, SIZE, target="pleural_thickening")
    assert places(thick.mask(0)) == (0, 3, 0, 3)
    assert places(thick.mask(1)) == (0, 3, 4, 7)  # a box that names nothing speaks for all
    assert "boxes of other findings than pleural_thickening: 2 (mass 1, infiltration 1): left out" in thick.notes
    assert annotations.find(own, frame, tmp_path, SIZE, target="infiltration").mask(1)[0, 0]
    assert annotations.find(own, frame, tmp_path, SIZE, target="abnormal").mask(0).sum() == 32
    named = sheet(tmp_path, "image,x,y,width,height,label", "x.png,0,0,8,8,Mass")
    with pytest.raises(MedtfError, match="no box of 'masses' on the images of the table: did you mean 'mass'"):
        annotations.find(named, frame, tmp_path, SIZE, target="masses")


def test_readers_of_a_sheet(tmp_path):
    frame = pictures(tmp_path, "x.png")
    own = sheet(tmp_path, "image,x,y,width,height,reader", "x.png,0,0,8,8,anna", "x.png,8,8,8,8,ben")
    assert annotations.readers(own) == ["anna", "ben"]
    both = annotations.find(own, frame, tmp_path, SIZE)
    assert both.mask(0).sum() == 32
    assert both.notes == ["boxes of 2 readers are taken together, such as anna, ben"]
    assert places(annotations.find(own, frame, tmp_path, SIZE, reader="ben").mask(0)) == (4, 7, 4, 7)
    with pytest.raises(AskedWronglyError, match="no boxes of reader 'bea': did you mean 'ben'"):
        annotations.find(own, frame, tmp_path, SIZE, reader="bea")


def test_rows_without_a_box_say_that_nothing_is_there(tmp_path):
    frame = pictures(tmp_path, "x.png", "y.png")
    own = sheet(tmp_path, "image,x,y,width,height", "x.png,,,,", "y.png,0,0,8,8")
    found = annotations.find(own, frame, tmp_path, SIZE)
    assert found.rows.tolist() == [1]
    assert found.notes == ["rows without a box: 1: not annotated"]


@pytest.mark.parametrize(
    ("header", "line", "match"),
    [
        (
            "image,x,y,width,height",
            "x.png,8,8,16,4",
            r"row 2: the box x 8, y 8, 16 wide, 4 high does not lie in x\.png, 16 x 16 pixels",
        ),
        ("image,x,y,width,height", "x.png,-3,8,4,4", "row 2: the box x -3"),
        ("image,x,y,width,height", "x.png,1,1,0,4", r"row 2: 1, 1, 0, 4 is no box"),
        ("image,x,y,width,height", "x.png,1,one,2,4", r"row 2: 1, one, 2, 4 is no box"),
        ("image,x,y,width,height", ",1,1,2,4", "row 2 names no image"),
        (
            "image,x,y,breadth,height",
            "x.png,1,1,2,4",
            r"no column 'width': expected image, x, y, width, height.*found image, x, y, breadth",
        ),
        (
            "image,x,y,width,height",
            "q.png,1,1,2,4",
            r"no row of the table has one of its names \(1: q\.png\).*such as x\.png",
        ),
    ],
)
def test_boxes_that_are_none(tmp_path, header, line, match):
    with pytest.raises(MedtfError, match=match):
        annotations.find(sheet(tmp_path, header, line), pictures(tmp_path, "x.png"), tmp_path, SIZE)


def test_options_that_boxes_do_not_have(tmp_path):
    frame, nih = pictures(tmp_path, "x.png"), sheet(tmp_path, NIH, "x.png,Mass,0,0,512,512,,,")
    with pytest.raises(AskedWronglyError, match="boxes have no label 2"):
        annotations.find(nih, frame, tmp_path, SIZE, label=2)
    with pytest.raises(AskedWronglyError, match="NIH's list does not say whose"):
        annotations.find(nih, frame, tmp_path, SIZE, reader="anna")
    factory.nifti(tmp_path / "v.nii.gz", np.arange(1000).reshape(10, 10, 10))
    boxes = sheet(tmp_path, "image,x,y,width,height", "v.nii.gz,1,1,2,2")
    with pytest.raises(MedtfError, match=r"v\.nii\.gz is a volume, and boxes are for pictures"):
        annotations.find(boxes, table_of(tmp_path, "v.nii.gz"), tmp_path, config_of(8, 8, 8))


def test_nihs_list_counts_in_pictures_of_1024(tmp_path):
    frame = pictures(
        tmp_path, "images_001/images/00000001_000.png", "images_001/images/00000002_000.png", shape=(64, 64)
    )
    nih = sheet(tmp_path, NIH, "00000001_000.png,Mass,256,512,256,128,,,", "00000009_000.png,Nodule,0,0,9,9,,,")
    found = annotations.find(nih, frame, tmp_path, SIZE)
    assert places(found.mask(0)) == (4, 4, 2, 3)  # an eighth of 1024 is 128
    assert found.without.tolist() == [1]
    assert found.unmatched == ["00000009_000"]


def test_the_tables_own_column(tmp_path):
    cells = [json.dumps([["mass", 0.5, 0, 0.25, 0.5], ["effusion", 0, 0.5, 0.5, 0.5]]), "", None]
    frame = pictures(tmp_path, "x.png", "y.png", "z.png", boxes=cells)
    found = annotations.find("table", frame, tmp_path, SIZE, target="mass")
    assert found.rows.tolist() == [0]
    assert places(found.mask(0)) == (0, 3, 4, 5)
    for wrong in ('[["mass", 1, 2]]', "mass", '[["mass", 0.5, 0.5, 0.7, 0.1]]'):
        with pytest.raises(MedtfError, match=r"table: x\.png"):
            annotations.find("table", frame.assign(boxes=[wrong, "", ""]), tmp_path, SIZE)
    with pytest.raises(MedtfError, match="table: no row of the table has a box"):
        annotations.find("table", frame.assign(boxes=""), tmp_path, SIZE)


@pytest.mark.skipif(not (factory.SHARED / "cxr" / "BBox_List_2017.csv.gz").exists(), reason=factory.WHY_NOT)
def test_real_boxes_lie_on_nine_of_the_thousand(tmp_path):
    root = factory.SHARED / "cxr" / "nih1000"
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    nih = tmp_path / "BBox_List_2017.csv"
    nih.write_bytes(gzip.decompress((factory.SHARED / "cxr" / "BBox_List_2017.csv.gz").read_bytes()))
    listed = {line.split(",")[0]: [float(v) for v in line.split(",")[2:6]] for line in nih.read_text().splitlines()[1:]}
    frame = table_of(root, *names)
    found = annotations.find(nih, frame, root, config_of(64, 64))
    assert len(found) == 9
    assert len(found.unmatched) == 880 - 9
    for row in found.rows:
        x, y, width, height = listed[found.named(row).rpartition("/")[2]]
        first_row, last_row, first_column, last_column = (
            np.flatnonzero(found.mask(row).any(axis=axis))[end] for axis, end in ((1, 0), (1, -1), (0, 0), (0, -1))
        )
        # to within half a pixel of 64, which is 16 of them
        edges = np.array([first_row, last_row + 1, first_column, last_column + 1]) * 16
        np.testing.assert_allclose(edges, [y, y + height, x, x + width], atol=8.01)
