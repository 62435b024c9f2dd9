"""Runs whose reasons are known, held against what is marked: every number is worked out by hand, and the words follow from the numbers."""

import json
import re

import marked_runs
import numpy as np
import pandas as pd
import pytest
import small_runs

from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate import judge
from medtf.explain.runs import (
    evidence_asked,
    evidence_cases,
    evidence_marks,
    evidence_words,
    evidencing,
)
from medtf.explain.runs import subject as subjects
from medtf.explain.runs.evidence_asked import Asked

PIXELS = marked_runs.SIDE**2
SQUARE, CORNER = marked_runs.SQUARE**2, marked_runs.CORNER**2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return marked_runs.pictures(tmp_path_factory.mktemp("marked"), twice=2)


@pytest.fixture(scope="module")
def honest(root):
    return marked_runs.write(root / "honest", root, marked_runs.honest)


@pytest.fixture(scope="module")
def shortcut(root):
    return marked_runs.write(root / "shortcut", root, marked_runs.shortcut)


def asked(root, **more) -> Asked:
    return Asked(**{"annotations": (str(root / "marks"),), "trust": False, "draws": 199} | more)


def evidence_of(opened, wanted, folder, **more) -> dict:
    folders = [run.folder for run in opened]
    return evidencing.evidence(
        evidence_asked.refuse(folders, wanted, fold="test", output=folder), wanted, folder, **more
    )


@pytest.fixture(scope="module")
def of_honest(root, honest):
    return evidence_of([honest], asked(root), root / "of_honest")


@pytest.fixture(scope="module")
def of_shortcut(root, shortcut):
    return evidence_of([shortcut], asked(root), root / "of_shortcut")


def test_a_map_that_is_the_annotation_reaches_everything(of_honest):
    (one,) = of_honest["entries"]
    assert (one["cases"], one["patients"]) == (11, 10), "ten sick people of the test fold, of whom one has two pictures"
    for name in ("pointing", "iou", "dice", "average_precision", "mass", "rank"):
        assert one["measures"][name]["value"] == pytest.approx(1, abs=1e-5), name
    assert one["measures"]["mass"]["chance"] == pytest.approx(SQUARE / PIXELS)
    assert one["area"]["value"] == pytest.approx(SQUARE / PIXELS)
    assert one["others"]["pointing"]["p"] == 1 / 200, "no draw of other people's annotations is hit as often"


def test_the_answer_of_the_honest_network_hangs_on_the_square(of_honest):
    """Erased, each of its pixels gives 0 in place of 0.6 - 0.4; the mean over the picture is weighed with the slope."""
    (one,) = of_honest["entries"]
    fall = marked_runs.SLOPE * SQUARE * 0.2 / PIXELS
    found = one["interventions"]["erase"]
    assert found["annotated"]["value"] == pytest.approx(fall, rel=1e-3)
    assert abs(found["elsewhere"]["value"]) < 0.1 * fall
    assert found["annotated_more"]["p_holm"] < 0.01
    assert (one["looks"], one["hangs"]) == (evidence_words.OWN, True)
    assert one["finding"].startswith(
        "Grad-CAM looks where the experts look, and the answer hangs on what they marked: AUC 1"
    )


