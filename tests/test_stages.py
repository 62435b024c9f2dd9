"""Stages by epochs, and the encoder that is held at first: what stays, what learns, what is told, and that a kill changes nothing."""

import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import small_runs

from medtf import config as configs
from medtf import runs, stages, train
from medtf.errors import AskedWronglyError
from medtf.fitting import callbacks

TARGETS = {"sick": "binary"}


def two_convolutions(*, include_top, weights, input_shape):
    """In the place of MobileNet, with a layer that drops: what a frozen encoder must not do."""
    x = image = keras.Input(input_shape)
    for number, filters in enumerate((8, 16), 1):
        x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False, name=f"conv{number}")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name=f"bn{number}")(x))
        x = keras.layers.Dropout(0.2, name=f"drop{number}")(x)
    return keras.Model(image, x)


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", two_convolutions)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


def settings(**sections):
    sections["train"] = {"epochs": 3, "batch_size": 8, "precision": "float32", "jit": False} | sections.get("train", {})
    return small_runs.settings(**({"targets": TARGETS} | sections))


def fitted(config, data, folder, said=None):
    return train.fit(config, data, runs.new(folder), told=train.Told(say=(said if said is not None else []).append))


@pytest.fixture(scope="module")
def first(_small, data, tmp_path_factory):
    """A run whose encoder others begin with."""
    return fitted(settings(train={"epochs": 1}), data, tmp_path_factory.mktemp("first") / "first")


def same_split(first, **sections):
    return settings(model={"name": "mobilenet", "weights": str(first.folder)}, **sections)


def weights(run):
    model = keras.saving.load_model(run.model, compile=False)
    return {f"{layer.name} {i}": w for layer in model.layers for i, w in enumerate(layer.get_weights())}


def test_frozen_epochs_are_a_stage_of_their_own():
    config = configs.parse(
        {"pipeline": "table", "targets": TARGETS, "model": {"weights": "w"}, "train": {"epochs": 20, "freeze": 5}}
    )
    one, two = stages.of(config)
    assert [(s.first_epoch, s.config.train.epochs, s.frozen, s.last) for s in (one, two)] == [
        (0, 5, True, False),
        (5, 15, False, True),
    ]
    assert one.line(config) == "stage 1 of 2: head alone, 5 epochs"
    assert two.line(config) == "stage 2 of 2: encoder and head, 15 epochs"
    assert stages.of(two.config) == [stages.Stage(0, 1, two.config, 0)]  # a stage has no stages


@pytest.mark.parametrize(
    ("freeze", "expected"),
    [
        (0, [(2, False, 64), (3, False, 96)]),
        (1, [(1, True, 64), (1, False, 64), (3, False, 96)]),
        (2, [(2, True, 64), (3, False, 96)]),
        (4, [(2, True, 64), (2, True, 96), (1, False, 96)]),
        ("all", [(2, True, 64), (3, True, 96)]),
    ],
)
def test_frozen_epochs_are_counted_through_named_stages(freeze, expected):
    named = [{"epochs": 2, "size": [64, 64]}, {"epochs": 3}]
    raw = {"pipeline": "table", "targets": TARGETS, "input": {"size": 96}, "model": {"weights": "w"}}
    config = configs.parse(raw | {"train": {"stages": named, "freeze": freeze}})
    found = stages.of(config)
    assert [(s.config.train.epochs, s.frozen, s.config.input.size[0]) for s in found] == expected
    assert [s.first_epoch for s in found] == list(np.cumsum([0] + [e for e, *_ in expected])[:-1])
    line = found[0].line(config)
    assert line.startswith(f"stage 1 of {len(expected)}: 64 x 64")
    assert ("head alone" in line) == bool(freeze)


@pytest.mark.parametrize(
    ("train", "model", "said"),
    [
        ({"epochs": 5, "freeze": 5}, {"weights": "w"}, "5 of 5 epochs: the encoder would never learn"),
        ({"stages": [{"epochs": 2}], "freeze": 3}, {"weights": "w"}, "3 of 2 epochs"),
        ({"epochs": 5, "freeze": 2}, {}, "would be held at random weights; name weights, or take freeze: all"),
        ({"epochs": 5, "freeze": -1}, {"weights": "w"}, "train.freeze"),
        ({"epochs": 5, "freeze": "most"}, {"weights": "w"}, "train.freeze"),
    ],
)
def test_what_makes_no_sense_is_refused(train, model, said):
    with pytest.raises(AskedWronglyError, match=said):
        configs.parse({"pipeline": "table", "targets": TARGETS, "model": model, "train": train})


def test_a_pretraining_has_no_head_to_wait_for():
    raw = {"pipeline": "table", "pretrain": {"task": "rotation"}, "model": {"name": "mobilenet", "weights": "w"}}
    for key, value in (("freeze", 1), ("layer_decay", 0.5)):
        with pytest.raises(AskedWronglyError, match=f"train.{key}: is for a training with targets"):
            configs.parse(raw | {"train": {key: value}})


