"""The folder of a label-fraction curve: its plan, the configs of its points, going on, processes that are stopped and fail."""

import os
import signal
import sys
import textwrap
import threading

import numpy as np
import pandas as pd
import pytest

from medtf import config as configs
from medtf import curve_processes, curve_results, curves, starts
from medtf.cli import curve as command_line
from medtf.curves import Curve, Plan, Point
from medtf.errors import AskedWronglyError, LeakError, MedtfError, StoppedError
from medtf.table import Table, save

RAW = {
    "pipeline": "table",
    "targets": {"ill": "binary"},
    "input": {"size": 32},
    "model": {"name": "mobilenet", "weights": "imagenet"},
}
RAW["train"] = {"freeze": 1, "layer_decay": 0.7, "seed": 5}
CONFIG = configs.parse(RAW | {"evaluate": {"replicates": 50}})
PLAN = Plan(("from scratch", "ImageNet"), (0.1, 1.0), 2)
SOURCES = {"from scratch": "none", "ImageNet": "imagenet"}
PEOPLE = 60


def examples(**columns) -> Table:
    """60 people of two rows each: 40 train, 8 validate, 12 are tested."""
    patient = np.repeat([f"p{i:02d}" for i in range(PEOPLE)], 2)
    fold = np.repeat(np.array(["train", "train", "train", "train", "valid", "test"])[np.arange(PEOPLE) % 6], 2)
    ill = np.repeat(np.arange(PEOPLE) // 6 % 2, 2).astype(float)
    frame = {"path": [f"{i}.png" for i in range(len(patient))], "patient": patient, "fold": fold, "ill": ill}
    return Table(
        pd.DataFrame(frame | {"pixels": [f"h{i}" for i in range(len(patient))]} | columns), meta={"salt": "one"}
    )


@pytest.fixture
def made(tmp_path):
    def make(plan=PLAN, sources=SOURCES, table=None) -> Curve:
        path = save(table or examples(), tmp_path / "in" / "table.parquet")
        data = CONFIG.data.model_copy(update={"table": str(path)})
        asked = CONFIG.model_copy(update={"data": data})
        return curves.create(asked, path.parent, tmp_path / "curve", plan, sources, say=lambda line: None)

    return make


def test_a_plan_begins_with_few_labels():
    points = PLAN.points()
    assert len(points) == 2 * 2 * 2
    assert [point.share for point in points] == [0.1] * 4 + [1.0] * 4
    assert points[0] == Point("from scratch", 0.1, 0)
    assert str(points[3]) == "ImageNet, 10 %, seed 1"
    assert [point.folder for point in points[:2]] == ["from_scratch-10pct-seed0", "ImageNet-10pct-seed0"]


def test_what_differs_between_points(made):
    curve = made()
    every = {str(point): curve.config_of(number) for number, point in enumerate(curve.points)}
    scratch, imagenet = every["from scratch, 10 %, seed 1"], every["ImageNet, 10 %, seed 1"]
    assert (scratch.model.weights, imagenet.model.weights) == ("none", "imagenet")
    assert scratch.data.labels == imagenet.data.labels == configs.Labels(share=0.1, seed=1)
    assert scratch.train.seed == imagenet.train.seed == 6
    assert (imagenet.train.freeze, imagenet.train.layer_decay) == (1, 0.7)
    assert (scratch.train.freeze, scratch.train.layer_decay) == (0, 1.0), "from scratch there is nothing to spare"
    assert every["from scratch, 100 %, seed 0"].data.labels.share == 1
    assert scratch.data.table == str(curve.folder / "table.parquet")


def test_a_curve_may_grow_but_not_change(made, tmp_path):
    curve = made()
    curve.predictions(0).parent.mkdir(parents=True)
    curve.predictions(0).touch()
    assert len(curve.missing()) == 7
    more = curves.planned(curve, Plan(("from scratch", "ImageNet"), (0.1, 0.5, 1.0), 3), SOURCES)
    assert len(more.points) == 2 * 3 * 3
    assert len(more.missing()) == 17, "what is trained stays"
    with pytest.raises(AskedWronglyError, match=r"ImageNet is imagenet in .*curve; take another -o"):
        curves.planned(curve, PLAN, SOURCES | {"ImageNet": str(tmp_path)})
    with pytest.raises(AskedWronglyError, match=r"--probe linear: .* was made with None"):
        curves.planned(curve, Plan(PLAN.weights, PLAN.shares, 2, probe="linear"), SOURCES)
    asked = curve.run.config()
    curves.refuse_other(curve, asked)
    other = asked.model_copy(update={"train": asked.train.model_copy(update={"epochs": 3})})
    with pytest.raises(AskedWronglyError, match=r"another config \(train.epochs: 10 there, 3 asked\)"):
        curves.refuse_other(curve, other)


def test_what_is_no_curve(made, tmp_path):
    with pytest.raises(AskedWronglyError, match=r"no label-fraction curve: it has no plan.json"):
        Curve(tmp_path)
    curve = made()
    (curve.folder / "plan.json").write_text('{"schema": 1, "weights": ["a"]}')
    with pytest.raises(MedtfError, match="damaged: expected weights, shares and seeds"):
        Curve(curve.folder)


def test_somebody_must_be_tested_and_nothing_is_left_behind(made, tmp_path):
    with pytest.raises(MedtfError, match="no test fold"):
        made(table=examples(fold=np.repeat(np.array(["train", "train", "valid"])[np.arange(PEOPLE) % 3], 2)))
    assert not (tmp_path / "curve").exists()


def test_weights_that_have_seen_the_test_fold_are_refused(made, tmp_path):
    """A run that was trained on whoever is tested here; nothing of it needs to be loaded to know."""
    from medtf import runs

    before = runs.Run(tmp_path / "before")
    before.create(CONFIG, examples(fold="train"), tmp_path, {})
    with pytest.raises(LeakError, match="before saw 10 patients of the test fold"):
        made(Plan(("before",), (1.0,), 1), {"before": str(before.folder)})
    assert not (tmp_path / "curve").exists()


def test_a_start_that_comes_later_is_held_to_the_same(made, tmp_path):
    """What was insisted on for one start is no leave for another, and stands in the curve's leaks."""
    from medtf import runs

    curve = made()
    before = runs.Run(tmp_path / "before")
    before.create(CONFIG, examples(fold="train"), tmp_path, {})
    plan = Plan((*curve.plan.weights, "before"), curve.plan.shares, curve.plan.seeds)
    sources = SOURCES | {"before": str(before.folder)}
    with pytest.raises(LeakError, match="before saw"):
        curves.planned(curve, plan, sources)
    grown = curves.planned(curve, plan, sources, allow_leaks=True)
    assert "before saw" in grown.run.read_json("environment.json")["leaks"][0]


# === Names and words of the command ===


def test_names_of_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/run", "b/run"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").touch()
    (tmp_path / "enc.weights.h5").touch()
    found = starts.names(["none", "imagenet", "a/run", "b/run", "enc.weights.h5"], starts.TRAINED)
    assert list(found) == ["from scratch", "ImageNet", "run", "b_run", "enc"]
    assert found["run"] == str(tmp_path / "a" / "run"), "a path that stays right in another folder"
    with pytest.raises(AskedWronglyError, match="--weights a/run: stands twice"):
        starts.names(["a/run", "a/run"], starts.TRAINED)
    with pytest.raises(
        AskedWronglyError, match=r"--weights imagnet: no such run folder or file.*did you mean 'imagenet'"
    ):
        starts.names(["imagnet"], starts.TRAINED)
    with pytest.raises(AskedWronglyError, match="not a run folder"):
        starts.names([str(tmp_path)], starts.TRAINED)


