"""New files and a run: what the training kept is not asked of them; calibration and passes stand beside the plain answer."""

import numpy as np
import pytest
import small_runs
from scipy.special import logit

from medtf import config as configs
from medtf import predicting


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    config = small_runs.settings()
    return small_runs.write(tmp_path_factory.mktemp("run") / "run", small_runs.table_of(data, config), data, config)


def test_a_run_that_was_trained_from_a_pack_predicts_new_volumes(tmp_path):
    """A pack holds the training's volumes; new files are read from where they are."""
    root, config = small_runs.volumes(tmp_path / "data"), small_runs.settings_of_volumes()
    run = small_runs.write(tmp_path / "run", small_runs.table_of(root, config), root, config)
    packed = config.model_copy(update={"input": config.input.model_copy(update={"keep": str(tmp_path / "all.pack")})})
    (run.folder / "config.yaml").write_text(configs.dump(packed))
    files = sorted((root / "volumes").iterdir())[:2]
    made, _ = predicting.predict_files(run, files)
    assert (made["reason"] == "").all()
    assert made["age"].notna().all()
    assert (made["age_sd"] > 0).all()


def test_calibrated_probabilities_stand_beside_the_plain_ones(data, trained):
    """A temperature of 2 halves the log odds; where nothing could be fitted, nothing stands."""
    plain, _ = predicting.predict_files(trained, [data / "images"])
    assert not [column for column in plain if "calibrated" in column]
    half = {"how": "temperature", "temperature": 2.0}
    targets = {"sick": half | {"kind": "binary"}, "site": half | {"kind": "multiclass"}}
    try:
        trained.write_json("calibration.json", {"targets": targets})
        made, _ = predicting.predict_files(trained, [data / "images"])
        trained.write_json("calibration.json", {"targets": {"sick": {"reason": "one class only"}}})
        without, _ = predicting.predict_files(trained, [data / "images"])
    finally:
        (trained.folder / "calibration.json").unlink()
    np.testing.assert_allclose(
        logit(made["sick_calibrated"]), logit(plain["sick"].astype(float)) / 2, rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(made[[f"site_{value}_calibrated" for value in "abc"]].sum(axis=1), 1, rtol=1e-6)
    odds = np.log(plain["site_b"].astype(float) / plain["site_a"])
    np.testing.assert_allclose(
        np.log(made["site_b_calibrated"] / made["site_a_calibrated"]), odds / 2, rtol=1e-3, atol=1e-3
    )
    assert made[list(plain)].equals(plain), "the threshold is of the plain probability"
    assert without.equals(plain)


def test_passes_are_told_by_the_names_of_the_classes(data, trained):
    made, _ = predicting.predict_files(trained, [data / "images"], mc_dropout=3, tta=3)
    plain, _ = predicting.predict_files(trained, [data / "images"])
    assert made[list(plain)].equals(plain)
    for key in ("mc", "tta"):
        np.testing.assert_allclose(made[[f"site_{key}_{value}" for value in "abc"]].sum(axis=1), 1, rtol=1e-5)
        assert {f"sick_{key}", f"sick_{key}_sd", f"site_{key}_entropy", f"age_{key}_sd_model"} <= set(made)
        assert f"site_{key}_0" not in made
    assert len(made) == 48