def test_a_frozen_encoder_stays_to_the_bit_and_the_head_learns(first, data, tmp_path):
    said = []
    run = fitted(same_split(first, train={"freeze": "all", "epochs": 2}), data, tmp_path / "probe", said)
    before, after = weights(first), weights(run)
    encoder = [name for name in before if name.startswith(("conv", "bn"))]
    assert len(encoder) == 2 * (1 + 4)  # kernels; scale, offset and both statistics
    for name in encoder:
        np.testing.assert_array_equal(after[name], before[name])
    assert (after["sick_logits 0"] != before["sick_logits 0"]).any()
    assert "the encoder stays as it is (train.freeze: all): the head alone learns" in said
    assert any(line.startswith(f"weights from {first.folder}: 5 of 5 layers") for line in said)


def test_nothing_is_drawn_inside_a_frozen_encoder(first, data):
    """Features in training are those of inference; what an encoder drops while it learns would blur them."""
    for freeze, equal in (("all", True), (0, False)):
        config = same_split(first, train={"freeze": freeze})
        session = train.Session(config, small_runs.table_of(data, config), data, train.Told(say=lambda line: None))
        encoder = keras.Model(session.model.input, session.model.get_layer("gap").output)
        image = np.random.default_rng(0).random((4, 32, 32, 1), dtype="float32")
        assert np.array_equal(encoder(image, training=True), encoder(image, training=False)) == equal


@pytest.fixture(scope="module")
def thawed(first, data, tmp_path_factory):
    said = []
    config = same_split(first, train={"freeze": 1, "epochs": 3, "layer_decay": 0.5, "checkpoint_minutes": 1e-6})
    return config, fitted(config, data, tmp_path_factory.mktemp("thawed") / "run", said), said


def test_after_the_frozen_epochs_everything_learns(first, thawed):
    _, run, said = thawed
    before, after = weights(first), weights(run)
    for name in ("conv1 0", "conv2 0", "bn1 0", "bn2 2", "sick_logits 0"):
        assert (after[name] != before[name]).any(), name
    assert list(pd.read_csv(run.history)["epoch"]) == [1, 2, 3]
    told = [line for line in said if line.startswith(("stage", "layer decay", "weights from"))]
    assert [line.split(":")[0] for line in told] == [
        "weights from " + str(first.folder),
        "stage 1 of 2",
        "layer decay 0.5",
        "stage 2 of 2",
    ]
    assert "head alone, 1 epoch" in told[1]


@pytest.mark.parametrize(
    ("count", "stage"),
    [
        pytest.param(2, "first", marks=pytest.mark.slow),
        pytest.param(3, "between", marks=pytest.mark.slow),
        (5, "second"),
        pytest.param(9, "last", marks=pytest.mark.slow),
    ],
)
def test_a_kill_in_either_stage_changes_nothing_though_the_source_is_gone(
    first, thawed, data, tmp_path, monkeypatch, count, stage
):
    """24 training pictures in batches of 8: 3 steps an epoch, of which the first three are frozen."""
    _, whole, _ = thawed
    source = shutil.copytree(first.folder, tmp_path / first.folder.name)
    config = thawed[0].model_copy(update={"model": thawed[0].model.model_copy(update={"weights": str(source)})})
    run, left = runs.new(tmp_path / "run"), [count]
    original = callbacks.Report.on_train_batch_end

    def killed(self, *args, **kwargs):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    with monkeypatch.context() as during:
        during.setattr(callbacks.Report, "on_train_batch_end", killed)
        with pytest.raises(KeyboardInterrupt):
            train.fit(config, data, run, told=train.Told(say=lambda line: None))
    shutil.rmtree(source)
    train.resume(runs.unfinished(run.folder), told=train.Told(say=lambda line: None))
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(run)[name], value, err_msg=name)
    pd.testing.assert_frame_equal(pd.read_csv(whole.history), pd.read_csv(run.history))


def test_the_rate_of_each_stage_has_a_course_of_its_own(thawed, data):
    """Three steps frozen, six thawed: warm-up and cosine end with each."""
    config, _, _ = thawed
    table = small_runs.table_of(data, config)
    quiet = train.Told(say=lambda line: None)
    session = train.Session(config, table, data, quiet)
    assert len(session.trainer.trainable_variables) == 2  # the head's kernel and bias
    assert float(session.trainer.optimizer._learning_rate(3)) == pytest.approx(0, abs=1e-9)
    kept = {f"w{i}": w for i, w in enumerate(callbacks.weights_to_keep(session.trainer))}
    second = train.Session(config, table, data, quiet, carried=(kept, {"stage": 1, "rows": []}), fresh=False)
    rate = second.trainer.optimizer._learning_rate
    assert float(rate(6)) == pytest.approx(0, abs=1e-9)
    assert float(rate(0)) == pytest.approx(config.train.learning_rate, rel=1e-6)
    # conv1, conv2, head at depths 0, 1, 2: kernel, scale and offset each, then the head's two
    assert second.trainer.optimizer.factors == (0.25,) * 3 + (0.5,) * 3 + (1.0,) * 2


@pytest.mark.slow
def test_a_dry_run_tries_both(first, data, tmp_path):
    from medtf.dry_run import dry_run

    said = []
    dry_run(same_split(first, train={"freeze": 2, "epochs": 5}), data, told=train.Told(say=said.append))
    assert [line for line in said if line.startswith("stage")] == [
        "stage 1 of 2: head alone, 1 epoch",
        "stage 2 of 2: encoder and head, 1 epoch",
    ]


@pytest.mark.slow
def test_on_jax():
    pytest.importorskip("jax")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            __file__,
            "-k",
            "bit or kill and second or inside",
        ],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-3000:]
