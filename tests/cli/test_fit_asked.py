"""`medtf fit` asked wrongly, and data that cannot be trained on: one line, before a run folder is made."""

import shutil

import numpy as np
import pandas as pd
import pytest
from commands import names, refused

from medtf import table as tables


@pytest.fixture
def fit(typed, phantom, config, table, tmp_path, monkeypatch):
    """`fit` on the phantom's table into a run that is not there, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words, data=phantom, table=table):
        given = ("--set", f"data.table={table}") if table else ()
        return typed("fit", config, "--data", data, "--run", "x", *given, *words)

    yield run
    assert not (tmp_path / "x").exists()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (("model.name=inception_v3",), 2, "input.size 32 x 32 is too small for inception_v3: it needs 75 or more"),
        (("model.weights=nosuch",), 2, "model.weights 'nosuch': no such run folder or file"),
        (("input.windows=null",), 1, "the table holds CT in Hounsfield units: name input.windows"),
        (("train.batch_size=500",), 1, "fewer than train.batch_size 500: lower it"),
        (("train.monitor=val_los",), 2, "train.monitor 'val_los': did you mean 'val_loss'?"),
        (("targets.stroke=binary",), 2, "target 'stroke' is no column of the table"),
        (("targets.manufacturer=binary",), 2, "holds 'medtf phantom'"),
        (("targets.age=regression",), 1, "target 'age': no example has a label"),
        (("targets={}",), 2, "targets: the config names nothing to learn"),
        (("data.split.valid=0",), 1, "no valid fold"),
        (("data.split.valid=0.6", "data.split.test=0.5"), 2, "leave nothing to train on"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_trained(fit, settings, code, said):
    refused(fit(*(word for setting in settings for word in ("--set", setting))), code, said)


def test_imagenet_weights_without_a_network(fit, monkeypatch):
    """Before the files are read: told at once, with the two ways out."""
    import keras

    def offline(**how):
        raise Exception("URL fetch failure on https://...: Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNet", offline)
    done = fit("--set", "model.weights=imagenet")
    refused(done, 1, "--set model.weights=none", "models", "cannot be downloaded")
    assert done.stdout == ""


def test_folders_that_are_not_there(fit, typed, config, phantom, tmp_path):
    (tmp_path / "file").write_text("a")
    refused(fit(data="nowhere"), 1, "--data nowhere: no such folder")
    refused(fit(data="file"), 1, "--data file: is a file; expected the folder of the data")
    refused(fit(data=""), 2, "expected a path, found nothing")
    refused(typed("fit", config), 2, "--data is missing")
    refused(typed("fit", config, "--data", phantom, "--run", "file/run"), 2, "--run file/run: ", "is a file")
    (tmp_path / "empty").mkdir()
    refused(fit(data="empty", table=None), 1, "empty: the folder is empty")
    refused(fit(data="empty"), 1, "files of the table are not below the data root empty, such as stage_2_train/ID_")


def test_tables_that_cannot_be_used(fit, tmp_path, table):
    (tmp_path / "cut.parquet").write_bytes(table.read_bytes()[:-400])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    refused(fit(table="no.parquet"), 2, "no.parquet: no such table")
    refused(fit(table="cut.parquet"), 1, "cut.parquet: not a Parquet file, or a cut one")
    refused(fit(table="foreign.parquet"), 2, "foreign.parquet: a Parquet file, but not an example table")
    refused(fit(table=tmp_path), 2, "no such table")


def changed(table, folder, **columns):
    found = tables.load(table)
    return tables.save(found.with_frame(found.frame.assign(**columns)), folder / "changed.parquet")


def test_labels_that_cannot_be_learned(fit, tmp_path, table):
    frame = tables.load(table).frame
    strange = frame["any"].astype(float).where(frame.index != 3, 2.0)
    refused(fit(table=changed(table, tmp_path, any=strange)), 2, "target 'any'", "holds 2.0", "expected 0, 1 or empty")
    words = frame["any"].map({0: "no", 1: "yes"})
    refused(fit(table=changed(table, tmp_path, any=words)), 2, "target 'any'", "{binary: {positive: VALUE}}")
    refused(fit(table=changed(table, tmp_path, any=0.0)), 1, "one class of 'any' only")
    refused(fit(table=changed(table, tmp_path, any=np.nan)), 1, "target 'any': no example has a label")


def test_leaks_are_refused(fit, tmp_path, table):
    frame = tables.load(table).frame
    folds = np.array(["train", "valid", "test"])[frame["patient"].factorize()[0] % 3]
    in_two = folds.copy()
    first, second = np.flatnonzero(frame["patient"] == frame["patient"][0])[:2]
    in_two[first], in_two[second] = "train", "valid"
    refused(fit(table=changed(table, tmp_path, fold=in_two)), 1, "the split leaks: 1 patient in both", "--allow-leaks")
    copies = frame["pixels"].copy()
    copies[folds == "test"] = copies[folds == "train"].iloc[0]
    refused(fit(table=changed(table, tmp_path, fold=folds, pixels=copies)), 1, "1 picture in both train and test")


def test_windows_on_pictures(typed, tmp_path, monkeypatch):
    """A radiograph has no Hounsfield units."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for number in range(30):
        Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(tmp_path / "data" / f"{number}.png")
    sheet = pd.DataFrame({"path": [f"{n}.png" for n in range(30)], "patient": range(30), "ill": np.arange(30) % 2})
    sheet.to_csv("data/labels.csv", index=False)
    text = "pipeline: table\ntargets: {ill: binary}\ninput: {size: 32, windows: [brain]}\nmodel: {name: mobilenet}\ntrain: {batch_size: 8}\n"
    (tmp_path / "mine.yaml").write_text(text)
    done = typed("fit", "mine.yaml", "--data", "data", "--run", "x")
    refused(done, 1, "the table holds images that are not CT: set input.windows to null")
    done = typed("preview", "mine.yaml", "--data", "data")
    refused(done, 1, "the table holds images that are not CT: set input.windows to null")
    assert names(tmp_path) == {"data", "mine.yaml"}


