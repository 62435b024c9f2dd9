"""Any sheet: where things are, who is named, and what is wrong with it."""

import factory
import numpy as np
import pandas as pd
import pytest
from medtf.pipelines import table as pipeline

from medtf import split
from medtf.config import load, parse
from medtf.data.sheets import plain_id
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, secret


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for folder, n in [("train", 1), ("train", 2), ("test", 3)]:
        factory.picture(tmp_path / folder / f"{n}.png", rng.integers(0, 256, (12, 12)).astype(np.uint8))
    return tmp_path


def sheet(**columns):
    made = {"path": ["train/1.png", "train/2.png", "test/3.png"], "patient": [218, 218, 7], "age": [50.0, 51, None]}
    return pd.DataFrame(made | columns)


def examples(root, frame, *, name="labels.csv", where=None, **columns):
    path = root / name
    writers = {"csv": "to_csv", "xlsx": "to_excel", "parquet": "to_parquet"}
    if name.endswith(".tsv"):
        frame.to_csv(path, sep="\t", index=False)
    else:
        getattr(frame, writers[path.suffix[1:]])(path, index=False)
    config = parse({"pipeline": "table", "data": {"columns": columns}})
    return pipeline.examples(path, config, root=where)


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "labels.xlsx", "labels.parquet"])
def test_every_kind_of_sheet(root, name):
    found = examples(root, sheet(), name=name)
    assert found.frame["path"].tolist() == ["train/1.png", "train/2.png", "test/3.png"]
    assert found.frame["patient"].tolist() == [pseudonym(p, secret()) for p in ("218", "218", "7")]
    np.testing.assert_array_equal(found.frame["age"], [50, 51, np.nan])
    assert found.frame["read_rows"].tolist() == [12] * 3
    assert found.meta["sheet"] == name


def test_templates(root):
    frame = pd.DataFrame(
        {"split": ["train", "train", "test"], "Image Index": [1, 2, 3], "Patient ID": [1, 1, 2], "view": list("ABA")}
    )
    found = examples(
        root, frame, path="{split}/{Image Index}.png", patient="Patient ID", fold="split", position_name="view"
    )
    assert found.frame["path"].tolist() == ["train/1.png", "train/2.png", "test/3.png"]
    assert found.frame["fold"].tolist() == ["train", "train", "test"]
    assert found.frame["position_name"].tolist() == list("ABA")
    assert "Patient ID" not in found.frame


