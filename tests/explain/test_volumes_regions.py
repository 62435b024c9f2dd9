"""Heat by region: ratios worked out by hand, label volumes on other grids, and what is said of those that cannot be used."""

import json

import factory
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medtf import config as configs
from medtf import pipeline
from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain.runs import region_files, region_labels, region_numbers, regions, volumes
from medtf.explain.runs.cases import Case
from medtf.explain.runs.subject import Subject
from medtf.explain.runs.volumes import Together

SHAPE = (8, 8, 8)
AFFINE = np.diag([-2.0, -2.0, 2.0, 1.0])  # LPS
SEXES = ["F", "M"]


def labelled():
    """Region 3 is half of region 7, and both are half of the volume: int (x, y, z) in the file's axes."""
    values = np.zeros(SHAPE, int)
    values[:, :, :4] = 7
    values[:4, :4, :4] = 3
    values[4:, :4, :4] = 0
    return values


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def subject_of(folder, people=2, **how) -> Subject:
    raw = {
        "pipeline": "table",
        "targets": {"age": "regression"},
        "model": {"name": "cnn3d"},
        "evaluate": {"replicates": 200},
    }
    config = configs.parse(raw | {"input": {"size": [8, 8, 8]} | how})
    rows = []
    for i in range(people):
        factory.nifti(folder / "t1" / f"S{i}_T1.nii.gz", np.arange(512).reshape(SHAPE), affine=AFFINE)
        rows.append((f"t1/S{i}_T1.nii.gz", f"p{i}", 50.0 + i, SEXES[i % 2]))
    pd.DataFrame(rows, columns=["path", "patient", "age", "sex"]).to_csv(folder / "sheet.csv", index=False)
    table = pipeline.find("table").examples(folder / "sheet.csv", config)
    table = table.with_frame(table.frame.assign(row=np.arange(len(table))).reset_index(drop=True))
    return Subject(None, config, None, folder, table, None)


def case_of(subject, number, shape=SHAPE) -> Case:
    patient = subject.table.frame["patient"].iloc[number]
    return Case(
        number,
        number,
        patient,
        np.zeros((*shape, 1), np.float32),
        np.zeros((1, *shape, 1)),
        np.zeros((1, 3), int),
        np.ones(1),
    )


def ras(values):
    """From the file's axes (LPS) to RAS+."""
    return values[::-1, ::-1]


def heat_of(in_3, in_7, outside=0.0):
    values = labelled()
    return ras(np.where(values == 3, in_3, np.where(values == 7, in_7, outside))).astype(np.float32)


def write_labels(subject, values=None, *, end="_DLMUSE", affine=AFFINE, **how):
    for path in subject.table.frame["path"]:
        name = path.split("/")[-1].replace(".nii.gz", f"{end}.nii.gz")
        factory.nifti(subject.root / "labels" / name, labelled() if values is None else values, affine=affine, **how)
    return subject.root / "labels"


def by_index(found):
    return {one["index"]: one for one in found["regions"]}


def test_ratio_share_and_volume_are_those_worked_out_by_hand(folder):
    """Region 3 has 64 voxels, region 7 has 128; heat 0.8 and 0.2: their mean is 76.8 / 192 = 0.4, so the ratios are 2 and 0.5."""
    subject = subject_of(folder)
    heats = [(case_of(subject, i), heat_of(0.8, 0.2, 0.05)) for i in range(2)]
    found = regions.table(subject, heats, write_labels(subject))
    of = by_index(found)
    assert [one["index"] for one in found["regions"]] == [3, 7]  # the hottest first
    assert of[3]["ratio"]["value"] == pytest.approx(2.0)
    assert of[7]["ratio"]["value"] == pytest.approx(0.5)
    assert of[3]["ml"] == pytest.approx(64 * 8 / 1000)
    assert of[7]["ml"] == pytest.approx(128 * 8 / 1000)
    total = 64 * 0.8 + 128 * 0.2 + 320 * 0.05
    assert of[3]["share"]["value"] == pytest.approx(64 * 0.8 / total, rel=1e-5)
    assert found["outside"]["value"] == pytest.approx(320 * 0.05 / total, rel=1e-5)
    assert (found["people"], of[3]["people"], of[3]["shown"]) == (2, 2, 1.0)


