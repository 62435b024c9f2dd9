"""CheXpert: paths, views, and labels that are 1, 0, uncertain or empty."""

import factory
import numpy as np
import pytest
from medtf.pipelines import chest_xray

from medtf.config import parse
from medtf.data import chexpert, nih
from medtf.errors import MedtfError
from medtf.salt import pseudonym, secret


def examples(root, **data):
    return chest_xray.examples(root, parse({"pipeline": "chest_xray", "data": data}))


def radiograph(path):
    return factory.picture(path, np.random.default_rng(0).integers(0, 256, (12, 12)).astype(np.uint8))


ROW = "CheXpert-v1.0-small/{fold}/{name},{sex},{age},{projection},{view}" + ",{findings}"
STUDY = "patient{0:05d}/study1/view1_{1}.jpg"


def chexpert_line(number, fold="train", projection="Frontal", view="AP", sex="Female", age=68, **findings):
    cells = ",".join(str(findings.get(name, "")) for name in chexpert.FINDINGS.values())
    name = STUDY.format(number, projection.lower())
    return ROW.format(fold=fold, name=name, sex=sex, age=age, projection=projection, view=view, findings=cells)


LINES = {
    "train": [
        chexpert_line(1, no_finding="1.0", support_devices="1.0", pneumothorax="0.0"),
        chexpert_line(2, effusion="-1.0", edema="1.0", view="PA", sex="Male", age=87),
        chexpert_line(3, projection="Lateral", view="", cardiomegaly="-1.0", sex="Unknown", age=0),
    ],
    "valid": [chexpert_line(64541, fold="valid", no_finding="0.0", fracture="0.0", view="LL")],
}


def write_chexpert(root, lines, images=True, below=""):
    header = ",".join([*chexpert.ABOUT, *chexpert.FINDINGS])
    for fold, rows in lines.items():
        (root / f"{fold}.csv").write_text("\n".join([header, *rows]) + "\n")
        for one in rows if images else ():
            radiograph(root / below / one.split(",")[0].removeprefix("CheXpert-v1.0-small/"))
    return root


@pytest.mark.parametrize("below", ["", "CheXpert-v1.0-small"])
def test_chexpert_is_found_with_and_without_the_paths_first_folder(tmp_path, below):
    found = examples(write_chexpert(tmp_path, LINES, below=below))
    assert found.frame["path"].str.removeprefix("CheXpert-v1.0-small/").tolist() == [
        "train/patient00001/study1/view1_frontal.jpg",
        "train/patient00002/study1/view1_frontal.jpg",
        "train/patient00003/study1/view1_lateral.jpg",
        "valid/patient64541/study1/view1_frontal.jpg",
    ]
    key = secret()
    assert found.frame["patient"][1] == pseudonym("patient00002", key)
    assert found.frame["study"][1] == pseudonym("patient00002/study1", key)
    np.testing.assert_array_equal(found.frame["age"], [68, 87, np.nan, 68])
    assert found.frame["sex"].tolist() == ["F", "M", "", "F"]
    assert found.frame["projection"].tolist() == ["frontal", "frontal", "lateral", "frontal"]
    assert found.frame["view"].tolist() == ["AP", "PA", "", ""]
    assert found.frame["fold"].tolist()[3] == "test"
    assert set(found.frame["fold"][:3]) == {"train", "valid"}
    np.testing.assert_array_equal(found.frame["pneumothorax"], [0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found.frame["support_devices"], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found.frame["abnormal"], [0, 1, np.nan, 1])


@pytest.mark.parametrize(("policy", "value"), [("ignore", np.nan), ("ones", 1), ("zeros", 0)])
def test_uncertain_findings_count_as_the_config_says_and_empty_ones_never(tmp_path, policy, value):
    found = examples(write_chexpert(tmp_path, LINES), uncertain=policy)
    np.testing.assert_array_equal(found.frame["effusion"], [np.nan, value, np.nan, np.nan])
    np.testing.assert_array_equal(found.frame["cardiomegaly"], [np.nan, np.nan, value, np.nan])
    np.testing.assert_array_equal(found.frame["abnormal"], [0, 1, 1 if policy == "ones" else np.nan, 1])
    assert any("2 findings are uncertain (-1)" in note and policy in note for note in found.meta["notes"])


@pytest.mark.parametrize(
    ("views", "left"),
    [(["frontal"], [1, 2, 64541]), (["lateral"], [3]), (["AP"], [1]), (["PA", "lateral"], [2, 3]), ([], [1, 2, 3, 64541])],
)  # fmt: skip
def test_views(tmp_path, views, left):
    found = examples(write_chexpert(tmp_path, LINES), views=views)
    assert found.frame["path"].str.extract(r"patient(\d+)")[0].astype(int).tolist() == left
    assert len(found.excluded) == 4 - len(left)
    if views == ["frontal"]:
        assert found.excluded["reason"].tolist() == ["view lateral: data.views asks for frontal"]


def test_chexpert_without_its_valid_file_is_split_by_the_config(tmp_path):
    found = examples(write_chexpert(tmp_path, {"train": LINES["train"]}))
    assert "fold" not in found.frame


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (chexpert_line(9, edema="2.0"), "train.csv: row 5: Edema '2': expected 1, 0, -1 or empty"),
        (chexpert_line(9, edema="yes"), "row 5: Edema 'yes'"),
        (chexpert_line(1, no_finding="0.0"), r"rows of patient00001/study1/view1_frontal contradict each other in no_finding"),
        (chexpert_line(9).replace("patient", "person"), r"row 5: path .*expected \.\.\./patient00001"),
    ],
)  # fmt: skip
def test_chexpert_rows_that_are_refused(tmp_path, line, message):
    with pytest.raises(MedtfError, match=message):
        examples(write_chexpert(tmp_path, {"train": [*LINES["train"], line]}))


def test_an_image_of_both_chexpert_files(tmp_path):
    write_chexpert(tmp_path, LINES | {"valid": [*LINES["valid"], LINES["train"][0]]})
    with pytest.raises(
        MedtfError, match=r"1 images stand in both train.csv and valid.csv, such as patient00001/study1"
    ):
        examples(tmp_path)


def test_both_archives_give_what_they_share_the_same_names():
    """So that a network of one can be judged on the other: the seven findings of both."""
    shared = {"atelectasis", "cardiomegaly", "consolidation", "edema", "effusion", "pneumonia", "pneumothorax"}
    assert set(nih.FINDINGS) & set(chexpert.FINDINGS.values()) == shared


def test_two_archives_in_one_folder(tmp_path):
    write_chexpert(tmp_path, LINES)
    (tmp_path / "Data_Entry_2017.csv").write_text("Image Index\n")
    with pytest.raises(MedtfError, match=r"Data_Entry_2017.csv, train.csv, valid.csv; keep those of one archive"):
        examples(tmp_path)


def test_a_train_file_that_is_not_chexperts(tmp_path):
    (tmp_path / "train.csv").write_text("image,label\na,1\n")
    with pytest.raises(MedtfError, match=r"no column 'Path'.*pipeline `table`"):
        examples(tmp_path)
