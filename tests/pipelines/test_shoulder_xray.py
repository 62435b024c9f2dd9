"""Shoulders and their sheet: words and numbers of bone density, WHO's rule, and what is refused."""

import factory
import numpy as np
import pandas as pd
import pytest
from medtf.pipelines import shoulder_xray

from medtf import prepare
from medtf.config import load, parse
from medtf.data import densitometry
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, secret

NAMES = [f"images/{n}.png" for n in range(4)]


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(NAMES):
        factory.picture(
            tmp_path / name, np.random.default_rng(number).integers(0, 4096, (12, 12)).astype(np.uint16) * 16
        )
    return tmp_path


def sheet(**columns) -> pd.DataFrame:
    made = {"path": NAMES, "patient": ["S1", "S1", "S2", "S3"], "osteoporosis": [1, 1, 0, 0]}
    return pd.DataFrame({name: values for name, values in (made | columns).items() if values is not None})


def examples(root, frame=None, *, name="shoulder.csv", targets=None, **data):
    if frame is not None:
        (frame.to_excel if name.endswith("xlsx") else frame.to_csv)(root / name, index=False)
    config = parse({"pipeline": "shoulder_xray", "data": data, "targets": targets or {}})
    return shoulder_xray.examples(root, config)


def notes(found) -> str:
    return "\n".join(found.meta["notes"])


@pytest.mark.parametrize("name", ["shoulder.csv", "shoulder.xlsx", "anything.csv"])
def test_a_sheet_beside_the_images(root, name):
    found = examples(root, sheet(age=[70, 70, 55, 61], bmi=[22.5] * 4, sex=list("ffmm")), name=name)
    assert found.frame["path"].tolist() == NAMES
    assert found.frame["patient"].tolist() == [pseudonym(one, secret()) for one in ("S1", "S1", "S2", "S3")]
    assert found.frame["osteoporosis"].tolist() == [1, 1, 0, 0]
    assert found.frame["sex"].tolist() == ["F", "F", "M", "M"]
    assert found.frame["bmi"].tolist() == [22.5] * 4
    assert found.meta["pipeline"] == "shoulder_xray"
    assert found.meta["label_file"] == name
    assert found.frame["read_bits_stored"].tolist() == [16] * 4


def test_shoulder_csv_is_taken_where_several_sheets_lie(root):
    (root / "notes.csv").write_text("a,b\n1,2\n")
    assert len(examples(root, sheet())) == 4
    (root / "shoulder.csv").rename(root / "list.csv")
    with pytest.raises(MedtfError, match=r"found list.csv, notes.csv; name the right one: data.columns: {sheet: "):
        examples(root)
    assert len(examples(root, columns={"sheet": "list.csv"})) == 4


@pytest.mark.parametrize(
    "words", [[1, 0, 0, None], ["yes", "No", "no", ""], ["osteoporosis", "osteopenia", "Normal", None], [True, False, False, None]],
)  # fmt: skip
def test_words_for_osteoporosis(root, words):
    found = examples(root, sheet(osteoporosis=words))
    np.testing.assert_array_equal(found.frame["osteoporosis"], [1, 0, 0, np.nan])


def test_three_words_are_a_target_of_three_classes(root):
    found = examples(root, sheet(osteoporosis=["osteoporosis", "osteopenia", "normal", None]))
    assert found.frame["who_class"].tolist() == ["osteoporosis", "osteopenia", "normal", ""]
    assert "osteopenia counts as no osteoporosis" in notes(found)


# === WHO's rule ===


def test_the_rules_limits():
    """WHO 1994: at -2.5 and below osteoporosis; between -2.5 and -1 osteopenia."""
    scores = np.array([-4, -2.5, -2.49, -1.01, -1, 0.5, np.nan])
    classes = ["osteoporosis", "osteoporosis", "osteopenia", "osteopenia", "normal", "normal", ""]
    assert densitometry.who_class(scores).tolist() == classes


def test_a_t_score_alone_makes_the_diagnosis_and_says_so(root):
    found = examples(root, sheet(osteoporosis=None, t_score=[-2.5, -2.4, -0.9, None]))
    np.testing.assert_array_equal(found.frame["osteoporosis"], [1, 0, 0, np.nan])
    assert found.frame["who_class"].tolist() == ["osteoporosis", "osteopenia", "normal", ""]
    assert "osteoporosis of 3 rows by WHO's rule" in notes(found)