def test_shares_are_percents():
    assert command_line.percents("100,1, 2.5") == (0.01, 0.025, 1.0)
    assert command_line.percents("5 %") == (0.05,)
    for wrong in ("", "0", "101", "a,b", "-1,5"):
        with pytest.raises(AskedWronglyError, match=r"--shares .*: expected percents above 0 and up to 100"):
            command_line.percents(wrong)


# === Processes: what a point does is played by a few lines of Python ===

TRAINS = """
import pathlib, signal, sys, time
number, end = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def done():
    end.parent.mkdir(parents=True); end.touch()
print("epoch 1", flush=True)
"""


@pytest.fixture
def acted(made, monkeypatch):
    """A curve whose points run `play` in place of a training; gives (curve, lines, train)."""
    curve, lines = made(), []

    def train(play):
        def command(curve, number):
            return [sys.executable, "-c", TRAINS + textwrap.dedent(play), str(number), str(curve.predictions(number))]

        monkeypatch.setattr(curve_processes, "command", command)
        return curve_processes.train(curve, again="medtf curve X", say=lines.append, murmur=lines.append)

    return curve, lines, train


def test_points_come_one_after_another_and_only_once(acted):
    curve, lines, train = acted
    assert train("done()") == list(range(8))
    assert lines[:2] == ["training 1 of 8: from scratch, 10 %, seed 0", "  epoch 1"]
    assert curve.missing() == []
    assert train("raise SystemExit(1)") == [], "what is trained is not trained again"


