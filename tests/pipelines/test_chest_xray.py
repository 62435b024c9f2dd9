"""ChestX-ray14 and folders without labels: the archive's own layout, its flaws, its official test fold."""

import gzip
import json
import shutil

import factory
import numpy as np
import pandas as pd
import pytest
from medtf.pipelines import chest_xray

from medtf.config import parse
from medtf.data import nih
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, secret

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
ENTRIES = {
    "00000001_000.png": "Cardiomegaly|Emphysema,0,1,58,M,PA,2682,2749,0.143,0.143,",
    "00000001_001.png": "No Finding,1,1,59,M,AP,2682,2749,0.143,0.143,",
    "00000002_000.png": "Pleural_Thickening,0,2,414,F,PA,2682,2749,0.143,0.143,",
    "00000003_000.png": "Hernia,0,3,74,F,AP,2682,2749,0.143,0.143,",
}
BOXES = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
    "00000001_000.png,Cardiomegaly,256,512,128,64\n"
    "00000001_000.png,Infiltrate,0,0,1024,1024\n"
    "00099999_000.png,Mass,1,2,3,4\n"
)


def config(**data):
    return parse({"pipeline": "chest_xray", "data": data})


def examples(root, **data):
    return chest_xray.examples(root, config(**data))


def row(found, name) -> dict:
    return found.frame[found.frame["path"].str.endswith(name)].iloc[0].to_dict()


def radiograph(path, seed=0):
    return factory.picture(path, np.random.default_rng(seed).integers(0, 256, (12, 12)).astype(np.uint8))


# === ChestX-ray14 ===


@pytest.fixture
def archive(tmp_path):
    for number, name in enumerate(ENTRIES):
        radiograph(tmp_path / f"images_00{1 + number // 2}" / "images" / name, number)
    write_entries(tmp_path, ENTRIES)
    (tmp_path / "BBox_List_2017.csv").write_text(BOXES)
    return tmp_path


def write_entries(root, entries, header=HEADER, name="Data_Entry_2017.csv"):
    lines = [header, *(f"{image},{cells}" for image, cells in entries.items())]
    (root / name).write_text("\n".join(lines) + "\n")


def test_an_entry_is_an_example(archive):
    found = examples(archive)
    assert found.frame["path"].tolist() == [
        f"images_00{1 + number // 2}/images/{name}" for number, name in enumerate(ENTRIES)
    ]
    assert found.frame["patient"].tolist() == [pseudonym(one, secret()) for one in ("1", "1", "2", "3")]
    assert found.frame["view"].tolist() == ["PA", "AP", "PA", "AP"]
    assert found.frame["sex"].tolist() == ["M", "M", "F", "F"]
    assert found.frame["abnormal"].tolist() == [1, 0, 1, 1]
    labels = found.frame[list(nih.FINDINGS)]
    assert labels.sum(axis=1).tolist() == [2, 0, 1, 1]
    positive = {(n, name) for n in range(4) for name in labels if labels[name][n] == 1}
    assert positive == {(0, "cardiomegaly"), (0, "emphysema"), (2, "pleural_thickening"), (3, "hernia")}
    assert "fold" not in found.frame  # there are no official lists
    assert found.meta["label_file"] == "Data_Entry_2017.csv"


def test_an_age_that_nobody_has_is_unknown(archive):
    found = examples(archive)
    np.testing.assert_array_equal(found.frame["age"], [58, 59, np.nan, 74])
    assert any("1 row with '414'" in note for note in found.meta["notes"])


def test_the_file_of_2020_and_its_sex_column(archive):
    (archive / "Data_Entry_2017.csv").unlink()
    header = HEADER.replace("Gender", "Sex").removesuffix(",")
    write_entries(archive, {k: v.removesuffix(",") for k, v in ENTRIES.items()}, header, "Data_Entry_2017_v2020.csv")
    assert examples(archive).frame["sex"].tolist() == ["M", "M", "F", "F"]


def test_boxes_are_shares_of_the_image(archive):
    """256, 512, 128, 64 of 1024 pixels; the published file writes Infiltration otherwise than the label file."""
    found = examples(archive)
    boxes = json.loads(row(found, "00000001_000.png")["boxes"])
    assert boxes == [["cardiomegaly", 0.25, 0.5, 0.125, 0.0625], ["infiltration", 0, 0, 1, 1]]
    assert (found.frame["boxes"] != "").sum() == 1
    assert "BBox_List_2017.csv: boxes on 2 images, 1 of them in Data_Entry_2017.csv" in found.meta["notes"]


