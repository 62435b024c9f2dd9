"""A pretraining from files to a judged task, and the training that begins with it, as a user types them."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import small_runs
from click.testing import CliRunner

from medtf import config as configs
from medtf import judging_pretraining, pretraining, runs, train
from medtf.cli import cli
from medtf.errors import AskedWronglyError

TASK = """
import keras
from keras import ops
from medtf.pretrain.task import Task


class Pretraining(Task):
    \"\"\"Which images are upside down? Every third one in validation.\"\"\"

    score_names = ("accuracy",)

    def __init__(self, encoder, pretrain, *, augmentation=(), seed=0):
        super().__init__(encoder, augmentation=augmentation, name="upside_down")
        self.generator = keras.random.SeedGenerator(seed)
        self.head = keras.layers.Dense(1, dtype="float32", name="answer")

    def attempt(self, images, *, training):
        count = ops.shape(images)[0]
        drawn = keras.random.uniform((count,), seed=self.generator, dtype="float32") > 0.5
        turned = drawn if training else ops.arange(count) % 3 == 0
        given = ops.where(ops.reshape(turned, (-1, 1, 1, 1)), ops.flip(images, axis=1), images)
        logits = self.head(self.encoder(given, training=training))[:, 0]
        return {"logits": logits, "turned": ops.cast(turned, "float32"), "given": given}

    def example_losses(self, outcome):
        return ops.softplus(outcome["logits"]) - outcome["turned"] * outcome["logits"]

    def example_scores(self, outcome):
        return {"accuracy": ops.cast((outcome["logits"] > 0) == (outcome["turned"] > 0.5), "float32")}

    def baseline(self):
        return 0.5

    def pictures(self, images):
        return {"original": images, "given": self.attempt(images, training=False)["given"]}
"""


def settings(task, **sections):
    raw = {
        "pipeline": "table",
        "data": {"columns": {"fold": "fold"}},
        "input": {"size": 32},
        "model": {"name": "mobilenet"},
        "augment": {"flip": 0.5, "noise": 0.05},
        "train": {"batch_size": 8, "epochs": 2, "learning_rate": 1e-3},
        "pretrain": {"task": str(task), "draw_every": 1},
    }
    return configs.parse(raw | sections)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(data, config, run): the run was trained for two epochs."""
    folder = tmp_path_factory.mktemp("pretraining")
    data = small_runs.pictures(folder / "data")
    (folder / "upside_down.py").write_text(TASK)
    config = settings(folder / "upside_down.py")
    run = train.fit(config, data, runs.new(folder / "run"), told=train.Told(say=lambda line: None))
    return data, config, run


def test_the_run_folder_holds_an_encoder_its_task_and_pictures(made):
    _, _config, run = made
    there = {path.name for path in run.folder.iterdir()}
    assert {
        "model.keras",
        "model.json",
        "task.npz",
        "pretraining.json",
        "history.csv",
        "table.parquet",
        "plots",
    } <= there
    assert not {"thresholds.json", "checkpoints"} & there
    assert {path.name for path in run.plots.iterdir()} == {
        "pretraining-epoch-001.png", "pretraining-epoch-002.png", "pretraining.png"
    }  # fmt: skip
    history = pd.read_csv(run.history)
    assert len(history) == 2
    assert {"loss", "val_loss", "accuracy", "val_accuracy"} <= set(history)
    encoder = keras.saving.load_model(run.model)
    assert encoder.output.shape == (None, 1024)  # mobilenet's features, without a head
    assert np.isfinite(encoder.predict(np.zeros((1, 32, 32, 1)), verbose=0)).all()


def test_what_is_saved_is_the_encoder_that_solved_the_task(made):
    _, _, run = made
    task = pretraining.restored(run)
    saved = keras.saving.load_model(run.model)
    for kept, weight in zip(task.encoder.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(kept), keras.ops.convert_to_numpy(weight))


def test_its_validation_is_the_same_each_time(made):
    data, _, run = made
    first = judging_pretraining.evaluate(run, root=data, fold="valid")
    again = judging_pretraining.evaluate(run, root=data, fold="valid")
    assert first == again
    best = pd.read_csv(run.history)["val_loss"].min()
    # four patients of two images: the mean over patients is the mean over images
    assert first["loss"]["value"] == pytest.approx(best, rel=1e-4)


