"""Frozen encoders, their features, and what probes find in them."""

import json
from itertools import pairwise

import factory
import keras
import numpy as np
import pandas as pd
import pytest
import small_runs
from click.testing import CliRunner

from medtf import config as configs
from medtf import features, pipeline, predictions, probing, runs
from medtf.cli import cli
from medtf.cli import probe as probe_command
from medtf.errors import AskedWronglyError, LeakError, MedtfError
from medtf.evaluate.metrics import MAIN
from medtf.models import build

TARGETS = {"sick": "binary", "site": {"classes": ["a", "b", "c"]}, "age": {"regression": {"head": "gaussian"}}}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("probing") / "data")


@pytest.fixture(scope="module")
def config():
    return small_runs.settings()


@pytest.fixture(scope="module")
def table(root, config):
    return small_runs.table_of(root, config)


@pytest.fixture(scope="module")
def other(root, config, table, tmp_path_factory):
    """A run with the encoder of another seed, as `fit` leaves it, on the same folds."""
    run = runs.Run(tmp_path_factory.mktemp("probing_run") / "other")
    run.create(config, table, root, {})
    keras.utils.set_random_seed(99)
    build.build(config.model, (32, 32, 1), config.targets).save(run.model)
    return run


@pytest.fixture(scope="module")
def probed(root, config, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probed") / "probe"
    said = []
    sources = {"untrained": "none", "other": str(other.folder)}
    content = probing.probe(config, root, sources, ("linear", "knn"), folder, say=said.append)
    return content, folder, said


def test_features_are_the_encoders_in_the_order_of_the_rows(root, config, table):
    """Also where the last batch is not full; an untrained encoder is drawn by the seed, so it is the same each time."""
    network = features.encoder(config, "none")
    uneven = config.model_copy(update={"train": config.train.model_copy(update={"batch_size": 15})})
    module, part = pipeline.find(config.pipeline), predictions.of_fold(table, "test")
    found = features.features(network, part, root, uneven, module)
    assert found.shape == (16, network.outputs[0].shape[-1])
    assert found.dtype == np.float32
    one = part.with_frame(part.frame.iloc[[11]])
    np.testing.assert_allclose(features.features(network, one, root, uneven, module)[0], found[11], atol=1e-5)
    for first, second in zip(network.get_weights(), features.encoder(config, "none").get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_encoder_has_the_weights_that_were_asked_for(config, other):
    whole = keras.saving.load_model(other.model, compile=False)
    said = []
    network = features.encoder(config, str(other.folder), said.append)
    mine = {layer.name: layer for layer in network.layers if layer.weights}
    for layer in whole.layers:
        if layer.name in mine:
            for given, taken in zip(layer.get_weights(), mine[layer.name].get_weights(), strict=True):
                np.testing.assert_array_equal(given, taken)
    assert len(mine) > 50
    assert str(other.folder) in said[0]


def test_what_stands_in_the_picture_is_found(probed):
    """The sick are brighter: even features that nobody trained tell them apart."""
    content, _, _ = probed
    linear = [one for one in content["targets"]["sick"]["probes"] if one["method"] == "linear"]
    assert all(one["auc"]["value"] > 0.9 for one in linear)


def test_every_target_source_and_method_is_judged(probed):
    content, folder, said = probed
    assert content["weights"] == ["untrained", "other"]
    assert list(content["targets"]) == list(TARGETS)
    for found in content["targets"].values():
        assert [(one["weights"], one["method"]) for one in found["probes"]] == [
            (name, method) for name in ("untrained", "other") for method in ("linear", "knn")
        ]
        assert all(one[found["metric"]]["value"] is not None for one in found["probes"])
        assert [(one["weights"], one["against"], one["method"]) for one in found["comparisons"]] == [
            ("other", "untrained", "linear"), ("other", "untrained", "knn")
        ]  # fmt: skip
    assert content["n"]["test"] == {"examples": 16, "patients": 8}
    assert json.loads((folder / "probe.json").read_text()) == content
    assert len(pd.read_csv(folder / "probe.csv")) == 3 * 2 * 2
    assert not any("nan" in line.lower() for line in said)


def test_predictions_are_kept_as_evaluate_keeps_them(probed, config):
    """The judge's numbers are those of the file, and DeLong's test is the deciding one of an AUC."""
    from sklearn.metrics import mean_absolute_error, roc_auc_score

    content, folder, _ = probed
    frame = pd.read_parquet(folder / "predictions_other_knn.parquet")
    assert set(frame["fold"]) == {"valid", "test"}
    test = frame[frame["fold"] == "test"]
    numbers = {
        name: next(p for p in found["probes"] if (p["weights"], p["method"]) == ("other", "knn"))[MAIN[found["kind"]]][
            "value"
        ]
        for name, found in content["targets"].items()
    }
    assert numbers["sick"] == pytest.approx(roc_auc_score(test["sick_true"], test["sick"]))
    assert numbers["age"] == pytest.approx(mean_absolute_error(test["age_true"], test["age"]))
    assert numbers["site"] == pytest.approx(
        (test[["site_0", "site_1", "site_2"]].to_numpy().argmax(1) == test["site_true"]).mean()
    )
    sick = content["targets"]["sick"]["comparisons"][0]
    assert sick["test"].startswith("DeLong's test (Obuchowski 1997")
    first, second = (
        pd.read_parquet(folder / f"predictions_{name}_linear.parquet").query("fold == 'test'")
        for name in ("other", "untrained")
    )
    aucs = [roc_auc_score(one["sick_true"], one["sick"]) for one in (first, second)]
    assert sick["value"] == pytest.approx(aucs[0] - aucs[1])
    assert content["targets"]["age"]["comparisons"][0]["test"] == "paired bootstrap"


def test_weights_that_have_seen_the_test_fold_are_refused(root, config, table, tmp_path):
    moved = table.with_frame(table.frame.assign(fold=table.frame["fold"].replace({"train": "test", "test": "train"})))
    run = runs.Run(tmp_path / "seen")
    run.create(config, moved, root, {})
    sources = {"seen": str(run.folder)}
    with pytest.raises(LeakError, match="seen saw 8 patients of the test fold"):
        probing.probe(config, root, sources, ("linear",), tmp_path / "out", say=lambda line: None)
    assert not (tmp_path / "out").exists()


def test_somebody_must_be_tested(root, config, tmp_path):
    sheet = pd.read_csv(root / "sheet.csv")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(root / "images")
    sheet.assign(fold=sheet["fold"].replace("test", "train")).to_csv(tmp_path / "data" / "sheet.csv", index=False)
    with pytest.raises(MedtfError, match="no test fold to judge on"):
        probing.probe(
            config, tmp_path / "data", {"untrained": "none"}, ("knn",), tmp_path / "out", say=lambda line: None
        )


# === As a user types it ===


@pytest.fixture
def yaml(tmp_path, config):
    path = tmp_path / "small.yaml"
    path.write_text(configs.dump(config))
    return path


def test_the_command_prints_a_table(probed):
    content, _, _ = probed
    said = probe_command.summary(content)
    assert said[0] == "sick: AUC on 16 examples of 8 people of the test fold"
    assert said[1].split() == ["linear", "knn"]
    assert [line.split()[0] for line in said[2:4]] == ["untrained", "other"]
    assert "other cannot be told from untrained" in said[4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["probe", "--weights", "imagnet"], "did you mean 'imagenet'"),
        (["curve", "-o", "c", "--shares", "0,5"], "--shares 0,5: expected percents"),
        (["curve", "-o", "c", "--set", "model.weights=imagenet"], "--set model.weights=imagenet: is what a curve varies; name it with --weights"),
        (["curve", "-o", "c", "--set", "data.labels=0.5"], "name it with --shares"),
        (["curve", "-o", "c", "--probe", "knn", "--min-steps", "5"], "a probe takes no steps"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly(root, yaml, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    command, *options = words
    done = CliRunner().invoke(cli, [command, str(yaml), "--data", str(root), *options])
    assert isinstance(done.exception, AskedWronglyError)
    assert said in str(done.exception)
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml"}


@pytest.mark.slow
def test_a_curve_of_probes(root, yaml, other, tmp_path):
    """Shares and starts are added to a curve that is there; what was made is not made again."""
    words = ["curve", yaml, "--data", root, "--weights", "none", "--probe", "knn", "--seeds", "2", "-o", tmp_path / "c"]
    words = [str(word) for word in words]
    done = CliRunner().invoke(cli, [*words, "--shares", "50,100"])
    assert done.exit_code == 0, done.output
    made = tmp_path / "c" / "runs" / "untrained-50pct-seed0" / "test_predictions.parquet"
    first = made.stat().st_mtime_ns
    again = CliRunner().invoke(cli, [*words, "--weights", str(other.folder), "--shares", "75,50,100"])
    assert again.exit_code == 0, again.output
    assert "4 of 12 points are done" in again.output
    assert made.stat().st_mtime_ns == first
    points = json.loads((tmp_path / "c" / "curve.json").read_text())["targets"]["sick"]["points"]
    assert {(one["weights"], one["share"], one["patients"]) for one in points} == {
        (name, share, 12 * share) for name in ("untrained", "other") for share in (0.5, 0.75, 1.0)
    }
    every = [one for one in points if one["share"] == 1]
    assert all(a == b for one in every for a, b in pairwise(one["metric"]["seeds"])), "with all labels nothing is drawn"
    changed = CliRunner().invoke(cli, [*words, "--shares", "50", "--set", "train.batch_size=3"])
    assert "train.batch_size: 8 there, 3 asked" in str(changed.exception)


@pytest.mark.parametrize("name", factory.real_files("cxr/nih1000")[:1])
@pytest.mark.slow
def test_real_radiographs(name, tmp_path):
    """View position is in the features of a network that nobody trained."""
    real = factory.SHARED / "cxr" / "nih1000"
    words = ["probe", "nih1000_view_sex", "--data", real, "--method", "linear", "-o", tmp_path / "p"]
    words += ["--set", "model.name=mobilenet", "--set", "input.size=32", "--set", "evaluate.replicates=50"]
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "p" / "probe.json").read_text())
    assert content["targets"]["view"]["probes"][0]["auc"]["value"] > 0.8