def test_a_part_of_the_archive_will_do_and_is_counted(archive):
    shutil.rmtree(archive / "images_002")
    found = examples(archive)
    assert len(found) == 2
    assert any(
        "2 of 4 images of Data_Entry_2017.csv are not there, such as 00000002_000" in n for n in found.meta["notes"]
    )
    shutil.rmtree(archive / "images_001")
    with pytest.raises(
        MedtfError, match=r"none of the 4 images of Data_Entry_2017.csv is there, such as 00000001_000: unpack"
    ):
        examples(archive)


def test_images_that_cannot_be_examples_are_left_out(archive):
    radiograph(archive / "images_003" / "00000009_000.png")
    radiograph(archive / "images_003" / "00000001_000.png")  # a copy of one in images_001
    whole = (archive / "images_002/images/00000003_000.png").read_bytes()
    (archive / "images_002/images/00000003_000.png").write_bytes(whole[:-20])
    found = examples(archive)
    assert len(found) == 3
    assert dict(zip(found.excluded["path"], found.excluded["reason"], strict=True)) == {
        "images_002/images/00000003_000.png": "truncated: the PNG has no end (IEND)",
        "images_003/00000001_000.png": "stands twice: another file has the same name",
        "images_003/00000009_000.png": "no row in Data_Entry_2017.csv",
    }


def test_a_broken_copy_does_not_stand_for_a_whole_one(archive):
    whole = archive / "images_001/images/00000001_000.png"
    (archive / "copies").mkdir()
    (archive / "copies/00000001_000.png").write_bytes(whole.read_bytes()[:-20])  # comes first in the order of paths
    assert "images_001/images/00000001_000.png" in set(examples(archive).frame["path"])


def test_copies_in_jpeg_have_the_same_labels(archive):
    for path in archive.rglob("*.png"):
        path.unlink()
    for number, name in enumerate(ENTRIES):
        radiograph(archive / "images" / name.replace(".png", ".jpg"), number)
    assert examples(archive).frame["abnormal"].tolist() == [1, 0, 1, 1]


def test_rows_that_stand_twice(archive):
    with (archive / "Data_Entry_2017.csv").open("a") as file:
        file.write(f"00000001_001.png,{ENTRIES['00000001_001.png']}\n")
    assert len(examples(archive)) == 4
    with (archive / "Data_Entry_2017.csv").open("a") as file:
        file.write("00000001_001.png,Mass,1,1,59,M,AP,2682,2749,0.143,0.143,\n")
    with pytest.raises(MedtfError, match=r"rows of 00000001_001 contradict each other in mass: remove"):
        examples(archive)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("Cardiomegali,0,1,58,M,PA,,,,,", "row 2: unknown finding 'cardiomegali': did you mean 'cardiomegaly'"),
        ("No Finding|Mass,0,1,58,M,PA,,,,,", r"row 2: 'No Finding\|Mass' contradicts itself"),
        (",0,1,58,M,PA,,,,,", "row 2: has no Finding Labels"),
        ("Mass,0,,58,M,PA,,,,,", "row 2: has no Patient ID"),
    ],
)
def test_rows_that_are_refused(archive, cells, message):
    write_entries(archive, ENTRIES | {"00000001_000.png": cells})
    with pytest.raises(MedtfError, match=message):
        examples(archive)


def test_wrong_columns_name_the_nearest(archive):
    write_entries(archive, ENTRIES, HEADER.replace("Finding Labels", "Finding Label"))
    with pytest.raises(MedtfError, match=r"no column 'Finding Labels'; .*did you mean 'Finding Label'"):
        examples(archive)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("00000001_000.png,Cardiomegaly,1000,0,25,10", "row 5: the box of 00000001_000.png does not lie in an image of 1024 x 1024"),
        ("00000001_000.png,Cardiomegaly,10,0,0,10", "row 5: the box"),
        ("00000001_000.png,Cardiomegaly,10,0,x,10", "row 5: the box"),
        ("00000001_000.png,Nodulus,10,0,1,10", "row 5: unknown finding 'nodulus': did you mean 'nodule'"),
    ],
)  # fmt: skip
def test_boxes_that_are_refused(archive, line, message):
    (archive / "BBox_List_2017.csv").write_text(BOXES + line + "\n")
    with pytest.raises(MedtfError, match=message):
        examples(archive)


# === Which archive it is ===


