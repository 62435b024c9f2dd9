"""What `fit` says and leaves: the speed, the bar, the way back after a kill at the very end."""

import json
from types import SimpleNamespace

import pytest

from medtf import runs, train
from medtf.errors import MedtfError
from medtf.fitting import callbacks
from medtf.fitting.checkpoint import Place


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: now.seconds)
    return now


def test_the_speed_leaves_out_the_first_step_the_validation_and_what_lies_between(clock):
    """3 steps of 8 in 2 s each, of which 0.5 s waiting; a first step of 60 s, a validation of 100 s."""
    waited = SimpleNamespace(seconds=0.0)
    place, said, drawn = Place(2, 2), [], []
    report = callbacks.Report(
        place, 8, ["any"], said.append, lambda *words: drawn.append(words), lambda: waited.seconds
    )

    def step(seconds):
        clock.seconds += seconds
        waited.seconds += 0.5
        report.on_train_batch_end(0)
        place.step += 1

    for epoch in range(2):
        report.on_epoch_begin(epoch)
        step(60 if epoch == 0 else 2)
        step(2)
        clock.seconds += 100  # validation
        report.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 2.0, "val_any_auc": 0.75, "val_any_loss": 2.0})
        place.epoch, place.step = epoch + 1, 0
        waited.seconds += 7  # nothing between epochs counts
        clock.seconds += 1000
    assert report.speed() == {"examples_per_second": 24 / 6, "input_wait_share": 1.5 / 6}
    assert said[0] == "first step (builds the graph): 60 s"
    assert said[1] == "epoch 1/2  162 s  loss 1.000  val_loss 2.000  val_any_auc 0.750"
    assert [words[:2] for words in drawn] == [(1, 4), (2, 4), (3, 4), (4, 4)]  # the bar comes to its end


def test_without_a_second_step_there_is_no_speed():
    report = callbacks.Report(Place(1, 1), 8, ["any"], print, None, lambda: 0.0)
    assert report.speed() == {"examples_per_second": None, "input_wait_share": None}


@pytest.mark.parametrize(
    ("monitor", "sign"),
    [("val_any_auc", 1), ("val_site_accuracy", 1), ("val_loss", -1), ("val_auc_group_loss", -1), ("val_age_mean_absolute_error", -1)],
)  # fmt: skip
def test_which_way_a_monitor_is_better(monitor, sign):
    assert callbacks._better(monitor) == sign


def test_of_a_task_s_own_score_more_is_better():
    assert callbacks._better("val_sharpness", ["sharpness"]) == 1
    assert callbacks._better("val_loss", ["sharpness"]) == -1


def test_a_loss_that_is_no_number_ends_the_training_with_advice(tmp_path):
    history = callbacks.History(tmp_path / "history.csv")
    history.on_epoch_end(0, {"loss": 0.5})
    with pytest.raises(MedtfError, match=r"the loss is nan in epoch 2: lower train.learning_rate"):
        history.on_epoch_end(1, {"loss": float("nan")})
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n1,0.5\n"


def test_a_run_that_has_ended_is_not_trained_again_and_is_swept(tmp_path):
    """A kill between the last file and the sweeping leaves checkpoints behind."""
    run = runs.Run(tmp_path / "run")
    run.checkpoint.parent.mkdir(parents=True)
    run.checkpoint.touch()
    run.model.touch()
    (run.folder / "thresholds.json").write_text(json.dumps({}))
    with pytest.raises(MedtfError, match="the training has ended; judge it with"):
        train.resume(run)
    assert not run.checkpoint.parent.exists()
