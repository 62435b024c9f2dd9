"""`medtf compare`: what it writes and says, and which runs it refuses to set against each other."""

import json
import re

import judged
import pandas as pd
import pytest
from commands import names, refused

from medtf.evaluate import plots

BOTH = {"age": "regression", "sex": "binary"}


@pytest.fixture
def pictures():
    """Asked for by a test that wants them rendered."""


@pytest.fixture(autouse=True)
def _without_pictures(request, monkeypatch):
    """Figures are drawn, but rendered only in the tests that look at them: it takes the most time."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(plots, "png", lambda figure: b"no picture")


@pytest.fixture
def two(tmp_path):
    """T1 better than TOF by two years; one person has no T1, another no TOF."""
    who = judged.people(160)
    tested = who.index[who["fold"] == "test"]
    t1 = judged.write(tmp_path / "t1", who.drop(index=tested[0]), targets=BOTH)
    tof = judged.write(tmp_path / "tof", who.drop(index=tested[1]), targets=BOTH, extra=2.0, seed=2)
    return t1, tof


def test_it_writes_three_files_and_says_which_is_better(typed, two, pictures):
    done = typed("compare", *two)
    assert done.returncode == 0, done.stderr
    folder = two[0].parent / "compare-t1-tof"
    assert names(folder) == {"compare.json", "compare.html", "compare.png"}
    assert "age: 78 people of the test fold are in all runs; left out: 1 of t1, 1 of tof" in done.stdout
    assert re.search(r"t1 predicts age better than tof, by [12]\.\d\d years of mean absolute error", done.stdout)
    assert f"report: {folder / 'compare.html'}" in done.stdout
    content = json.loads((folder / "compare.json").read_text())
    pair = content["targets"]["age"]["pairs"][0]
    assert pair["better"] == "t1"
    assert pair["mean_absolute_error"]["low"] < -2 < pair["mean_absolute_error"]["high"] < 0
    assert content["targets"]["age"]["people"] == 78
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert {run["name"]: run["people"] for run in content["runs"]} == {"t1": 79, "tof": 79}


def test_the_page_is_self_contained_and_says_the_same(typed, two, tmp_path):
    assert typed("compare", *two, "-o", tmp_path / "out" / "here").returncode == 0
    text = (tmp_path / "out" / "here" / "compare.html").read_text()
    content = json.loads((tmp_path / "out" / "here" / "compare.json").read_text())
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.search(r"<script|<link|@import|url\(", text)
    assert text.count("<img") == 4  # errors, differences; ROC, AUC differences
    assert content["targets"]["sex"]["pairs"][0]["words"] in text.replace("&lt;", "<").replace("&#39;", "'")
    assert "For research use; not a medical device." in text


def test_three_runs_stand_on_the_same_people(typed, two, tmp_path):
    third = judged.write(tmp_path / "third", judged.people(160), seed=3)
    done = typed("compare", *two, third)
    assert done.returncode == 0, done.stderr
    assert "adjusted for 3 pairs" in done.stdout
    assert "note: sex is not compared: not every run has it." in done.stdout


def test_every_key_stands_in_the_docs(typed, two, tmp_path):
    from test_repository import ROOT

    described = set(re.findall(r"`([a-z_0-9]+)`", (ROOT / "docs" / "metrics.md").read_text()))
    assert typed("compare", *two, "-o", tmp_path / "out").returncode == 0

    def keys(node):
        for child in node if isinstance(node, list) else ():
            yield from keys(child)
        for key, child in node.items() if isinstance(node, dict) else ():
            yield key
            yield from keys(child)

    found = set(keys(json.loads((tmp_path / "out" / "compare.json").read_text())))
    assert found - described - {"age", "sex", "t1", "tof", "value", "low", "high", "reason"} == set()


def test_several_scans_of_a_person_are_one_person(typed, tmp_path):
    who = judged.people(100)
    a = judged.write(tmp_path / "a", who, scans=3)
    b = judged.write(tmp_path / "b", who, seed=2)
    done = typed("compare", a, b)
    assert "age: 50 people of the test fold are in all runs" in done.stdout


def test_folds_that_differ_are_refused_with_their_number(typed, tmp_path):
    who = judged.people(120)
    moved = who.copy()
    tested = who.index[who["fold"] == "test"][:3]
    moved.loc[tested, "fold"] = "train"
    a, b = judged.write(tmp_path / "a", who), judged.write(tmp_path / "b", moved)
    said = "a and b: their folds differ: 3 of 60 people of the test fold of a stand in the train fold of b"
    refused(typed("compare", a, b), 1, said, "split all people once")
    refused(typed("compare", b, a), 1, said)
    assert names(tmp_path) == {"a", "b"}


def test_people_whom_one_run_has_not_are_no_reason_to_refuse(typed, tmp_path):
    who = judged.people(120)
    a = judged.write(tmp_path / "a", who.iloc[:100])
    b = judged.write(tmp_path / "b", who.iloc[30:], seed=2)
    assert typed("compare", a, b).returncode == 0


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        ({"salt": "two"}, 1, "hashed with different salts (one and two)"),
        ({"salt": None}, 1, "hashed with different salts (one and unknown)"),
        ({"targets": {"sex": "binary"}}, 2, "no target in common (a: age; b: sex)"),
        ({"targets": {"age": "binary"}}, 2, "target 'age' differs: regression in a, binary, positive 1 in b"),
        ({"split": "valid"}, 1, "its predictions are of the valid fold: judge it with `medtf evaluate"),
    ],
)
def test_runs_that_cannot_be_compared(typed, tmp_path, spoil, code, said):
    a = judged.write(tmp_path / "a", judged.people())
    b = judged.write(tmp_path / "b", judged.people(), **spoil)
    refused(typed("compare", a, b), code, said)


def test_too_few_people_in_common(typed, tmp_path):
    who = judged.people(120)
    tested = who.index[who["fold"] == "test"]
    a = judged.write(tmp_path / "a", who.drop(index=tested[5:]))
    b = judged.write(tmp_path / "b", who)
    refused(typed("compare", a, b), 1, "age: 5 people in common (a has 5, b has 60); expected at least 6")
    c = judged.write(tmp_path / "c", who.drop(index=tested[6:]))
    assert typed("compare", c, b).returncode == 0


def test_a_run_that_was_not_judged_says_what_to_do(typed, tmp_path):
    a, b = (judged.write(tmp_path / name, judged.people()) for name in "ab")
    (b / "predictions.parquet").write_text("rubbish")
    refused(typed("compare", a, b), 1, "predictions.parquet: damaged", f"judge it with `medtf evaluate {b}` first")
    (b / "predictions.parquet").unlink()
    refused(typed("compare", a, b), 1, f"{b}: no predictions yet: judge it with `medtf evaluate {b}` first")


def test_asked_wrongly(typed, two, tmp_path):
    refused(typed("compare"), 2, "Missing argument")
    refused(typed("compare", two[0]), 2, "expected at least two run folders")
    refused(typed("compare", two[0], two[0]), 2, "the same run stands twice")
    refused(typed("compare", two[0], tmp_path / "no"), 2, "no such run folder")
    refused(typed("compare", *two, "--split", "tset"), 2, "did you mean 'test'?")
    (tmp_path / "file").touch()
    refused(typed("compare", *two, "-o", tmp_path / "file"), 2, "is a file, not a folder")


def test_another_truth_is_noted_or_refused(typed, tmp_path):
    """A second scan two years later is another age; a person has one sex."""
    who = judged.people()
    a = judged.write(tmp_path / "a", who, targets=BOTH)
    b = judged.write(tmp_path / "b", who.assign(age=who["age"] + 2), targets=BOTH)
    done = typed("compare", a, b)
    assert "note: age: 60 people have another true value in b than in a; each error is against its own." in done.stdout
    c = judged.write(tmp_path / "c", who.assign(sex=1 - who["sex"]), targets=BOTH)
    refused(typed("compare", a, c), 1, "sex: 60 people are positive in one of a and c and negative in the other")


def test_a_leak_of_a_run_stands_above_everything(typed, two):
    (two[1] / "metrics.json").write_text(json.dumps({"split": "test", "leaks": ["1 patient in both"]}))
    done = typed("compare", *two)
    assert done.stdout.startswith("LEAK: tof: 1 patient in both")
    assert "not to be trusted" in (two[0].parent / "compare-t1-tof" / "compare.html").read_text()


def test_runs_of_the_same_name_are_told_apart(typed, tmp_path):
    who = judged.people()
    a, b = judged.write(tmp_path / "t1" / "run", who), judged.write(tmp_path / "tof" / "run", who, seed=2)
    done = typed("compare", a, b)
    assert "t1_run - tof_run" in done.stdout


def test_unknown_truths_are_left_out(typed, two):
    path = two[0] / "predictions.parquet"
    found = pd.read_parquet(path)
    found.loc[20:29, "age_true"] = float("nan")
    found.to_parquet(path)
    assert "left out: 1 of t1, 11 of tof" in typed("compare", *two).stdout
