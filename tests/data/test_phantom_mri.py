"""The synthetic MRI archive: bytes follow from the seed, the layout is IXI's, images hold what the truth says."""

import gzip
import hashlib

import nibabel
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from medtf.data.phantom import mri, mri_flaws
from medtf.errors import AskedWronglyError

SMALL = {"spacing": 6, "jobs": 1, "missing": 0}


def hashes(root):
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.*")}


def table(root):
    return pd.read_csv(root / mri.TRUTH).set_index("id")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "plain"
    return root, mri.write(root, people=15, seed=7, **SMALL | {"jobs": 2})


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "flawed"
    mri.write(root, people=15, seed=7, flaws=True, **SMALL | {"jobs": 2})
    rows = pd.read_csv(root / "flaws.csv")
    return root, dict(zip(rows.flaw, rows.file, strict=True))


# ---------------------------------------------------------------- bytes and layout
def test_same_seed_same_bytes_whatever_the_number_of_processes(tmp_path):
    for jobs in (1, 2):
        mri.write(tmp_path / str(jobs), people=2, seed=7, **SMALL | {"jobs": jobs})
    assert len(hashes(tmp_path / "1")) == 12
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_fewer_people_are_the_first_ones_and_another_seed_shares_no_image(archive, tmp_path):
    mri.write(tmp_path / "fewer", people=1, seed=7, **SMALL)
    mri.write(tmp_path / "other", people=1, seed=8, **SMALL)
    images = {k: v for k, v in hashes(tmp_path / "fewer").items() if k.endswith(".gz")}
    assert len(images) == 5
    assert images.items() <= hashes(archive[0]).items()
    assert not set(hashes(tmp_path / "other").values()) & set(hashes(archive[0]).values())


def test_layout_is_ixis(archive):
    root, counts = archive
    assert {p.name for p in root.iterdir()} == {"IXI-T1", "IXI-MRA", "IXI-mask", "IXI.xlsx", "truth.csv", "annotations"}
    assert counts["T1"] == counts["MRA"] == 15
    assert counts["sites"] == {"Guys": 8, "HH": 5, "IOP": 2}
    truth, sheet = table(root), pd.read_excel(root / "IXI.xlsx").set_index("IXI_ID")
    assert list(sheet.columns[:3]) == ["SEX_ID (1=m, 2=f)", "HEIGHT", "WEIGHT"]
    for name, row in truth.iterrows():
        number, site, scan = name[3:].split("-")
        assert (len(number), site, len(scan)) == (3, row.site, 4)
        assert sheet.loc[int(number), "AGE"] == row.age
        assert sheet.loc[int(number), "SEX_ID (1=m, 2=f)"] == {"M": 1, "F": 2}[row.sex]
        for file in (f"IXI-T1/{name}-T1", f"IXI-MRA/{name}-MRA", f"IXI-mask/{name}-mask", f"IXI-mask/{name}-MRA-mask"):
            assert (root / f"{file}.nii.gz").is_file()


def test_sites_differ_in_grid_orientation_and_storage(archive):
    found = {}
    for path in (archive[0] / "IXI-T1").iterdir():
        image = nibabel.load(path)
        slope = image.dataobj.slope
        found[path.name.split("-")[1]] = ("".join(nibabel.aff2axcodes(image.affine)), image.shape, slope)
    assert {site: axes for site, (axes, _, _) in found.items()} == {"Guys": "PSR", "HH": "LPS", "IOP": "RAS"}
    assert len({shape for _, shape, _ in found.values()}) == 3
    assert found["IOP"][2] == 0.125
    assert found["Guys"][2] == 1


