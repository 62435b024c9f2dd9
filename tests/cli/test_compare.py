"""`medtf compare`: what it writes and says."""

import json
import re

import judged
import pandas as pd
import pytest
from commands import names, refused

from medtf.evaluate.draw import plots

BOTH = judged.BOTH
SITE = {"site": {"classes": [0, 1, 2]}}


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
    return judged.two(tmp_path)


def test_it_writes_three_files_and_says_which_is_better(typed, two, pictures):
    done = typed("compare", *two, "--common")
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
    assert (content["schema"], content["common"], content["family"]["pairs"]) == (2, True, 1)


def test_the_page_is_self_contained_and_says_the_same(typed, two, tmp_path):
    assert typed("compare", *two, "--common", "-o", tmp_path / "out" / "here").returncode == 0
    text = (tmp_path / "out" / "here" / "compare.html").read_text()
    content = json.loads((tmp_path / "out" / "here" / "compare.json").read_text())
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.search(r"<script|<link|@import|url\(", text)
    assert text.count("<img") == 4  # errors, differences; ROC, AUC differences
    assert content["targets"]["sex"]["pairs"][0]["words"] in text.replace("&lt;", "<").replace("&#39;", "'")
    assert "For research use; not a medical device." in text


def test_three_runs_stand_on_the_same_people(typed, two, tmp_path):
    third = judged.write(tmp_path / "third", judged.people(160), seed=3)
    done = typed("compare", *two, third, "--common")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"Of 3 runs that predict age, \w+ has the lowest mean absolute error on the same 78 people", done.stdout
    )
    assert "adjusted for 3 pairs" in done.stdout
    assert "note: sex is not compared: not every run has it." in done.stdout
    content = json.loads((two[0].parent / "compare-t1-tof-third" / "compare.json").read_text())
    assert content["family"] == {
        "pairs": 3,
        "words": "p_holm is adjusted over the 3 pairs of runs, for each number and each test of each target by itself.",
    }
    page = (two[0].parent / "compare-t1-tof-third" / "compare.html").read_text()
    assert "Every run against every other" in page
    assert page.count('class="n self"') == 3


def test_every_key_stands_in_the_docs(typed, two, tmp_path):
    from test_repository import ROOT

    described = set(re.findall(r"`([a-z_0-9]+)`", (ROOT / "docs" / "metrics.md").read_text()))
    assert typed("compare", *two, "--common", "-o", tmp_path / "out").returncode == 0

    def keys(node):
        for child in node if isinstance(node, list) else ():
            yield from keys(child)
        for key, child in node.items() if isinstance(node, dict) else ():
            yield key
            yield from keys(child)

    found = set(keys(json.loads((tmp_path / "out" / "compare.json").read_text())))
    assert found - described - {"age", "sex", "t1", "tof", "value", "low", "high", "reason"} == set()


def test_calls_are_those_at_each_runs_stored_threshold(typed, tmp_path):
    """At a threshold of 0 everybody is called positive: right are the positives."""
    who = judged.people(120)
    a, b = (judged.write(tmp_path / name, who, targets=BOTH, seed=seed) for seed, name in enumerate("ab"))
    stored = {"targets": {"sex": {"value": 0.5, "per_patient": {"value": 0.0}}}}
    (b / "thresholds.json").write_text(json.dumps(stored))
    assert typed("compare", a, b, "-o", tmp_path / "out").returncode == 0
    found = json.loads((tmp_path / "out" / "compare.json").read_text())["targets"]["sex"]
    assert found["thresholds"] == {"a": 0.5, "b": 0.0}
    test = found["pairs"][0]["mcnemar"]
    assert test["both_right"] + test["only_b"] == found["positives"]
    assert found["runs"]["b"]["accuracy"]["value"] == pytest.approx(found["positives"] / found["people"])
    (b / "thresholds.json").write_text('{"targets": {}}')
    assert typed("compare", a, b, "-o", tmp_path / "out").returncode == 0
    found = json.loads((tmp_path / "out" / "compare.json").read_text())["targets"]["sex"]
    assert (
        found["pairs"][0]["mcnemar"]["reason"]
        == found["runs"]["b"]["accuracy"]["reason"]
        == "no threshold is stored in the run"
    )
    assert found["pairs"][0]["delong"]["p"] is not None


def test_cross_validations_are_compared_on_their_pooled_answers(typed, tmp_path):
    """Everybody is tested; each person is called by the threshold of the fold that tested it."""
    who = judged.people(120)
    a, b = (judged.cross_validation(tmp_path / name, who, seed=seed) for seed, name in enumerate("ab"))
    done = typed("compare", a, b, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "note: a is a cross-validation: 3 models answered, each for people it never saw" in done.stdout
    found = json.loads((tmp_path / "out" / "compare.json").read_text())["targets"]["sex"]
    assert found["people"] == 120
    assert found["thresholds"]["a"] == [0.0, 0.5, 1.1]  # fold 0 is called positive whole, fold 2 negative
    answers = pd.read_parquet(a / "predictions.parquet")
    right = (answers["sex"] >= answers["cv_fold"].map({0: 0.0, 1: 0.5, 2: 1.1})) == (answers["sex_true"] == 1)
    assert found["runs"]["a"]["accuracy"]["value"] == pytest.approx(right.mean())


def test_targets_of_several_classes_are_compared(typed, tmp_path):
    who = judged.people(160)
    a = judged.write(tmp_path / "a", who, targets=SITE, noise=0.1)
    b = judged.write(tmp_path / "b", who, targets=SITE, extra=12.0, seed=2)
    done = typed("compare", a, b, "--metric", "cohen_kappa", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"a predicts site better than b, by 0\.\d+ of accuracy\. On the same 80 people", done.stdout)
    found = json.loads((tmp_path / "out" / "compare.json").read_text())["targets"]["site"]
    assert found["compared"] == ["accuracy", "auc_macro", "log_loss", "cohen_kappa"]
    assert found["classes"] == ["0", "1", "2"]
    test = found["pairs"][0]["mcnemar"]
    assert (test["only_a"] - test["only_b"]) / 80 == pytest.approx(found["pairs"][0]["accuracy"]["value"])


def test_one_more_number(typed, two, tmp_path):
    done = typed("compare", *two, "--common", "--metric", "f1", "--metric", "r2", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "compare.json").read_text())["targets"]
    assert found["sex"]["pairs"][0]["f1"]["p"] is not None
    assert found["age"]["pairs"][0]["r2"]["value"] > 0
    assert "r2" not in found["sex"]["pairs"][0]
    line = refused(
        typed("compare", *two, "--common", "--metric", "sensitivty"),
        2,
        "--metric sensitivty: no number of a regression or binary",
    )
    assert line.endswith("did you mean 'sensitivity'?")


def test_what_was_judged_otherwise_is_noted(typed, tmp_path):
    who = judged.people(100)
    a = judged.write(tmp_path / "a", who, targets=BOTH, scans=2)
    b = judged.write(tmp_path / "b", who, targets=BOTH, scans=2, seed=2, aggregate="mean", calibrate="platt")
    done = typed("compare", a, b)
    assert "note: A person's examples are gathered by max, as a does; b was judged by mean" in done.stdout
    assert "note: b: judged on corrected probabilities too; here the raw ones are compared." in done.stdout


def test_a_leak_of_a_run_stands_above_everything(typed, two):
    (two[1] / "metrics.json").write_text(json.dumps({"split": "test", "leaks": ["1 patient in both"]}))
    done = typed("compare", *two, "--common")
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
    assert "left out: 1 of t1, 11 of tof" in typed("compare", *two, "--common").stdout