def test_only_what_the_network_was_shown_counts(folder):
    subject = subject_of(folder, people=1)
    case = case_of(subject, 0)
    case.image[:, :, 2:] = np.nan  # half of each region
    heat = np.where(np.isnan(case.image[..., 0]), 0, heat_of(0.8, 0.2))
    of = by_index(regions.table(subject, [(case, heat)], write_labels(subject)))
    assert of[3]["ratio"]["value"] == pytest.approx(2.0)
    assert of[3]["shown"] == pytest.approx(0.5)
    assert of[3]["ml"] == pytest.approx(64 * 8 / 1000)  # of the whole region


@pytest.mark.parametrize("spacing", [None, 4.0])
def test_labels_on_another_grid_of_the_same_world_say_the_same(folder, spacing):
    """The labels twice as fine, in RAS, and shifted to the same corner."""
    subject = subject_of(folder, spacing_mm=spacing, pad=True)
    fine = ras(labelled()).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -2 * 7 - 0.5, -2 * 7 - 0.5, -0.5  # the outer faces are the image's
    folders = [
        write_labels(subject),
        write_labels(subject_of(folder / "fine", spacing_mm=spacing, pad=True), fine, affine=affine),
    ]
    shape = SHAPE if spacing is None else (4, 4, 4)
    heat = heat_of(0.8, 0.2) if spacing is None else np.random.default_rng(0).random(shape)
    found = [
        by_index(regions.table(subject, [(case_of(subject, i, shape), heat) for i in range(2)], one)) for one in folders
    ]
    for index in (3, 7):
        assert found[1][index]["ml"] == pytest.approx(found[0][index]["ml"])
        assert found[1][index]["ratio"]["value"] == pytest.approx(found[0][index]["ratio"]["value"], rel=0.12)


def test_a_map_made_of_one_region_is_all_in_it_on_a_coarser_grid(folder):
    """The voxels of 4 mm hold 2 x 2 x 2 of the file: a region of whole ones keeps its place."""
    subject = subject_of(folder, spacing_mm=4.0, pad=True)
    heat = (ras(labelled())[::2, ::2, ::2] == 3).astype(np.float32)
    of = by_index(
        regions.table(subject, [(case_of(subject, i, (4, 4, 4)), heat) for i in range(2)], write_labels(subject))
    )
    assert of[3]["ratio"]["value"] > 2
    assert of[7]["ratio"]["value"] < 0.7


def test_names_come_from_a_sheet(folder):
    subject = subject_of(folder)
    (folder / "names.csv").write_text("Index,Name,other\n3,Left hippocampus,x\n")
    heats = [(case_of(subject, i), heat_of(0.8, 0.2)) for i in range(2)]
    found = regions.table(subject, heats, write_labels(subject), names=folder / "names.csv")
    assert [one["name"] for one in found["regions"]] == ["Left hippocampus", "region 7"]
    assert any("regions without a name in the sheet: 1 of 2, such as 7" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number,name\n3,a\n", "columns number, name: expected index and name"),
        ("index,name\n3.5,a\n", r"line 2: index '3\.5': expected a whole number"),
        ("index,name\n3,a\n3,b\n", "line 3: index 3 stands twice"),
        (None, "no such file: expected a sheet of region names"),
    ],
)
def test_a_sheet_of_names_that_is_none(folder, text, said):
    if text is not None:
        (folder / "names.csv").write_text(text)
    with pytest.raises(AskedWronglyError, match=said):
        region_labels.names_of(folder / "names.csv")


