"""`medtf evaluate`, `predict` and `preview`: what they say, and runs, data and files that are not as they were."""

import json
import shutil

import pandas as pd
import pytest
from commands import names, refused

from medtf.cli.evaluate import summary


def first_of(run, fold: str) -> str:
    frame = pd.read_parquet(run / "table.parquet")
    return frame.loc[frame["fold"] == fold, "path"].iloc[0]


def test_evaluate_says_the_numbers_and_where_the_report_is(typed, run):
    done = typed("evaluate", run)
    assert done.returncode == 0, done.stderr
    assert "test fold: " in done.stdout
    assert "95% intervals over patients" in done.stdout
    assert f"report: {run / 'report.html'}" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) < 200
    assert not [name for name in names(run) if name.startswith(".")]


def test_a_run_is_judged_where_it_was_copied_to_and_the_data_where_they_went(
    typed, run, phantom, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (run / "local.json").write_text(json.dumps({"data": str(tmp_path / "gone")}))
    refused(typed("evaluate", "run"), 1, "gone: no such folder any more: say where it is with --data")
    refused(typed("evaluate", "run", "--data", "run"), 1, "are not below the data root", "--data")
    assert not (run / "metrics.json").exists()
    moved = shutil.copytree(phantom, tmp_path / "moved here")
    done = typed("evaluate", "run/", "--data", f"{moved}/")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change", ["removed", "emptied"])
def test_one_file_that_is_lost_is_named(typed, run, phantom, tmp_path, change, monkeypatch):
    from medtf import judging

    monkeypatch.setattr(judging, "refuse_absent", lambda table, root: None)  # it looks at a sample only
    data = shutil.copytree(phantom, tmp_path / "data")
    lost = data / first_of(run, "test")
    lost.unlink()
    if change == "emptied":
        lost.touch()
    refused(typed("evaluate", run, "--data", data), 1, str(lost), "bring it back")
    assert not (run / "metrics.json").exists()


def test_folds_that_are_not_there(typed, run):
    refused(typed("evaluate", run, "--split", "vlid"), 2, "did you mean 'valid'?", "it has train, valid, test")
    frame = pd.read_parquet(run / "table.parquet")
    from medtf import table as tables

    found = tables.load(run / "table.parquet")
    tables.save(found.with_frame(frame[frame["fold"] != "test"]), run / "table.parquet")
    refused(typed("evaluate", run), 2, "--split test: the run has no such fold; it has train, valid")


def test_what_is_no_run(typed, run, phantom, tmp_path):
    for words in (("evaluate",), ("predict", phantom, "-o", tmp_path / "p.csv")):
        name, *rest = words
        refused(typed(name, tmp_path / "no", *rest), 2, "no such run folder")
        refused(typed(name, phantom, *rest), 2, "not a run folder: it has no config.yaml")
        refused(typed(name, run / "model.keras", *rest), 2, f"is a file; expected the run folder, such as {run}")


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("model.keras", None, 1, "the training has not ended (no model.keras yet)"),
        ("thresholds.json", None, 1, "the training has not ended (no thresholds.json yet)"),
        ("model.keras", "rubbish", 1, "model.keras: damaged"),
        ("config.yaml", "a: [", 1, "config.yaml: damaged"),
        ("config.yaml", "", 1, "config.yaml: damaged"),
        ("local.json", "{", 1, "local.json: damaged: not JSON"),
        ("table.parquet", "rubbish", 1, "table.parquet: not a Parquet file"),
        ("table.parquet", None, 2, "table.parquet: no such table"),
        ("thresholds.json", "[]", 1, "thresholds.json: damaged"),
    ],
)
def test_an_unfinished_or_damaged_run(typed, run, name, content, code, said):
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    line = refused(typed("evaluate", run), code, said)
    if "ended" in said:
        assert f"--run {run} --resume" in line
    assert not (run / "metrics.json").exists()


def test_the_reason_for_what_is_undefined_is_said_once():
    undefined = {"value": None, "reason": "needs positive and negative examples"}
    known = {"value": 0.9, "low": 0.8, "high": 1.0}
    one = {"kind": "binary", "n": 32, "positives": 0, "auc": undefined, "average_precision": undefined}
    one |= {"sensitivity": undefined, "specificity": known}
    metrics = {"split": "test", "n": {"examples": 32, "patients": 1}, "leaks": [], "targets": {"any": one, "x": one}}
    lines = summary(metrics)
    assert lines[0].startswith("test fold: 32 examples of 1 patient (")
    assert lines[1] == (
        "  any  specificity 0.900 (0.800 to 1.000)   no AUC, average precision, sensitivity: none of the 32 examples is positive"
    )
    assert summary(metrics | {"leaks": ["1 patient in both"]})[1] == "LEAK: 1 patient in both"


def test_predict_says_where_the_paths_are_and_writes_whole_numbers(typed, phantom, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = typed("predict", trained, phantom, "-o", "new/folder/p.csv")
    assert done.returncode == 0, done.stderr
    masks = len(list((phantom / "annotations").rglob("*.png")))  # which lie beside the images, and are none
    assert f"predicted: 72 images   left out: {1 + masks} files" in done.stdout
    assert f"paths in it are below {phantom}" in done.stdout
    found = pd.read_csv("new/folder/p.csv", dtype=str, keep_default_na=False)
    assert set(found["any_above_threshold"]) <= {"0", "1", ""}
    assert set(found["frame"]) == {"0", ""}


def test_predict_asked_wrongly(typed, phantom, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a note, not an image")
    labels = shutil.copy(phantom / "stage_2_train.csv", tmp_path / "labels.csv")
    before, content = names(tmp_path), (tmp_path / "labels.csv").read_bytes()
    out = ("-o", "p.csv")
    refused(typed("predict", trained, *out), 2, "Missing argument 'FILES...'")
    refused(typed("predict", trained, "nowhere", *out), 1, "nowhere: no such file or folder")
    refused(typed("predict", trained, "empty", *out), 1, "empty: the folder is empty")
    refused(typed("predict", trained, "notes", *out), 1, "no file can be predicted: 1 x not an image")
    refused(typed("predict", trained, phantom, "-o", "p.txt"), 2, "expected a name that ends in .csv")
    refused(typed("predict", trained, phantom, "-o", labels), 2, "holds no predictions: choose another name")
    assert names(tmp_path) == before
    assert (tmp_path / "labels.csv").read_bytes() == content


def test_preview_asked_wrongly(typed, phantom, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(typed("preview", config), 2, "Missing option '--data'")
    refused(typed("preview", "nope", "--data", phantom), 2, "unknown config 'nope'")
    refused(typed("preview", config, "--data", phantom, "-o", "p.jpg"), 2, "expected a name that ends in .png")
    refused(typed("preview", config, "--data", "nowhere"), 1, "nowhere: no such folder")
    refused(typed("preview", config, "--data", phantom, "-n", "0"), 2, "-n")
    done = typed("preview", config, "--data", phantom, "--set", "input.windows=null")
    refused(done, 1, "name input.windows, such as [brain, subdural, soft]")
    assert names(tmp_path) == set()