def test_the_root_may_lie_elsewhere(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("sheets")
    assert (examples(elsewhere, sheet(), where=root).frame["read_rows"] == 12).all()
    assert len(examples(elsewhere, sheet()).frame) == 0


# === Who is named ===

NAMES = ["PatientName", "Patient Name", "patient_name", "NAME", "PatientBirthDate", "DOB", "PatientAddress", "MRN"]
NAMES += ["e-mail", "AccessionNumber", "PatientID", "Patient ID", "StudyInstanceUID", "birthday", "SSN", "surname"]
HARMLESS = ["age", "PatientSex", "renamed", "unnamed", "tournament", "Follow-up #", "site", "birthplaceless"]


@pytest.mark.parametrize("column", NAMES)
def test_columns_that_name_a_person_stay_out(root, column):
    found = examples(root, sheet(**{column: ["Hans Mueller", "x", "y"]}))
    assert column not in found.frame
    assert found.meta["columns_left_out"] == [column]
    assert not found.frame.astype(str).apply(lambda c: c.str.contains("Mueller")).any(axis=None)


@pytest.mark.parametrize("column", HARMLESS)
def test_columns_that_do_not(root, column):
    assert column in examples(root, sheet(**{column: [1, 2, 3]})).frame


def test_the_columns_of_a_patients_template_stay_out(root):
    frame = sheet(site=["A", "A", "B"], number=[4711, 4711, 1]).drop(columns="patient")
    found = examples(root, frame, patient="{site}-{number}", hospital="site")
    assert found.frame["patient"].tolist()[0] == pseudonym("A-4711", secret())
    assert "number" not in found.frame
    assert found.frame["hospital"].tolist() == ["A", "A", "B"]  # asked for by name


def test_one_patient_however_the_id_is_written(root):
    found = examples(root, sheet(patient=["218", " 218 ", "218.0"]), name="labels.parquet")
    assert found.frame["patient"].nunique() == 2  # "218.0" as text is another id; as a number it is 218
    assert plain_id(218.0) == plain_id(218) == plain_id("218") == "218"


# === What is wrong with it ===


@pytest.mark.parametrize(
    ("frame", "columns", "message"),
    [
        (sheet(path=["train/1.png", "train/1.png", "test/3.png"]), {}, "1 paths stand twice, such as 'train/1.png'"),
        (sheet(path=["train/1.png", "./train//1.png", "test/3.png"]), {}, "1 paths stand twice"),
        (sheet(path=["train/1.png", None, "test/3.png"]), {}, "row 3 has no path"),
        (sheet(path=["train/1.png", "/etc/passwd", "test/3.png"]), {}, "'/etc/passwd': expected a path below the data root"),
        (sheet(path=["train/1.png", "../x.png", "test/3.png"]), {}, "below the data root"),
        (sheet(patient=["a", None, "b"]), {}, "row 3 has no patient"),
        (sheet(patient=["a", "  ", "b"]), {}, "row 3 has no patient"),
        (sheet(), {"patient": "Patient-{pat}"}, "no column 'pat' for patient"),
        (sheet(), {"view": "vieww"}, "no column 'vieww' for view"),
        (sheet(study=[1, 2, 3]), {}, "column 'study' has a name that medtf uses itself"),
        (sheet(read_rows=[1, 2, 3]), {}, "column 'read_rows' has a name that medtf uses itself"),
        (sheet(fold=["train", "oops", "test"]), {}, "column 'fold': 'oops' is no fold"),
        (sheet()[:0], {}, "the sheet has no rows"),
    ],
)  # fmt: skip
def test_sheets_that_are_refused(root, frame, columns, message):
    with pytest.raises(MedtfError, match=message):
        examples(root, frame, **columns)


def test_a_missing_column_names_the_nearest(root):
    frame = sheet().rename(columns={"patient": "patients"})
    with pytest.raises(AskedWronglyError, match=r"no column 'patient' .*data.columns.*did you mean 'patients'"):
        examples(root, frame)


def test_a_hole_in_a_template_is_a_missing_patient(root):
    frame = sheet(site=["A", None, "B"], number=[1, 2, 3]).drop(columns="patient")
    with pytest.raises(MedtfError, match="row 3 has no patient"):
        examples(root, frame, patient="{site}-{number}")


def test_no_file_outside_the_root_is_opened(root, monkeypatch):
    opened = []

    def scan(where, paths):
        opened.extend(paths)
        raise AssertionError

    (root / "labels.csv").write_text("path,patient\n/etc/passwd,a\n")
    with pytest.raises(AskedWronglyError, match="below the data root"):
        pipeline.examples(root / "labels.csv", parse({"pipeline": "table"}), scan=scan)
    assert not opened


def test_files_that_are_not_there_are_left_out(root):
    found = examples(root, sheet(path=["train/1.png", "train/9.png", "test"]))
    assert found.frame["path"].tolist() == ["train/1.png"]
    assert found.excluded["path"].tolist() == ["train/9.png", "test"]
    assert "No such file" in found.excluded["reason"][0]
    assert "not a file" in found.excluded["reason"][1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.docx", b"x", "expected a folder, or a file that ends in"),
        ("a.xlsx", b"not excel", r"a\.xlsx: cannot be read"),
        ("a.parquet", b"not parquet", r"a\.parquet: cannot be read"),
        ("a.csv", b"path,patient\n\xfc,\xff\n", r"a\.csv: cannot be read"),
        ("a.csv", b"", r"a\.csv: cannot be read"),
        ("a.csv", b"path;patient\na;b\n", "separated by semicolons"),
    ],
)
def test_files_that_are_no_sheets(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MedtfError, match=message):
        pipeline.examples(tmp_path / name, parse({"pipeline": "table"}))
    with pytest.raises(MedtfError, match="no such file"):
        pipeline.examples(tmp_path / "away.csv", parse({"pipeline": "table"}))


# === Other ways in ===