def test_an_empty_diagnosis_is_filled_by_the_t_score(root):
    found = examples(root, sheet(osteoporosis=[1, None, 0, None], t_score=[-3, -2.6, -1.5, None]))
    np.testing.assert_array_equal(found.frame["osteoporosis"], [1, 1, 0, np.nan])
    assert "osteoporosis of 1 rows by WHO's rule" in notes(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([1, 1, 1, 0], r"row 4: osteoporosis '1' with a T-score of -2\.4, which is osteopenia by WHO's rule: mend it"),
        ([0, 0, 0, 0], r"row 2: .* which is osteoporosis by WHO's rule \(2 such rows\)"),
        (["osteoporosis", "osteoporosis", "normal", "normal"], r"row 4: osteoporosis 'normal' .* which is osteopenia"),
    ],
)
def test_a_diagnosis_that_its_t_score_contradicts(root, words, message):
    frame = sheet(osteoporosis=words, t_score=[-2.5, -3, -2.4, 0])
    with pytest.raises(MedtfError, match=message):
        examples(root, frame)
    apart = examples(root, frame, columns={"other_score": "t_score"})  # the way out that the message names
    assert apart.frame["other_score"].tolist() == [-2.5, -3, -2.4, 0]
    assert "t_score" not in apart.frame


# === What is wrong with a sheet ===


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"osteoporosis": [1, 2, 0, 0]}, r"shoulder.csv: row 3: osteoporosis '2': expected 0 or 1, yes or no, or normal, osteopenia, osteo"),
        ({"t_score": [-2.6, -2.7, 25, 0]}, r"row 4: t_score '25': expected -10 to 10 standard deviations"),
        ({"t_score": ["-2,6", "-2,7", "0", "0"]}, r"row 2: t_score '-2,6': expected -10 to 10"),
        ({"bmd": [0.6, 0.6, 850, 0.9]}, r"row 4: bmd '850': expected 0.1 to 3 g/cm2"),
        ({"bmi": [22, 22, 22, 2]}, r"row 5: bmi '2': expected 8 to 100 kg/m2"),
        ({"patient": ["S1", None, "S2", "S3"]}, "row 3 has no patient"),
        ({"path": [NAMES[0], NAMES[0], *NAMES[2:]]}, "1 paths stand twice"),
        ({"patient": None}, r"no column 'patient' for patient \(say where it is: data.columns: {patient: \.\.\.}\)"),
    ],
)  # fmt: skip
def test_sheets_that_are_refused(root, columns, message):
    with pytest.raises(MedtfError, match=message):
        examples(root, sheet(**columns))


def test_a_sheet_without_any_label_is_for_pretraining_alone(root):
    assert len(examples(root, sheet(osteoporosis=None))) == 4
    with pytest.raises(AskedWronglyError, match=r"no column for osteoporosis, t_score or bmd \(say where it is"):
        examples(root, sheet(osteoporosis=None), targets={"osteoporosis": "binary"})


def test_a_sheet_with_other_names(root):
    frame = sheet(osteoporosis=None).rename(columns={"path": "File", "patient": "Case"})
    frame["T-Score"], frame["Hip BMD"], frame["Name"] = [-3.0, -3, -1, 0], [0.5, 0.5, 0.8, 0.9], "Hans Mueller"
    found = examples(root, frame, columns={"patient": "Case", "bmd": "Hip BMD"})
    assert found.frame["t_score"].tolist() == [-3, -3, -1, 0]
    assert found.frame["bmd"].tolist() == [0.5, 0.5, 0.8, 0.9]
    assert found.frame["osteoporosis"].tolist() == [1, 1, 0, 0]
    assert found.meta["columns_left_out"] == ["Name"]
    assert not {"Case", "File", "T-Score", "Hip BMD"} & set(found.frame)


def test_ages_and_sexes_that_nobody_has_are_unknown(root):
    found = examples(root, sheet(age=[414, 70, 0, 61], sex=["F", "w", "M", None]))
    np.testing.assert_array_equal(found.frame["age"], [np.nan, 70, np.nan, 61])
    assert found.frame["sex"].tolist() == ["F", "", "M", ""]
    assert "2 rows with '414'" in notes(found)
    assert "1 row with 'w' or the like where M or F was expected" in notes(found)


# === Images ===