def test_groups_are_set_against_each_other(folder):
    """Region 3 is hot in women and cold in men."""
    subject = subject_of(folder, people=16)
    generator = np.random.default_rng(0)
    heats = []
    for i in range(16):
        hot = (0.8 if i % 2 == 0 else 0.2) + 0.05 * generator.random()
        heats.append((case_of(subject, i), heat_of(hot, 0.4)))
    found = regions.table(subject, heats, write_labels(subject), group="sex")
    assert found["group"] == {"column": "sex", "people": {"F": 8, "M": 8}, "difference": "F - M"}
    one = by_index(found)[3]
    assert one["groups"]["F"]["value"] > 1.3 > 0.8 > one["groups"]["M"]["value"]
    difference = one["difference"]
    assert difference["value"] == pytest.approx(one["groups"]["F"]["value"] - one["groups"]["M"]["value"])
    assert difference["low"] > 0.5
    assert difference["p_holm"] < 0.001
    written = region_files.write(found, folder / "out")
    sheet = pd.read_csv(written[0])
    assert {"ratio_F", "ratio_M_low", "difference", "difference_p_holm", "ratio_p_holm"} <= set(sheet)
    assert json.loads(written[1].read_text())["regions"] == found["regions"]
    headings, cells = region_files.rows(found)
    assert all(len(row) == len(headings) for row in cells)
    assert "ratio, F (8)" in headings


def test_several_volumes_of_one_person_count_once(folder):
    """p0 has three volumes with ratio 2, p1 one with ratio 0.5 of region 3: the mean over people is 1.25."""
    subject = subject_of(folder, people=4)
    frame = subject.table.frame.assign(patient=["p0", "p0", "p0", "p1"])
    subject = Subject(None, subject.config, None, folder, subject.table.with_frame(frame), None)
    heats = [(case_of(subject, i), heat_of(0.8, 0.2) if i < 3 else heat_of(0.25, 0.625)) for i in range(4)]
    found = regions.table(subject, heats, write_labels(subject))
    assert found["people"] == 2
    assert found["volumes"] == 4
    assert by_index(found)[3]["ratio"]["value"] == pytest.approx((2.0 + 0.5) / 2)


def test_maps_of_zeros_and_volumes_without_labels_are_told(folder):
    subject = subject_of(folder, people=4)
    labels = write_labels(subject)
    (labels / "S3_T1_DLMUSE.nii.gz").unlink()
    factory.nifti(labels / "S2_T1_DLMUSE.nii.gz", np.zeros(SHAPE, int), affine=AFFINE)
    heats = [heat_of(0.8, 0.2), np.zeros(SHAPE, np.float32), heat_of(0.8, 0.2), heat_of(0.8, 0.2)]
    made = regions.RegionTable(subject, labels)
    given = [made.add(case_of(subject, i), heat) for i, heat in enumerate(heats)]
    assert [one is not None for one in given] == [True, True, False, False]
    found = made.result()
    assert found["people"] == 1
    assert any("nothing is labelled in its label volume" in note for note in found["notes"])
    assert not any("S2_T1" in note for note in found["notes"]), "a page names no file"
    assert any(note.startswith("volumes without labels: 2;") for note in found["notes"])
    assert any(note.startswith("maps that are 0 in all labelled voxels: 1;") for note in found["notes"])
    empty = regions.RegionTable(subject, labels)
    empty.add(case_of(subject, 1), heats[1])
    with pytest.raises(
        MedtfError,
        match=r"no region to tell of: maps without a label volume: 0; maps that are 0 in all labelled voxels: 1",
    ):
        empty.result()


UNPLACED = {"sform_code": 0, "qform_code": 0}


