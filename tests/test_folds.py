"""Cross-validation: the table that all folds share, processes that are stopped and fail, and predictions pooled."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pandas as pd
import pytest

from medtf import config as configs
from medtf import fold_processes, folds, pooling, runs
from medtf.errors import AskedWronglyError, LeakError, MedtfError, StoppedError
from medtf.table import Table, load, save

CONFIG = configs.parse({"pipeline": "table", "targets": {"ill": "binary", "age": "regression"}})
PEOPLE, ROWS = 24, 2


def examples(**columns) -> Table:
    """24 people of two rows each."""
    patient = np.repeat([f"p{i:02d}" for i in range(PEOPLE)], ROWS)
    ill = np.repeat(np.arange(PEOPLE) % 2, ROWS).astype(float)
    frame = {"path": [f"{i}.png" for i in range(len(patient))], "patient": patient, "ill": ill, "age": 40.0 + 10 * ill}
    frame |= {"site": np.repeat(["a", "b", "c"], PEOPLE * ROWS // 3), "pixels": [f"h{i}" for i in range(len(patient))]}
    return Table(pd.DataFrame(frame | columns), meta={"salt": "one"})


@pytest.fixture
def made(tmp_path):
    """`folds.create` of a table, in a folder that only holds what it made."""

    def make(table=None, count=3, allow_leaks=False, **split):
        path = save(table or examples(), tmp_path / "in" / "table.parquet")
        raw = CONFIG.model_dump(mode="json")
        raw["data"] |= {"table": str(path), "split": {"folds": count, **split.pop("split", {})}, **split}
        (tmp_path / "out").mkdir(exist_ok=True)
        said = []
        parent = folds.create(
            configs.parse(raw), path.parent, tmp_path / "out" / "cv", allow_leaks=allow_leaks, say=said.append
        )
        parent.said = said
        return parent

    yield make
    left = {p.name for p in (tmp_path / "out").iterdir()} if (tmp_path / "out").exists() else set()
    assert left <= {"cv"}


def test_everybody_is_tested_once_and_validated_on_once(made):
    parent = made()
    assert runs.is_parent(parent.folder)
    whole = parent.table().frame
    assert (whole.groupby("patient")["cv_fold"].nunique() == 1).all()
    assert set(whole["fold"]) == {"test"}
    tables = [parent.table_of(k).frame for k in range(3)]
    parts = pd.concat([t["fold"] for t in tables], axis=1)
    assert (parts.apply(sorted, axis=1).map(tuple) == ("test", "train", "valid")).all()
    for k, table in enumerate(tables):
        assert table["path"].equals(whole["path"])
        assert set(whole.loc[table["fold"] == "test", "cv_fold"]) == {k}
        assert set(whole.loc[table["fold"] == "valid", "cv_fold"]) == {(k + 1) % 3}
    assert parent.config_of(2).data.split.test_fold == 2
    assert parent.said[-3:] == [f"  fold {k}: 16 examples of 8 patients; ill 8, age (mean) 45" for k in range(3)]


def test_folds_are_those_that_a_single_run_would_take(made):
    """`data.split: {folds, test_fold}` of one run and `--folds` give the same parts."""
    from medtf import prepare

    parent = made(count=4)
    for k in (0, 3):
        config = folds.as_folds(parent.run.config(), 4, k)
        alone, _ = prepare.training_table(config, parent.run.root())
        assert parent.table_of(k).frame["fold"].tolist() == alone.frame["fold"].tolist()


def test_folds_of_the_table_itself(made):
    own = np.repeat(np.arange(PEOPLE) % 3, ROWS).astype(str)
    assert made(examples(fold=own)).table().frame["cv_fold"].astype(str).tolist() == own.tolist()


@pytest.mark.parametrize("own", [["train", "valid", "test"], ["0", "1", "2", "3"]])
def test_other_folds_of_the_table_are_refused(made, own):
    with pytest.raises(AskedWronglyError, match=f"--folds 3: the table has folds of its own .{', '.join(sorted(own))}"):
        made(examples(fold=np.repeat(np.array(own)[np.arange(PEOPLE) % len(own)], ROWS)))


def test_rows_are_selected_after_the_split(made):
    parent = made(select={"site": ["a", "b"]})
    assert len(parent.table()) == PEOPLE * ROWS * 2 // 3


def test_a_fold_that_selection_empties_is_named(made):
    own = np.repeat(np.repeat(["0", "1", "2"], PEOPLE // 3), ROWS)
    with pytest.raises(MedtfError, match="fold 2 holds nobody: take fewer --folds"):
        made(examples(fold=own), select={"site": ["a", "b"]})


def test_a_picture_in_two_folds_that_one_run_would_train_on_is_a_leak(made):
    """Folds 2 and 3 of four both teach the first run: its own audit would not see it."""
    own = np.repeat((np.arange(PEOPLE) % 4).astype(str), ROWS)
    table = examples(fold=own)
    copied = table.frame["pixels"].where(table.frame.index != 6, table.frame["pixels"][4])
    table = table.with_frame(table.frame.assign(pixels=copied))
    with pytest.raises(LeakError, match="1 picture in both 2 and 3"):
        made(table, count=4)
    parent = made(table, count=4, allow_leaks=True)
    assert "1 picture in both 2 and 3" in parent.run.read_json("environment.json")["leaks"][0]


def test_strata_are_told_by_fold(made):
    parent = made(split={"stratify": ["site"]})
    line = next(line for line in parent.said if "site a" in line)
    assert sorted(line.split()[2::2]) == ["2", "3", "3"]


@pytest.mark.parametrize(
    ("count", "overrides", "said"),
    [
        (2, (), "--folds 2: expected at least 3"),
        (5, ("data.split.test_fold=1",), "--set data.split.test_fold=1: --folds trains every fold in its turn"),
        (5, ("train.epochs=1", "data.split.folds=4"), "--set data.split.folds=4"),
    ],
)
def test_what_cannot_be_asked(count, overrides, said):
    with pytest.raises(AskedWronglyError, match=said):
        folds.refuse(count, overrides)


def test_other_commands_name_a_run_inside(made):
    parent = made()
    for command in (runs.existing, runs.finished, runs.unfinished):
        with pytest.raises(AskedWronglyError, match=r"is a cross-validation; name one of its runs, such as .*fold-0"):
            command(parent.folder)
    with pytest.raises(MedtfError, match=r"folds 0, 1 and 2 are not trained to the end: go on with .* --resume"):
        folds.finished(parent.folder)
    with pytest.raises(AskedWronglyError, match="no cross-validation"):
        folds.Parent(parent.folder.parent)
    (parent.folder / "folds.json").write_text('{"folds": 1}')
    with pytest.raises(MedtfError, match="damaged"):
        folds.Parent(parent.folder)


# === Processes: what a fold does is played by a few lines of Python ===

TRAINS = """
import pathlib, signal, sys, time
fold, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def end():
    folder.mkdir(exist_ok=True)
    (folder / "model.keras").touch(); (folder / "thresholds.json").touch()
