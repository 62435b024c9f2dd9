"""`medtf fit --folds`: what is refused, and a cross-validation that is killed, fails and goes on, with real processes."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import command, medtf, names, refused

FOLDS = ("--folds", "3")


@pytest.fixture
def fit(typed, phantom, config, table, tmp_path, monkeypatch):
    """`fit` into a folder that must not be there afterwards."""
    monkeypatch.chdir(tmp_path)
    yield lambda *words: typed("fit", config, "--data", phantom, "--run", "x", "--set", f"data.table={table}", *words)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--folds", "2"), 2, "--folds 2: expected at least 3: one fold tests, one validates"),
        ((*FOLDS, "--set", "data.split.test_fold=1"), 2, "--folds trains every fold in its turn"),
        (("--jobs", "2"), 2, "--jobs 2: goes with --folds"),
        ((*FOLDS, "--set", "input.size=8", "--set", "model.name=inception_v3"), 2, "too small for inception_v3"),
        (("--folds", "13"), 1, "12 patients cannot fill 13 folds"),
        ((*FOLDS, "--set", "data.split.leave_out={manufacturer: x}"), 2, "folds and leave_out exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused_leaves_nothing(fit, words, code, said):
    refused(fit(*words), code, said)


def test_the_parent_holds_no_tensorflow(phantom, config, table, tmp_path):
    """It waits for hours; the index, the split and the look at the model may not leave 600 MB, or a GPU, behind."""
    play = "import sys; from medtf import cli, fold_processes\n"
    play += "def train(*_, **__): assert not {'tensorflow', 'keras'} & set(sys.modules), 'held'; print('light')\n"
    play += "if __name__ == '__main__':\n    fold_processes.train = train; cli.cli.main(sys.argv[1:], standalone_mode=False)"
    (tmp_path / "play.py").write_text(play)
    words = [config, "--data", phantom, "--run", tmp_path / "x", *FOLDS, "--set", f"data.table={table}"]
    asked = [sys.executable, tmp_path / "play.py", "fit", *map(str, words)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "light" in done.stdout


@pytest.mark.slow
def test_a_dry_run_tries_one_fold_and_keeps_nothing(fit):
    done = fit(*FOLDS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "every stage works" in done.stdout


def test_what_the_first_fold_finds_out_is_told_and_leaves_nothing(phantom, config, table, tmp_path):
    words = ("--data", phantom, "--run", "x", "--set", f"data.table={table}", "--set", "train.monitor=val_los")
    done = medtf("fit", config, *words, *FOLDS, cwd=tmp_path)
    refused(done, 2, "fold 0: train.monitor 'val_los': did you mean 'val_loss'?")
    assert names(tmp_path) == set()


def test_other_commands_name_a_run_inside(typed, config, phantom, tmp_path):
    parent = tmp_path / "cv"
    refused(typed("fit", config, "--run", parent, *FOLDS, "--resume"), 2, "cv: no such run folder")
    parent.mkdir()
    shutil.copy(config, parent / "config.yaml")
    refused(typed("fit", config, "--run", parent, *FOLDS, "--resume"), 2, "no cross-validation", "folds.json")
    (parent / "folds.json").write_text('{"folds": 3}')
    inside = "name one of its runs, such as"
    refused(typed("predict", parent, config, "-o", tmp_path / "o.csv"), 2, "cv: is a cross-validation", inside)
    refused(typed("fit", config, "--run", parent, *FOLDS, "--data", phantom), 2, "exists already")
    refused(typed("fit", config, "--run", parent, "--folds", 4, "--resume"), 2, "cv has 3 folds")
    refused(typed("fit", config, "--run", parent, "--fold", 9), 2, "--fold 9", "folds 0 to 2")


# === The real thing ===


@pytest.fixture(scope="module")
def words(phantom, config, table):
    """A small cross-validation, without the folder."""
    return ("fit", config, "--data", phantom, *FOLDS, "--set", f"data.table={table}", "--set", "train.epochs=3")


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory) -> Path:
    """A cross-validation that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "cv"
    done = subprocess.run(command(*words, "--run", folder), capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr
    assert f"3 folds: {folder}   next: medtf evaluate {folder}" in done.stdout
    for fold in range(3):
        assert f"fold {fold}: epoch 3/3" in done.stdout
    return folder


def started(words, when) -> subprocess.Popen:
    process = subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not when():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def assert_same(folder: Path, whole: Path) -> None:
    """Weights to the bit, histories, thresholds and validation predictions."""
    import keras

    for fold in (f"fold-{k}" for k in range(3)):
        ours, theirs = (keras.saving.load_model(f / fold / "model.keras", compile=False) for f in (folder, whole))
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        for name in ("history.csv", "thresholds.json"):
            assert (folder / fold / name).read_text() == (whole / fold / name).read_text()
        found = [pd.read_parquet(f / fold / "valid_predictions.parquet") for f in (folder, whole)]
        pd.testing.assert_frame_equal(*found)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_the_second_fold_and_resumed_it_is_the_same(words, config, whole, tmp_path, number):
    folder = tmp_path / "cv"
    process = started((*words, "--run", folder), (folder / "fold-1" / "history.csv").exists)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    if number == signal.SIGTERM:
        assert errors.count("\n") == 1
        assert "stopped by SIGTERM, state saved; go on with" in errors
    assert (folder / "fold-0" / "model.keras").exists()
    assert not (folder / "fold-1" / "model.keras").exists()
    assert not (folder / "fold-2").exists()
    done = medtf("fit", config, "--run", folder, "--resume")
    assert done.returncode == 0, done.stderr
    for said in ("fold 0: trained", "fold 1: begun", "fold 2: not begun", "fold 1: resumed at epoch"):
        assert said in done.stdout
    assert "fold 0: epoch" not in done.stdout
    assert_same(folder, whole)
    again = medtf("fit", config, "--run", folder, "--resume", *FOLDS)
    assert again.returncode == 0
    assert "epoch" not in again.stdout


@pytest.mark.slow
def test_a_broken_file_ends_one_fold_and_keeps_the_others(words, config, phantom, whole, tmp_path):
    """A file of fold 0, which fold 0's own run does not read to train."""
    data, folder = shutil.copytree(phantom, tmp_path / "data"), tmp_path / "cv"
    words = [data if word == phantom else word for word in words]
    process = started((*words, "--run", folder), (folder / "folds.json").exists)
    table = pd.read_parquet(folder / "table.parquet")
    broken = data / table.loc[table["cv_fold"] == 0, "path"].iloc[0]
    content = broken.read_bytes()
    broken.write_bytes(content[:-500])
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    last = errors.splitlines()[-1]
    assert last.startswith("medtf: fold 1: ")
    for said in (broken.name, "shorter", "Fold 0 is trained and stays; go on with `medtf fit "):
        assert said in last
    assert not (folder / "fold-2").exists()
    broken.write_bytes(content)
    assert medtf("fit", config, "--run", folder, "--resume").returncode == 0
    assert_same(folder, whole)
