"""Which interval each metric shows, and what is said where there is none: with nothing to go by, and without a warning."""

import json

import numpy as np
import pytest

from medtf.evaluate.binary import judge_binary
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import Sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.statistics.intervals import PatientBootstrap

PREVALENCES = {"data": None, "given": 0.1}


def judged(kind, truth, prediction, patients=None, **options):
    """Metrics of one target by the real code."""
    truth, prediction = np.asarray(truth, float), np.asarray(prediction, float)
    bootstrap = PatientBootstrap(
        np.arange(len(truth)) if patients is None else patients, **{"replicates": 200, **options}
    )
    known = Sample(truth, prediction, np.arange(len(truth)), bootstrap.patients if len(truth) else 0, 0)
    if kind == "binary":
        return judge_binary(known, 0.5, bootstrap, PREVALENCES)[0]
    if kind == "multiclass":
        return judge_multiclass(known, ["a", "b", "c"], bootstrap)
    return judge_regression(known, bootstrap, training_mean=50.0)


def drawn(kind, n=120, seed=0):
    generator = np.random.default_rng(seed)
    if kind == "regression":
        truth = generator.uniform(20, 86, n)
        return truth, truth + generator.normal(0, 6, n)
    if kind == "binary":
        truth = np.arange(n) % 2
        return truth, 1 / (1 + np.exp(1 - 2 * truth - generator.normal(size=n)))
    truth = np.arange(n) % 3
    chances = np.exp(generator.normal(size=(n, 3)) + 1.5 * np.eye(3)[truth])
    return truth, chances / chances.sum(axis=1, keepdims=True)


def metrics(node, path=""):
    for key, child in node.items():
        if isinstance(child, dict) and "value" in child:
            yield path + key, child
        elif isinstance(child, dict):
            yield from metrics(child, f"{path}{key}.")


SHARES = {"prevalence", "accuracy", "sensitivity", "recall", "specificity", "precision", "f1"}
SHARES |= {"false_negative_rate_of_positives", "false_negatives_of_all"}
SHARES |= {"ppv.at_data_prevalence", "npv.at_data_prevalence"}
SHARES |= {
    f"per_class.{c}.{metric}"
    for c in "abc"
    for metric in ("prevalence", "sensitivity", "specificity", "precision", "npv")
}
AUCS = {"auc", *(f"per_class.{c}.auc" for c in "abc")}
CORRELATIONS = {"pearson_r", "error_truth_r"}


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_each_metric_shows_the_interval_it_should(kind, clustered):
    truth, prediction = drawn(kind)
    patients = np.arange(120) // 5 if clustered else np.arange(120)
    for name, metric in metrics(judged(kind, truth, prediction, patients)):
        expected = "bca"
        if name in SHARES:
            expected = "wilson_patients" if clustered else "wilson"
        elif name in AUCS:
            expected = "obuchowski" if clustered else "delong"
        elif name in CORRELATIONS:
            expected = "fisher_z"
        elif name == "average_precision" or name.endswith("at_given_prevalence"):
            expected = "logit_bootstrap"
        elif name.startswith("agreement.") and not clustered:
            expected = "student"
        assert metric["method"] == expected, name
        assert metric["low"] <= metric["value"] <= metric["high"], name
        assert set(metric["bootstrap"]) == {"percentile", "bca"}
        low, high = metric["bootstrap"]["bca"]
        # made in another way, of the same data: they overlap and are about as wide
        assert low < metric["high"]
        assert high > metric["low"]
        assert high - low == pytest.approx(metric["high"] - metric["low"], rel=0.6), name


@pytest.mark.parametrize("asked", ["bca", "percentile"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_bootstrap_alone_on_request(kind, asked):
    found = dict(metrics(judged(kind, *drawn(kind), intervals=asked)))
    assert {metric["method"] for metric in found.values()} == {asked}


def test_points_do_not_depend_on_the_interval():
    for kind in ("binary", "multiclass", "regression"):
        three = (judged(kind, *drawn(kind), intervals=asked) for asked in ("auto", "bca", "percentile"))
        values = [{name: metric["value"] for name, metric in metrics(found)} for found in three]
        assert values[0] == values[1] == values[2]


def test_all_right_is_not_sure():
    truth = np.repeat([0, 1], 20)
    found = dict(metrics(judged("binary", truth, truth)))
    for name in ("auc", "accuracy", "sensitivity", "specificity", "precision", "f1", "balanced_accuracy"):
        assert found[name]["value"] == found[name]["high"] == 1, name
        assert 0.7 < found[name]["low"] < 1, name
    for name in ("ppv.at_given_prevalence", "npv.at_given_prevalence"):
        assert found[name]["low"] < found[name]["value"] == 1
        assert found[name]["method"] == "from_wilson"
    assert found["false_negatives_of_all"]["low"] == 0 < found["false_negatives_of_all"]["high"]
    assert "every draw" in found["average_precision"]["reason"]
    classes = dict(metrics(judged("multiclass", np.arange(60) % 3, np.eye(3)[np.arange(60) % 3])))
    assert 0.7 < classes["cohen_kappa"]["low"] < classes["accuracy"]["low"] < 1
    assert classes["per_class.a.auc"]["method"] == "newcombe"


# name -> (truth, prediction, patients) of a kind
ODD = {
    "one class": lambda t, p: (np.ones_like(t), p, None),
    "one patient": lambda t, p: (t, p, np.zeros(len(t))),
    "two patients": lambda t, p: (t, p, np.arange(len(t)) % 2),
    "constant predictions": lambda t, p: (t, np.broadcast_to(p[:1], p.shape), None),
    "constant truth and predictions": lambda t, p: (np.zeros_like(t), np.broadcast_to(p[:1], p.shape), None),
    "ties": lambda t, p: (t, p.round(1 if p.max() <= 1 else -1), None),
    "three examples": lambda t, p: (t[:3], p[:3], None),
    "one example": lambda t, p: (t[:1], p[:1], None),
    "none": lambda t, p: (t[:0], p[:0], None),
    "one positive": lambda t, p: ((np.arange(len(t)) == 1).astype(float), p, None),
    "predictions are the truth": lambda t, p: (t, t if p.ndim == 1 else np.eye(3)[t], None),
    "copies": lambda t, p: (np.repeat(t[:4], 5), np.repeat(p[:4], 5, axis=0), np.repeat(np.arange(4), 5)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_odd_data_have_a_stated_answer(kind, odd):
    truth, prediction, patients = ODD[odd](*drawn(kind))
    found = judged(kind, truth, prediction, patients)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for name, metric in metrics(found):
        if metric["value"] is None or metric["low"] is None:
            assert metric["reason"], name
        else:
            assert metric["low"] <= metric["high"], name
            assert metric["method"], name
            if metric["method"] in ("wilson", "wilson_patients", "delong", "obuchowski", "newcombe"):
                assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1, name


def test_three_examples_say_so_by_their_width():
    found = judged("binary", [0, 1, 1], [0.2, 0.7, 0.4])
    assert found["accuracy"]["high"] - found["accuracy"]["low"] > 0.6
    assert found["auc"]["low"] is None or found["auc"]["high"] - found["auc"]["low"] > 0.2