print("epoch 1", flush=True)
"""


@pytest.fixture
def acted(made, monkeypatch):
    """A cross-validation whose folds run `play` (Python) in place of a training; gives (parent, lines, train)."""
    parent, lines = made(), []

    def train(play, **options):
        def command(parent, fold, root=None):
            text = TRAINS + textwrap.dedent(play)
            return [sys.executable, "-c", text, str(fold), str(parent.child(fold).folder)]

        monkeypatch.setattr(fold_processes, "command", command)
        say = lambda line: lines.append((time.monotonic(), line))  # noqa: E731
        return fold_processes.train(parent, say=say, murmur=lines.append, **options)

    return parent, lines, train


def test_folds_come_one_after_another_each_line_with_its_fold(acted):
    parent, lines, train = acted
    assert train("time.sleep(0.05); print('epoch 2', flush=True); end()") == [0, 1, 2]
    assert [line for _, line in lines] == [f"fold {k}: epoch {e}" for k in range(3) for e in (1, 2)]
    assert parent.missing() == []
    assert train("raise SystemExit(1)") == [], "what is trained is not trained again"


def test_several_at_once(acted):
    _, lines, train = acted
    assert sorted(train("time.sleep(0.6); print('done', flush=True); end()", jobs=3)) == [0, 1, 2]
    first_done = min(at for at, line in lines if line.endswith("done"))
    assert sum(at < first_done for at, line in lines if line.endswith("epoch 1")) == 3


def test_a_failure_names_the_fold_keeps_the_finished_and_begins_no_other(acted):
    parent, lines, train = acted
    with pytest.raises(MedtfError) as raised:
        train("""
            if fold == 1:
                print("medtf: scan7.dcm: truncated", file=sys.stderr)
                sys.exit(1)
            end()
        """)
    said = str(raised.value)
    assert said.startswith("fold 1: scan7.dcm: truncated. Fold 0 is trained and stays; go on with `medtf fit ")
    assert said.endswith(f"--run {parent.folder} --resume`")
    assert parent.missing() == [1, 2]
    assert not parent.child(2).folder.exists()
    assert [line for line in lines if not isinstance(line, tuple)] == [], "the last line is told once, as the error"


@pytest.mark.parametrize(
    ("play", "error", "said"),
    [
        ("import os; os.kill(os.getpid(), signal.SIGKILL)", MedtfError, r"fold 0: its process was ended by SIGKILL \(out of memory\?\)"),
        ("print('Segm fault', file=sys.stderr); sys.exit(7)", MedtfError, "fold 0: its process ended with 7: Segm fault"),
        ("print('medtf: train.monitor: no', file=sys.stderr); sys.exit(2)", AskedWronglyError, "^fold 0: train.monitor: no$"),
    ],
    ids=["killed", "crashed", "asked wrongly"],
)  # fmt: skip
def test_how_a_process_may_end(acted, play, error, said):
    with pytest.raises(error, match=said) as raised:
        acted[2](play)
    assert type(raised.value) is error


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 1, "Ctrl-C")])
def test_a_signal_is_passed_on_once_and_waited_for(acted, number, code, name):
    parent, _, train = acted
    threading.Timer(0.7, os.kill, (os.getpid(), number)).start()
    with pytest.raises(StoppedError, match=f"stopped by {name}, state saved; go on with") as raised:
        train("""
            got = []
            def save(number, frame):
                got.append(number)
                time.sleep(0.5)
                folder.mkdir(); (folder / "saved").write_text(str(got))
                sys.exit(143)
            signal.signal(signal.SIGTERM, save); signal.signal(signal.SIGINT, save)
            time.sleep(60)
        """)
    assert raised.value.exit_code == code
    assert (parent.child(0).folder / "saved").read_text() == str([int(number)])
    assert not parent.child(1).folder.exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "the handlers that were there are back"


def test_one_fold_is_trained_by_one_process(made):
    parent = made()
    holds = (
        "import sys, time; from medtf import folds, fold_processes\n"
        "with fold_processes.alone(folds.Parent(sys.argv[1]), 1):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", holds, str(parent.folder)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(MedtfError, match="fold-1: another process is training it"), fold_processes.alone(parent, 1):
        pass
    with fold_processes.alone(parent, 2):
        pass  # another fold is free
    other.kill()
    other.wait()
    with fold_processes.alone(parent, 1):
        pass


def test_a_fold_ends_when_its_parent_is_gone():
    waits = "import time; from medtf import fold_processes as f; f.end_with_parent(); print('up', flush=True); time.sleep(60)"
    environment = os.environ | {fold_processes.WATCHED: "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", waits], env=environment, text=True, **pipes)
    assert child.stdout.readline() == "up\n"
    child.stdin.close()
    assert child.wait(20) == -signal.SIGTERM


def test_gpus_are_shared_in_turn():
    given = {"CUDA_VISIBLE_DEVICES": "4,5"}
    assert [fold_processes.environment(given, slot, 3)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["4", "5", "4"]
    alone = fold_processes.environment(given, 0, 1)
    assert alone["CUDA_VISIBLE_DEVICES"] == "4,5"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in alone
    assert fold_processes.environment({}, 0, 2)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


# === Pooling ===


def judge(parent, fold: int, threshold=0.5, shift=0.0) -> None:
    """A fold's run as `fit` and `evaluate` leave it, from made-up predictions."""
    run, table = parent.child(fold), parent.table_of(fold)
    run.create(parent.config_of(fold), table, parent.folder, {})
    frame = table.frame.assign(row=np.arange(len(table)))
    found = frame[["row", "patient", "fold"]].assign(
        ill=np.clip(0.3 + 0.4 * frame["ill"] + shift, 0, 1), ill_true=frame["ill"], age=50.0, age_true=frame["age"]
    )
    found[found["fold"] == "test"].to_parquet(run.predictions)
    found[found["fold"] == "valid"].to_parquet(run.folder / "valid_predictions.parquet")
    about = {"rule": "youden", "fold": "valid", "n": 16, "patients": 8}
    both = {"value": threshold, **about, "per_patient": {"value": threshold + 0.05, **about}}
    run.write_json("thresholds.json", {"targets": {"ill": both}})
    run.write_json("metrics.json", {"split": "test"})
    run.model.touch()


