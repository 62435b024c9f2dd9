"""Exact resume: what is put back, from where, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time

import fit_small
import keras
import numpy as np
import pandas as pd
import pytest

from medtf import config as configs
from medtf.errors import MedtfError, StoppedError
from medtf.fitting import callbacks
from medtf.fitting.checkpoint import Checkpoint, Place, Stop, read_arrays, write_arrays
from medtf.train import through

AUGMENT = {"flip": 0.5, "noise": 0.05, "mixup": 0.2}
EVERY_STEP = {"checkpoint_minutes": 1e-6}


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def kill_at(monkeypatch, hook: str, count: int):
    """The `count`th call of a hook of the report, which comes before the checkpoint, kills the training."""
    left = [count]
    original = getattr(callbacks.Report, hook, lambda *args, **kwargs: None)

    def die(self, *args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return original(self, *args, **kwargs)

    monkeypatch.setattr(callbacks.Report, hook, die, raising=False)


def killed_and_resumed(session_of, folder, monkeypatch, hook, count, **sections):
    first = session_of(folder, **sections)
    with monkeypatch.context() as patched:
        kill_at(patched, hook, count)
        with pytest.raises(Killed):
            through(first.session, first.run)
    second = session_of(folder, **sections)
    through(second.session, second.run)
    return second


def same(one, other, kernels):
    for a, b in zip(kernels(one.run.model), kernels(other.run.model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.run.history.read_text() == other.run.history.read_text()
    assert (one.run.folder / "thresholds.json").read_text() == (other.run.folder / "thresholds.json").read_text()


SECTIONS = {"augment": AUGMENT, "train": {"epochs": 2, "ema": 0.9, "seed": 3, **EVERY_STEP}}


@pytest.fixture(scope="module")
def whole(session_of, tmp_path_factory):
    made = session_of(tmp_path_factory.mktemp("whole"), **SECTIONS)
    through(made.session, made.run)
    return made


@pytest.mark.parametrize(
    ("hook", "count", "said"),
    [
        ("on_train_batch_end", 3, "resumed at epoch 1, step 2 of 4"),
        ("on_train_batch_end", 7, "resumed at epoch 2, step 2 of 4"),
        ("on_test_batch_end", 1, "resumed at epoch 1, step 3 of 4"),  # in the validation
        ("on_epoch_begin", 2, "resumed at epoch 2, step 0 of 4"),
        ("on_train_end", 1, "resumed at epoch 3, step 0 of 4"),  # all steps are done, nothing is judged
    ],
    ids=["first-epoch", "second-epoch", "validation", "between-epochs", "after-the-last"],
)
def test_a_killed_run_comes_out_as_if_never_killed(
    session_of, tmp_path, monkeypatch, kernels, whole, hook, count, said
):
    """Weights, history (with metrics of the cut epoch), and threshold are equal to the bit."""
    resumed = killed_and_resumed(session_of, tmp_path, monkeypatch, hook, count, **SECTIONS)
    assert said in resumed.said
    same(resumed, whole, kernels)
    assert not resumed.run.checkpoint.parent.exists()


def test_float16_with_its_loss_scale_is_resumed_exactly(session_of, tmp_path, monkeypatch, kernels):
    sections = {"train": {"epochs": 1, "precision": "mixed_float16", "accumulate": 2, **EVERY_STEP}}
    whole = session_of(tmp_path / "whole", **sections)
    through(whole.session, whole.run)
    resumed = killed_and_resumed(session_of, tmp_path / "killed", monkeypatch, "on_train_batch_end", 4, **sections)
    assert "resumed at epoch 1, step 3 of 4" in resumed.said
    same(resumed, whole, kernels)


def test_the_best_weights_are_the_averaged_ones(session_of, tmp_path):
    made = session_of(tmp_path, train={"epochs": 1, "ema": 0.5})
    seen = {}
    original = callbacks.Best.on_epoch_end

    def look(self, epoch, logs=None):
        original(self, epoch, logs)
        optimizer = self.model.optimizer
        pairs = zip(self.model.trainable_variables, optimizer._model_variables_moving_average, strict=True)
        seen["raw"], seen["mean"] = zip(*[(np.array(v), np.array(a)) for v, a in pairs], strict=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.Best, "on_epoch_end", look)
        through(made.session, made.run)
    kept = [np.array(v) for v in made.session.trainer.trainable_variables]
    for value, mean in zip(kept, seen["mean"], strict=True):
        np.testing.assert_array_equal(value, mean)
    assert any((a != b).any() for a, b in zip(seen["raw"], seen["mean"], strict=True))
    # and they are what was validated: the history's loss is that of the kept weights
    made.session.trainer.optimizer.use_ema = False
    valid = made.session.module.dataset(made.session.folds["valid"], made.session.root, made.config, training=False)
    again = made.session.trainer.evaluate(valid, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(pd.read_csv(made.run.history)["val_loss"][0], rel=1e-5)


def test_early_stopping_stops_keeps_the_best_and_stays_stopped(session_of, tmp_path, monkeypatch):
    """Values of the monitor by hand: 3, 1, 2, 2 -> with patience 2 the fourth epoch is the last and the second the best."""
    values = iter([3.0, 1.0, 2.0, 2.0, 0.0, 0.0])
    original = callbacks.Best.on_epoch_end
    weights = {}

    def scripted(self, epoch, logs=None):
        weights[epoch + 1] = [np.array(w) for w in self.model.trainable_variables]
        original(self, epoch, {"val_loss": next(values)})

    sections = {"targets": {"sick": "binary"}, "train": {"epochs": 6, "early_stopping": 2, **EVERY_STEP}}
    monkeypatch.setattr(callbacks.Best, "on_epoch_end", scripted)
    first = session_of(tmp_path, **sections)
    with monkeypatch.context() as patched:
        kill_at(patched, "on_train_end", 1)
        with pytest.raises(Killed):
            through(first.session, first.run)
    assert list(weights) == [1, 2, 3, 4]
    second = session_of(tmp_path, **sections)
    through(second.session, second.run)
    assert list(weights) == [1, 2, 3, 4], "a run that had stopped early went on after --resume"
    assert "best epoch by val_loss: 2 (stopped early)" in second.said
    for a, b in zip(second.session.trainer.trainable_variables, weights[2], strict=True):
        np.testing.assert_array_equal(np.array(a), b)
    assert not any(line.startswith("speed") for line in second.said)  # no step was taken: no speed is told


@pytest.fixture(scope="module")
def saved(session_of, tmp_path_factory):
    """A checkpoint after two of four steps."""
    folder = tmp_path_factory.mktemp("saved")
    made = session_of(folder, augment=AUGMENT, train={"epochs": 2, **EVERY_STEP})
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, "on_train_batch_end", 3)
        with pytest.raises(Killed):
            through(made.session, made.run)
    return made


def checkpoint(made):
    found = Checkpoint(made.run.checkpoint, Place(made.config.train.epochs, 4), [], 5, None)
    found.set_model(made.session.trainer)
    found.stateful = [callbacks.History(made.run.history), callbacks.Best(made.run.best, "val_loss", None)]
    return found


def test_a_checkpoint_holds_everything_that_changes(saved, session_of, tmp_path):
    made = session_of(tmp_path, augment=AUGMENT, train={"epochs": 2, "seed": 5, **EVERY_STEP})
    arrays, state = read_arrays(saved.run.checkpoint)
    found = Checkpoint(saved.run.checkpoint, Place(2, 4), checkpoint(made).stateful, 5, None)
    found.set_model(made.session.trainer)
    found.restore()
    names = " ".join(state["names"])
    for part in ("seed_generator", "momentum", "velocity", "iteration", "mixup/share", "moving_mean"):
        assert part in names, part
    assert found.place.state() == {"epoch": 0, "step": 2, "steps": 4}
    variables = [*made.session.trainer.variables, *made.session.trainer.optimizer.variables]
    for i, variable in enumerate(variables):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), arrays[f"v{i}"])
    metrics = {v.path for v in made.session.trainer.metrics_variables}
    assert len(found.metrics_to_restore) == len(made.session.trainer.metrics_variables)
    assert any("auc" in path or "true_positives" in path for path in metrics)


def test_a_damaged_checkpoint_is_one_clear_line(saved, tmp_path):
    content = saved.run.checkpoint.read_bytes()
    middle = len(content) // 2
    for damaged in (
        b"",
        content[:1000],
        content[:middle],
        content[:middle] + bytes(64) + content[middle + 64 :],
        b"not a checkpoint at all",
    ):
        path = tmp_path / "last.npz"
        path.write_bytes(damaged)
        with pytest.raises(MedtfError, match=r"last\.npz: the checkpoint cannot be read") as caught:
            read_arrays(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {"model": {"name": "mobilenet_v2"}},
        {"targets": {"sick": "binary"}},
        {"train": {"epochs": 2, "optimizer": "sgd"}},
        {"train": {"epochs": 2, "ema": 0.9}},
        {"train": {"epochs": 2, "batch_size": 4}},
    ],
    ids=["backbone", "targets", "optimizer", "ema", "batch-size"],
)
def test_a_checkpoint_of_another_config_is_refused(saved, session_of, tmp_path, sections):
    made = session_of(tmp_path, **{"augment": AUGMENT, **sections})
    found = checkpoint(made)
    found.path, found.place = saved.run.checkpoint, made.session.place
    with pytest.raises(MedtfError, match="of another training than config"):
        found.restore()


def test_arrays_are_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "a.npz"
    write_arrays(path, {"a": np.arange(3)}, {"one": [1, None, 2.5]})
    arrays, state = read_arrays(path)
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
    assert state == {"one": [1, None, 2.5]}
    with pytest.raises(TypeError):
        write_arrays(path, {"a": np.arange(9)}, {"no json": object()})
    assert read_arrays(path)[1] == state
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]


def test_a_signal_is_a_wish_and_the_old_handlers_come_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with Stop(tmp_path) as stop:
        assert stop.reason is None
        signal.raise_signal(signal.SIGTERM)
        assert isinstance(stop.reason, StoppedError)
        assert stop.reason.exit_code == 143
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_jax_kill_and_resume_gives_the_same_weights(pictures, tmp_path, kernels):
    pytest.importorskip("jax")
    config = tmp_path / "small.yaml"
    raw = {
        "pipeline": "table",
        "targets": {"sick": "binary"},
        "data": {"columns": {"fold": "fold"}},
        "input": {"size": 32},
        "model": {"name": "mobilenet"},
        "augment": AUGMENT,
        "train": {"epochs": 2, "batch_size": 8, "ema": 0.9, **EVERY_STEP},
    }
    config.write_text(configs.dump(configs.parse(raw)))
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}

    def fit(run, *words):
        command = [sys.executable, fit_small.__file__, "fit", config, "--run", run, *words]
        return subprocess.Popen(
            list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    whole = fit(tmp_path / "whole", "--data", pictures)
    _, errors = whole.communicate(timeout=400)
    assert whole.returncode == 0, errors
    assert json.loads((tmp_path / "whole" / "environment.json").read_text())["backend"] == "jax"
    run = tmp_path / "killed"
    process = fit(run, "--data", pictures)
    place = run / "checkpoints" / "last.npz"
    deadline = time.monotonic() + 300

    def begun():
        if not place.exists():
            return False
        reached = read_arrays(place)[1]["place"]
        return (reached["epoch"], reached["step"]) >= (0, 2)

    while not begun():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait(60)
    resumed = fit(run, "--resume")
    told, errors = resumed.communicate(timeout=400)
    assert resumed.returncode == 0, errors
    assert "resumed at epoch" in told
    for a, b in zip(kernels(run / "model.keras"), kernels(tmp_path / "whole" / "model.keras"), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (run / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()
