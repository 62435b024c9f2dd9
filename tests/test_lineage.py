"""Whom the weights have seen: found in two tables and through a chain, refused, insisted on, and told in red."""

import json
import shutil

import pandas as pd
import pytest
import small_runs

from medtf import config as configs
from medtf import judging, lineage, runs, train
from medtf import table as tables
from medtf.errors import LeakError, MedtfError
from medtf.models import build
from medtf.table import Table


def table(patients, folds, pixels=None, salt="s"):
    frame = pd.DataFrame({"patient": list(patients), "fold": folds, "path": [f"{n}.png" for n in range(len(folds))]})
    return Table(frame if pixels is None else frame.assign(pixels=list(pixels)), meta={"salt": salt})


def run_of(folder, found, before=None, unchecked=()):
    """The part of a run folder that the audit reads."""
    folder.mkdir()
    (folder / "config.yaml").write_text("pipeline: table\n")
    tables.save(found, folder / "table.parquet")
    runs.Run(folder).write_json("environment.json", {"unchecked": list(unchecked)})
    if before is not None:
        before.write(folder)
    return folder


@pytest.fixture
def chest(tmp_path):
    """a and b were learnt from, c was validated on, d tested."""
    return run_of(tmp_path / "chest", table("abcd", ["train", "train", "valid", "test"], "1234"))


def test_seen_is_what_was_learnt_from_or_steered_by(chest):
    found = lineage.seen(chest)
    assert list(found["patient"]) == ["a", "b", "c"]
    assert list(found["fold"]) == ["train", "train", "valid"]
    assert set(found["run"]) == {"chest"}
    assert list(found["pixels"]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("patient", "fold", "refused"),
    [
        ("a", "test", True),
        ("c", "test", True),  # the pretraining chose its epoch by it
        ("d", "test", False),  # nobody looked at it
        ("a", "valid", True),
        ("c", "valid", False),  # one split for both trainings: validated on twice
        ("a", "train", False),  # its own training fold, without labels
        ("c", "train", False),
        ("e", "test", False),
    ],
)
def test_who_may_stand_where(chest, patient, fold, refused):
    target = table([patient, "x", "y"], [fold, "train", "test"], "789")
    if not refused:
        assert lineage.audited(str(chest), target).leaks == []
        return
    name = {"valid": "validation"}.get(fold, fold)
    with pytest.raises(
        LeakError, match=rf"saw 1 patient of the {name} fold: {patient} \(row 0: 0.png\)\..*--allow-leaks"
    ):
        lineage.audited(str(chest), target)
    (told,) = lineage.audited(str(chest), target, allow=True).leaks
    assert told == f"the training of chest saw 1 patient of the {name} fold: {patient} (row 0: 0.png)"


def test_the_same_split_of_one_table_is_clean(chest):
    found = runs.Run(chest).table()
    assert lineage.audited(str(chest), found).leaks == []


def test_pictures_are_found_under_other_names_and_told_once(chest):
    """Row 0 is a patient who is known; row 1 the picture of b under another name; an empty hash is none."""
    found = lineage.leaks(lineage.seen(chest), table("azyx", ["test"] * 4, ["1", "2", "", "9"]))
    assert found == [
        "the training of chest saw 1 patient of the test fold: a (row 0: 0.png)",
        "the training of chest saw 1 picture of the test fold: 2 (row 1: 1.png)",
    ]


def test_long_lists_are_cut_and_each_patient_is_counted_once(tmp_path):
    many = [f"p{n}" for n in range(8)]
    folder = run_of(tmp_path / "many", table(many, ["train"] * 8))
    (found,) = lineage.leaks(lineage.seen(folder), table(many * 2, ["test"] * 16))
    assert found.startswith("the training of many saw 8 patients of the test fold: p0 (row 0: 0.png), ")
    assert found.endswith("p4 (row 4: 4.png) and 3 more")


def test_a_chain_is_known_although_its_folders_are_gone(chest, tmp_path):
    """chest -> middle -> last: a was seen by the first alone."""
    middle = table("mno", ["train", "valid", "test"])
    folder = run_of(tmp_path / "middle", middle, lineage.audited(str(chest), middle))
    shutil.rmtree(chest)
    past = lineage.audited(str(folder), table("amo", ["test"] * 3), allow=True)
    assert past.leaks == [
        "the training of chest saw 1 patient of the test fold: a (row 0: 0.png)",
        "the training of middle saw 1 patient of the test fold: m (row 1: 1.png)",
    ]
    assert set(past.seen["run"]) == {"chest", "middle"}
    last = run_of(tmp_path / "last", table("q", ["test"]), past)
    assert set(lineage.seen(last)["patient"]) == set("abcmn")