@pytest.fixture
def judged(made):
    parent = made()
    for fold in range(3):
        judge(parent, fold, threshold=0.2 + 0.2 * fold)
    return parent


def test_pooled_everybody_stands_once_with_the_threshold_of_their_fold(judged):
    found = pooling.pooled(folds.finished(judged.folder))
    whole = judged.table().frame
    assert found["row"].tolist() == list(range(len(whole)))
    assert found["patient"].tolist() == whole["patient"].tolist()
    assert found["cv_fold"].tolist() == whole["cv_fold"].tolist()
    np.testing.assert_allclose(found["ill_threshold"], 0.2 + 0.2 * whole["cv_fold"])
    np.testing.assert_allclose(found["ill_threshold_per_patient"], 0.25 + 0.2 * whole["cv_fold"])
    validated = pooling.valid_pooled(judged)
    assert validated["row"].tolist() == list(range(len(whole)))
    assert ((validated["cv_fold"] + 1) % 3).tolist() == whole["cv_fold"].tolist()
    for number, test, valid in pooling.by_run(found, validated):
        assert set(test["patient"]).isdisjoint(valid["patient"])
        assert set(test["fold"]) == {"test"} and set(valid["fold"]) == {"valid"}, number  # noqa: PT018
    chosen = pooling.thresholds(judged)["ill"]
    assert chosen["value"] == pytest.approx(0.4)
    assert chosen["by_fold"] == pytest.approx([0.2, 0.4, 0.6])
    assert "each fold by its own, 0.2 to 0.6" in chosen["rule"]
    assert (chosen["n"], chosen["per_patient"]["value"]) == (48, pytest.approx(0.45))


