"""The synthetic archives of radiographs: bytes follow from the seed, layouts are those promised, lists say what is painted."""

import csv
import hashlib

import numpy as np
import pandas as pd
import pydicom
import pytest
from click.testing import CliRunner
from PIL import Image

from medtf.data.phantom import xray, xray_flaws, xray_person, xray_sheets
from medtf.errors import AskedWronglyError

SMALL = {"size": 64, "jobs": 1}
ENTRY = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


def hashes(root):
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.*")}


def images_of(found):
    pictures = {name: value for name, value in found.items() if name.endswith((".png", ".dcm"))}
    return {name: value for name, value in pictures.items() if not name.startswith("annotations/")}


def entries(root):
    """Data_Entry_2017.csv as its header splits at every comma."""
    with (root / "chest" / xray_sheets.ENTRIES).open(newline="") as file:
        header, *rows = csv.reader(file)
    return pd.DataFrame(rows, columns=header).set_index("Image Index")


def boxes(root):
    with (root / "chest" / xray_sheets.BOXES).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert ",".join(header) == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    return [(row[0], row[1], *map(float, row[2:])) for row in rows]


def sheet(root):
    return pd.read_csv(root / "shoulder" / "shoulder.csv", dtype={"patient": str})


def pixels(path):
    return np.asarray(Image.open(path)).astype(float)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("xray") / "plain"
    return root, xray.write(root, chest=60, shoulder=40, seed=7, **SMALL | {"jobs": 2})


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    root = tmp_path_factory.mktemp("xray") / "flawed"
    xray.write(root, chest=60, shoulder=40, seed=7, flaws=True, format="dicom", **SMALL)
    rows = pd.read_csv(root / "flaws.csv")
    return root, {(file.split("/")[0], flaw): file for file, flaw in zip(rows.file, rows.flaw, strict=True)}


# ---------------------------------------------------------------- bytes and layout
def test_same_seed_same_bytes_whatever_the_number_of_processes(archive, tmp_path):
    xray.write(tmp_path / "again", chest=60, shoulder=40, seed=7, **SMALL)
    assert hashes(tmp_path / "again") == hashes(archive[0])


def test_fewer_images_are_the_first_ones_and_another_seed_shares_none(archive, tmp_path):
    xray.write(tmp_path / "fewer", chest=9, shoulder=5, seed=7, **SMALL)
    xray.write(tmp_path / "other", chest=9, shoulder=5, seed=8, **SMALL)
    few, many = images_of(hashes(tmp_path / "fewer")), images_of(hashes(archive[0]))
    assert len(few) == 14
    assert few.items() <= many.items()
    assert not set(images_of(hashes(tmp_path / "other")).values()) & set(many.values())
    rows = pd.merge(sheet(tmp_path / "fewer"), sheet(archive[0]))
    assert len(rows) == 5


def test_chests_have_the_files_and_headers_of_nih(archive):
    root, counts = archive
    assert {p.name for p in (root / "chest").iterdir()} == {
        "images_001",
        "Data_Entry_2017.csv",
        "BBox_List_2017.csv",
        "train_val_list.txt",
        "test_list.txt",
    }
    header = (root / "chest" / "Data_Entry_2017.csv").read_text().splitlines()[0]
    assert header == ENTRY + ",OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    found, files = entries(root), sorted(p.name for p in (root / "chest" / "images_001" / "images").iterdir())
    assert list(found.index) == files
    assert len(files) == counts["chest"] == 60
    for name, row in found.iterrows():
        assert name == f"{int(row['Patient ID']):08d}_{int(row['Follow-up #']):03d}.png"
    assert found["Patient ID"].nunique() == counts["chest_patients"] < 60
    assert set(found["View Position"]) == {"PA", "AP"}
    assert set(found["Patient Gender"]) == {"M", "F"}
    assert found["Patient Age"].astype(int).between(18, 94).all()
    one = Image.open(root / "chest" / "images_001" / "images" / files[0])
    assert (one.size, one.mode) == ((64, 64), "L")


def test_lists_divide_patients(archive):
    lists = {
        name: (archive[0] / "chest" / name).read_text().split() for name in ("train_val_list.txt", "test_list.txt")
    }
    assert sorted([*lists["train_val_list.txt"], *lists["test_list.txt"]]) == list(entries(archive[0]).index)
    train, test = ({name[:8] for name in names} for names in lists.values())
    assert test
    assert not train & test


def test_a_person_of_many_pictures_stays_the_same_person(archive):
    for rows, column, about in (
        (entries(archive[0]), "Patient ID", ["Patient Age", "Patient Gender"]),
        (sheet(archive[0]), "patient", ["osteoporosis", "t_score", "bmd", "age", "sex", "bmi", "side"]),
    ):
        assert (rows.groupby(column)[about].nunique() == 1).all(axis=None)
        assert rows[column].duplicated().any()