def test_a_failure_names_the_point_and_keeps_what_is_done(acted):
    curve, _, train = acted
    with pytest.raises(MedtfError) as raised:
        train("""
            if number == 1:
                print("medtf: scan7.png: truncated", file=sys.stderr); sys.exit(1)
            done()
        """)
    assert str(raised.value) == (
        "ImageNet, 10 %, seed 0: scan7.png: truncated. 1 of 8 trainings are done and stay; go on with `medtf curve X`"
    )
    assert curve.missing() == list(range(1, 8))


def test_a_signal_is_passed_on_and_the_next_command_goes_on(acted):
    curve, _, train = acted
    threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(StoppedError, match="stopped by SIGTERM, state saved; go on with `medtf curve X`") as raised:
        train("""
            def save(number, frame):
                end.parent.mkdir(parents=True); (end.parent / "saved").touch(); sys.exit(143)
            signal.signal(signal.SIGTERM, save)
            time.sleep(60)
        """)
    assert raised.value.exit_code == 143
    assert (curve.child(0).folder / "saved").exists()
    assert not curve.child(1).folder.exists()


# === Judgement ===


def played(curve: Curve, better: str = "ImageNet") -> None:
    """Every point's predictions: one start tells the ill from the healthy, the other guesses."""
    test = curve.run.table().frame.assign(row=range(2 * PEOPLE)).query("fold == 'test'")
    for number, point in enumerate(curve.points):
        noise = np.random.default_rng(number).uniform(0.3, 0.7, len(test))
        says = 0.5 * noise + 0.5 * test["ill"] if point.weights == better else noise
        found = test[["row", "patient", "fold"]].assign(ill=says, ill_true=test["ill"])
        curve.predictions(number).parent.mkdir(parents=True, exist_ok=True)
        found.to_parquet(curve.predictions(number), index=False)


def test_a_curve_is_judged_when_all_points_are_there(made):
    curve = made()
    with pytest.raises(MedtfError, match="8 of 8 points are missing, such as from scratch, 10 %, seed 0"):
        curve_results.judge(curve)
    played(curve)
    content = curve_results.judge(curve)
    ill = content["targets"]["ill"]
    assert {point["metric"]["value"] for point in ill["points"] if point["weights"] == "ImageNet"} == {1.0}
    assert [(point["patients"], point["examples"]) for point in ill["points"][:1]] == [(4, 8)]
    assert [one["against"] for one in ill["comparisons"]] == ["from scratch"] * 2
    for name in ("curve.json", "curve.csv", "curve.png", "curve.html"):
        assert (curve.folder / name).is_file()
    said = command_line.summary(content)
    assert said[0] == "ill: AUC on 20 examples of 10 people of the test fold"
    assert said[1].split() == ["labels", "patients", "from", "scratch", "ImageNet"]
    assert said[2].split()[:3] == ["10", "%", "4"]


def test_damaged_predictions_are_named(made):
    curve = made()
    played(curve)
    curve.predictions(3).write_bytes(b"PAR1")
    with pytest.raises(MedtfError, match=r"ImageNet-10pct-seed1/test_predictions.parquet: damaged"):
        curve_results.judge(curve)


def test_shares_that_are_the_same_patients_are_told(made):
    curve = made(Plan(("from scratch",), (0.01, 0.02), 1), {"from scratch": "none"})
    played(curve)
    notes = curve_results.judge(curve)["notes"]
    assert notes == ["1 % and 2 % are the same 2 patients: fewer would leave a class without one."]
