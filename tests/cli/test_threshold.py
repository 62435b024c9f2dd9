"""`medtf threshold`: a run's threshold chosen anew, on its validation fold alone."""

import json
import shutil

import judged
import numpy as np
import pandas as pd
import pytest
from commands import names, refused

from medtf import cli

TARGETS = {"sex": "binary", "age": "regression"}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "threshold", "medtf.cli.threshold")


@pytest.fixture
def run(tmp_path):
    """A run whose training has ended: validation predictions and a threshold of long ago, and nothing judged."""
    folder = judged.write(tmp_path / "run", judged.people(240), targets=TARGETS, split="valid", noise=8)
    (folder / "predictions.parquet").rename(folder / "valid_predictions.parquet")
    (folder / "metrics.json").unlink()
    old = {"value": 0.5, "rule": "youden", "fold": "valid", "n": 60, "patients": 60}
    (folder / "thresholds.json").write_text(json.dumps({"schema": 1, "epoch": 7, "targets": {"sex": old}}))
    return folder


def stored(run) -> dict:
    return json.loads((run / "thresholds.json").read_text())


def judge_test(run) -> None:
    (run / "metrics.json").write_text('{"split": "test", "leaks": []}')


def test_what_stands_is_printed_and_nothing_is_written(typed, run):
    before = (run / "thresholds.json").read_bytes()
    done = typed("threshold", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sex: 0.5 (youden)\n"
    assert (run / "thresholds.json").read_bytes() == before


def test_a_choice_says_old_and_new_and_what_it_reaches(typed, run):
    done = typed("threshold", run, "sensitivity=0.9")
    assert done.returncode == 0, done.stderr
    content = stored(run)
    now = content["targets"]["sex"]
    assert f"sex: 0.5 (youden) -> {now['value']:.4g} (sensitivity at least 0.9)" in done.stdout
    assert "  validation: sensitivity 0.9" in done.stdout
    frame = pd.read_parquet(run / "valid_predictions.parquet")
    called, truth = frame["sex"] >= now["value"], frame["sex_true"] == 1
    assert called[truth].mean() >= 0.9
    assert now["reached"]["specificity"]["value"] == pytest.approx((~called[~truth]).mean())
    assert now["asked"] == {"sensitivity": 0.9}
    assert (content["schema"], content["epoch"]) == (1, 7)
    assert "after_test" not in now
    assert "warning" not in done.stdout
    assert not [name for name in names(run) if name.startswith(".")]


def test_what_stood_before_is_kept_in_order(typed, run):
    for rule in ("0.3", "specificity=0.8", "specificity=0.8"):
        assert typed("threshold", run, rule).returncode == 0
    past = stored(run)["history"]
    assert [(one["target"], one["value"], one["rule"]) for one in past] == [
        ("sex", 0.5, "youden"),
        ("sex", 0.3, "fixed"),
    ]
    assert all(one["until"].endswith("+00:00") for one in past)
    said = typed("threshold", run, "--target", "sex").stdout
    assert "(specificity at least 0.8)" in said
    assert "before: 0.5 (youden), until 20" in said
    assert "stands already" in typed("threshold", run, "specificity=0.8").stdout


def test_a_cost_has_a_prevalence(typed, run):
    done = typed("threshold", run, "cost=5", "--prevalence", "0.1")
    assert "(a miss costs 5 false alarms, prevalence 0.1)" in done.stdout
    assert stored(run)["targets"]["sex"]["asked"] == {"cost": 5, "prevalence": 0.1}
    refused(typed("threshold", run, "youden", "--prevalence", "0.1"), 2, "prevalence goes with cost")
    refused(typed("threshold", run, "--prevalence", "0.1"), 2, "--prevalence goes with a RULE")
    refused(typed("threshold", run, "cost=5", "--prevalence", "1"), 2, "--prevalence")


def test_a_choice_after_the_test_is_marked_for_good(typed, run):
    judge_test(run)
    done = typed("threshold", run, "0.3")
    assert done.returncode == 0
    assert "warning: the test fold had been judged before this choice" in done.stdout
    assert f"`medtf evaluate {run}` judges again" in done.stdout
    assert stored(run)["targets"]["sex"]["after_test"] is True
    assert "(chosen after the test)" in typed("threshold", run).stdout
    (run / "metrics.json").unlink()  # who has seen it has seen it
    typed("threshold", run, "youden")
    assert stored(run)["targets"]["sex"]["after_test"] is True


def test_a_judgement_of_the_validation_fold_is_no_test(typed, run):
    (run / "metrics.json").write_text('{"split": "valid", "leaks": []}')
    done = typed("threshold", run, "0.3")
    assert "after_test" not in stored(run)["targets"]["sex"]
    assert "warning" not in done.stdout
    assert "still show the old threshold" in done.stdout
    (run / "metrics.json").write_text("{")  # nobody can say what it held
    assert "warning" in typed("threshold", run, "0.4").stdout


def test_a_test_that_was_judged_is_remembered_when_another_fold_is_judged_after_it(typed, run):
    from medtf import rethreshold, runs

    for fold in ("test", "valid", "test"):
        rethreshold.record_judged(runs.Run(run), fold)
    assert stored(run)["judged"] == ["test", "valid"]
    (run / "metrics.json").write_text('{"split": "valid", "leaks": []}')
    assert "warning: the test fold had been judged" in typed("threshold", run, "0.3").stdout
    assert stored(run)["judged"] == ["test", "valid"]


def test_the_test_fold_is_never_looked_at(typed, run, tmp_path):
    """Whatever stands in predictions.parquet, and in rows of another fold, the choice is the same."""
    other = shutil.copytree(run, tmp_path / "other")
    frame = pd.read_parquet(run / "valid_predictions.parquet")
    wrong = frame.assign(row=frame["row"] + 10_000, fold="test", sex=np.random.default_rng(0).random(len(frame)))
    pd.concat([frame, wrong]).to_parquet(other / "valid_predictions.parquet", index=False)
    wrong.to_parquet(other / "predictions.parquet", index=False)
    for folder in (run, other):
        assert typed("threshold", folder, "sensitivity=0.8").returncode == 0
    assert stored(run)["targets"] == stored(other)["targets"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("yuden", "did you mean 'youden'?"),
        ("sensitivity", "expected youden, sensitivity=0.95"),
        ("sensitivity=1.5", "expected a number above 0, at most 1, got 1.5"),
        ("sensitivity=much", "expected a number after `=`, got 'much'"),
        ("specificity=0", "expected a number above 0, at most 1, got 0"),
        ("cost=inf", "expected a number above 0, at most 1e"),
        ("cost=0", "expected a number above 0, at most 1e"),
        ("cost=nan", "expected a number after `=`"),
        ("recall=0.9", "expected youden, sensitivity=0.95"),
        ("1.2", "expected a number from 0 to 1, got 1.2"),
        ("nan", "expected youden"),
        ("", "expected youden"),
    ],
)
def test_what_is_no_rule(typed, run, rule, said):
    before = stored(run)
    refused(typed("threshold", run, rule), 2, f"RULE {rule!r}", said)
    assert stored(run) == before


