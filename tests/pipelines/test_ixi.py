"""IXI's names and sheet, a hospital's folders and sheet, and what neither says: unknown, with its reason, and never guessed."""

import factory
import numpy as np
import pandas as pd
import pytest
from medtf.pipelines import ixi

from medtf import prepare, split
from medtf.config import load, parse
from medtf.errors import AskedWronglyError, MedtfError
from medtf.salt import pseudonym, secret

SEX = "SEX_ID (1=m, 2=f)"
BOTH = {"age": "regression", "sex": {"binary": {"positive": "M", "negative": "F"}}}


def volume(path):
    return factory.nifti(path, np.arange(60).reshape(3, 4, 5))


def ask(targets=(), **columns):
    raw = {"pipeline": "ixi", "targets": dict(targets), "data": {"columns": columns}, "input": {"size": 8}}
    return parse(raw | {"model": {"name": "cnn3d"}})


def examples(root, targets=(), **columns):
    return ixi.examples(root, ask(targets, **columns))


def by_person(found, *ids):
    """The rows of people, by the number in their file's name."""
    frame = found.frame.set_index("patient")
    return frame.loc[[pseudonym(str(i), secret()) for i in ids]]


@pytest.fixture
def archive(tmp_path):
    """Five people: 2 and 12 have T1 and MRA, 33 only an MRA, 48 has no row; 99 has rows and no volume."""
    for name in ("IXI002-Guys-0828", "IXI012-HH-1211", "IXI048-IOP-0900"):
        volume(tmp_path / "IXI-T1" / f"{name}-T1.nii.gz")
    for name in ("IXI002-Guys-0828", "IXI012-HH-1211", "IXI033-HH-1259"):
        volume(tmp_path / "IXI-MRA" / f"{name}-MRA.nii.gz")
    volume(tmp_path / "IXI-mask" / "IXI002-Guys-0828-mask.nii.gz")
    sheet(tmp_path, (2, 2, 35.8), (12, 1, 38.78), (33, 2, 61.5), (99, 1, 20.0))
    return tmp_path


def sheet(root, *rows, name="IXI.xlsx"):
    rows = [{"IXI_ID": i, SEX: s, "HEIGHT": 170, "AGE": a, "STUDY_DATE": "2005-11-25"} for i, s, a in rows]
    frame = pd.DataFrame(rows)
    frame.to_excel(root / name, index=False) if name.endswith("x") else frame.to_csv(root / name, index=False)


# === IXI ===


def test_names_sites_sequences_and_labels(archive):
    found = examples(archive)
    assert found.frame["path"].tolist() == [
        "IXI-MRA/IXI002-Guys-0828-MRA.nii.gz", "IXI-MRA/IXI012-HH-1211-MRA.nii.gz", "IXI-MRA/IXI033-HH-1259-MRA.nii.gz",
        "IXI-T1/IXI002-Guys-0828-T1.nii.gz", "IXI-T1/IXI012-HH-1211-T1.nii.gz", "IXI-T1/IXI048-IOP-0900-T1.nii.gz",
    ]  # fmt: skip
    assert found.frame["sequence"].tolist() == ["MRA"] * 3 + ["T1"] * 3
    assert found.frame["site"].tolist() == ["Guys", "HH", "HH", "Guys", "HH", "IOP"]
    assert found.frame["sex"].tolist() == ["F", "M", "F", "F", "M", ""]
    np.testing.assert_array_equal(found.frame["age"], [35.8, 38.78, 61.5, 35.8, 38.78, np.nan])
    assert found.frame["patient"].nunique() == 4
    assert not found.frame.astype(str).apply(lambda c: c.str.fullmatch(r"(IXI)?0*(2|12|33|48)")).any(axis=None)
    assert (found.frame["read_kind"] == "nifti_gz").all()
    assert len(found.excluded) == 0  # masks are no files that were left out
    assert found.meta["label_file"] == "IXI.xlsx"
    assert found.meta["notes"] == [
        "volumes without a row in IXI.xlsx: 1: kept, with age and sex unknown",
        "people of IXI.xlsx without a volume: 1",
    ]


def test_with_targets_who_has_none_of_them_is_left_out(archive):
    sheet(archive, (2, 2, 35.8), (12, 1, None), (33, 2, 61.5))
    found = examples(archive, {"age": "regression"})
    assert found.reasons() == {"IXI.xlsx gives this person no age": 2, "no row in IXI.xlsx": 1}
    assert found.frame["age"].notna().all()
    both = examples(archive, BOTH)  # 12 has a sex: half a label is a label
    assert both.reasons() == {"no row in IXI.xlsx": 1}
    assert by_person(both, 12)["sex"].tolist() == ["M", "M"]
    assert by_person(both, 12)["age"].isna().all()