def test_the_shortcut_is_exposed(of_shortcut):
    """It answers as well as the honest one, and neither its map nor its answer knows the square; it hangs on the corner."""
    (one,) = of_shortcut["entries"]
    assert one["performance"]["value"]["value"] == 1
    assert one["measures"]["pointing"]["value"] == 0
    assert one["measures"]["mass"]["value"] == 0
    found = one["interventions"]["erase"]
    assert found["annotated"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["hottest"]["value"] == pytest.approx(marked_runs.SLOPE * CORNER * 0.2 / PIXELS, rel=1e-3)
    assert found["hottest_more"]["p_holm"] < 0.01
    assert (one["looks"], one["hangs"]) == (evidence_words.NOT, False)
    assert one["finding"].startswith("The model is right, but not for the experts' reason: ")


def test_runs_stand_beside_each_other_on_the_same_cases(root, honest, shortcut):
    content = evidence_of([honest, shortcut], asked(root, hows=()), root / "both")
    pair = content["compared"]["pairs"][0]
    assert (pair["a"], pair["b"], content["compared"]["cases"]) == ("honest", "shortcut", 11)
    assert pair["pointing"]["value"] == 1
    assert pair["pointing"]["better"] == "honest"
    assert [one["hangs"] for one in content["entries"]] == [None, None]
    page = (root / "both" / "evidence.html").read_text()
    assert "Performance and evidence" in page
    assert page.count("Lines are intervals over people") == 2, "the picture of both, its caption and what is read out"
    sheet = pd.read_csv(root / "both" / "evidence.csv")
    assert sheet.groupby("run").size().to_dict() == {"honest": 11, "shortcut": 11}
    assert not any(name.startswith("erase") for name in sheet)


def test_two_methods_are_compared_on_one_run(root, honest):
    content = evidence_of([honest], asked(root, methods=("grad-cam", "hires-cam"), hows=()), root / "methods")
    assert [one["name"] for one in content["entries"]] == ["Grad-CAM", "HiResCAM"]
    assert content["compared"]["pairs"][0]["pointing"]["value"] == 0, "of a linear head they are the same map"


def test_a_second_reader_is_the_ceiling(root, honest):
    """Two columns aside: 6 x 4 pixels in common of 6 x 8."""
    both = (str(root / "marks"), str(root / "shifted"))
    content = evidence_of([honest], asked(root, annotations=both, hows=()), root / "readers")
    assert content["ceiling"]["cases"] == 11
    assert content["ceiling"]["iou"]["value"] == pytest.approx(24 / 48)
    assert content["ceiling"]["dice"]["value"] == pytest.approx(2 * 24 / 72)
    assert "Readers among themselves" in (root / "readers" / "evidence.html").read_text()


def test_the_page_holds_everything_and_nobodys_name(root, of_honest):
    folder = root / "of_honest"
    page, content = (folder / "evidence.html").read_text(), json.loads((folder / "evidence.json").read_text())
    assert content["entries"][0]["finding"] in page.replace("&#39;", "'").replace("&lt;", "<")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page)
    assert not re.search(r"<script|<link|@import|url\(", page)
    assert "For research use; not a medical device." in page
    for text in (page, json.dumps(content), (folder / "evidence.csv").read_text()):
        assert not re.search(r"person\d|p\d+\.png|images/", text)
        assert str(root) not in text


def test_the_performance_is_that_of_evaluate(honest, opened, of_honest):
    chosen = honest.read_json("thresholds.json")["targets"]
    judged = judge.judge(opened.predictions, opened.config, chosen, split="test", fingerprint="")
    assert of_honest["entries"][0]["performance"]["value"] == judged["targets"]["sick"]["auc"]


@pytest.fixture(scope="module")
def opened(honest):
    return subjects.opened(honest.folder)


@pytest.fixture
def marks(root, honest, opened):
    return evidence_marks.found(str(root / "marks"), honest, opened.table, target="sick")[0]


def test_cases_are_annotated_positives(opened, marks):
    found = evidence_cases.choose(opened, "sick", marks)
    truth = opened.table.frame["sick"].to_numpy()
    assert found.numbers.tolist() == np.flatnonzero(truth == 1).tolist()
    assert (found.counts["rows"], found.counts["annotated"], found.counts["positive"]) == (22, 11, 11)
    assert found.notes == []