def test_every_volume_loads_and_its_mask_lies_on_its_grid(archive):
    for path in [*(archive[0] / "IXI-T1").iterdir(), *(archive[0] / "IXI-MRA").iterdir()]:
        name = path.name.replace("-T1.nii", "-mask.nii").replace("-MRA.nii", "-MRA-mask.nii")
        image, mask = nibabel.load(path), nibabel.load(archive[0] / "IXI-mask" / name)
        assert image.shape == mask.shape
        assert (image.affine == mask.affine).all()
        assert image.get_qform() == pytest.approx(image.get_sform(), abs=1e-3)
        values, inside = image.get_fdata(), np.asanyarray(mask.dataobj).astype(bool)
        assert (values[~inside] == 0).all()
        assert values[inside].mean() > 10 * image.dataobj.slope


def test_mask_files_hold_the_intracranial_volume(archive):
    truth = table(archive[0])
    for name, row in truth.iterrows():
        mask = nibabel.load(archive[0] / "IXI-mask" / f"{name}-mask.nii.gz")
        ml = np.asanyarray(mask.dataobj).sum() * abs(np.linalg.det(mask.affine)) / 1000
        assert ml == pytest.approx(row.intracranial_ml, rel=0.04)


def test_ventricles_are_annotated_on_the_grid_of_the_t1(archive):
    root, truth = archive[0], table(archive[0])
    ml = []
    for name in truth.index:
        image = nibabel.load(root / "IXI-T1" / f"{name}-T1.nii.gz")
        mask = nibabel.load(root / "annotations" / "ventricles" / f"{name}-T1_mask.nii.gz")
        brain = nibabel.load(root / "IXI-mask" / f"{name}-mask.nii.gz")
        assert mask.shape == image.shape
        assert (mask.affine == image.affine).all()
        inside = np.asanyarray(mask.dataobj) > 0
        assert not (inside & (np.asanyarray(brain.dataobj) == 0)).any()
        ml.append(inside.sum() * abs(np.linalg.det(mask.affine)) / 1000)
    # voxels of 6 mm miss the thin ends: not the volume, but its order is that of the truth
    assert np.corrcoef(ml, truth.ventricle_ml)[0, 1] > 0.9


def test_the_pipeline_does_not_take_ventricles_for_images(archive):
    from medtf import config, pipeline

    found = pipeline.find("ixi").examples(archive[0], config.load("ixi_age"))
    assert len(found) == 30
    assert not found.excluded["path"].str.contains("annotations").any()


def test_some_people_lack_an_image_but_never_both():
    kinds = [mri.has(0, number, 0.05) for number in range(2000)]
    assert 0.93 < np.mean(["T1" in k for k in kinds]) < 0.97
    assert 0.93 < np.mean(["MRA" in k for k in kinds]) < 0.97
    assert min(len(k) for k in kinds) == 1
    assert all(len(mri.has(0, number, 0.5)) > 0 for number in range(50))


def test_hospital_layout_has_one_grid_for_both(tmp_path):
    counts = mri.write(tmp_path / "out", people=2, seed=1, layout="hospital", **SMALL)
    sheet = pd.read_excel(tmp_path / "out" / "subjects.xlsx")
    assert list(sheet.columns) == ["subject", "age", "sex"]
    assert counts["T1"] == counts["MRA"] == 2
    for subject in sheet.subject:
        folder = tmp_path / "out" / subject
        names = ("3D_T1_reg_PD_brain", "3D_TOF_reg_PD_bin", "brain_mask")
        t1, tof, mask = (nibabel.load(folder / f"{name}.nii.gz") for name in names)
        assert (t1.affine == tof.affine).all()
        assert (t1.affine == mask.affine).all()
        assert t1.shape == tof.shape == mask.shape
        assert (tof.get_fdata() > 0).sum() < 0.8 * (t1.get_fdata() > 0).sum()  # TOF is a slab


# ---------------------------------------------------------------- flaws
def test_every_flaw_is_listed_once_and_only_listed_files_differ(archive, flawed):
    root, at = flawed
    plain, spoiled = hashes(archive[0]), hashes(root)
    assert sorted(at) == sorted(mri_flaws.FLAWS)
    gone = set(plain) - set(spoiled)
    assert {name.split("-")[0] for name in gone} == {"IXI"}
    assert len(gone) == 4
    changed = {name for name in plain if name in spoiled and plain[name] != spoiled[name]}
    assert changed == {file for file in at.values() if not file.startswith("row")} | {"IXI.xlsx"}


