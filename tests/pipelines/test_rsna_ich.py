"""RSNA's label file: rows are not images, and a file that contradicts itself is refused."""

import factory
import numpy as np
import pytest
from medtf.pipelines import rsna_ich

from medtf.config import parse
from medtf.errors import MedtfError

IMAGES = {
    "ID_aa": {"patient": "P1", "subdural": 1, "any": 1},
    "ID_bb": {"patient": "P1"},
    "ID_cc": {"patient": "P2", "epidural": 1, "subarachnoid": 1, "any": 1},
}
CONFIG = parse({"pipeline": "rsna_ich"})


@pytest.fixture
def archive(tmp_path):
    return factory.rsna(tmp_path, IMAGES)


def edit(archive, change):
    sheet = archive / "stage_2_train.csv"
    lines = sheet.read_text().splitlines()
    sheet.write_text("\n".join(change(lines)) + "\n")


def examples(archive):
    return rsna_ich.examples(archive, CONFIG)


def test_six_label_rows_are_one_example(archive):
    found = examples(archive)
    assert found.frame["path"].tolist() == [f"stage_2_train/{n}.dcm" for n in IMAGES]
    np.testing.assert_array_equal(
        found.frame[list(rsna_ich.SUBTYPES)],
        [[0, 0, 0, 0, 1, 1], [0] * 6, [1, 0, 0, 1, 0, 1]],  # epidural, intraparenchymal, intraventricular, ...
    )
    assert found.frame["patient"].nunique() == 2
    assert not set(found.frame["patient"]) & {"P1", "P2"}
    assert "excluded" not in found.frame
    assert found.meta["label_file"] == "stage_2_train.csv"
    assert found.meta["salt"]


def test_rows_that_stand_twice_and_agree_are_one(archive):
    edit(archive, lambda lines: lines + lines[1:7])
    assert len(examples(archive)) == 3


def test_the_order_of_rows_does_not_matter(archive):
    before = examples(archive).frame
    edit(archive, lambda lines: [lines[0], *reversed(lines[1:])])
    assert examples(archive).frame.equals(before)


def test_files_that_are_no_slices_are_left_out_with_a_reason(archive):
    (archive / "stage_2_train" / "readme.txt").write_text("x")
    factory.slice_of_head(archive / "stage_2_train" / "ID_dd.dcm", patient="P9")
    factory.slice_of_head(archive / "stage_2_train" / "ID_ee.dcm", patient="")
    factory.slice_of_head(archive / "elsewhere" / "ID_ff.dcm")  # the test set of the challenge, for one
    found = examples(archive)
    assert len(found) == 3
    assert dict(zip(found.excluded["path"], found.excluded["reason"], strict=True)) == {
        "stage_2_train/readme.txt": "not an image: no DICOM, PNG or JPEG header",
        "stage_2_train/ID_dd.dcm": "no rows in stage_2_train.csv",
        "stage_2_train/ID_ee.dcm": "no PatientID (0010,0020): it cannot be kept in one fold",
    }


def test_modalities_other_than_ct_are_left_out(archive):
    factory.slice_of_head(archive / "stage_2_train" / "ID_bb.dcm", modality="MR")
    found = examples(archive)
    assert len(found) == 2
    assert found.excluded["reason"].tolist() == ["not CT, by Modality (0008,0060)"]


def test_a_folder_without_labels_gives_unknown_ones(tmp_path):
    factory.slice_of_head(tmp_path / "a" / "1.dcm")
    found = examples(tmp_path)
    assert found.frame[list(rsna_ich.SUBTYPES)].isna().all(axis=None)
    assert found.meta["label_file"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines, "ID_aa_subdural,0"], "1 labels stand with 0 and with 1, such as ID_aa_subdural"),
        (lambda lines: [*lines, "ID_aa_tumour,0"], "row 20: 'ID_aa_tumour' names no label"),
        (lambda lines: [*lines, ",0"], "row 20: .* names no label"),
        (lambda lines: [*lines[:-1], "ID_cc_any,2"], "row 19: label .*2.* of ID_cc_any; expected 0 or 1"),
        (lambda lines: [*lines[:-1], "ID_cc_any,"], "row 19: label .*nan.* of ID_cc_any"),
        (lambda lines: lines[:-1], "1 images lack some of their six rows, such as ID_cc"),
        (lambda lines: lines + [line.replace("ID_aa", "ID_zz") for line in lines[1:7]], "1 of 4 labelled images are not in .*, such as ID_zz"),
        (lambda lines: ["id,label", *lines[1:]], "expected the columns ID,Label; found id,label"),
        (lambda lines: [], "expected the columns|not a CSV file"),
    ],
)  # fmt: skip
def test_label_files_that_are_refused(archive, change, message):
    edit(archive, change)
    with pytest.raises(MedtfError, match=message):
        examples(archive)


def test_two_label_files_or_no_images(archive):
    (archive / "stage_1_train.csv").write_text("ID,Label\n")
    with pytest.raises(MedtfError, match=r"stage_1_train\.csv, stage_2_train\.csv; keep one"):
        examples(archive)
    (archive / "stage_1_train.csv").unlink()
    (archive / "stage_2_train").rename(archive / "train")
    with pytest.raises(MedtfError, match=r"no folder stage_2_train/ with its images"):
        examples(archive)


def test_batches(archive):
    found = examples(archive)
    targets = dict.fromkeys(rsna_ich.SUBTYPES, "binary")
    config = parse(
        {"pipeline": "rsna_ich", "targets": targets, "input": {"size": 16, "windows": ["brain", "subdural", "soft"]}}
    )
    images, labels, _ = next(iter(rsna_ich.dataset(found, archive, config, training=False)))
    assert images.shape == (3, 16, 16, 3)
    assert float(images[0, 8, 8, 0]) == pytest.approx((factory.head(seed=0)[8, 8] - 40) / 80 + 0.5, abs=1e-5)
    assert labels["any"].numpy().tolist() == [[1], [0], [1]]
    assert labels["epidural"].numpy().tolist() == [[0], [0], [1]]
