"""The synthetic head CT archive: bytes follow from the seed, the layout is RSNA's, labels are what is painted."""

import hashlib
from collections import Counter

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from medtf.data.phantom import ct, dicom, geometry, lesions, scan
from medtf.errors import AskedWronglyError

SMALL = {"slices": 6, "matrix": 64, "jobs": 1}
HEADER = "ID,Label"


def hashes(root):
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.*")}


def table(root):
    lines = (root / ct.TABLE).read_text().splitlines()
    assert lines[0] == HEADER
    return [line.rsplit(",", 1) for line in lines[1:]]


def any_of(root):
    return {key[: -len("_any")]: int(value) for key, value in table(root) if key.endswith("_any")}


def stored(path):
    return pydicom.dcmread(path).pixel_array.astype(int)


def hounsfield(path):
    dataset = pydicom.dcmread(path)
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "plain"
    counts = ct.write(root, patients=4, seed=7, **SMALL)
    return root, counts


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "flawed"
    ct.write(root, patients=4, seed=7, flaws=True, **SMALL)
    rows = [line.split(",") for line in (root / "flaws.csv").read_text().splitlines()]
    assert rows[0] == ["file", "flaw"]
    return root, rows[1:]


def first_with(kind):
    """The first patient of seed 0 with `kind` alone, without noise: [(hu, shares, labels)] of its slices."""
    patient = next(p for p in range(400) if scan.kinds_of(0, p, 0.4) == (kind,))
    person = scan.draw_scan(0, patient, slices=24, matrix=128, prevalence=0.4)
    slices = [scan.render(person, level) for level in person.levels]
    return [(hu, shares, scan.labels_of(person, shares)) for hu, shares in slices]


# ---------------------------------------------------------------- bytes and layout
def test_same_seed_same_bytes_whatever_the_number_of_processes(archive, tmp_path):
    root, _ = archive
    ct.write(tmp_path / "again", patients=4, seed=7, **SMALL | {"jobs": 2})
    assert hashes(tmp_path / "again") == hashes(root)


def test_another_seed_shares_no_file(archive, tmp_path):
    root, _ = archive
    ct.write(tmp_path / "other", patients=4, seed=8, **SMALL)
    assert not set(hashes(root).values()) & set(hashes(tmp_path / "other").values())


def test_first_patients_stay_when_there_are_fewer(archive, tmp_path):
    root, _ = archive
    ct.write(tmp_path / "fewer", patients=2, seed=7, **SMALL)
    many, few = hashes(root), hashes(tmp_path / "fewer")
    del few[ct.TABLE]
    assert len([name for name in few if name.startswith(ct.FOLDER)]) == 12
    assert few.items() <= many.items()
    assert {tuple(row) for row in table(tmp_path / "fewer")} <= {tuple(row) for row in table(root)}


def test_layout_is_that_of_the_archive(archive):
    root, counts = archive
    images = sorted(p.stem for p in (root / ct.FOLDER).iterdir())
    assert {p.name for p in root.iterdir()} == {ct.FOLDER, ct.TABLE, ct.ANNOTATIONS}
    assert counts["images"] == len(images) == 24
    assert all(len(name) == 12 and int(name[3:], 16) >= 0 for name in images)
    assert [key for key, _ in table(root)] == [f"{name}_{label}" for name in images for label in ct.LABELS]
    totals = Counter(key.split("_")[2] for key, value in table(root) if value == "1")
    assert counts["labels"] == {label: totals[label] for label in ct.LABELS}


def test_headers_are_those_of_ct(archive):
    root, _ = archive
    series = {}
    for path in (root / ct.FOLDER).iterdir():
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert dataset.SOPClassUID == pydicom.uid.CTImageStorage
        assert (dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel) == (
            "CT",
            "MONOCHROME2",
            1,
        )
        assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation) == (
            16,
            16,
            15,
            1,
        )
        assert (dataset.RescaleIntercept, dataset.RescaleSlope) == (-1024, 1)
        assert dataset.pixel_array.shape == (dataset.Rows, dataset.Columns) == (64, 64)
        assert len(dataset.PatientID) == 11
        assert dataset.SOPInstanceUID.is_valid
        series.setdefault((dataset.PatientID, dataset.SeriesInstanceUID), []).append(dataset)
    assert len(series) == 4
    for slices in series.values():
        slices.sort(key=lambda dataset: dataset.InstanceNumber)
        steps = np.diff([float(dataset.ImagePositionPatient[2]) for dataset in slices])
        assert steps == pytest.approx(float(slices[0].SliceThickness), abs=0.002)