def test_labels_without_an_affine_need_the_images_shape(folder):
    subject = subject_of(folder)
    labels = write_labels(subject, **UNPLACED)
    found = regions.table(subject, [(case_of(subject, i), heat_of(0.8, 0.2)) for i in range(2)], labels)
    assert by_index(found)[3]["ratio"]["value"] == pytest.approx(2.0)  # in the file's own axes, not in those of a guess
    assert any("no affine, but have one shape" in note for note in found["notes"])
    write_labels(subject, labelled()[:, :, :5], **UNPLACED)
    with pytest.raises(
        MedtfError,
        match=r"S0_T1_DLMUSE\.nii\.gz: no affine .* has 8 x 8 x 5 voxels, its image t1/S0_T1\.nii\.gz 8 x 8 x 8",
    ):
        regions.table(subject, [(case_of(subject, 0), heat_of(0.8, 0.2))], labels)


@pytest.mark.parametrize(
    ("values", "how", "said"),
    [
        (labelled(), {"end": "x"}, "none of its 2 label volumes belongs to one of the 2 volumes: found S0_T1x"),
        (
            labelled() * 0.5,
            {"dtype": "float32"},
            "holds other than whole numbers: expected a volume of labels, not an image",
        ),
        (np.arange(1728).reshape(12, 12, 12), {}, "1,727 different values: expected a volume of labels, not an image"),
        (np.stack([labelled()] * 2, -1), {}, "4D, 8 x 8 x 8 x 2: expected one 3D volume of labels"),
        (
            labelled(),
            {"affine": np.diag([-2.0, -2, 2, 1]) + np.eye(4, k=3) * 900},
            "lies outside of its image t1/S0_T1",
        ),
    ],
)
def test_what_is_no_label_volume_is_said_in_one_line(folder, values, how, said):
    subject = subject_of(folder)
    labels = write_labels(subject, values, **how)
    with pytest.raises(MedtfError, match=said) as raised:
        regions.table(subject, [(case_of(subject, 0), heat_of(0.8, 0.2))], labels)
    assert "\n" not in str(raised.value)


def test_folders_and_groups_that_are_none(folder):
    subject = subject_of(folder)
    (folder / "bare").mkdir()
    (folder / "bare" / "notes.txt").write_text("x")
    with pytest.raises(MedtfError, match=r"no label volumes: expected \.nii\.gz files, named as the images"):
        region_labels.LabelVolumes(subject, folder / "bare")
    labels = write_labels(subject)
    factory.nifti(labels / "S0_T1_OTHER.nii.gz", labelled(), affine=AFFINE)
    with pytest.raises(MedtfError, match=r"are both of t1/S0_T1\.nii\.gz: name the folder of one kind of labels"):
        region_labels.LabelVolumes(subject, labels)
    with pytest.raises(AskedWronglyError, match=r"--group sexx: the table has no such column: did you mean 'sex'\?"):
        regions.grouped(subject, "sexx")
    with pytest.raises(
        AskedWronglyError, match="--group age: 10 values in these rows: expected a column of at most 6 groups"
    ):
        regions.grouped(subject_of(folder / "ten", people=10), "age")


def test_mean_maps_and_table_together(folder):
    subject = subject_of(folder, people=4)
    made = Together(subject, labels_dir=write_labels(subject), group="sex")
    for i in range(4):
        made.add(case_of(subject, i), heat_of(0.8, 0.2))
    found = made.write(folder / "out")
    assert [one["name"] for one in found["means"]] == ["all", "sex_F", "sex_M"]
    assert [one["volumes"] for one in found["means"]] == [4, 2, 2]
    there = {path.name for path in (folder / "out").iterdir()}
    names = ("all", "sex_F", "sex_M")
    assert there == {"regions.csv", "regions.json"} | {f"mean_{n}{end}" for n in names for end in (".png", ".nii.gz")}


