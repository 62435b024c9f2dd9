"""`medtf ensemble`, and `medtf predict` with it and with passes, as a user types them."""

import pandas as pd
import pytest
import small_runs
from commands import refused


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def seeds(data, tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("seeds"), small_runs.settings()
    table = small_runs.table_of(data, config)
    return [small_runs.write(folder / f"seed-{seed}", table, data, config, seed=seed).folder for seed in range(2)]


def test_runs_become_a_folder_that_predicts(typed, seeds, data, tmp_path):
    done = typed("ensemble", *seeds, "-o", tmp_path / "ens")
    assert done.returncode == 0, done.stderr
    assert "2 members; test fold: 8 people that no member was trained on or steered by" in done.stdout
    assert f"judge it with `medtf evaluate {tmp_path / 'ens'}`" in done.stdout
    done = typed("predict", tmp_path / "ens", data / "images", "-o", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr
    made = pd.read_csv(tmp_path / "p.csv")
    assert made["sick"].between(0, 1).all()
    assert "sick_ens_mutual_information" in made


def test_it_is_judged_like_a_run(typed, seeds, tmp_path):
    assert typed("ensemble", *seeds, "-o", tmp_path / "ens").returncode == 0
    done = typed("evaluate", tmp_path / "ens")
    assert done.returncode == 0, done.stderr
    assert "test fold: 16 examples of 8 patients" in done.stdout
    found = pd.read_parquet(tmp_path / "ens" / "predictions.parquet")
    assert found["sick_ens_sd"].gt(0).any()
    each = [pd.read_parquet(path) for path in sorted((tmp_path / "ens" / "members").glob("*/predictions.parquet"))]
    assert (found["sick"] - (each[0]["sick"] + each[1]["sick"]) / 2).abs().max() < 1e-6
    refused(typed("evaluate", tmp_path / "ens", "--split", "train"), 1, "seed-0 was trained on 12 of the 12 people")


def test_predict_with_passes(typed, seeds, data, tmp_path):
    done = typed("predict", seeds[0], data / "images", "-o", tmp_path / "p.csv", "--mc-dropout", 3, "--tta", 2)
    assert done.returncode == 0, done.stderr
    assert {"sick_mc_sd", "sick_tta_sd", "age_mc_sd_data"} <= set(pd.read_csv(tmp_path / "p.csv"))
    assert "retracing" not in done.stderr


def test_asked_wrongly(typed, seeds, data, tmp_path):
    refused(typed("ensemble", seeds[0], "-o", tmp_path / "ens"), 2, "at least two run folders")
    refused(typed("ensemble", *seeds, "-o", seeds[0]), 2, "exists already")
    refused(typed("ensemble", *seeds, tmp_path / "none", "-o", tmp_path / "ens"), 2, "no such run folder")
    refused(typed("ensemble", *seeds, "-o", tmp_path / "ens", "--table", tmp_path / "t.parquet"), 2, "no such table")
    words = ("predict", seeds[0], data / "images", "-o", tmp_path / "p.csv")
    refused(typed(*words, "--mc-dropout", 1), 2, "expected 2 or more passes, or 0")
    refused(typed(*words, "--tta", "many"), 2, "expected 2 or more passes, or 0")
    assert not list(tmp_path.iterdir())