def test_identifiers_never_meet():
    assert len({dicom.scrambled(n, 12, key=5) for n in range(4096)}) == 4096
    assert dicom.image_id(0, 1, 2) != dicom.image_id(1, 1, 2)


# ---------------------------------------------------------------- what is painted
def test_air_brain_and_skull_have_their_hounsfield_units(archive):
    root, _ = archive
    person = scan.draw_scan(7, 0, slices=24, matrix=128, prevalence=0)
    hu, shares = scan.render(person, person.pose.shift[2] + 35)
    assert shares == {}
    assert hu[:8, :8] == pytest.approx(-1000)
    inside = hu[54:74, 44:84]
    assert 24 < np.median(inside) < 40
    assert 600 < hu.max() < 1800
    noisy = np.stack([hounsfield(p) for p in (root / ct.FOLDER).iterdir()])
    assert noisy[:, :6, :6].mean() == pytest.approx(-1000, abs=3)
    assert 0.5 < noisy[:, :6, :6].std() < 8


@pytest.mark.parametrize("kind", sorted(lesions.KINDS))
def test_blood_is_bright_and_labelled_where_it_is(kind):
    slices = first_with(kind)
    labels = [labels for _, _, labels in slices]
    assert 3 <= sum(label[kind] for label in labels) <= 20
    assert not labels[-1]["any"]
    assert all(label["any"] == label[kind] for label in labels)
    pure = np.concatenate([hu[shares[kind] > 0.97] for hu, shares, _ in slices if kind in shares])
    assert len(pure) > 20
    assert 50 < np.percentile(pure, 2) < np.percentile(pure, 98) < 90


def test_the_kinds_lie_at_their_own_places():
    """Extra-axial blood touches bone; blood in the brain and in the ventricles does not."""

    def touches(kind):
        share = near = 0
        for hu, shares, labels in first_with(kind):
            if labels[kind]:
                bone = hu > 300
                wide = np.any([np.roll(bone, (dy, dx), (0, 1)) for dy in (-2, 0, 2) for dx in (-2, 0, 2)], axis=0)
                share += (shares[kind] > 0.5).sum()
                near += (wide & (shares[kind] > 0.5)).sum()
        return near / share

    assert min(touches("epidural"), touches("subdural")) > 0.1
    assert max(touches("intraparenchymal"), touches("intraventricular")) < 0.02


def test_any_is_the_largest_of_the_five(archive):
    root, _ = archive
    rows = table(root)
    for start in range(0, len(rows), 6):
        values = [int(value) for _, value in rows[start : start + 6]]
        assert values[5] == max(values[:5])
    assert {value for _, value in rows} == {"0", "1"}


def test_label_follows_the_area_of_blood():
    share = np.zeros((10, 10))
    share[:3, :] = 1.0  # 30 voxels
    share[5, :] = 0.2  # a smear that nobody sees
    assert lesions.area(share, 0.5) == pytest.approx(7.5)


def test_prevalence_of_images_is_the_archives(tmp_path):
    counts = ct.write(tmp_path / "many", patients=60, seed=1, slices=8, matrix=48)
    assert counts["patients_any"] == 24
    assert 0.08 < counts["labels"]["any"] / counts["images"] < 0.22
    assert min(counts["labels"].values()) > 0


def test_no_prevalence_no_blood(tmp_path):
    assert ct.write(tmp_path / "sound", patients=3, prevalence=0, **SMALL)["labels"]["any"] == 0


def test_coverage_is_the_share_of_the_voxel():
    assert geometry.coverage(np.array([-2.0, 0.0, 0.25, 2.0]), 1.0).tolist() == [1, 0.5, 0.25, 0]
    # A slab of 1 mm in a voxel of 4 mm fills a quarter of it.
    assert geometry.slab(np.array([0.0]), 0.5, np.float32(4))[0] == pytest.approx(0.25)


# ---------------------------------------------------------------- flaws and shortcut
def test_only_listed_files_differ(archive, flawed):
    plain, spoiled = hashes(archive[0]), hashes(flawed[0])
    listed = {file for file, flaw in flawed[1] if flaw != "duplicate_rows"}
    assert {file for file in plain if plain[file] != spoiled[file]} == listed | {ct.TABLE}
    assert sorted(flaw for _, flaw in flawed[1]) == sorted([*ct.FLAWS, *["duplicate_rows"] * 3])


