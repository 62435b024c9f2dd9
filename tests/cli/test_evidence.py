"""`medtf evidence` as it is typed: what it says, and one line for whatever cannot be asked."""

import json
import shutil

import factory
import marked_runs
import numpy as np
import pandas as pd
import pytest
from commands import names, refused


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return marked_runs.pictures(tmp_path_factory.mktemp("marked"))


@pytest.fixture(scope="module")
def honest(root):
    return marked_runs.write(root / "honest", root, marked_runs.honest).folder


@pytest.fixture(scope="module")
def shortcut(root):
    return marked_runs.write(root / "shortcut", root, marked_runs.shortcut).folder


def test_two_runs(typed, root, honest, shortcut, tmp_path):
    """The shortcut is exposed: told first, with p below 0.01 against what is marked, and beaten on the same cases."""
    done = typed("evidence", honest, shortcut, "--annotations", root / "marks", "--no-trust", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("test fold: "))
    assert lines[at] == "test fold: 20 rows, 10 annotated, 10 positive, 10 judged, of 10 people (sick)"
    assert lines[at + 1].startswith(
        "honest: Grad-CAM looks where the experts look, and the answer hangs on what they marked"
    )
    assert lines[at + 2].startswith("shortcut: The model is right, but not for the experts' reason")
    assert lines[at + 3].split()[:3] == ["AUC", "pointing", "game"]
    assert lines[at + 4].startswith("  honest")
    assert lines[at + 5].startswith("  shortcut")
    assert "not checked" in lines[at + 5]
    assert "honest agrees better with the annotations than shortcut. On the same 10 cases" in done.stdout
    assert lines[-1] == f"report: {tmp_path / 'out' / 'evidence.html'}"
    assert names(tmp_path / "out") == {"evidence.html", "evidence.json", "evidence.csv"}
    content = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert content["entries"][1]["interventions"]["erase"]["hottest_more"]["p_holm"] < 0.01
    assert content["compared"]["pairs"][0]["pointing"]["p_holm"] < 0.01
    assert "was not checked" in (tmp_path / "out" / "evidence.html").read_text()


def test_one_run_with_trust_and_every_change(typed, root, honest, tmp_path):
    run = shutil.copytree(honest, tmp_path / "run")
    words = ("--how", "blur", "--how", "inpaint", "--how", "transplant", "--controls", "2", "--draws", "99")
    done = typed("evidence", run, "--annotations", root / "marks", *words)
    assert done.returncode == 0, done.stderr
    assert (run / "evidence" / "evidence.html").is_file()
    content = json.loads((run / "evidence" / "evidence.json").read_text())
    (one,) = content["entries"]
    assert set(one["interventions"]) == {"blur", "inpaint", "transplant"}
    assert one["interventions"]["transplant"]["annotated"]["value"] > 0, "nobody who is not sick has a square"
    assert one["trust"]["words"]
    assert ("FAILS" in done.stdout) == (one["trust"]["passed"] is False)


def test_boxes(typed, root, honest, tmp_path):
    """A sheet of the squares' corners says what the masks say."""
    rows = []
    for path in sorted((root / "marks").iterdir()):
        inside = np.argwhere(inside_of(path))
        top, left = inside.min(axis=0)
        rows.append((path.name, left, top, 6, 6))
    sheet = tmp_path / "boxes.csv"
    pd.DataFrame(rows, columns=["image", "x", "y", "width", "height"]).to_csv(sheet, index=False)
    words = ("--no-trust", "--no-intervention", "-o", tmp_path / "out")
    done = typed("evidence", honest, "--annotations", sheet, *words)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads((tmp_path / "out" / "evidence.json").read_text())["entries"]
    assert one["measures"]["dice"]["value"] == pytest.approx(1)
    assert one["interventions"] == {}


def inside_of(path):
    from PIL import Image

    return np.asarray(Image.open(path)) > 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--annotations", ""), 2, ("--annotations", "is a shell variable empty?")),
        (("--annotations", "nowhere"), 2, ("nowhere", "no such folder or sheet")),
        (("--annotations", "{marks}", "--method", "grad-cam+"), 2, ("grad-cam+", "did you mean")),
        (("--annotations", "{marks}", "--cases", "positive"), 2, ("--cases positive", "did you mean 'positives'")),
        (("--annotations", "{marks}", "--how", "erased"), 2, ("--how erased", "did you mean 'erase'")),
        (("--annotations", "{marks}", "--how", "erase", "--no-intervention"), 2, ("--no-intervention", "leave one")),
        (("--annotations", "{marks}", "--target", "sik"), 2, ("--target sik", "did you mean 'sick'")),
        (("--annotations", "{marks}", "--class", "a"), 2, ("--class a", "sick has no classes")),
        (("--annotations", "{marks}", "--layer", "sen"), 2, ("'sen'", "did you mean 'seen'")),
        (("--annotations", "{marks}", "--split", "tset"), 2, ("--split tset", "did you mean 'test'")),
        (("--annotations", "{marks}", "--annotations", "{marks}"), 2, ("the same source stands twice",)),
        (("--annotations", "{images}"), 2, ("-o", "holds something else")),
        (("--annotations", "{empty}"), 1, ("nothing is marked", "empty")),
        (("--annotations", "{strange}"), 1, ("nobody.png", "expected names as those of the images")),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(typed, root, honest, tmp_path, words, code, said):
    for name in ("empty", "strange"):
        (tmp_path / name).mkdir()
    for path in (root / "marks").iterdir():
        factory.picture(tmp_path / "empty" / path.name, np.zeros((32, 32), np.uint8))
    factory.picture(tmp_path / "strange" / "nobody.png", np.full((32, 32), 255, np.uint8))
    places = {"marks": root / "marks", "images": root / "marks", "empty": tmp_path / "empty"}
    places["strange"] = tmp_path / "strange"
    out = root / "images" if "{images}" in words else tmp_path / "out"
    before = names(root / "images"), names(tmp_path)
    asked = [word.format(**places) for word in words]
    refused(typed("evidence", honest, *asked, "--no-trust", "-o", out), code, *said)
    assert (names(root / "images"), names(tmp_path)) == before, "nothing is left"


def test_runs_that_do_not_fit(typed, root, honest, shortcut, tmp_path):
    marks = ("--annotations", root / "marks")
    refused(typed("evidence", honest, shortcut, *marks), 2, "several runs", "-o")
    refused(typed("evidence", honest, honest, *marks, "-o", tmp_path / "out"), 2, "the same run stands twice")
    refused(typed("evidence", tmp_path, *marks), 2, "not a run folder")
    other = marked_runs.pictures(tmp_path / "other", twice=3)
    run = marked_runs.write(tmp_path / "third", other, marked_runs.honest).folder
    done = typed("evidence", honest, run, *marks, "-o", tmp_path / "out")
    refused(done, 1, "their test folds hold other rows (20 and 23)", "data.table")
    assert not (tmp_path / "out").exists()
