"""judging.evaluate on a run with ages: the validation fold is predicted, covariates are joined, and the data may be away."""

import json
import shutil

import factory
import numpy as np
import pandas as pd
import pytest

from medtf import config as configs
from medtf import runs, table
from medtf.errors import AskedWronglyError

PEOPLE = 80
CONFIG = {
    "pipeline": "table",
    "targets": {"age": "regression", "sex": {"binary": {"positive": "M", "negative": "F"}}},
    "input": {"size": 32},
    "model": {"name": "mobilenet", "weights": "none"},
    "evaluate": {"replicates": 50, "threshold": 0.5},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run folder whose model was never trained, and the folder of its pictures."""
    from medtf import keeping_models, pipeline
    from medtf.models import build

    data = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(0)
    sheet = pd.DataFrame({"path": [f"{i}.png" for i in range(PEOPLE)], "patient": range(PEOPLE)})
    sheet["age"] = generator.integers(20, 86, PEOPLE)
    sheet["sex"] = np.where(np.arange(PEOPLE) % 2, "M", "F")
    sheet["site"] = np.where(np.arange(PEOPLE) % 3, "Guys", "HH")
    sheet["foreground_ml"] = 1300 + generator.normal(0, 100, PEOPLE)
    sheet["fold"] = np.array(["train", "valid", "test", "test"])[(np.arange(PEOPLE) // 2) % 4]
    for i in range(PEOPLE):
        factory.picture(data / f"{i}.png", generator.integers(0, 255, (32, 32), dtype=np.uint8))
    sheet.to_csv(data / "sheet.csv", index=False)
    config = configs.parse(CONFIG)
    found = pipeline.find("table").examples(data / "sheet.csv", config)
    run = runs.Run(tmp_path_factory.mktemp("runs") / "run").create(config, found, data, runs.environment())
    keeping_models.save(build.build(config.model, (32, 32, 1), config.targets), run.model)
    at = {"value": 0.5, "rule": "fixed", "fold": None, "n": 0, "patients": 0}
    run.write_json("thresholds.json", {"schema": 1, "targets": {"sex": at}})
    return run, data


@pytest.fixture(scope="module")
def model(made):
    from medtf import judging

    return judging.load_model(made[0])


@pytest.fixture
def judged(made, model, tmp_path, monkeypatch):
    """`evaluate` on a copy of that run; the model is loaded once for all."""
    from medtf import judging
    from medtf.evaluate.draw import plots

    monkeypatch.setattr(judging, "load_model", lambda run: model)
    monkeypatch.setattr(plots, "png", lambda figure: b"no picture")

    def run(*, evaluate=None, root=None, fold="test"):
        copied = runs.Run(shutil.copytree(made[0].folder, tmp_path / "run", dirs_exist_ok=True))
        config = CONFIG | {"evaluate": CONFIG["evaluate"] | (evaluate or {})}
        (copied.folder / "config.yaml").write_text(configs.dump(configs.parse(config)))
        return copied, judging.evaluate(copied, root=root, fold=fold)

    return run


def test_everything_stands_in_the_metrics_and_the_report(made, judged):
    run, metrics = judged()
    age, sex = metrics["targets"]["age"], metrics["targets"]["sex"]
    assert age["corrected"]["fitted_on"] == {"fold": "valid", "n": 20, "patients": 20, "judged_too": False}
    assert set(age["subgroups"]) == {"sex", "site", "age"}
    assert set(sex["subgroups"]) == {"site", "age"}
    assert sex["matched"]["people"] == 40
    assert json.loads((run.folder / "metrics.json").read_text()) == metrics
    frame = table.load(made[0].folder / "table.parquet").frame
    truths = frame.loc[frame["fold"] == "test", "age"]
    training = frame.loc[frame["fold"] == "train", "age"].mean()
    floor = age["mean_absolute_error_of_training_mean"]["value"]
    assert floor == pytest.approx((truths - training).abs().mean(), rel=1e-5)
    text = run.report.read_text()
    for wanted in ("Corrected and recalibrated", "Matched on foreground_ml", "By group", "Butler 2021"):
        assert wanted in text, wanted
    plots = {path.name for path in run.plots.iterdir()}
    assert {"bland_altman_age.png", "by_site_age.png", "scatter_age.png"} <= plots


def test_covariates_are_joined_by_row(made, judged):
    run, _ = judged()
    found = pd.read_parquet(run.predictions)
    frame = table.load(run.folder / "table.parquet").frame.iloc[found["row"]]
    assert (found["covariate_sex"].to_numpy() == frame["sex"].to_numpy()).all()
    assert (found["covariate_foreground_ml"].to_numpy() == frame["foreground_ml"].to_numpy()).all()
    assert (found["covariate_age"] == found["age_true"]).all()


def test_validation_predictions_of_other_people_are_not_fitted_on(judged):
    """A file that was copied from another run, whose columns are the same."""
    run, first = judged()
    kept = run.folder / "valid_predictions.parquet"
    right = pd.read_parquet(kept)
    right.assign(patient="somebody else", age=right["age_true"] * 2).to_parquet(kept, index=False)
    again, second = judged()
    assert again.folder == run.folder
    assert second["targets"]["age"]["recalibrated"] == first["targets"]["age"]["recalibrated"]
    pd.testing.assert_frame_equal(pd.read_parquet(kept), right)


def test_the_validation_fold_is_predicted_once_and_kept(judged, monkeypatch):
    run, first = judged()
    kept = pd.read_parquet(run.folder / "valid_predictions.parquet")
    assert set(kept["fold"]) == {"valid"}
    shifted = kept.assign(age=kept["age_true"] * 2)
    shifted.to_parquet(run.folder / "valid_predictions.parquet", index=False)
    from medtf import judging

    again = judging.evaluate(run)
    assert again["targets"]["age"]["corrected"]["slope"]["value"] == pytest.approx(1)
    assert again["targets"]["age"]["mean_absolute_error"] == first["targets"]["age"]["mean_absolute_error"]
    (run.folder / "valid_predictions.parquet").write_text("rubbish")
    assert judging.evaluate(run)["targets"]["age"]["corrected"] == first["targets"]["age"]["corrected"]


def test_without_the_validation_files_the_raw_numbers_come_alone(made, judged, tmp_path):
    root = shutil.copytree(made[1], tmp_path / "data")
    frame = table.load(made[0].folder / "table.parquet").frame
    for path in frame.loc[frame["fold"] == "valid", "path"]:
        (root / path).unlink()
    _, metrics = judged(root=root)
    assert metrics["targets"]["age"]["corrected"] == {"reason": "the validation fold was not predicted"}
    assert any("validation fold could not be predicted" in line for line in metrics["warnings"])


@pytest.mark.parametrize(
    ("evaluate", "match"),
    [
        ({"subgroups": ["sit"]}, "evaluate.subgroups: 'sit' is no column of the run's table: did you mean 'site'"),
        ({"match_on": "foreground"}, "evaluate.match_on: 'foreground' is no column of the run's table"),
    ],
)
def test_columns_that_are_not_there_are_named(judged, evaluate, match):
    with pytest.raises(AskedWronglyError, match=match):
        judged(evaluate=evaluate)


def test_the_validation_fold_itself_is_not_predicted_twice(judged):
    run, metrics = judged(fold="valid")
    assert metrics["targets"]["age"]["recalibrated"]["fitted_on"]["judged_too"]
    assert not (run.folder / "valid_predictions.parquet").exists()