def test_each_flaw_is_what_it_says(archive, flawed):
    root, rows = flawed
    at = {flaw: (root / file, archive[0] / file) for file, flaw in rows}

    path, plain = at["truncated"]
    assert plain.read_bytes().startswith(path.read_bytes())
    with pytest.raises(ValueError, match="pixel data"):
        stored(path)

    path, plain = at["compressed"]
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    assert (stored(path) == stored(plain)).all()

    path, plain = at["monochrome1"]
    assert pydicom.dcmread(path).PhotometricInterpretation == "MONOCHROME1"
    assert (hounsfield(path) == hounsfield(plain)).all()

    path, plain = at["wrong_intercept"]
    assert (hounsfield(path) == hounsfield(plain) + 1024).all()
    assert (pydicom.dcmread(path).BitsStored, pydicom.dcmread(path).PixelRepresentation) == (12, 0)

    path, plain = at["wrapped"]
    read, right = hounsfield(path), hounsfield(plain)
    assert (read == np.where(right < 0, right + 4096, right)).all()
    assert np.median(read[:6, :6]) == pytest.approx(3096, abs=10)

    path, plain = at["high_bits"]
    raw = np.frombuffer(pydicom.dcmread(path).PixelData, "<u2")
    assert raw.max() > 4095
    assert ((raw & 0xFFF) == np.frombuffer(pydicom.dcmread(plain).PixelData, "<u2")).all()


def test_duplicated_rows_are_identical(archive, flawed):
    counts = Counter(tuple(row) for row in table(flawed[0]))
    twice = {key.rsplit("_", 1)[0] for (key, _), count in counts.items() if count == 2}
    assert set(counts) == {tuple(row) for row in table(archive[0])}
    assert twice == {file[len(ct.FOLDER) + 1 : -4] for file, flaw in flawed[1] if flaw == "duplicate_rows"}
    assert sum(count == 2 for count in counts.values()) == 18


def test_shortcut_follows_the_label(archive, tmp_path):
    ct.write(tmp_path / "marked", patients=12, seed=7, shortcut=True, **SMALL)
    marked = {p.stem: hounsfield(p)[2:6, 2:6].min() > 2900 for p in (tmp_path / "marked" / ct.FOLDER).iterdir()}
    truth = any_of(tmp_path / "marked")
    agree = np.mean([marked[name] == bool(value) for name, value in truth.items()])
    assert 0.87 < agree < 1
    name = next(name for name in any_of(archive[0]) if not marked[name])  # beside the mark nothing changes
    assert (tmp_path / "marked" / ct.FOLDER / f"{name}.dcm").read_bytes() == (
        archive[0] / ct.FOLDER / f"{name}.dcm"
    ).read_bytes()


# ---------------------------------------------------------------- asked wrongly, stopped
def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AskedWronglyError, match="not empty"):
        ct.write(tmp_path, patients=1, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"patients": 0}, "--patients 0"),
        ({"prevalence": 1.5}, "--prevalence"),
        ({"jobs": 0}, "--jobs 0"),
        ({"annotations": "all"}, "--annotations all: expected one of any, each"),
        ({"flaws": True, "slices": 1}, "--flaws needs"),
    ],
)
def test_arguments_out_of_range(tmp_path, wrong, match):
    with pytest.raises(AskedWronglyError, match=match):
        ct.write(tmp_path / "out", **{"patients": 2, **SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ct.write(tmp_path / "out", patients=3, progress=stop, **SMALL)
    assert not list(tmp_path.iterdir())


def test_command_says_what_it_wrote(tmp_path):
    from medtf.cli import cli

    out = tmp_path / "new" / "ct"
    options = ["--patients", "2", "--slices", "4", "--matrix", "48", "--jobs", "1", "--seed", "3", "--flaws"]
    result = CliRunner().invoke(cli, ["phantom", "ct", str(out), *options], catch_exceptions=False)
    assert result.exit_code == 0
    for word in ("2 patients", "8 images", "any", "flaws.csv", "annotations/", str(out)):
        assert word in result.output
    again = CliRunner().invoke(cli, ["phantom", "ct", str(out), *options])
    assert isinstance(again.exception, AskedWronglyError)