def test_ages_that_disagree_are_unknown_not_averaged_not_chosen(archive):
    sheet(archive, (2, 2, 35.8), (2, 2, 53.8), (12, 1, 38.78), (12, 1, 38.78), (33, 2, 61.5), (33, 1, 61.5))
    found = examples(archive)
    assert by_person(found, 2)["age"].isna().all()
    assert by_person(found, 2)["sex"].tolist() == ["F", "F"]  # on which the rows agree
    assert by_person(found, 12)["age"].tolist() == [38.78] * 2
    assert by_person(found, 33)["sex"].tolist() == [""]
    assert by_person(found, 33)["age"].tolist() == [61.5]
    notes = "\n".join(found.meta["notes"])
    assert "people with different ages in IXI.xlsx: 1: unknown" in notes
    assert "people with different sexes in IXI.xlsx: 1: unknown" in notes
    assert "1 rows of IXI.xlsx repeat another: taken once" in notes
    assert "rows of IXI.xlsx give this person different ages" in examples(archive, {"age": "regression"}).reasons()


def test_a_row_that_fills_the_gap_of_another_does_not_contradict_it(archive):
    sheet(archive, (2, 2, None), (2, 2, 35.8), (12, 1, 38.78))
    assert by_person(examples(archive), 2)["age"].tolist() == [35.8] * 2


@pytest.mark.parametrize("age", [0, -1, 150, "unknown"])
def test_an_age_that_cannot_be_is_unknown(archive, age):
    sheet(archive, (2, 2, age), (12, 3, 38.78))
    found = examples(archive)
    assert by_person(found, 2)["age"].isna().all()
    assert by_person(found, 12)["sex"].tolist() == ["", ""]
    assert f"ages that are not years: 1, such as '{age}': unknown" in found.meta["notes"]
    assert "sexes that are not M or F: 1, such as '3': unknown" in found.meta["notes"]


def test_numbers_for_sex_are_read_only_where_the_column_explains_them(archive):
    (archive / "IXI.xlsx").unlink()
    (archive / "ages.csv").write_text("id,age,sex\nIXI002,35.8,1\nIXI012-HH-1211-T1,38.78,male\n")
    found = examples(archive)
    assert by_person(found, 2)["sex"].tolist() == ["", ""]
    assert by_person(found, 12)["sex"].tolist() == ["M", "M"]


def test_files_that_are_no_examples(archive):
    for name in ("IXI012-HH-1211-T2.nii.gz", "IXI012-HH-1211-DTI-00.nii.gz", "brain.nii.gz"):
        volume(archive / name)
    volume(archive / "copy" / "IXI002-Guys-0828-T1.nii")
    (archive / "IXI-T1" / "IXI060-HH-1300-T1.nii.gz").write_bytes(b"\x1f\x8b\x08\x00rubbish")
    (archive / "notes.txt").write_text("x")
    found = examples(archive)
    reasons = found.excluded.set_index("path")["reason"]
    assert reasons["IXI012-HH-1211-T2.nii.gz"] == "neither T1 nor MRA (TOF), by its name"
    assert reasons["brain.nii.gz"].startswith("named neither as IXI's volumes")
    assert reasons["IXI012-HH-1211-DTI-00.nii.gz"].startswith("named neither as IXI's volumes")
    for path in (
        "copy/IXI002-Guys-0828-T1.nii",
        "IXI-T1/IXI002-Guys-0828-T1.nii.gz",
    ):  # which of the two is not guessed
        assert reasons[path].startswith("one of several volumes of this person and sequence")
    assert "gzip" in reasons["IXI-T1/IXI060-HH-1300-T1.nii.gz"]
    assert len(found) == 5
    assert "notes.txt" not in reasons


def test_without_a_sheet_labels_are_unknown(archive):
    (archive / "IXI.xlsx").unlink()
    found = examples(archive)
    assert len(found) == 6
    assert found.meta["label_file"] is None
    assert (found.frame["sex"] == "").all()


# === A hospital ===


def test_a_hospitals_folders(tmp_path):
    for subject in ("P0000017", "007", "Maskell"):
        volume(tmp_path / subject / "3D_T1_reg_PD_brain.nii.gz")
        volume(tmp_path / subject / "3D_TOF_reg_PD_bin.nii.gz")
        volume(tmp_path / subject / "brain_mask.nii.gz")
    rows = {"subject": ["P0000017", "007", "Maskell"], "age": [50, 61.5, 70], "sex": ["M", "f", "female"]}
    pd.DataFrame(rows).to_excel(tmp_path / "subjects.xlsx", index=False)
    (tmp_path / "truth.csv").write_text("id,age\nP0000017,1\n")
    found = examples(tmp_path)
    assert len(found) == 6
    assert len(found.excluded) == 0
    assert by_person(found, "7", "P0000017")["age"].tolist() == [61.5, 61.5, 50, 50]
    assert by_person(found, "Maskell")["sequence"].tolist() == ["T1", "MRA"]
    assert by_person(found, "Maskell", "7")["sex"].tolist() == ["F"] * 4
    assert (found.frame["site"] == "").all()


