"""Volumes from files to a judged model: whole ones, patches, stages; stopped in any stage and gone on with; new files; two sequences compared."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from medtf import comparing, judging, predicting, runs, stages, train
from medtf.config import parse
from medtf.data import keeping
from medtf.data.phantom import mri
from medtf.errors import AskedWronglyError, MedtfError
from medtf.fitting import callbacks

SMALL = {
    "pipeline": "ixi",
    "targets": {"age": "regression", "sex": {"binary": {"positive": "M"}}},
    "data": {"split": {"valid": 0.25, "test": 0.4, "stratify": ["sex"]}, "select": {"sequence": "T1"}},
    "input": {"size": [16, 20, 16], "spacing_mm": 9, "pad": True},
    "model": {"name": "cnn3d", "dropout": 0.2},
    "augment": {"flip": 0.5, "noise": 0.1},
    "train": {"epochs": 2, "batch_size": 2, "checkpoint_minutes": 0.00001},
    "evaluate": {"replicates": 50},
}
STAGES = [{"epochs": 2, "size": [16, 16, 16], "spacing_mm": 10, "batch_size": 3}, {"epochs": 2, "learning_rate": 1e-4}]
PATCHES = {"size": 16, "spacing_mm": 6, "patches": {"patches_per_volume": 3, "volumes_mixed": 2}}


def settings(**sections):
    raw = json.loads(json.dumps(SMALL))
    for name, values in sections.items():
        raw[name] = raw[name] | values
    return parse(raw)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mri") / "ixi"
    mri.write(folder, people=18, spacing=6.0, missing=0.0, jobs=1)
    return folder


@pytest.fixture(scope="module")
def staged(data, tmp_path_factory):
    run = runs.new(tmp_path_factory.mktemp("staged") / "run")
    return train.fit(settings(train={"stages": STAGES}), data, run)


def weights(run):
    return keras.saving.load_model(run.model, compile=False).get_weights()


def test_stages_share_one_history_and_end_at_the_size_that_is_judged(staged):
    history = pd.read_csv(staged.history)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    model = keras.saving.load_model(staged.model, compile=False)
    assert model.input_shape == (None, 16, 20, 16, 1)
    assert not (staged.folder / "checkpoints").exists()
    metrics = judging.evaluate(staged)
    assert metrics["n"]["patients"] == 7
    assert metrics["targets"]["age"]["mean_absolute_error"]["value"] > 0
    assert staged.report.stat().st_size > 10_000


def test_a_training_killed_in_its_second_stage_goes_on_as_if_it_had_not_been(staged, data, tmp_path, monkeypatch):
    done = callbacks.Report.on_train_batch_end
    left = [6]  # the first stage has two epochs of two steps

    def killed(self, batch, logs=None):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        done(self, batch, logs)

    run = runs.new(tmp_path / "run")
    with monkeypatch.context() as during:
        during.setattr(callbacks.Report, "on_train_batch_end", killed)
        with pytest.raises(KeyboardInterrupt):
            train.fit(settings(train={"stages": STAGES}), data, run)
    train.resume(runs.unfinished(run.folder))
    for one, other in zip(weights(staged), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(pd.read_csv(staged.history), pd.read_csv(run.history))


def test_the_last_stage_is_what_is_judged():
    with pytest.raises(
        AskedWronglyError, match=r"the last one's size is \[16, 16, 16\], but the model is judged at input.size"
    ):
        settings(train={"stages": [{"epochs": 1, "size": 16}]})


def test_a_stage_changes_what_it_names_alone():
    config = settings(train={"stages": STAGES})
    first, second = stages.of(config)
    assert (first.config.input.size, first.config.train.batch_size) == ((16, 16, 16), 3)
    assert first.config.input.spacing_mm == (10, 10, 10)
    assert (second.config.input, second.config.augment) == (config.input, config.augment)
    assert (second.first_epoch, second.config.train.epochs, second.config.train.learning_rate) == (2, 2, 1e-4)


@pytest.fixture(scope="module")
def patched(data, tmp_path_factory):
    """A Gaussian head and soft bins on patches of volumes in memory."""
    targets = {"age": {"regression": {"head": "gaussian"}}, "sex": {"binary": {"positive": "M"}}}
    config = settings(targets=targets, input=PATCHES | {"keep": "memory"})
    yield train.fit(config, data, runs.new(tmp_path_factory.mktemp("patched") / "run"))
    keeping.forget()


def test_the_patches_of_a_person_give_one_answer_with_its_spread(patched):
    metrics = judging.evaluate(patched)
    found = pd.read_parquet(patched.predictions)
    assert len(found) == metrics["n"]["examples"] == metrics["n"]["patients"] == 7
    assert (found["age_sd"] > 0).all()
    assert found["sex"].between(0, 1).all()


def test_new_volumes_are_predicted_and_nothing_goes_missing(patched, data):
    files = sorted((data / "IXI-T1").glob("*.nii.gz"))[:2]
    (data / "notes.txt").write_text("no volume")
    made, _ = predicting.predict_files(patched, [*files, data / "notes.txt"])
    assert made["age"].notna().sum() == 2
    assert made.loc[made["age"].isna(), "reason"].str.len().min() > 0


def test_two_sequences_of_the_same_people_are_compared(staged, data, tmp_path):
    other = settings(data={"select": {"sequence": "MRA"}}, train={"epochs": 1})
    run = train.fit(other, data, runs.new(tmp_path / "mra"))
    for one in (staged, run):
        judging.evaluate(one)
    verdict, _ = comparing.compare_runs([staged.folder, run.folder], common=True, output=tmp_path / "compared")
    assert "age" in json.dumps(verdict)
    folds = [dict(zip(t["patient"], t["fold"], strict=True)) for t in (staged.table().frame, run.table().frame)]
    assert folds[0] == folds[1]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"input": {"size": 64, "pad": False}}, "larger than the volume"),
        ({"model": {"name": "inception_v3"}}, "input.size: inception_v3 is a 2D network and takes 2 numbers"),
        ({"input": {"windows": ["brain"]}}, "input.windows is for CT slices"),
        ({"input": {"mask": "away/{stem}.nii.gz"}}, "no volume has a mask that fits"),
        ({"data": {"select": {"sequence": "T3"}}}, "T3"),
    ],
)
def test_what_cannot_work_is_said_before_a_folder_is_made(data, tmp_path, sections, said):
    with pytest.raises((MedtfError, AskedWronglyError), match=said):
        train.fit(settings(**sections), data, runs.new(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_config_that_a_run_keeps_is_the_one_it_was_given(staged):
    assert staged.config() == settings(train={"stages": STAGES})
    assert yaml.safe_load((staged.folder / "config.yaml").read_text())["train"]["stages"][0]["size"] == [16, 16, 16]
