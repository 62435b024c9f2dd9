"""Losses, metrics, names and precision of the model that is fitted; targets of every kind, end to end."""

import json
import math

import keras
import numpy as np
import pandas as pd
import pytest

from medtf import judging
from medtf.errors import AskedWronglyError
from medtf.fitting import trainer
from medtf.train import through


def history(made):
    return pd.read_csv(made.run.history)


def test_three_kinds_of_target_from_pictures_to_a_judgement(session_of, tmp_path):
    made = session_of(tmp_path)
    through(made.session, made.run)
    rows = history(made)
    for name in ("val_loss", "val_sick_auc", "val_site_accuracy", "val_age_mean_absolute_error", "val_sick_loss"):
        assert np.isfinite(rows[name]).all(), name
    # the threshold file
    chosen = json.loads((made.run.folder / "thresholds.json").read_text())
    assert chosen["schema"] == 1
    assert chosen["epoch"] in (1, 2)
    assert set(chosen["targets"]) == {"sick"}
    assert 0 <= chosen["targets"]["sick"]["value"] <= 1
    # the judgement
    metrics = judging.evaluate(made.run)["targets"]
    assert {"auc_macro", "auc_weighted", "cohen_kappa"} <= set(metrics["site"])
    assert np.shape(metrics["site"]["confusion"]) == (3, 3)
    assert np.sum(metrics["site"]["confusion"]) == 12
    found = pd.read_parquet(made.run.predictions)
    error = (found["age"] - found["age_true"]).abs().mean()
    assert metrics["age"]["mean_absolute_error"]["value"] == pytest.approx(error, rel=1e-6)
    assert "auc" in metrics["sick"]


def test_the_environment_names_nobody_and_no_place(session_of, tmp_path, pictures):
    import getpass
    import socket

    made = session_of(tmp_path)
    text = (made.run.folder / "environment.json").read_text()
    assert json.loads(text).keys() >= {"schema", "medtf", "python", "tensorflow", "keras", "precision", "jit", "cores"}
    values = {str(value) for value in json.loads(text).values()}
    assert socket.gethostname() not in values
    assert getpass.getuser() not in values
    assert not any("/" in value for value in values)
    assert str(pictures) not in text