def test_images_without_a_row_and_rows_without_an_image(root):
    factory.picture(root / "images/9.png", np.zeros((12, 12), np.uint8))
    (root / NAMES[3]).unlink()
    found = examples(root, sheet())
    assert found.frame["path"].tolist() == NAMES[:3]
    assert found.excluded["path"].tolist() == [NAMES[3]]
    assert "images without a row in shoulder.csv: 1: not used" in notes(found)


def test_views(root):
    found = examples(root, sheet(view=["AP", "PA", "axial", None]), views=["AP"])
    assert found.frame["path"].tolist() == NAMES[:1]
    assert found.excluded["reason"].tolist() == [
        f"view {view}: data.views asks for AP" for view in ("PA", "axial", "unknown")
    ]


def test_a_folder_of_dicom_without_a_sheet(tmp_path):
    factory.dicom(tmp_path / "a.dcm", factory.head() + 1024, modality="DX", patient="S1")
    factory.dicom(tmp_path / "b.dcm", factory.head() + 1024, modality="MR", patient="S2")
    found = examples(tmp_path)
    assert found.frame["path"].tolist() == ["a.dcm"]
    assert found.frame[["osteoporosis", "t_score", "bmd"]].isna().all(axis=None)
    assert found.excluded["reason"].tolist() == ["not a radiograph, by Modality (0008,0060)"]
    assert found.meta["label_file"] is None


def test_a_file_in_place_of_a_folder(root):
    sheet().to_csv(root / "shoulder.csv")
    config = parse({"pipeline": "shoulder_xray"})
    with pytest.raises(MedtfError, match="expected the one that holds the sheet and the images"):
        shoulder_xray.examples(root / "shoulder.csv", config)


def test_fit_prepares_such_a_table_and_batches(root):
    examples(root, sheet(t_score=[-2.6, -2.7, -1, None], patient=list("abcd")))
    config = parse(
        {"pipeline": "shoulder_xray", "targets": {"osteoporosis": "binary", "t_score": "regression"},
         "data": {"split": {"valid": 0.25, "test": 0.25}}, "input": {"size": 12}}
    )  # fmt: skip
    table, _ = prepare.training_table(config, root)
    assert table.frame["fold"].value_counts().to_dict() == {"train": 2, "valid": 1, "test": 1}
    images, labels, _ = next(iter(shoulder_xray.dataset(table, root, config, training=False)))
    assert images.shape == (4, 12, 12, 1)
    np.testing.assert_allclose(labels["t_score"].numpy()[:, 0], [-2.6, -2.7, -1, np.nan], rtol=1e-6)
    assert labels["osteoporosis"].numpy()[:, 0].tolist() == [1, 1, 0, 0]


def test_both_configs_differ_in_the_weights_alone():
    """Else a comparison of the two would say nothing of the pretraining."""
    made = [load(name).model_dump() for name in ("shoulder_finetune", "shoulder_scratch")]
    assert made[0]["model"].pop("weights") != made[1]["model"].pop("weights") == "none"
    assert made[0] == made[1]


def test_the_encoder_of_the_config_is_the_one_that_is_pretrained():
    """The README's commands follow each other."""
    before, after = load("chest_mobilenet"), load("shoulder_finetune")
    assert (before.model.name, before.input.size, before.model.norm) == (
        after.model.name,
        after.input.size,
        after.model.norm,
    )


def test_two_columns_that_could_be_one_are_not_chosen_between(root):
    both = sheet().assign(**{"Osteoporosis ": [0, 0, 1, 1]})
    with pytest.raises(AskedWronglyError, match="could each be osteoporosis: say which one"):
        examples(root, both)


def test_shoulder_csv_comes_before_an_excel_file_of_something_else(root):
    sheet(osteoporosis=[0, 0, 1, 1]).to_excel(root / "reader_study.xlsx", index=False)
    assert list(examples(root, sheet()).frame["osteoporosis"]) == [1, 1, 0, 0]


def test_rows_with_a_cell_too_many_do_not_move_into_other_columns(root):
    text = sheet().to_csv(index=False).replace("\n", ",\n").replace("osteoporosis,\n", "osteoporosis\n")
    (root / "shoulder.csv").write_text(text)
    with pytest.raises(MedtfError, match="more cells than the header"):
        examples(root)


def test_a_person_with_and_without_osteoporosis_is_told(root):
    said = notes(examples(root, sheet(osteoporosis=[1, 0, 0, 0])))
    assert f"1 person is osteoporotic in one row and not in another, as in {NAMES[1]} and {NAMES[0]}" in said
    assert "in one row and not in another" not in notes(examples(root, sheet()))