def test_what_is_written_names_nobody_and_no_place(chest, tmp_path):
    past = lineage.audited(str(chest), table("x", ["test"]))
    past.write(tmp_path)
    kept = pd.read_parquet(tmp_path / lineage.SEEN)
    assert list(kept.columns) == ["patient", "pixels", "fold", "run", "salt"]
    assert not kept.astype(str).apply(lambda column: column.str.contains("/|png")).any().any()


def test_fresh_weights_have_seen_nobody(tmp_path):
    for weights in ("none", "imagenet"):
        past = lineage.audited(weights, table("a", ["test"]))
        assert (past.leaks, past.unchecked, len(past.seen)) == ([], [], 0)
        past.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bare_file_cannot_be_checked_and_that_is_passed_on(tmp_path):
    (tmp_path / "w.keras").touch()
    target = table("a", ["train"])
    past = lineage.audited(str(tmp_path / "w.keras"), target)
    (line,) = past.unchecked
    assert line.endswith("w.keras: no table lies beside them, so whom they have seen cannot be checked")
    folder = run_of(tmp_path / "run", target, past, past.unchecked)
    assert line in lineage.audited(str(folder), table("x", ["test"])).unchecked


def test_the_model_file_of_a_run_is_the_run(chest):
    (chest / "model.keras").touch()
    with pytest.raises(LeakError, match="chest saw 1 patient"):
        lineage.audited(str(chest / "model.keras"), table("a", ["test"], "9"))


def test_other_salts_cannot_be_compared_but_pictures_can(chest):
    target = table("az", ["test", "test"], "92", salt="t")
    past = lineage.audited(str(chest), target, allow=True)
    assert past.leaks == ["the training of chest saw 1 picture of the test fold: 2 (row 1: 1.png)"]
    (line,) = past.unchecked
    assert line.startswith(
        "chest and this table were hashed with different salts, so whether one patient stands in both cannot be"
    )
    assert "MEDTF_SALT" in line


def test_pictures_without_hashes_are_told(chest):
    (line,) = lineage.audited(str(chest), table("x", ["test"])).unchecked
    assert "copies under other patients cannot be found" in line


def test_damaged_files_are_named(chest, tmp_path):
    (chest / lineage.SEEN).write_bytes(b"text")
    with pytest.raises(MedtfError, match=r"seen.parquet: damaged: .*copy it again"):
        lineage.seen(chest)
    pd.DataFrame({"patient": ["a"]}).to_parquet(chest / lineage.SEEN)
    with pytest.raises(MedtfError, match=r"seen.parquet: damaged: it has no column pixels"):
        lineage.seen(chest)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def leaking(pictures, tmp_path_factory):
    """A run that learnt from whom the others test on: its folds are theirs with test and train changed about."""
    config = small_runs.settings(targets={"sick": "binary"})
    found = small_runs.table_of(pictures, config)
    turned = found.frame["fold"].map({"train": "test", "valid": "valid", "test": "train"}).astype("str")
    folder = tmp_path_factory.mktemp("runs") / "mae"
    run = runs.new(folder).create(
        config, found.with_frame(found.frame.assign(fold=turned)), pictures, runs.environment()
    )
    run.model.touch()
    return run


def settings(leaking):
    train_section = {"epochs": 1, "batch_size": 8, "precision": "float32", "jit": False}
    model = {"name": "mobilenet", "weights": str(leaking.folder)}
    return small_runs.settings(targets={"sick": "binary"}, model=model, train=train_section)


def test_a_training_refuses_before_it_makes_a_folder(leaking, pictures, tmp_path):
    with pytest.raises(
        LeakError, match=r"the weights leak: the training of mae saw 8 patients of the test fold: .* and 3 more\. "
    ):
        train.fit(settings(leaking), pictures, runs.new(tmp_path / "run"), told=train.Told(say=lambda line: None))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_was_insisted_on_is_red_in_the_report_and_judgement_asks_again(leaking, pictures, tmp_path):
    run, config = runs.new(tmp_path / "run"), settings(leaking)
    build.build(configs.Model(name="mobilenet"), (32, 32, 1), config.targets).save(leaking.model)
    train.fit(config, pictures, run, allow_leaks=True, told=train.Told(say=lambda line: None))
    (leak,) = run.read_json("environment.json")["leaks"]
    assert leak.startswith("the training of mae saw 8 patients of the test fold")
    assert set(pd.read_parquet(run.folder / lineage.SEEN)["fold"]) == {"train", "valid"}
    metrics = judging.evaluate(run)
    assert metrics["leaks"] == [leak]
    assert "the training of mae saw 8 patients" in run.report.read_text()
    run.write_json("environment.json", run.read_json("environment.json") | {"leaks": []})
    with pytest.raises(LeakError, match="the training of mae saw"):
        judging.evaluate(run)
    assert json.loads((run.folder / "metrics.json").read_text())["leaks"] == [leak]
