"""Several runs as one: the mean of their answers, who may be judged, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import small_runs

from medtf import assembling, ensembling, judging, pipeline, predicting, predictions, runs
from medtf import table as tables
from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate import judge


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def seeds(data, tmp_path_factory):
    """Three runs that differ in their weights alone."""
    folder, config = tmp_path_factory.mktemp("seeds"), small_runs.settings()
    table = small_runs.table_of(data, config)
    return [small_runs.write(folder / f"seed-{seed}", table, data, config, seed=seed) for seed in range(3)]


@pytest.fixture(scope="module")
def ensemble(seeds, tmp_path_factory):
    return assembling.make([run.folder for run in seeds], tmp_path_factory.mktemp("ensemble") / "ens")[0]


def of_test(run):
    return predictions.of_fold(run.table(), "test")


def folds(data, folder, config, count=3, table=None):
    """Runs of a cross-validation: each person is tested by one, validated by the one before, trained on by the others."""
    table = table or small_runs.table_of(data, config)
    number = table.frame["patient"].factorize()[0] % count
    made = []
    for k in range(count):
        fold = np.where(number == k, "test", np.where(number == (k + 1) % count, "valid", "train"))
        one = table.with_frame(table.frame.assign(fold=pd.Series(fold, dtype="str")))
        made.append(small_runs.write(folder / f"fold-{k}", one, data, config, seed=k))
    return made


def test_its_answer_is_the_mean_of_its_members(ensemble, seeds, data):
    table, config = of_test(ensemble), small_runs.settings()
    found = ensembling.predict(ensemble, table, data)
    module = pipeline.find(config.pipeline)
    each = [predictions.predict(judging.load_model(run), table, data, config, module) for run in seeds]
    for column in ("sick", "site_0", "site_1", "site_2", "age"):
        np.testing.assert_allclose(found[column], np.mean([one[column] for one in each], axis=0), rtol=1e-5)
    assert found["sick"].std() > 0
    total = np.mean([one["age_sd"] ** 2 for one in each], axis=0) + np.var([one["age"] for one in each], axis=0)
    np.testing.assert_allclose(found["age_sd"] ** 2, total, rtol=1e-4)  # law of total variance
    np.testing.assert_allclose(found["age_ens_sd"], found["age_sd"], rtol=1e-6)
    np.testing.assert_allclose(found["sick_ens_sd"], np.std([one["sick"] for one in each], axis=0), rtol=1e-3)
    assert found[["row", "patient", "fold", "sick_true"]].equals(each[0][["row", "patient", "fold", "sick_true"]])


def test_the_folder_is_a_runs_and_whole_by_itself(ensemble, data):
    names = {path.name for path in ensemble.folder.iterdir()}
    assert names == {
        "config.yaml", "environment.json", "local.json", "table.parquet", "thresholds.json", "valid_predictions.parquet",
        "ensemble.json", "members",
    }  # fmt: skip
    assert [member.folder.name for member in ensembling.members(ensemble)] == ["seed-0", "seed-1", "seed-2"]
    assert not [path for path in ensemble.folder.parent.iterdir() if path != ensemble.folder]
    assert "members/" not in (ensemble.folder / "ensemble.json").read_text()
    for path in ensemble.folder.rglob("*.json"):
        if path.name != "local.json":
            assert str(data) not in path.read_text(), path


def test_its_threshold_is_chosen_on_the_mean_validation_predictions(ensemble, seeds):
    valid = pd.read_parquet(ensemble.folder / "valid_predictions.parquet")
    each = [pd.read_parquet(run.folder / "valid_predictions.parquet") for run in seeds]
    np.testing.assert_allclose(valid["sick"], np.mean([one["sick"] for one in each], axis=0), rtol=1e-5)
    assert set(valid["fold"]) == {"valid"}
    chosen = ensemble.read_json("thresholds.json")["targets"]["sick"]
    assert (chosen["fold"], chosen["n"], chosen["patients"]) == ("valid", 8, 4)
    calls = valid["sick"] >= chosen["value"]  # Youden's, against every other cut
    truth = valid["sick_true"] == 1

    def youden(calls):
        return calls[truth].mean() - calls[~truth].mean()

    assert youden(calls) == max(0, *(youden(valid["sick"] >= cut) for cut in valid["sick"]))


def test_it_is_judged_by_the_judge_of_runs(ensemble, data):
    found = ensembling.predict(ensemble, of_test(ensemble), data)
    metrics = judge.judge(
        found, ensemble.config(), ensemble.read_json("thresholds.json")["targets"], split="test", fingerprint=""
    )
    assert metrics["n"] == {"examples": 16, "patients": 8}
    assert metrics["targets"]["sick"]["auc"]["value"] is not None


def test_it_predicts_new_files_without_the_runs_it_was_made_of(ensemble, data):
    made, _ = predicting.predict_files(ensemble, [data / "images"])
    assert len(made) == 48
    assert made["sick"].between(0, 1).all()
    assert {"sick_ens_sd", "site_ens_entropy", "site_b", "age_sd", "age_ens_sd_model", "sick_above_threshold"} <= set(
        made
    )
    with pytest.raises(AskedWronglyError, match="are of single networks"):
        predicting.predict_files(ensemble, [data / "images"], tta=4)


def test_a_members_model_that_was_changed_is_refused(seeds, tmp_path):
    run, _ = assembling.make([one.folder for one in seeds[:2]], tmp_path / "ens")
    model = run.folder / "members" / "seed-1" / "model.keras"
    model.unlink()
    with pytest.raises(MedtfError, match=r"seed-1.*is away"):
        ensembling.members(run)
    model.write_bytes((seeds[0].folder / "model.keras").read_bytes())
    with pytest.raises(MedtfError, match="is not the model"):
        ensembling.members(run)


def test_a_cross_validation_leaves_nobody_to_judge(data, tmp_path):
    made = folds(data, tmp_path, small_runs.settings())
    run, said = assembling.make([one.folder for one in made], tmp_path / "ens")
    assert (run.table().frame["fold"] == "train").all()
    assert "nobody is left to judge it on" in " ".join(said)
    with pytest.raises(MedtfError, match=r"its test fold is empty.*--table"):
        ensembling.refuse_trained(run, "test")
    with pytest.raises(MedtfError, match=r"fold-0 was trained on"):
        ensembling.refuse_trained(run, "train")
    valid = pd.read_parquet(run.folder / "valid_predictions.parquet")
    assert len(valid) == 48, "everybody is validated once"
    assert (valid["members"] == 1).all()
    own = pd.concat([pd.read_parquet(one.folder / "valid_predictions.parquet") for one in made]).sort_values("row")
    np.testing.assert_allclose(valid["sick"], own["sick"], rtol=1e-6)  # by the member that was not trained on him
    assert list(valid["patient"]) == list(own["patient"])


def test_a_cross_validation_stands_for_its_runs(data, tmp_path):
    config = small_runs.settings()
    table = small_runs.table_of(data, config)
    whole = table.with_frame(table.frame.assign(cv_fold=table.frame["patient"].factorize()[0] % 3))
    parent = runs.Run(tmp_path / "cv").create(config, whole, data, runs.environment(), folds={"folds": 3})
    with pytest.raises(MedtfError, match=r"folds 0, 1 and 2 are not trained"):
        assembling.make([parent.folder], tmp_path / "ens")
    folds(data, parent.folder, config, table=whole)
    run, _ = assembling.make([parent.folder], tmp_path / "ens")
    assert [member.folder.name for member in ensembling.members(run)] == ["fold-0", "fold-1", "fold-2"]
    assert "cv_fold" not in run.table().frame


def test_folds_that_differ_in_part_leave_those_whom_nobody_knows(data, seeds, tmp_path):
    """Another split: only people who are tested in both may be judged."""
    config = small_runs.settings()
    table = small_runs.table_of(data, config)
    people = sorted(table.frame["patient"].unique())
    other = table.with_frame(
        table.frame.assign(fold=table.frame["fold"].where(~table.frame["patient"].isin(people[:12]), "train"))
    )
    run = small_runs.write(tmp_path / "other", other, data, config, seed=9)
    made, _ = assembling.make([seeds[0].folder, run.folder], tmp_path / "ens")
    tested = set(of_test(made).frame["patient"])
    assert tested == set(of_test(seeds[0]).frame["patient"]) & set(of_test(run).frame["patient"])
    assert 0 < len(tested) < 8
    ensembling.refuse_trained(made, "test")


def test_a_table_of_other_people_is_its_test_fold(data, seeds, tmp_path):
    elsewhere = small_runs.pictures(tmp_path / "elsewhere", seed=1)
    table = small_runs.table_of(elsewhere, small_runs.settings())
    strangers = table.with_frame(table.frame.assign(patient="new" + table.frame["patient"]).drop(columns="fold"))
    tables.save(strangers, tmp_path / "new.parquet")
    run, said = assembling.make([one.folder for one in seeds], tmp_path / "ens", table=tmp_path / "new.parquet")
    assert "24 people" in said[0]
    ensembling.refuse_trained(run, "test")
    assert len(ensembling.predict(run, of_test(run), elsewhere)) == 48


def test_what_would_leak_or_mean_nothing_is_refused(data, seeds, tmp_path):
    config = small_runs.settings()
    table = small_runs.table_of(data, config)
    tables.save(table, tmp_path / "known.parquet")
    with pytest.raises(MedtfError, match=r"16 of 24 people stand in the train or validation fold of seed-0"):
        assembling.make([one.folder for one in seeds], tmp_path / "ens", table=tmp_path / "known.parquet")
    tables.save(tables.Table(table.frame, meta=table.meta | {"salt": "other"}), tmp_path / "salted.parquet")
    with pytest.raises(MedtfError, match="different salts"):
        assembling.make([one.folder for one in seeds], tmp_path / "ens", table=tmp_path / "salted.parquet")
    renamed = table.with_frame(table.frame.assign(patient="new" + table.frame["patient"]))
    tables.save(renamed, tmp_path / "renamed.parquet")
    with pytest.raises(MedtfError, match=r"32 of 48 pictures stand in the train or validation fold of seed-0"):
        assembling.make([one.folder for one in seeds], tmp_path / "ens", table=tmp_path / "renamed.parquet")
    tables.save(table.with_frame(table.frame.drop(columns="sick")), tmp_path / "unlabelled.parquet")
    with pytest.raises(AskedWronglyError, match="no column 'sick'"):
        assembling.make([one.folder for one in seeds], tmp_path / "ens", table=tmp_path / "unlabelled.parquet")
    assert not (tmp_path / "ens").exists()


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"sick": "binary"}, "equal targets: seed-0 has sick, site, age; odd has sick"),
        (small_runs.TARGETS | {"age": "regression"}, "target 'age' differs between seed-0 and odd"),
        (small_runs.TARGETS | {"site": {"classes": ["b", "a", "c"]}}, "target 'site' differs"),
        (small_runs.TARGETS | {"sick": {"binary": {"positive": 0}}}, "target 'sick' differs"),
    ],
)
def test_other_targets_are_refused(data, seeds, tmp_path, targets, said):
    config = small_runs.settings(targets=targets)
    odd = small_runs.write(tmp_path / "odd", small_runs.table_of(data, config), data, config)
    with pytest.raises(AskedWronglyError, match=said):
        assembling.make([seeds[0].folder, odd.folder], tmp_path / "ens")


def test_tables_of_another_salt_or_of_other_images_are_refused(data, seeds, tmp_path):
    config = small_runs.settings()
    table = small_runs.table_of(data, config)
    salted = tables.Table(table.frame, meta=table.meta | {"salt": "other"})
    run = small_runs.write(tmp_path / "salted", salted, data, config)
    with pytest.raises(MedtfError, match="different salts"):
        assembling.make([seeds[0].folder, run.folder], tmp_path / "ens")
    run = small_runs.write(tmp_path / "fewer", table.with_frame(table.frame.iloc[:-1]), data, config)
    with pytest.raises(MedtfError, match=r"hold different images \(1 stand in one alone"):
        assembling.make([seeds[0].folder, run.folder], tmp_path / "ens")


def test_one_run_twice_or_alone_is_refused(seeds, ensemble, tmp_path):
    with pytest.raises(AskedWronglyError, match="at least two"):
        assembling.make([seeds[0].folder], tmp_path / "ens")
    with pytest.raises(AskedWronglyError, match="the same run stands twice"):
        assembling.make([seeds[0].folder, seeds[0].folder / ".." / "seed-0"], tmp_path / "ens")
    with pytest.raises(AskedWronglyError, match="is an ensemble itself"):
        assembling.make([seeds[0].folder, ensemble.folder], tmp_path / "ens")


def test_runs_of_one_name_are_kept_apart(data, seeds, tmp_path):
    config = small_runs.settings()
    run = small_runs.write(tmp_path / "seed-0", small_runs.table_of(data, config), data, config, seed=5)
    made, _ = assembling.make([seeds[0].folder, run.folder], tmp_path / "ens")
    names = [one["name"] for one in made.read_json("ensemble.json")["members"]]
    assert len(set(names)) == 2
    assert all("seed-0" in name for name in names)


def test_a_members_leak_stays_told(data, seeds, tmp_path):
    config = small_runs.settings()
    run = small_runs.write(tmp_path / "leaking", small_runs.table_of(data, config), data, config, seed=5)
    run.write_json("environment.json", run.read_json("environment.json") | {"leaks": ["2 patients in both"]})
    made, _ = assembling.make([seeds[0].folder, run.folder], tmp_path / "ens")
    assert made.read_json("environment.json")["leaks"] == ["leaking: 2 patients in both"]


def test_passes_of_single_networks_are_not_asked_of_an_ensemble(data, tmp_path):
    config = small_runs.settings(evaluate={"replicates": 50, "mc_dropout": 4, "tta": 4})
    table = small_runs.table_of(data, config)
    made = [small_runs.write(tmp_path / str(seed), table, data, config, seed=seed) for seed in range(2)]
    run, _ = assembling.make([one.folder for one in made], tmp_path / "ens")
    assert (run.config().evaluate.mc_dropout, run.config().evaluate.tta) == (0, 0)


def test_a_name_that_climbs_out_of_the_folder_is_refused(seeds, tmp_path):
    """ensemble.json is a file from elsewhere like any other."""
    run, _ = assembling.make([one.folder for one in seeds[:2]], tmp_path / "ens")
    content = run.read_json("ensemble.json")
    content["members"][0]["name"] = "../../seed-0"
    (run.folder / "ensemble.json").write_text(json.dumps(content))
    with pytest.raises(AskedWronglyError, match="below"):
        ensembling.members(runs.Run(run.folder))