def test_two_label_files(archive):
    shutil.copy(archive / "Data_Entry_2017.csv", archive / "Data_Entry_2017_v2020.csv")
    with pytest.raises(MedtfError, match=r"Data_Entry_2017.csv, Data_Entry_2017_v2020.csv; keep"):
        examples(archive)


def test_the_folder_above_the_label_file_is_not_taken_for_unlabelled(archive):
    above = archive.parent / "above"
    above.mkdir()
    archive.rename(above / "nih")
    with pytest.raises(
        MedtfError, match=r"no label file here, but nih/Data_Entry_2017.csv: give the folder .*above/nih"
    ):
        examples(above)


def test_columns_of_the_users_own_are_refused(archive):
    with pytest.raises(AskedWronglyError, match=r"data\.columns: .* use the pipeline `table`"):
        examples(archive, columns={"patient": "Patient ID"})


# === Without labels ===


def test_a_folder_without_labels_knows_patients_by_tags_or_by_an_archives_names(tmp_path):
    values = np.arange(256).reshape(16, 16) * 16
    factory.dicom(tmp_path / "a.dcm", values, modality="DX", patient="P1")
    factory.dicom(tmp_path / "b.dcm", values, modality="CT", patient="P2")
    factory.dicom(tmp_path / "c.dcm", values, modality="CR", patient="")
    radiograph(tmp_path / "00000218_002.png")
    radiograph(tmp_path / "patient00007" / "study2" / "view1_frontal.jpg")
    radiograph(tmp_path / "somebody.png")
    found = examples(tmp_path)
    key = secret()
    assert dict(zip(found.frame["path"], found.frame["patient"], strict=True)) == {
        "00000218_002.png": pseudonym("218", key),  # as the label file would have said it
        "a.dcm": pseudonym("P1", key),
        "patient00007/study2/view1_frontal.jpg": pseudonym("patient00007", key),
    }
    assert found.frame[[*nih.FINDINGS, "abnormal"]].isna().all(axis=None)
    assert found.meta["label_file"] is None
    reasons = found.excluded.set_index("path")["reason"]
    assert reasons["b.dcm"] == "not a radiograph, by Modality (0008,0060)"
    assert reasons["c.dcm"].startswith("no PatientID (0010,0020)")
    assert reasons["somebody.png"].startswith("the file does not say whose it is")
    assert any("patients of 2 images are told by the files' names" in note for note in found.meta["notes"])


def test_views_of_a_folder_that_tells_none(tmp_path):
    radiograph(tmp_path / "00000218_002.png")
    with pytest.raises(AskedWronglyError, match=r"data\.views: nothing says which view"):
        examples(tmp_path, views=["AP"])


# === Batches, and real files ===


def test_batches(archive):
    wanted = parse({"pipeline": "chest_xray", "targets": {"hernia": "binary"}, "input": {"size": 12}})
    images, labels, _ = next(iter(chest_xray.dataset(examples(archive), archive, wanted, training=False)))
    assert images.shape == (4, 12, 12, 1)
    assert labels["hernia"].numpy().tolist() == [[0], [0], [0], [1]]


def test_a_thousand_real_entries_and_the_published_boxes(tmp_path, shared):
    """Counts of the label file by hand (`grep -c`), and of the boxes by whoever published them: 984 on 880 images."""
    source = shared / "cxr"
    rows = pd.read_csv(source / "nih1000/labels.csv", dtype=str)
    (tmp_path / "images").mkdir()
    for name, fold, folder in rows[["Image Index", "split", "folder_label"]].itertuples(index=False):
        (tmp_path / "images" / name).symlink_to(source / "nih1000" / fold / folder / name)
    rows.drop(columns=["split", "folder_label"]).to_csv(tmp_path / "Data_Entry_2017.csv", index=False)
    (tmp_path / "BBox_List_2017.csv").write_bytes(gzip.decompress((source / "BBox_List_2017.csv.gz").read_bytes()))
    boxes = nih.read_boxes(tmp_path / "BBox_List_2017.csv").map(json.loads)
    assert (len(boxes), boxes.map(len).sum()) == (880, 984)
    found = examples(tmp_path)
    assert len(found) == 1000
    assert found.frame["patient"].nunique() == 264
    assert found.frame["view"].value_counts().to_dict() == {"PA": 637, "AP": 363}
    assert found.frame["sex"].value_counts().to_dict() == {"F": 509, "M": 491}
    assert (found.frame["abnormal"] == 0).sum() == 499
    assert found.frame["effusion"].sum() == 170
    assert found.frame["pneumonia"].sum() == 11
    assert (found.frame["boxes"] != "").sum() == 9
