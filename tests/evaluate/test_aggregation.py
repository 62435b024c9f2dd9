"""The rules of aggregation beside each other: their numbers, their difference, and what the validation fold says."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medtf.evaluate.aggregation import section
from medtf.evaluate.judge import judge


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def one_slice_shows_it(people=160, per=8, seed=0, fold="test") -> pd.DataFrame:
    """A positive patient has one slice that shows it among seven that do not."""
    generator = np.random.default_rng(seed)
    n = people * per
    patients = np.repeat(np.arange(people), per)
    sick = (generator.random(people) < 0.5)[patients] & (np.arange(n) % per == 3)
    score = generator.normal(size=n) + 4 * sick
    columns = {"any": 1 / (1 + np.exp(2 - score)), "any_true": sick.astype(float), "fold": fold}
    return pd.DataFrame({"row": range(n), "patient": [f"{fold}{i:04d}" for i in patients], **columns})


def test_each_rule_has_the_auc_of_its_own_probabilities(config):
    frame = one_slice_shows_it()
    found = section(frame, "any", config().targets["any"], "noisy_or", replicates=100)
    groups = frame.groupby("patient")
    truth = groups["any_true"].max()
    expected = {
        "max": groups["any"].max(),
        "mean": groups["any"].mean(),
        "top 3": groups["any"].apply(lambda p: p.nlargest(3).mean()),
        "noisy_or": 1 - (1 - frame["any"]).groupby(frame["patient"]).prod(),
    }
    assert list(found["rules"]) == list(expected)
    for rule, probability in expected.items():
        auc = found["rules"][rule]["auc"]
        assert auc["value"] == pytest.approx(roc_auc_score(truth, probability)), rule
        assert auc["low"] < auc["value"] < auc["high"]
    assert found["used"] == "noisy_or"
    difference = found["rules"]["mean"]["difference"]
    assert difference["value"] == pytest.approx(
        roc_auc_score(truth, expected["mean"]) - roc_auc_score(truth, expected["noisy_or"])
    )
    assert "difference" not in found["rules"]["noisy_or"]
    assert found["rules"]["max"]["auc"]["value"] > found["rules"]["mean"]["auc"]["value"]
    assert found["best_on_validation"] is None
    assert "best by luck" in found["words"]


def test_the_validation_fold_says_which_rule(config):
    frame, valid = one_slice_shows_it(), one_slice_shows_it(seed=1, fold="valid")
    found = section(frame, "any", config().targets["any"], "mean", replicates=50, valid=valid)
    values = {rule: numbers["valid"]["value"] for rule, numbers in found["rules"].items()}
    assert values["mean"] == pytest.approx(
        roc_auc_score(valid.groupby("patient")["any_true"].max(), valid.groupby("patient")["any"].mean())
    )
    assert found["best_on_validation"] == max(values, key=values.get) != "mean"
    assert f"on the validation fold {found['best_on_validation']} does better" in found["words"]


def test_one_example_a_patient_needs_no_rule(config):
    frame = one_slice_shows_it(per=1).assign(patient=lambda t: t["row"].astype(str))
    assert section(frame, "any", config().targets["any"], "max", replicates=50) == {}


def test_one_class_and_no_replicates_have_reasons(config):
    frame = one_slice_shows_it(people=20).assign(any_true=0.0)
    found = section(frame, "any", config().targets["any"], "max", replicates=50, valid=frame.assign(fold="valid"))
    assert found["rules"]["max"]["auc"]["reason"] == "needs positive and negative patients"
    assert found["rules"]["mean"]["difference"]["value"] is None
    assert found["best_on_validation"] is None
    found = section(one_slice_shows_it(), "any", config().targets["any"], "max", replicates=0)
    assert found["rules"]["max"]["auc"]["low"] is None


def test_classes_and_values_have_rules_of_their_own(config):
    generator = np.random.default_rng(0)
    n = 240
    truth = np.repeat(generator.integers(0, 3, n // 4), 4)
    p = generator.dirichlet(np.ones(3), n) + 0.6 * np.eye(3)[truth]
    p /= p.sum(axis=1, keepdims=True)
    ages = np.repeat(generator.uniform(20, 80, n // 4), 4)
    frame = pd.DataFrame({"row": range(n), "patient": np.repeat(np.arange(n // 4), 4), "fold": "test"})
    frame = frame.assign(site_0=p[:, 0], site_1=p[:, 1], site_2=p[:, 2], site_true=truth.astype(float))
    frame = frame.assign(age=ages + generator.standard_t(2, n), age_true=ages)
    targets = config({"site": {"classes": ["A", "B", "C"]}, "age": "regression"}).targets
    found = section(frame, "site", targets["site"], "top 2", replicates=50)
    assert (found["used"], list(found["rules"])) == ("mean", ["mean", "max", "top 2"])
    called = p.reshape(-1, 4, 3).max(axis=1).argmax(axis=1)
    assert found["rules"]["max"]["accuracy"]["value"] == pytest.approx((called == truth[::4]).mean())
    found = section(frame, "age", targets["age"], "max", replicates=50, valid=frame.assign(fold="valid"))
    middle = np.median((frame["age"] - frame["age_true"]).to_numpy().reshape(-1, 4), axis=1)
    assert found["rules"]["median"]["mean_absolute_error"]["value"] == pytest.approx(np.abs(middle).mean())
    assert found["best_on_validation"] == "median"  # of heavy tails


def test_it_stands_in_the_metrics_of_a_target(config, at):
    frame = one_slice_shows_it(people=40)
    settings = config(evaluate={"replicates": 50, "aggregate": "top 2"})
    metrics = judge(frame, settings, at("any"), split="test", fingerprint="f")
    found = metrics["targets"]["any"]["aggregation"]
    per_patient = metrics["per_patient"]["targets"]["any"]["auc"]["value"]
    assert found["rules"]["top 2"]["auc"]["value"] == pytest.approx(per_patient)
