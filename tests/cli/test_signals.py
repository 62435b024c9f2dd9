"""Ctrl-C and SIGTERM, wherever they come: one line, nothing half-written, and what was saved goes on."""

import signal
import subprocess
import time

import pytest
from commands import command, names

# a pipeline that waits: the signal comes while files are being read
WAITS = '''
"""Waits."""
import time
from pathlib import Path
from medtf.pipelines.rsna_ich import dataset

def examples(root, config, *, scan):
    Path("reading").touch()
    time.sleep(60)
'''


def _hears_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(words, cwd, number: int, ready) -> subprocess.CompletedProcess:
    """Start, wait until `ready()`, send the signal."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # a shell's background jobs hand on an ignored Ctrl-C, and so would these tests when they run in one
    process = subprocess.Popen(command(*words), cwd=cwd, **pipes, preexec_fn=_hears_ctrl_c)
    deadline = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 1, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_during_index_leaves_nothing(phantom, tmp_path, number, code, said):
    (tmp_path / "mine.py").write_text(WAITS)
    words = ("index", "mine.py", phantom, "-o", "t.parquet")
    done = interrupted(words, tmp_path, number, (tmp_path / "reading").exists)
    assert (done.returncode, done.stderr) == (code, f"medtf: stopped by {said}\n")
    assert names(tmp_path) - {"__pycache__"} == {"mine.py", "reading"}


def test_ctrl_c_before_the_training_leaves_no_run(phantom, config, tmp_path):
    (tmp_path / "mine.py").write_text(WAITS)
    words = ("fit", config, "--data", phantom, "--set", "pipeline=mine.py")
    done = interrupted(words, tmp_path, signal.SIGINT, (tmp_path / "reading").exists)
    assert (done.returncode, done.stderr) == (1, "medtf: stopped by Ctrl-C\n")
    assert names(tmp_path) - {"__pycache__"} == {"mine.py", "reading"}


@pytest.mark.slow
def test_ctrl_c_during_training_saves_and_the_run_goes_on(typed, phantom, config, table, tmp_path):
    run = tmp_path / "run"
    words = ("fit", config, "--data", phantom, "--run", run, "--set", f"data.table={table}", "--set", "train.epochs=3")
    done = interrupted(words, tmp_path, signal.SIGINT, (run / "history.csv").exists)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "state saved" in done.stderr
    assert "--resume" in done.stderr
    assert (run / "checkpoints" / "last.npz").exists()
    judged = typed("evaluate", run)
    assert judged.returncode == 1
    assert "the training has not ended" in judged.stderr
    done = typed("fit", config, "--run", run, "--resume")
    assert done.returncode == 0, done.stderr
    assert "resumed at epoch" in done.stdout
    assert "the run's own config counts" in done.stdout
    assert len((run / "history.csv").read_text().splitlines()) == 4