def test_evaluate_tells_the_score_with_its_interval_beside_guessing(made):
    data, _, run = made
    done = CliRunner().invoke(cli, ["evaluate", str(run.folder), "--data", str(data)])
    assert done.exit_code == 0, done.output
    judged = json.loads((run.folder / "pretraining.json").read_text())["judged"]
    found = pd.read_parquet(run.predictions)
    assert len(found) == judged["n"]["examples"] == 16
    assert judged["accuracy"]["value"] == pytest.approx(found.groupby("patient")["accuracy"].mean().mean())
    assert judged["loss"]["low"] < judged["loss"]["value"] < judged["loss"]["high"]
    assert "without looking 0.5" in done.output
    page = run.report.read_text()
    assert "labels were not read" in page
    assert page.count("data:image/png") >= 3
    assert CliRunner().invoke(cli, ["report", str(run.folder)]).exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        ["threshold", "RUN", "0.5"],
        ["predict", "RUN", "sheet.csv", "-o", "x.csv"],
        ["compare", "RUN", "elsewhere"],
    ],
)
def test_commands_that_want_answers_say_what_it_is(made, command):
    _, _, run = made
    done = CliRunner().invoke(cli, [str(run.folder) if word == "RUN" else word for word in command])
    assert isinstance(done.exception, AskedWronglyError)
    assert "is a pretraining" in str(done.exception)
    assert "model.weights" in str(done.exception)


@pytest.mark.slow
def test_a_stopped_pretraining_goes_on_to_the_same_weights(made, tmp_path):
    """Ended after the first epoch by its own hand, then resumed: random states, optimizer and place come back."""
    data, config, run = made
    half = runs.new(tmp_path / "half")

    def stop(line):
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.fit(config, data, half, told=train.Told(say=stop))
    with pytest.raises(
        KeyboardInterrupt
    ):  # before the first checkpoint: it begins again, and is stopped in the second epoch
        train.resume(
            half,
            told=train.Told(say=lambda line: stop(line.replace("epoch 2/", "epoch 1/") if "epoch 2" in line else "")),
        )
    train.resume(half, told=train.Told(say=lambda line: None))
    for one, other in zip(pretraining.restored(run).weights, pretraining.restored(half).weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))


def test_a_training_begins_with_it(made, tmp_path):
    data, _, run = made
    said = []
    config = small_runs.settings(targets={"sick": "binary"}, model={"name": "mobilenet", "weights": str(run.folder)},
                                 train={"batch_size": 8, "epochs": 1, "learning_rate": 1e-9})  # fmt: skip
    later = train.fit(config, data, runs.new(tmp_path / "run"), told=train.Told(say=said.append))
    assert any(line.startswith("weights from") for line in said)
    began = keras.saving.load_model(run.model).get_layer("conv1").get_weights()[0]
    ended = keras.saving.load_model(later.model).get_layer("conv1").get_weights()[0]
    np.testing.assert_allclose(ended, began, atol=1e-6)


def test_dry_run_takes_every_stage_of_it(made):
    data, config, _ = made
    from medtf.dry_run import dry_run

    said = []
    metrics = dry_run(config, data, told=train.Told(say=said.append))
    assert metrics["n"]["examples"] == 8
    assert "report of" in said[-1]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"targets": {"sick": "binary"}}, "makes its labels of the images themselves"),
        ({"data": {"undersample": "fixed"}}, "knows no classes"),
        ({"model": {"name": "cnn3d"}, "input": {"size": 32}}, "is for images; cnn3d takes volumes"),
        (
            {"pretrain": {"task": "masked_autoencoder"}},
            "takes a vision transformer, and mobilenet is none; it can learn by",
        ),
        ({"pretrain": {"task": "rotation", "mask": 0.9}}, "mask: rotation does not read it"),
        ({"model": {"name": "mobilenet", "dropout": 0.2}}, "model.dropout: is for targets"),
        ({"data": {"labels": 0.1}}, "data.labels: is for targets"),
        ({"augment": {"mixup": 0.2}}, "mixup and cutmix mix labels"),
        ({"pretrain": {"task": "rotatoin"}}, "did you mean 'rotation'"),
    ],
)
def test_what_does_not_go_together_is_told(sections, said):
    with pytest.raises(AskedWronglyError, match=said):
        settings("rotation", **sections)


def test_a_cross_validation_of_a_pretraining_is_refused_with_the_way(made, tmp_path):
    _, config, _run = made
    file = tmp_path / "mine.yaml"
    file.write_text(configs.dump(config))
    done = CliRunner().invoke(
        cli, ["fit", str(file), "--data", str(tmp_path), "--folds", "3", "--run", str(tmp_path / "r")]
    )
    assert "pretrain once for each fold" in str(done.exception)