def test_a_run_folder_that_exists_is_left_alone(typed, phantom, config, run):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    refused(typed("fit", config, "--data", phantom, "--run", run), 2, "exists already; take another --run", "--resume")
    refused(typed("fit", config, "--run", run, "--resume"), 1, "has ended", f"medtf evaluate {run}")
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_resume_asked_wrongly(typed, phantom, config, run, tmp_path):
    refused(typed("fit", config, "--resume"), 2, "--resume needs --run")
    refused(typed("fit", config, "--resume", "--run", tmp_path / "no"), 2, "no such run folder")
    refused(typed("fit", config, "--resume", "--run", phantom), 2, "not a run folder: it has no config.yaml")
    refused(typed("fit", config, "--resume", "--run", run / "config.yaml"), 2, "is a file; expected the run folder")
    refused(typed("fit", config, "--resume", "--run", run, "--set", "train.epochs=9"), 2, "keeps its config")
    refused(typed("fit", config, "--resume", "--run", run, "--dry-run"), 2, "exclude each other")


@pytest.mark.slow
def test_an_absurd_learning_rate_is_told(typed, phantom, config, table, tmp_path):
    settings = ("--set", f"data.table={table}", "--set", "train.learning_rate=1e30")
    done = typed("fit", config, "--data", phantom, "--run", tmp_path / "run", *settings)
    refused(done, 1, "the loss is nan in epoch 1", "lower train.learning_rate")


@pytest.mark.slow
def test_dry_run_leaves_nothing_though_a_run_is_named(typed, phantom, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = shutil.copytree(phantom, tmp_path / "data")
    done = typed("fit", config, "--data", data, "--run", "x", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "dry run: every stage works; nothing was kept" in done.stdout
    assert names(tmp_path) == {"data"}
