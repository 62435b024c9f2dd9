"""`medtf curve` with trainings: each a process and a run folder of its own, stopped and gone on with."""

import json
import signal
import subprocess

import pandas as pd
import pytest
import small_runs
from commands import command, medtf, names, refused

from medtf import config as configs
from medtf import runs


@pytest.fixture
def asked(tmp_path):
    """The words of a curve of two trainings of one epoch."""
    root = small_runs.pictures(tmp_path / "data")
    settings = small_runs.settings(train={"batch_size": 8, "epochs": 1}, targets={"sick": "binary"})
    (tmp_path / "small.yaml").write_text(configs.dump(settings))
    words = ["curve", tmp_path / "small.yaml", "--data", root, "--shares", "25,100", "--seeds", "1", "--min-steps", "3"]
    return [*words, "-o", tmp_path / "curve"]


@pytest.mark.slow
def test_a_curve_is_stopped_and_gone_on_with(asked, tmp_path):
    first = subprocess.Popen(command(*asked), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in first.stdout:
        if "training 2 of 2" in line:
            first.send_signal(signal.SIGTERM)
            break
    _, errors = first.communicate(timeout=300)
    assert first.returncode == 143
    assert "stopped by SIGTERM, state saved; go on with `medtf curve" in errors
    done = medtf(*asked)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 points are done" in done.stdout
    assert "training 1 of 1: from scratch, 100 %, seed 0" in done.stdout
    assert {"curve.json", "curve.csv", "curve.png", "curve.html", "table.parquet", "runs"} <= names(tmp_path / "curve")
    few, every = (runs.finished(tmp_path / "curve" / "runs" / f"from_scratch-{share}pct-seed0") for share in (25, 100))
    assert (few.config().train.batch_size, few.config().train.epochs) == (6, 3), "3 of 12 patients have 6 pictures"
    assert (every.config().train.batch_size, every.config().train.epochs) == (8, 1)
    tested = [pd.read_parquet(run.folder / "test_predictions.parquet") for run in (few, every)]
    assert tested[0]["row"].tolist() == tested[1]["row"].tolist(), (
        "rows of the curve's table, however few are trained on"
    )
    content = json.loads((tmp_path / "curve" / "curve.json").read_text())
    assert [point["patients"] for point in content["targets"]["sick"]["points"]] == [3, 12]
    assert "25 %: 3 steps" in content["notes"][0]
    again = medtf(*asked)
    assert "2 of 2 points are done" in again.stdout
    assert "training" not in again.stdout.replace("trainings", "")


def test_no_data(asked, tmp_path):
    words = [*asked]
    words[words.index("--data") + 1] = tmp_path / "nowhere"
    refused(medtf(*words), 1, "--data", "no such folder")
    assert not (tmp_path / "curve").exists()