def test_the_shoulders_sheet_agrees_with_the_who_and_the_images(archive):
    root, counts = archive
    rows = sheet(root)
    assert tuple(rows.columns) == xray_sheets.SHEET_COLUMNS
    assert ((rows.t_score <= -2.5) == (rows.osteoporosis == 1)).all()
    assert rows.bmd.to_numpy() == pytest.approx(0.858 + 0.120 * rows.t_score, abs=6e-4)
    assert set(rows["view"]) == {"external", "internal"}
    assert counts["osteoporosis"] == rows.osteoporosis.sum()
    assert {p.name for p in (root / "shoulder").iterdir()} == {"images", "shoulder.csv"}
    assert {f"images/{p.name}" for p in (root / "shoulder" / "images").iterdir()} == set(rows["path"])
    one = pixels(root / "shoulder" / rows["path"][0])
    assert one.shape == (64, 64)
    assert one.max() > 2**15  # 16 bits


def test_truth_lists_every_image_once(archive):
    truth = pd.read_csv(archive[0] / "truth.csv")
    assert set(truth.file) == set(images_of(hashes(archive[0])))
    assert truth.head_radius.notna().sum() == 40
    written = sheet(archive[0]).set_index("path").t_score
    shoulders = truth[truth.file.str.startswith("shoulder/")].set_index("file").t_score
    assert (shoulders.to_numpy() == written[shoulders.index.str.removeprefix("shoulder/")].to_numpy()).all()


def test_folders_of_chests_hold_5000_images(tmp_path):
    for first in (4999, 5000):
        xray.make_chests(tmp_path, 0, first, first, 1, size=64)
    assert [p.parent.parent.name for p in sorted(tmp_path.rglob("*.png"))] == ["images_001", "images_002"]


# ---------------------------------------------------------------- who is drawn
@pytest.mark.parametrize("share", [0.2, 0.4, 0.7])
def test_osteoporosis_has_the_share_asked_for(share):
    people = [xray_person.draw_person(0, xray_person.SHOULDER, n, osteoporosis=share) for n in range(1500)]
    assert np.mean([p.osteoporosis for p in people]) == pytest.approx(share, abs=0.04)  # 3 standard errors


def test_t_scores_fall_with_age_in_women_and_in_the_thin():
    people = [xray_person.draw_person(1, xray_person.CHEST, n) for n in range(3000)]
    score, age = np.array([p.t_score for p in people]), np.array([p.age for p in people])
    female, bmi = np.array([p.female for p in people]), np.array([p.bmi for p in people])
    assert score[age > 75].mean() < score[age < 45].mean() - 0.8
    assert score[female].mean() < score[~female].mean() - 0.25
    assert score[bmi > 30].mean() > score[bmi < 23].mean() + 0.2


# ---------------------------------------------------------------- shortcut, flaws, DICOM
def test_the_shortcut_follows_the_label_and_nothing_else_changes(archive, tmp_path):
    xray.write(tmp_path / "marked", chest=0, shoulder=200, seed=7, shortcut=True, **SMALL)
    rows = sheet(tmp_path / "marked")
    corner = {path: pixels(tmp_path / "marked" / "shoulder" / path)[55:61, 2:7] for path in rows["path"]}
    lead = 0.97 * 65535
    marked = np.array([np.isclose(corner[path][:, 1], lead, atol=2).all() for path in rows["path"]])
    assert np.mean(marked == (rows.osteoporosis == 1)) == pytest.approx(0.95, abs=0.05)
    plain = archive[0] / "shoulder"
    common = [p for p, m in zip(rows["path"], marked, strict=True) if not m and (plain / p).exists()]
    assert len(common) > 10
    assert all((plain / p).read_bytes() == (tmp_path / "marked" / "shoulder" / p).read_bytes() for p in common)


def test_without_asking_no_shortcut_is_there(archive):
    for path in sheet(archive[0])["path"]:
        corner = pixels(archive[0] / "shoulder" / path)[54:62, 2:8]
        assert not np.isclose(corner, 0.97 * 65535, atol=2).all(axis=0).any()


def test_dicom_holds_the_same_picture_in_twelve_bits(archive, tmp_path):
    xray.write(tmp_path / "dicom", chest=0, shoulder=4, seed=7, format="dicom", **SMALL)
    for path in sheet(tmp_path / "dicom")["path"]:
        dataset = pydicom.dcmread(tmp_path / "dicom" / "shoulder" / path)
        assert (dataset.Modality, dataset.PhotometricInterpretation, dataset.BitsStored) == ("CR", "MONOCHROME2", 12)
        assert dataset.PatientID == path.split("/")[1].split("_")[0]
        same = pixels(archive[0] / "shoulder" / path.replace(".dcm", ".png"))
        assert np.abs(dataset.pixel_array / 4095 - same / 65535).max() < 0.51 / 4095 + 0.51 / 65535


