"""From a folder to a table that may be trained on."""

import factory
import numpy as np
import pytest

from medtf import prepare, table
from medtf.config import parse
from medtf.data import scan as scanning
from medtf.errors import AskedWronglyError, LeakError, MedtfError


def config(**data):
    return parse({"pipeline": "rsna_ich", "targets": {"any": "binary"}, "data": data})


@pytest.fixture
def archive(tmp_path):
    images = {f"ID_{n:03d}": {"patient": f"P{n // 3}", "any": int(n % 4 == 0)} for n in range(18)}
    return factory.rsna(tmp_path / "rsna", images, size=32)


def test_an_archive_becomes_folds(archive):
    said = []
    found, leaks = prepare.training_table(config(), archive, jobs=1, say=said.append)
    assert leaks == []
    assert len(found) == 18
    assert set(found.frame["fold"]) == {"train", "valid", "test"}
    assert found.frame["pixels"].str.len().eq(32).all()
    assert found.frame["any"].sum() == 5
    assert said == [
        "table: 18 examples of 6 patients, 0 files left out",
        "pixels: all decoded and hashed, all plausible",
    ]


def test_a_copy_under_another_patients_name_is_a_leak(archive):
    """The same picture under two patients: folds by patient do not help, the pixels tell."""
    made = prepare.index(config(), archive, jobs=1)
    factory.slice_of_head(archive / "stage_2_train/ID_000.dcm", size=32, seed=17, patient="P0")  # as ID_017 of P5
    path = table.save(
        made.with_frame(made.frame.assign(fold=["train"] * 9 + ["valid"] * 3 + ["test"] * 6)), archive / "t.parquet"
    )
    asked = config(table=str(path))
    with pytest.raises(LeakError, match="1 picture in both train and test"):
        prepare.training_table(asked, archive, jobs=1)
    _, leaks = prepare.training_table(asked, archive, jobs=1, allow_leaks=True)
    assert len(leaks) == 1


def test_garbage_is_left_out_by_the_pixel_pass(archive):
    rng = np.random.default_rng(0)
    factory.dicom(archive / "stage_2_train/ID_001.dcm", rng.integers(-30000, 30000, (32, 32)), patient="P0")
    said = []
    found, _ = prepare.training_table(config(), archive, jobs=1, say=said.append)
    assert len(found) == 17
    assert found.excluded["path"].tolist() == ["stage_2_train/ID_001.dcm"]
    assert "1 implausible and left out" in said[-1]


def test_a_large_table_is_told_what_the_pixel_pass_would_cost(archive):
    made = prepare.index(config(), archive, jobs=1)
    many = made.with_frame(made.frame.loc[made.frame.index.repeat(12)])
    path = table.save(many, archive / "t.parquet")
    said = []
    found, _ = prepare.training_table(config(table=str(path), check_pixels_up_to=100), archive, jobs=1, say=said.append)
    assert "pixels" not in found.frame
    assert "216 images, about 0 minutes on one core" in said[-1]


def test_pixel_pass_in_parallel_equals_serial(archive):
    made = prepare.index(config(), archive, jobs=1)
    many = made.with_frame(made.frame.loc[made.frame.index.repeat(12)])
    serial, parallel = (prepare.check_pixels(many, archive, jobs=n).frame["pixels"] for n in (1, 2))
    assert serial.tolist() == parallel.tolist()
    assert serial.nunique() == 18
    assert len(prepare.check_pixels(many.with_frame(many.frame[:0]), archive)) == 0


def test_what_is_refused(archive, tmp_path):
    with pytest.raises(MedtfError, match="away: no such folder"):
        prepare.training_table(config(), tmp_path / "away")
    with pytest.raises(AskedWronglyError, match="names nothing to learn"):
        prepare.training_table(parse({"pipeline": "rsna_ich"}), archive)
    (archive / "stage_2_train.csv").unlink()
    with pytest.raises(MedtfError, match="target 'any': no example has a label"):
        prepare.training_table(config(), archive, jobs=1)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    with pytest.raises(MedtfError, match="no file can be an example: 1 x not an image"):
        prepare.training_table(config(), tmp_path / "texts", jobs=1)


def test_folds_without_a_training_fold(archive):
    made = prepare.index(config(), archive, jobs=1)
    path = table.save(made.with_frame(made.frame.assign(fold="valid")), archive / "t.parquet")
    with pytest.raises(MedtfError, match="no train fold"):
        prepare.training_table(config(table=str(path)), archive, jobs=1)


def test_an_index_that_was_stopped_goes_on(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(scanning, "PART", 5)
    seen = []
    real = scanning.read_header
    monkeypatch.setattr(scanning, "read_header", lambda root, path: seen.append(path) or real(root, path))

    def progress(_):
        def report(done, whole):
            if done >= 10:
                raise KeyboardInterrupt

        return report

    with pytest.raises(KeyboardInterrupt):
        prepare.index(config(), archive, jobs=1, parts=tmp_path / "parts", progress=progress)
    first = len(seen)
    assert len(prepare.index(config(), archive, jobs=1, parts=tmp_path / "parts")) == 18
    assert len(seen) == 18
    assert 10 <= first < 18


def test_the_one_sheet_of_a_folder_is_found(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(6):
        factory.picture(tmp_path / f"{n}.png", rng.integers(0, 255, (16, 16)).astype(np.uint8))
    sheet = "path,patient,y\n" + "\n".join(f"{n}.png,p{n},{n % 2}" for n in range(6))
    (tmp_path / "labels.csv").write_text(sheet)
    asked = parse({"pipeline": "table", "targets": {"y": "binary"}})
    found, _ = prepare.training_table(asked, tmp_path, jobs=1)
    assert len(found) == 6
    (tmp_path / "more.csv").write_text(sheet)
    with pytest.raises(MedtfError, match=r"expected one sheet .* found 2"):
        prepare.training_table(asked, tmp_path, jobs=1)