def test_each_flaw_of_a_file_is_what_it_says(flawed):
    root, at = flawed

    def load(flaw):
        image = nibabel.load(root / at[flaw])
        mask = nibabel.load(root / at[flaw].replace("IXI-T1", "IXI-mask").replace("-T1.nii", "-mask.nii"))
        return (
            image,
            nibabel.as_closest_canonical(image).get_fdata(),
            nibabel.as_closest_canonical(mask).get_fdata() > 0,
        )

    _, values, mask = load("cut_off")
    top = np.flatnonzero(mask.any((0, 1)))
    filled = np.flatnonzero(values.any((0, 1)))
    assert filled[0] == top[0]
    assert 0.6 < len(filled) / len(top) < 0.72

    assert not load("empty")[1].any()
    _, values, mask = load("eyes")
    assert ((values > 0) & ~mask).sum() * 6**3 > 10_000  # mm3: eyeballs and their fat
    assert (nibabel.load(root / at["wrong_affine"]).affine == np.eye(4)).all()
    _, values, mask = load("nan_voxel")
    assert np.isnan(values).sum() == 1
    assert mask[np.isnan(values)].all()
    assert nibabel.load(root / at["four_d"]).shape[3:] == (2,)
    with pytest.raises(EOFError):
        gzip.decompress((root / at["truncated"]).read_bytes())


def test_each_flaw_of_the_sheet_is_what_it_says(flawed):
    root, at = flawed
    sheet = pd.read_excel(root / "IXI.xlsx")
    number = {flaw: int(at[flaw].split()[1]) for flaw in ("duplicate_row", "missing_age", "no_row", "no_image")}
    twice = sheet[sheet.IXI_ID.eq(number["duplicate_row"])]
    assert len(twice) == 2
    assert abs(twice.AGE.diff().iloc[1]) == pytest.approx(17)
    assert sheet[sheet.IXI_ID.eq(number["missing_age"])].AGE.isna().all()
    assert number["no_row"] not in set(sheet.IXI_ID)
    assert list((root / "IXI-T1").glob(f"IXI{number['no_row']:03d}-*"))
    assert number["no_image"] in set(sheet.IXI_ID)
    assert not list(root.glob(f"*/IXI{number['no_image']:03d}-*"))


# ---------------------------------------------------------------- asked wrongly, stopped
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"people": 0}, "--people 0"),
        ({"spacing": 0.1}, "--spacing 0.1"),
        ({"missing": 0.9}, "--missing 0.9"),
        ({"jobs": 0}, "--jobs 0"),
        ({"layout": "adni"}, "--layout adni"),
        ({"layout": "hospital", "skull": True}, "skull-stripped"),
        ({"flaws": True}, "--flaws needs"),
    ],
)
def test_arguments_out_of_range(tmp_path, wrong, match):
    with pytest.raises(AskedWronglyError, match=match):
        mri.write(tmp_path / "out", **{"people": 2, **SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mri.write(tmp_path / "out", people=2, progress=stop, **SMALL)
    assert not list(tmp_path.iterdir())


def test_command_says_what_it_wrote(tmp_path):
    from medtf.cli import cli

    out = tmp_path / "new" / "mri"
    options = ["--people", "2", "--spacing", "8", "--jobs", "1", "--seed", "3"]
    result = CliRunner().invoke(cli, ["phantom", "mri", str(out), *options], catch_exceptions=False)
    assert result.exit_code == 0
    for word in ("2 people", "Guys 1", "IXI.xlsx", str(out)):
        assert word in result.output
    again = CliRunner().invoke(cli, ["phantom", "mri", str(out), *options])
    assert isinstance(again.exception, AskedWronglyError)
