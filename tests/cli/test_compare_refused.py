"""`medtf compare`: which runs it refuses to set against each other, and what it says then."""

import judged
import pandas as pd
import pytest
from commands import names, refused

from medtf.evaluate.draw import plots

BOTH = judged.BOTH


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(plots, "png", lambda figure: b"no picture")


@pytest.fixture
def two(tmp_path):
    return judged.two(tmp_path)


def test_other_people_are_refused_unless_those_in_common_are_asked_for(typed, two):
    line = refused(
        typed("compare", *two),
        1,
        "age: the runs were not judged on the same people (t1 has 79, tof has 79, 78 are in all)",
    )
    assert line.endswith("or compare the people in common with --common")
    assert typed("compare", *two, "--common").returncode == 0


def test_several_scans_of_a_person_are_one_person(typed, tmp_path):
    who = judged.people(100)
    a = judged.write(tmp_path / "a", who, scans=3)
    b = judged.write(tmp_path / "b", who, seed=2)
    refused(
        typed("compare", a, b),
        1,
        "age: 50 people have another number of examples in b than in a (50 and 150 in all)",
        "--common",
    )
    done = typed("compare", a, b, "--common")
    assert "age: 50 people of the test fold are in all runs" in done.stdout
    c = judged.write(tmp_path / "c", who, scans=3, seed=2)
    assert typed("compare", a, c).returncode == 0


def test_folds_that_differ_are_refused_with_their_number(typed, tmp_path):
    who = judged.people(120)
    moved = who.copy()
    tested = who.index[who["fold"] == "test"][:3]
    moved.loc[tested, "fold"] = "train"
    a, b = judged.write(tmp_path / "a", who), judged.write(tmp_path / "b", moved)
    said = "a and b: their folds differ: 3 of 60 people of the test fold of a stand in the train fold of b"
    refused(typed("compare", a, b), 1, said, "split all people once")
    refused(typed("compare", b, a), 1, said)
    assert names(tmp_path) == {"a", "b"}


def test_people_whom_one_run_has_not_are_no_reason_to_refuse(typed, tmp_path):
    who = judged.people(120)
    a = judged.write(tmp_path / "a", who.iloc[:100])
    b = judged.write(tmp_path / "b", who.iloc[30:], seed=2)
    assert typed("compare", a, b, "--common").returncode == 0


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        ({"salt": "two"}, 1, "hashed with different salts (one and two)"),
        ({"salt": None}, 1, "hashed with different salts (one and unknown)"),
        ({"targets": {"sex": "binary"}}, 2, "no target in common (a: age; b: sex)"),
        ({"targets": {"age": "binary"}}, 2, "target 'age' differs: regression in a, binary, positive 1 in b"),
        ({"split": "valid"}, 1, "its predictions are of the valid fold: judge it with `medtf evaluate"),
    ],
)
def test_runs_that_cannot_be_compared(typed, tmp_path, spoil, code, said):
    a = judged.write(tmp_path / "a", judged.people())
    b = judged.write(tmp_path / "b", judged.people(), **spoil)
    refused(typed("compare", a, b), code, said)


def test_too_few_people_in_common(typed, tmp_path):
    who = judged.people(120)
    tested = who.index[who["fold"] == "test"]
    a = judged.write(tmp_path / "a", who.drop(index=tested[5:]))
    b = judged.write(tmp_path / "b", who)
    refused(typed("compare", a, b, "--common"), 1, "age: 5 people in common (a has 5, b has 60); expected at least 6")
    c = judged.write(tmp_path / "c", who.drop(index=tested[6:]))
    assert typed("compare", c, b, "--common").returncode == 0


def test_a_run_that_was_not_judged_says_what_to_do(typed, tmp_path):
    a, b = (judged.write(tmp_path / name, judged.people()) for name in "ab")
    (b / "predictions.parquet").write_text("rubbish")
    refused(typed("compare", a, b), 1, "predictions.parquet: damaged", f"judge it with `medtf evaluate {b}` first")
    (b / "predictions.parquet").unlink()
    refused(typed("compare", a, b), 1, f"{b}: no predictions yet: judge it with `medtf evaluate {b}` first")


def test_asked_wrongly(typed, two, tmp_path):
    refused(typed("compare"), 2, "Missing argument")
    refused(typed("compare", two[0]), 2, "expected at least two run folders")
    refused(typed("compare", two[0], two[0]), 2, "the same run stands twice")
    refused(typed("compare", two[0], tmp_path / "no"), 2, "no such run folder")
    refused(typed("compare", *two, "--split", "tset"), 2, "did you mean 'test'?")
    (tmp_path / "file").touch()
    refused(typed("compare", *two, "-o", tmp_path / "file"), 2, "is a file, not a folder")


def test_another_truth_is_refused(typed, tmp_path):
    """A second scan two years later is another age, and may be asked for; a person has one sex."""
    who = judged.people()
    a = judged.write(tmp_path / "a", who, targets=BOTH)
    b = judged.write(tmp_path / "b", who.assign(age=who["age"] + 2), targets=BOTH)
    said = "age: 60 of 60 people have another true value in b than in a (first: row 2 of a, row 2 of b)"
    refused(typed("compare", a, b), 1, said, "--common")
    done = typed("compare", a, b, "--common")
    assert "note: age: 60 people have another true value in b than in a; each error is against its own." in done.stdout
    c = judged.write(tmp_path / "c", who.assign(sex=1 - who["sex"]), targets=BOTH)
    line = refused(typed("compare", a, c, "--common"), 1, "sex: 60 of 60 people have another true value in c than in a")
    assert line.endswith("mend the tables")


def test_predictions_that_are_none_name_their_run(typed, tmp_path):
    a, b = (judged.write(tmp_path / name, judged.people(), seed=seed) for seed, name in enumerate("ab"))
    found = pd.read_parquet(b / "predictions.parquet")
    found.loc[3, "age"] = float("nan")
    found.to_parquet(b / "predictions.parquet")
    refused(typed("compare", a, b), 1, "b: predictions: 'age': expected finite numbers")