def test_every_flaw_is_listed_and_there(archive, flawed):
    root, at = flawed
    png = set(xray_flaws.FLAWS) - {"monochrome1"}
    assert set(at) == {("chest", flaw) for flaw in png} | {("shoulder", flaw) for flaw in xray_flaws.FLAWS}
    assert len(set(at.values())) == len(at)
    for kind, file in (("chest", at["chest", "truncated"]), ("shoulder", at["shoulder", "truncated"])):
        with pytest.raises((OSError, ValueError, AttributeError)):
            Image.open(root / file).load() if kind == "chest" else pydicom.dcmread(root / file).pixel_array
    assert not (root / at["chest", "absent"]).exists()
    assert not (root / at["shoulder", "absent"]).exists()
    for kind in ("chest", "shoulder"):
        copies = list(hashes(root / kind).values())
        assert copies.count(hashlib.sha256((root / at[kind, "duplicate"]).read_bytes()).hexdigest()) == 2


def test_flawed_rows(archive, flawed):
    root, at = flawed
    chest, shoulder = entries(root), sheet(root)
    name = {flaw: file.split("/")[-1] for (kind, flaw), file in at.items() if kind == "chest"}
    assert list(chest.index[chest["Patient Age"] == "414"]) == [name["age_414"]]
    assert name["unlisted"] not in chest.index
    assert (chest.loc[name["contradictory_row"], "Finding Labels"] == "Hernia").sum() == 1
    path = {flaw: file.removeprefix("shoulder/") for (kind, flaw), file in at.items() if kind == "shoulder"}
    assert sorted(shoulder[shoulder["path"] == path["contradictory_row"]].osteoporosis) == [0, 1]
    assert list(shoulder[shoulder.age == 414]["path"]) == [path["age_414"]]
    assert path["unlisted"] not in set(shoulder["path"])


def test_monochrome1_is_the_same_picture_stored_inverted(archive, flawed):
    root, at = flawed
    dataset = pydicom.dcmread(root / at["shoulder", "monochrome1"])
    assert dataset.PhotometricInterpretation == "MONOCHROME1"
    same = pixels(archive[0] / at["shoulder", "monochrome1"].replace(".dcm", ".png"))
    assert np.abs(1 - dataset.pixel_array / 4095 - same / 65535).max() < 0.51 / 4095 + 0.51 / 65535


# ---------------------------------------------------------------- asked wrongly, stopped, typed
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"chest": 0, "shoulder": 0}, "nothing to write"),
        ({"size": 32}, "--size 32: expected a whole number from 64 to 1024"),
        ({"osteoporosis": 1.0}, "--osteoporosis 1: expected a share"),
        ({"jobs": 0}, "--jobs 0"),
        ({"format": "tiff"}, "--format tiff: expected one of png, dicom"),
        ({"format": "dicom", "shoulder": 0}, "--format dicom is for shoulders"),
        ({"shortcut": True, "shoulder": 0}, "--shortcut puts a letter on shoulders"),
        ({"flaws": True, "chest": 3}, "--flaws needs at least 8 images of an archive; --chest is 3"),
    ],
)
def test_arguments_out_of_range(tmp_path, wrong, match):
    with pytest.raises(AskedWronglyError, match=match):
        xray.write(tmp_path / "out", **{"chest": 10, "shoulder": 10, **SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AskedWronglyError, match="not empty"):
        xray.write(tmp_path, chest=1, shoulder=0, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupt_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xray.write(tmp_path / "out", chest=4, shoulder=0, progress=stop, **SMALL)
    assert not list(tmp_path.iterdir())


def test_command_says_what_it_wrote(tmp_path):
    from medtf.cli import cli

    out = tmp_path / "new" / "xray"
    options = ["--chest", "9", "--shoulder", "10", "--size", "64", "--jobs", "1", "--flaws", "--shortcut"]
    result = CliRunner().invoke(cli, ["phantom", "xray", str(out), *options], catch_exceptions=False)
    assert result.exit_code == 0
    for word in ("9 chests of", "Effusion", "10 shoulders of", "osteoporosis", "flaws.csv", "gives osteoporosis away"):
        assert word in result.output
    assert f"wrote {out}: chest/, shoulder/, annotations/" in result.output
    assert "19 of 19 images" in result.output