def test_names_of_ones_own(tmp_path):
    for subject in ("a", "b"):
        for name in ("3D_T1_brain.nii.gz", "3D_T1_head.nii.gz", "vessels.nii.gz"):
            volume(tmp_path / subject / name)
    (tmp_path / "one.csv").write_text("Code,Age at scan,Gender,Scanner\na,50,M,X\nb,60,F,Y\n")
    (tmp_path / "two.csv").write_text("x\n1\n")
    with pytest.raises(MedtfError, match=r"found one.csv, two.csv; name the right one: data.columns: {sheet: one.csv}"):
        examples(tmp_path)
    with pytest.raises(
        AskedWronglyError, match=r"one.csv: no column for patient .say where it is: data.columns: {patient: ...}"
    ):
        examples(tmp_path, sheet="one.csv")
    with pytest.raises(AskedWronglyError, match="no column 'Ag' for age"):
        examples(tmp_path, sheet="one.csv", patient="Code", age="Ag")
    where = {"sheet": "one.csv", "patient": "Code", "age": "Age at scan", "site": "Scanner", "device": "{Scanner}1"}
    twice = examples(tmp_path, **where)
    assert sum(reason.startswith("one of several volumes") for reason in twice.excluded["reason"]) == 4
    found = examples(tmp_path, **where, T1="*_brain.nii.gz", MRA="vessels*")
    assert found.frame["path"].tolist() == [
        "a/3D_T1_brain.nii.gz",
        "a/vessels.nii.gz",
        "b/3D_T1_brain.nii.gz",
        "b/vessels.nii.gz",
    ]
    assert found.frame["site"].tolist() == ["X", "X", "Y", "Y"]
    assert found.frame["device"].tolist() == ["X1", "X1", "Y1", "Y1"]
    assert found.frame["sequence"].tolist() == ["T1", "MRA"] * 2


def test_a_folder_without_volumes(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(MedtfError, match=r"no volumes: expected IXI012-HH-1211-T1.nii.gz"):
        examples(tmp_path)


# === T1 against TOF ===


def test_the_configs_of_t1_and_tof_give_the_same_people_the_same_folds(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(40):
        name = f"IXI{k:03d}-{('Guys', 'HH', 'IOP')[k % 3]}-{k:04d}"
        for sequence in [s for s in ("T1", "MRA") if rng.random() < 0.85]:
            volume(tmp_path / f"{name}-{sequence}.nii.gz")
    sheet(tmp_path, *[(k, 1 + k % 2, float(20 + k)) for k in range(40)], name="IXI.csv")
    folds = {}
    for name in ("ixi_age", "ixi_age_tof"):
        config = load(name)
        found = split.assign(prepare.index(config, tmp_path, jobs=1), config.data.split, config.targets)
        folds[name] = split.select(found, config.data.select).frame.set_index("patient")["fold"]
    t1, tof = folds.values()
    both = t1.index.intersection(tof.index)
    assert 15 < len(both) < min(len(t1), len(tof))
    assert (t1[both] == tof[both]).all()


def test_the_configs_differ_in_nothing_that_decides_the_folds():
    assert load("ixi_age").data.split == load("ixi_age_tof").data.split
    assert load("ixi_age").targets == load("ixi_age_tof").targets


# === Real files ===


def test_two_volumes_and_291_people_of_ixi(shared):
    """Neither of the two volumes is among the 291 people whose ages the sheet knows."""
    found = ixi.examples(shared / "mri/ixi", ask())
    assert found.frame["path"].tolist() == ["IXI012-HH-1211_T1.nii.gz", "IXI015-HH-1258_T1.nii.gz"]
    assert found.frame["patient"].tolist() == [pseudonym("12", secret()), pseudonym("15", secret())]
    assert found.frame["site"].tolist() == ["HH", "HH"]
    assert found.frame["sequence"].tolist() == ["T1", "T1"]
    assert found.frame["age"].isna().all()
    assert "people of IXI_demog.csv without a volume: 291" in found.meta["notes"]
    with pytest.raises(MedtfError, match=r"no file can be an example: 2 x no row in IXI_demog.csv"):
        prepare.index(load("ixi_age"), shared / "mri/ixi", jobs=1)


def test_ages_of_ixis_people(shared, tmp_path):
    (tmp_path / "IXI_demog.csv").write_bytes((shared / "mri/ixi/IXI_demog.csv").read_bytes())
    for name in ("IXI013-HH-1212-T1.nii.gz", "IXI028-Guys-1038-T1.nii.gz"):
        volume(tmp_path / name)
    frame = examples(tmp_path, BOTH).frame
    assert frame["age"].tolist() == [46.71, 74.03]
    assert frame["sex"].tolist() == ["M", "M"]