def test_a_folder_gives_a_table_without_targets(tmp_path):
    factory.slice_of_head(tmp_path / "a.dcm", patient="P1", PatientSex="F", PatientAge="050Y")
    factory.slice_of_head(tmp_path / "b.dcm", patient="")
    found = pipeline.examples(tmp_path, parse({"pipeline": "table"}))
    assert found.frame[["path", "sex", "age"]].to_dict("records") == [{"path": "a.dcm", "sex": "F", "age": 50.0}]
    assert found.frame["patient"][0] == pseudonym("P1", secret())
    assert found.excluded["reason"].tolist() == ["no PatientID (0010,0020): it cannot be kept in one fold"]


def test_the_sheet_wins_over_the_header_and_frames_share_its_row(tmp_path):
    factory.dicom(
        tmp_path / "a.dcm", np.stack([factory.head(seed=s) for s in range(3)]), patient="X", PatientAge="050Y"
    )
    found = examples(tmp_path, pd.DataFrame({"path": ["a.dcm"], "patient": ["P7"], "age": [61.5], "y": [1]}))
    assert found.frame["age"].tolist() == [61.5] * 3
    assert found.frame["y"].tolist() == [1] * 3
    assert found.frame["read_frame"].tolist() == [0, 1, 2]
    assert set(found.frame["patient"]) == {pseudonym("P7", secret())}


# === Volumes ===


def test_a_sheet_of_volumes(tmp_path):
    for name in ("a", "b"):
        factory.nifti(tmp_path / "t1" / f"{name}_T1.nii.gz", np.zeros((4, 5, 6)))
    frame = pd.DataFrame({"MRID": ["a", "b", "c"], "Age": [70.5, 81, 90], "Sex": ["M", "F", "F"]})
    found = examples(tmp_path, frame, path="t1/{MRID}_T1.nii.gz", patient="MRID", age="Age", sex="Sex")
    assert found.frame["path"].tolist() == ["t1/a_T1.nii.gz", "t1/b_T1.nii.gz"]
    assert found.frame["patient"].tolist() == [pseudonym(p, secret()) for p in "ab"]
    assert found.frame["age"].tolist() == [70.5, 81]
    assert found.frame["sex"].tolist() == ["M", "F"]
    assert found.frame["read_shape"].tolist() == ["4 5 6"] * 2
    assert found.excluded["path"].tolist() == ["t1/c_T1.nii.gz"]
    assert found.excluded["reason"].str.contains("No such file").all()


def test_a_folder_of_files_that_name_nobody(tmp_path):
    """NIfTI and PNG have no PatientID: what helps is a sheet, not a tag."""
    factory.nifti(tmp_path / "a.nii.gz", np.zeros((4, 5, 6)))
    factory.picture(tmp_path / "b.png", np.zeros((12, 12), np.uint8))
    factory.slice_of_head(tmp_path / "c.dcm", patient="")
    factory.slice_of_head(tmp_path / "d.dcm")
    found = pipeline.examples(tmp_path, parse({"pipeline": "table"}))
    assert found.frame["path"].tolist() == ["d.dcm"]
    reasons = found.excluded.set_index("path")["reason"]
    for name in ("a.nii.gz", "b.png"):
        assert reasons[name].startswith(
            "the file does not say whose it is: list it in a sheet with the columns path and patient"
        )
    assert reasons["c.dcm"].startswith("no PatientID (0010,0020)")


def test_the_23_people_of_the_aging_sample(shared):
    config = load("aging_age_sex")
    found = pipeline.examples(shared / "mri/aging/participants.csv", config)
    assert len(found) == 23
    assert len(found.excluded) == 0
    assert found.frame["sex"].value_counts().to_dict() == {"F": 12, "M": 11}
    assert found.frame["age"].min() == pytest.approx(68.77480809)
    assert found.frame["read_shape"].value_counts().to_dict() == {"106 127 135": 18, "88 128 128": 5}
    parts = split.assign(found, config.data.split).frame
    counts = parts["fold"].value_counts()
    for fold, share in (("train", 0.6), ("valid", 0.2), ("test", 0.2)):
        assert abs(counts[fold] - share * 23) < 1
    means = parts.groupby("fold")["age"].mean()
    assert (
        means.max() - means.min() < 6.7 / 2
    )  # years; 6.7 is the deviation of the 23, whose fifths are of four or five
