"""Numbers per series, and the rates of each class against the others."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import multilabel_confusion_matrix, roc_auc_score

from medtf.evaluate.judge import judge


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_series_stand_between_examples_and_patients(config, predicted, at):
    frame = predicted(patients=40, per=6).assign(series=lambda t: [f"s{i // 3}" for i in t["row"]])
    settings = config(evaluate={"replicates": 100, "aggregate": "mean"})
    metrics = judge(frame, settings, at("any"), split="test", fingerprint="f")
    found = metrics["per_series"]
    assert (found["n"], found["aggregate"]) == (80, "mean")
    series = frame.groupby("series").agg({"any": "mean", "any_true": "max"})
    numbers = found["targets"]["any"]
    assert numbers["auc"]["value"] == pytest.approx(roc_auc_score(series["any_true"], series["any"]))
    assert (numbers["n"], numbers["patients"]) == (80, 40)
    assert numbers["auc"]["method"] == "obuchowski"  # two series of a patient are no two people
    assert "per_series" not in judge(
        frame.assign(series=frame["patient"]), settings, at("any"), split="test", fingerprint="f"
    )


def test_rates_of_each_class_against_the_others(config):
    generator = np.random.default_rng(0)
    truth, p = generator.integers(0, 3, 120), generator.dirichlet(np.ones(3), 120)
    columns = {f"seq_{i}": p[:, i] for i in range(3)} | {"seq_true": truth.astype(float)}
    frame = pd.DataFrame({"row": range(120), "patient": range(120), "fold": "test", **columns})
    settings = config({"seq": {"classes": ["A", "B", "C"]}}, evaluate={"replicates": 100})
    found = judge(frame, settings, {}, split="test", fingerprint="f")["targets"]["seq"]["per_class"]
    for name, ((tn, fp), (fn, tp)) in zip(found, multilabel_confusion_matrix(truth, p.argmax(axis=1)), strict=True):
        expected = {"prevalence": (tp + fn) / 120, "specificity": tn / (tn + fp), "npv": tn / (tn + fn)}
        for key, value in expected.items():
            metric = found[name][key]
            assert metric["value"] == pytest.approx(value)
            assert metric["low"] < value < metric["high"]
            assert metric["method"] == "wilson"


def test_a_class_that_is_always_called_has_no_npv(config):
    frame = pd.DataFrame({"row": range(4), "patient": range(4), "fold": "test", "seq_0": 0.9, "seq_1": 0.1})
    settings = config({"seq": {"classes": ["A", "B"]}}, evaluate={"replicates": 50})
    metrics = judge(frame.assign(seq_true=0.0), settings, {}, split="test", fingerprint="f")
    found = metrics["targets"]["seq"]["per_class"]
    assert found["A"]["npv"]["reason"] == "every example is called this class"
    assert found["A"]["specificity"]["reason"] == "no example of another class"
    assert found["B"]["npv"]["value"] == 1
