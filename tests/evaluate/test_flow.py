"""The flow of exclusions adds up."""

import pandas as pd

from medtf.evaluate.pages.flow import SHOWN, flow

FOLDS = pd.DataFrame({"fold": ["train", "test"], "examples": [70, 30], "patients": [7, 3]})
METRICS = {"split": "test", "targets": {"any": {"n": 28, "unknown": 2}}}


def test_every_step_adds_up():
    excluded = pd.DataFrame({"reason": ["a", "b"], "count": [2, 5]})
    found = flow(FOLDS, excluded, METRICS, {"dropped": 20, "by": {"sequence": ["T1"]}})
    assert found["reasons"] == [{"reason": "b", "count": 5}, {"reason": "a", "count": 2}]
    assert found["selected"] == {"dropped": 20, "by": {"sequence": ["T1"]}}
    assert found["table"] == {"examples": 100, "patients": 10}
    assert found["found"] == found["left_out"] + found["selected"]["dropped"] + found["table"]["examples"] == 127
    assert [fold["judged"] for fold in found["folds"]] == [False, True]
    assert found["labels"] == [{"target": "any", "known": 28, "unknown": 2}]


def test_nothing_left_out_and_nothing_selected():
    found = flow(FOLDS, None, METRICS)
    assert (found["found"], found["left_out"], found["selected"], found["shown"]) == (100, 0, None, [])
    assert flow(FOLDS, None, METRICS, {"dropped": 0, "by": {"a": ["1"]}})["selected"] is None


def test_many_reasons_are_cut_but_counted():
    excluded = pd.DataFrame({"reason": [f"r{i}" for i in range(20)], "count": range(1, 21)})
    found = flow(FOLDS, excluded, METRICS)
    assert len(found["shown"]) == SHOWN
    assert sum(row["count"] for row in found["shown"]) == found["left_out"] == sum(range(1, 21))
    assert found["shown"][-1]["reason"] == "15 other reasons"


def test_all_folds_judged_and_patients_unknown():
    found = flow(FOLDS.drop(columns="patients"), None, METRICS | {"split": "all"})
    assert all(fold["judged"] for fold in found["folds"])
    assert found["table"]["patients"] is None