def test_maps_of_zeros_leave_the_mean_and_say_why_there_is_no_table(folder):
    subject = subject_of(folder)
    made = Together(subject, labels_dir=write_labels(subject))
    for i in range(2):
        made.add(case_of(subject, i), np.zeros(SHAPE, np.float32))
    found = made.write(folder / "out")
    assert found["regions"] is None
    assert ["maps that are 0 in all labelled voxels: 2" in note for note in found["notes"]] == [True]
    assert [one["name"] for one in found["means"]] == ["all"]
    assert not (folder / "out" / "regions.csv").exists()


def test_groups_of_like_names_have_files_of_their_own():
    found = volumes.file_names("site", ["a/b", "", "a b", "c"])
    assert set(found) == {"a/b", "a b", "c"}
    assert len(set(found.values())) == 3
    assert all("/" not in name for name in found.values())


# === the tests ===


def test_signs_changed_in_all_ways_are_counted_by_hand():
    """Distances 1, 2, 3 from 1: of eight sums of signs, those as far as 6 are two: p = 2 / 8. Distances 3, -1: |2| or more: all four."""
    values = np.array([[2.0, 4.0], [3.0, 0.0], [4.0, np.nan]])
    assert region_numbers.against(values, seed=0) == [0.25, 1.0]
    assert region_numbers.against(np.array([[2.0, np.nan], [3.0, 1.0]]), seed=0)[1] is None


def test_the_test_of_many_people_agrees_with_students():
    generator = np.random.default_rng(1)
    values = 1 + generator.normal(0.15, 0.5, size=(60, 5))
    found = region_numbers.against(values, seed=0)
    expected = stats.ttest_1samp(values, 1.0).pvalue
    np.testing.assert_allclose(found, expected, rtol=0.15, atol=2e-3)


def test_the_difference_of_groups_agrees_with_welchs():
    generator = np.random.default_rng(2)
    first = np.arange(60) < 24
    values = (
        generator.normal(1, np.where(first, 0.2, 0.6)[:, None], size=(60, 5)) + 0.25 * first[:, None] * np.arange(5) / 4
    )
    values[generator.random((60, 5)) < 0.05] = np.nan
    found = region_numbers.between(values, first, seed=0)
    expected = stats.ttest_ind(values[first], values[~first], equal_var=False, nan_policy="omit").pvalue
    np.testing.assert_allclose(found, expected, rtol=0.2, atol=5e-3)
    told = region_numbers.differences(values, first, np.arange(60), replicates=400, seed=0)
    for one, column in zip(told, values.T, strict=True):
        assert one["value"] == pytest.approx(np.nanmean(column[first]) - np.nanmean(column[~first]))
        assert one["low"] < one["value"] < one["high"]


def test_p_of_nothing_is_uniform():
    """Of 400 regions where nothing is, about a twentieth is below 0.05, for both tests."""
    generator = np.random.default_rng(3)
    values = 1 + generator.normal(0, 0.3, size=(20, 400))
    for found in (region_numbers.against(values, seed=0), region_numbers.between(values, np.arange(20) < 8, seed=0)):
        assert 0.02 < np.mean(np.array(found) < 0.05) < 0.085


def test_holm_is_over_the_regions(folder):
    metrics = region_numbers.adjusted([{"value": 1}] * 3, [0.01, 0.04, None])
    assert [one["p_holm"] for one in metrics] == [0.02, 0.04, None]


def test_a_table_says_what_it_cannot_tell(folder):
    """Four people can give p = 2 / 16 at the least; heat that lies outside all regions is named."""
    subject = subject_of(folder, people=4)
    heats = [(case_of(subject, i), heat_of(0.02, 0.01, 1.0)) for i in range(4)]
    found = regions.table(subject, heats, write_labels(subject))
    assert any(note.startswith("99 % of the heat lies outside all labelled voxels") for note in found["notes"])
    assert any(
        "4 people are too few to tell any of 2 regions" in note and "below 0.12, or 0.25 by" in note
        for note in found["notes"]
    )
    assert by_index(found)[3]["ratio"]["p_holm"] == pytest.approx(0.25)
    assert regions.warnings({"value": 0.4}, 20, 150) == []
