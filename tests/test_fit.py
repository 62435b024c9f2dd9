"""A training from files to a judged model, as a user types it; killed, stopped, resumed, repeated."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

SMALL = {
    "pipeline": "rsna_ich",
    "targets": {"any": "binary", "subdural": "binary"},
    "data": {"undersample": "each_epoch", "split": {"valid": 0.2, "test": 0.2}},
    "input": {"size": 32, "windows": ["brain", "subdural", "soft"], "window_jitter": [3, 10]},
    "model": {"name": "mobilenet", "weights": "none"},
    "augment": {"flip": 0.5, "rotate": 10, "noise": 0.02, "mixup": 0.2},
    "train": {"epochs": 3, "batch_size": 8, "ema": 0.9, "checkpoint_minutes": 0.0001, "loss_weights": {"any": 2}},
    "evaluate": {"replicates": 50},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    from medtf.data.phantom import ct

    folder = tmp_path_factory.mktemp("phantom") / "ct"
    ct.write(folder, patients=20, slices=8, matrix=64, jobs=1)
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="module")
def whole(data, config, tmp_path_factory) -> Path:
    """A run that was never stopped, and judged."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = medtf("fit", config, "--data", data, "--run", run)
    assert done.returncode == 0, done.stderr
    assert "waited for input" in done.stdout
    assert medtf("evaluate", run).returncode == 0
    return run


def command(*words) -> list[str]:
    return [sys.executable, "-m", "medtf", *map(str, words)]


def medtf(*words) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300)


def weights(run: Path) -> list[np.ndarray]:
    return keras.saving.load_model(run / "model.keras", compile=False).get_weights()


def stopped(words, run: Path, number: int, history_rows: int = 1) -> subprocess.Popen:
    """Start a training, wait until it is under way in its second epoch, and send it a signal."""
    process = subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    history = run / "history.csv"
    while not (history.exists() and len(history.read_text().splitlines()) > history_rows):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.15)
    process.send_signal(number)
    process.wait(120)
    return process


def test_the_run_folder_holds_what_the_design_names(whole):
    names = {p.name for p in whole.iterdir()}
    assert names == {
        "config.yaml", "environment.json", "local.json", "table.parquet", "history.csv", "model.keras", "thresholds.json",
        "valid_predictions.parquet", "metrics.json", "predictions.parquet", "report.html", "plots",
        "model.json", "gallery.json",
    }  # fmt: skip
    predictions = pd.read_parquet(whole / "predictions.parquet")
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["n"]["examples"] == len(predictions)
    assert set(predictions["fold"]) == {"test"}
    assert not [p for p in whole.parent.iterdir() if p != whole], "something was left beside the run"


@pytest.mark.slow
def test_kill_and_resume_gives_the_same_weights(data, config, whole, tmp_path):
    run = tmp_path / "run"
    process = stopped(("fit", config, "--data", data, "--run", run), run, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (run / "model.keras").exists()
    done = medtf("fit", config, "--run", run, "--resume")
    assert done.returncode == 0, done.stderr
    assert "resumed at epoch" in done.stdout
    for a, b in zip(weights(run), weights(whole), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (run / "history.csv").read_text() == (whole / "history.csv").read_text()
    again = medtf("fit", config, "--run", run, "--resume")
    assert again.returncode == 1
    assert "has ended" in again.stderr


@pytest.mark.slow
def test_sigterm_saves_and_exits_143(data, config, whole, tmp_path):
    run = tmp_path / "run"
    process = stopped(("fit", config, "--data", data, "--run", run), run, signal.SIGTERM)
    assert process.returncode == 143
    errors = process.stderr.read()
    assert errors.count("\n") == 1
    assert "--resume" in errors
    assert medtf("fit", config, "--run", run, "--resume").returncode == 0
    for a, b in zip(weights(run), weights(whole), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_one_seed_one_result_and_another_seed_another(data, config, whole, tmp_path):
    run = tmp_path / "run"
    assert medtf("fit", config, "--data", data, "--run", run).returncode == 0
    assert medtf("evaluate", run).returncode == 0
    assert (run / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    other = tmp_path / "other"
    assert medtf("fit", config, "--data", data, "--run", other, "--set", "train.seed=1").returncode == 0
    assert any((a != b).any() for a, b in zip(weights(other), weights(whole), strict=True))


def test_predict_accounts_for_every_file(data, whole, tmp_path):
    files = sorted((data / "stage_2_train").iterdir())[:5]
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "notes.txt").write_text("not an image")
    (odd / "cut.dcm").write_bytes(files[0].read_bytes()[:-100])
    done = medtf("predict", whole, *files, odd, "-o", tmp_path / "new.csv")
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "new.csv", keep_default_na=False)
    assert len(found) == 7
    reasons = dict(zip(found["path"].map(os.path.basename), found["reason"], strict=True))
    assert reasons["notes.txt"].startswith("not an image")
    assert reasons["cut.dcm"].startswith("truncated")
    good = found[found["reason"] == ""]
    assert pd.to_numeric(good["any"]).between(0, 1).all()


@pytest.mark.slow
def test_dry_run_takes_every_stage_and_keeps_nothing(data, config, tmp_path):
    before = time.monotonic()
    done = subprocess.run(
        command("fit", config, "--data", data, "--dry-run"), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "report" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - before < 60


@pytest.mark.slow
def test_a_patient_in_two_folds_is_refused_and_with_insistence_told_in_red(data, config, tmp_path):
    from medtf import table

    path = tmp_path / "table.parquet"
    assert medtf("index", "rsna_ich", data, "-o", path).returncode == 0
    found = table.load(path)
    folds = np.array(["train", "valid", "test"])[
        found.frame.groupby("patient").cumcount() % 3
    ]  # each patient in all three
    table.save(found.with_frame(found.frame.assign(fold=pd.Series(folds, dtype="str"))), path)
    run = tmp_path / "run"
    words = ("fit", config, "--data", data, "--run", run, "--set", f"data.table={path}", "--set", "train.epochs=1")
    done = medtf(*words)
    assert done.returncode == 1
    assert "20 patients in both train and valid" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not run.exists()
    assert medtf(*words, "--allow-leaks").returncode == 0
    assert medtf("evaluate", run).returncode == 0
    assert "20 patients in both train and test" in (run / "report.html").read_text()