def test_a_cross_validation_is_judged_as_one(judged):
    """By hand: the ill have 0.7, the healthy 0.3; fold 0 calls from 0.2 on, so its 4 healthy people are false alarms."""
    from medtf import judging_folds

    overrides = ("evaluate.gallery=0", "evaluate.replicates=100")  # there are no pictures
    metrics = judging_folds.evaluate(folds.finished(judged.folder), overrides=overrides, say=pytest.fail)
    ill = metrics["targets"]["ill"]
    healthy = judged.table().frame.query("ill == 0")
    wrong = int((healthy["cv_fold"] == 0).sum())
    assert metrics["n"] == {"examples": PEOPLE * ROWS, "patients": PEOPLE}
    assert ill["confusion"] == {"tn": len(healthy) - wrong, "fp": wrong, "fn": 0, "tp": PEOPLE * ROWS // 2}
    assert ill["auc"]["value"] == 1
    # patients are called from 0.25, 0.45 and 0.65 on: the first calls everyone, the last the ill
    assert metrics["per_patient"]["targets"]["ill"]["confusion"]["fp"] == wrong // ROWS
    found = metrics["cross_validation"]["targets"]["ill"]
    assert [row["threshold"] for row in found["folds"]] == pytest.approx([0.2, 0.4, 0.6])
    assert [row["specificity"]["value"] for row in found["folds"]] == [0, 1, 1]
    age = metrics["targets"]["age"]
    assert age["mean_absolute_error_of_training_mean"]["value"] == pytest.approx(5)
    for name in ("metrics.json", "predictions.parquet", "report.html"):
        assert (judged.folder / name).is_file()
    assert "By fold of the cross-validation" in (judged.folder / "report.html").read_text()


def test_folds_that_cannot_be_pooled(judged):
    run = judged.child(1)
    before = pd.read_parquet(run.predictions)
    before.iloc[:-1].to_parquet(run.predictions)
    with pytest.raises(MedtfError, match="fold-1: its predictions are not those of fold 1"):
        pooling.pooled(judged)
    before.assign(patient=before["patient"].to_numpy()[::-1]).to_parquet(run.predictions)
    with pytest.raises(MedtfError, match="are not those of fold 1"):
        pooling.pooled(judged)
    run.predictions.write_bytes(b"PAR1")
    with pytest.raises(MedtfError, match="damaged: not a Parquet file; judge it with `medtf evaluate"):
        pooling.pooled(judged)
    run.write_json("metrics.json", {"split": "valid"})
    with pytest.raises(MedtfError, match="fold-1: no predictions of its test fold"):
        pooling.pooled(judged)
    (run.folder / "valid_predictions.parquet").unlink()
    with pytest.raises(MedtfError, match=r"it has no valid_predictions.parquet"):
        pooling.valid_pooled(judged)


def test_a_table_of_another_kind_is_no_parents(judged):
    path = judged.folder / "table.parquet"
    table = load(path)
    save(table.with_frame_dropped("cv_fold"), path)
    with pytest.raises(MedtfError, match="has no column cv_fold"):
        judged.table()