def test_a_target_without_any_label_stays_where_it_is(session_of, tmp_path):
    """NaN reaches neither the loss nor the head: exactly zero gradients."""

    def unknown(frame):
        frame["sick"] = np.nan
        frame["age"] = np.nan
        frame.loc[frame.index[::2], "site"] = None
        return frame

    made = session_of(tmp_path, change=unknown, train={"weight_decay": 0.0, "epochs": 1})
    model = made.session.model
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.name.endswith("_logits")}
    through(made.session, made.run)
    for name in ("sick", "age"):
        for a, b in zip(before[f"{name}_logits"], model.get_layer(f"{name}_logits").get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert (before["site_logits"][0] != model.get_layer("site_logits").get_weights()[0]).any()
    rows = history(made)
    assert rows["sick_loss"][0] == 0
    assert rows["age_loss"][0] == 0
    assert np.isfinite(rows.to_numpy(float)).all()


@pytest.mark.parametrize(
    ("how", "augment"),
    [
        ({"loss": "focal", "class_weight": "balanced", "accumulate": 2, "optimizer": "sgd", "clip_norm": None}, {}),
        ({"class_weight": "balanced", "schedule": "constant", "warmup": 0, "regression_loss": "huber"}, {"mixup": 0.4}),
        ({"precision": "mixed_bfloat16", "ema": 0.5}, {}),
        ({"precision": "mixed_float16", "ema": 0.5, "accumulate": 2}, {"flip": 0.5}),
    ],
    ids=["focal-sgd", "constant-mixup", "bfloat16", "float16"],
)
def test_every_way_of_training_gives_numbers(session_of, tmp_path, how, augment):
    made = session_of(tmp_path, train={"epochs": 1, **how}, augment=augment)
    before = made.session.model.get_weights()
    through(made.session, made.run)
    assert np.isfinite(history(made).to_numpy(float)).all()
    after = made.session.model.get_weights()
    assert all(np.isfinite(a).all() for a in after)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    wrapped = isinstance(made.session.trainer.optimizer, keras.optimizers.LossScaleOptimizer)
    assert wrapped == (how.get("precision") == "mixed_float16")


@pytest.mark.slow
def test_the_compiled_step_takes_every_augmentation(session_of, tmp_path):
    every = {"flip": 0.5, "rotate": 10, "zoom": 0.1, "translate": 0.1, "contrast": 0.1, "brightness": 0.1}
    every |= {"noise": 0.02, "erase": 0.3, "mixup": 0.2}
    made = session_of(tmp_path, train={"epochs": 1, "jit": True}, augment=every)
    assert made.session.trainer.jit_compile is True
    through(made.session, made.run)
    assert np.isfinite(history(made).to_numpy(float)).all()


def test_one_target_has_its_name_in_the_logs_and_can_be_monitored(session_of, tmp_path):
    made = session_of(tmp_path, targets={"sick": "binary"}, train={"monitor": "val_sick_auc", "learning_rate": 0.003})
    assert trainer.monitors(made.session.trainer) == ["loss", "sick_auc", "val_loss", "val_sick_auc"]
    through(made.session, made.run)
    rows = history(made)
    assert list(rows) == ["epoch", "loss", "sick_auc", "val_loss", "val_sick_auc"]
    best = json.loads((made.run.folder / "thresholds.json").read_text())["epoch"]
    assert best == rows["epoch"][rows["val_sick_auc"].argmax()]  # more is better; the first of equals
    assert any(line.startswith("epoch 1/2") and "val_sick_auc" in line for line in made.said)


def test_an_unknown_monitor_is_told_before_anything_is_trained(session_of, tmp_path):
    with pytest.raises(AskedWronglyError, match=r"train.monitor 'val_sick_acu': did you mean 'val_sick_auc'\?"):
        session_of(tmp_path, train={"monitor": "val_sick_acu"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "how", "line"),
    [
        ({}, {"epochs": 1, "batch_size": 8}, "batch norm: 4 steps of 8 examples are few"),
        ({"norm": "group"}, {"epochs": 1, "batch_size": 4}, None),
        ({}, {"epochs": 50, "batch_size": 8}, None),
        ({}, {"epochs": 50, "batch_size": 4}, "batch norm: 450 steps of 4 examples are few"),
    ],
)
def test_batch_norm_is_warned_of_where_it_is_weak(session_of, tmp_path, model, how, line):
    said = session_of(tmp_path, model=model, train=how).said
    found = [one for one in said if "norm" in one]
    assert len(found) == (line is not None)
    assert line is None or found[0].startswith(line)


def test_group_norm_with_imagenet_weights_says_what_is_lost(session_of, tmp_path):
    said = session_of(tmp_path, model={"weights": "imagenet", "norm": "group"}).said
    assert sum("statistics of its batch normalisation are dropped" in line for line in said) == 1


def test_where_heads_start_and_what_scales_the_losses(session_of, tmp_path):
    made = session_of(tmp_path)
    labels = {
        "sick": np.array([[1], [0], [0], [np.nan]], np.float32),
        "site": np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [np.nan] * 3], np.float32),
        "age": np.array([[10], [20], [np.nan], [30]], np.float32),
    }
    found = trainer.priors(made.config, labels)
    np.testing.assert_allclose(found["sick"], [1 / 3])
    np.testing.assert_allclose(found["site"], [1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(found["age"], [20, math.sqrt(200 / 3)])
    np.testing.assert_allclose(trainer.priors(made.config, labels, order=[0, 0, 1])["sick"], [2 / 3])
    assert trainer._loss(made.config, "age", labels["age"]).scale == pytest.approx(math.sqrt(200 / 3))
    assert trainer._loss(made.config, "age", labels["age"][:1]).scale == 1  # one value has no deviation
    assert trainer._loss(made.config, "age", labels["age"][2:3]).scale == 1

    balanced = made.config.model_copy(update={"train": made.config.train.model_copy(update={"class_weight": "balanced"})})  # fmt: skip
    assert trainer._loss(balanced, "sick", labels["sick"]).positive_weight == 2  # two negatives to one positive
    np.testing.assert_allclose(trainer._loss(balanced, "site", labels["site"]).class_weight, [1, 0.5, 1])
    for name in ("sick", "site"):
        trainer._loss(balanced, name, labels[name][3:])  # nothing is known: nothing to balance, and no error