def test_positives_without_an_annotation_are_named_by_number(root, honest, opened, tmp_path):
    left = sorted((root / "marks").iterdir())[:-1]
    for path in left:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    marks, notes = evidence_marks.found(str(tmp_path), honest, opened.table, target="sick")
    found = evidence_cases.choose(opened, "sick", marks)
    absent = set(opened.table.frame["row"][opened.table.frame["sick"] == 1]) - set(
        opened.table.frame["row"].iloc[found.numbers]
    )
    assert notes == [], "masks of the other folds belong to the table"
    if absent:  # the last name in the alphabet is of the test fold
        assert found.notes == [f"1 of 11 positive rows have no annotation and are not judged: row {absent.pop()}"]


def test_a_count_is_drawn_by_seed_and_the_smaller_draw_lies_in_the_larger(opened, marks):
    draws = [evidence_cases.choose(opened, "sick", marks, count=count, seed=3) for count in (3, 6)]
    assert set(draws[0].numbers) < set(draws[1].numbers)
    assert draws[0].notes == ["3 of 11 cases were drawn by chance (--count)"]
    other = evidence_cases.choose(opened, "sick", marks, count=6, seed=4)
    assert set(other.numbers) != set(draws[1].numbers)


def test_true_positives_are_those_called_so(opened, marks):
    found = evidence_cases.choose(opened, "sick", marks, "true-positives")
    assert found.counts["used"] == 11
    blind = opened.predictions.assign(sick=np.where(opened.predictions["row"] % 3 == 0, 0.0, 1.0))
    subject = subjects.Subject(opened.run, opened.config, opened.model, opened.root, opened.table, blind)
    found = evidence_cases.choose(subject, "sick", marks, "true-positives")
    rows = opened.table.frame["row"].iloc[found.numbers]
    assert (rows % 3 != 0).all()
    assert 0 < len(rows) < 11


def test_no_case_is_left(opened, marks):
    nobody = opened.predictions.assign(sick_true=0.0)
    subject = subjects.Subject(opened.run, opened.config, opened.model, opened.root, opened.table, nobody)
    with pytest.raises(MedtfError, match=r"none of the 11 annotated rows of the fold has it \(0 of its rows do\)"):
        evidence_cases.choose(subject, "sick", marks)
    assert evidence_cases.choose(subject, "sick", marks, "all").counts["used"] == 11
    with pytest.raises(AskedWronglyError, match="did you mean 'positives'"):
        evidence_cases.choose(opened, "sick", marks, "positive")


def test_what_fails_leaves_the_page_of_before(root, honest, tmp_path):
    folder = tmp_path / "out"
    evidence_of([honest], asked(root, hows=(), count=7), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AskedWronglyError, match="no such layer"):
        evidence_of([honest], asked(root, layer="seem"), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    evidence_of([honest], asked(root, hows=(), count=7), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "the same question, the same bytes"


def test_few_people_are_too_few_to_tell(root, honest, tmp_path):
    content = evidence_of([honest], asked(root, count=3, hows=()), tmp_path / "out")
    assert re.match(
        r"These data cannot tell whether Grad-CAM looks where the experts look: \d people are too few to test\.",
        content["entries"][0]["finding"],
    )


@pytest.mark.slow
def test_volumes_are_held_against_masks_in_their_world(tmp_path):
    """Two volumes of the test fold, each with a mask of half its voxels a side: too few to tell, and everything is written."""
    import factory

    root = small_runs.volumes(tmp_path / "data")
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    for number in range(8):
        factory.nifti(root / "marks" / f"{number}.nii.gz", mask, affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    config = small_runs.settings_of_volumes()
    run = small_runs.write(tmp_path / "run", small_runs.table_of(root, config), root, config)
    content = evidence_of([run], asked(root, controls=2), tmp_path / "out")
    (one,) = content["entries"]
    assert one["cases"] == 2
    assert one["area"]["value"] == pytest.approx(10**3 / 16**3), "of the 16 voxels a side that the network is shown"
    assert one["interventions"]["erase"]["annotated"]["value"] is not None
    assert "cannot tell" in one["finding"]
