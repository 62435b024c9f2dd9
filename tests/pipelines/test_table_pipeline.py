"""Any sheet: where things are, who is named, and what is wrong with it."""

import factory
import numpy as np
import pandas as pd
import pytest
from medtf.pipelines import table as pipeline

from medtf.config import parse
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
    assert pipeline._id(218.0) == pipeline._id(218) == pipeline._id("218") == "218"


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
        ("a.csv", b"path;patient\na;b\n", "no column 'path'"),
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