def test_what_has_no_threshold(typed, run, tmp_path):
    refused(typed("threshold", run, "0.3", "--target", "age"), 2, "--target age: is regression, and has no threshold")
    refused(typed("threshold", run, "0.3", "--target", "sx"), 2, "did you mean 'sex'?")
    only = judged.write(tmp_path / "age", judged.people())
    refused(typed("threshold", only), 2, "no binary target")
    refused(typed("threshold", tmp_path / "none"), 2, "no such run folder")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "valid_predictions.parquet",
            None,
            "no valid_predictions.parquet: a threshold is chosen on the validation fold",
        ),
        ("valid_predictions.parquet", "rubbish", "valid_predictions.parquet: damaged: not a Parquet file"),
        ("thresholds.json", "{}", "thresholds.json: damaged: expected `targets`"),
        ("thresholds.json", "[]", "thresholds.json: damaged"),
        ("model.keras", None, "the training has not ended (no model.keras yet)"),
    ],
)
def test_a_run_that_lacks_something(typed, run, name, content, said):
    (run / name).unlink() if content is None else (run / name).write_text(content)
    refused(typed("threshold", run, "youden"), 1, said)


def test_validation_of_one_class_is_said(typed, run):
    path = run / "valid_predictions.parquet"
    frame = pd.read_parquet(path)
    frame[frame["sex_true"] == 1].to_parquet(path, index=False)
    done = typed("threshold", run, "sensitivity=0.9")
    assert "0.5 (fixed (validation fold holds one class only))" in done.stdout
    assert "note: Asked for: sensitivity at least 0.9" in done.stdout
