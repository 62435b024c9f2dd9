import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtf.errors import MedtfError
from medtf.evaluate.judge import judge

SIX = ("any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")


def test_weighted_log_loss_counts_any_twice(config, predicted, at):
    settings = config(SIX, train={"loss_weights": {"any": 2}})
    found = judge(predicted(targets=SIX), settings, at(*SIX), split="test", fingerprint="f")
    losses = [found["targets"][name]["log_loss"]["value"] for name in SIX]
    expected = (2 * losses[0] + sum(losses[1:])) / 7
    assert found["weighted_log_loss"]["value"] == pytest.approx(expected)
    assert found["weighted_log_loss"]["low"] < expected < found["weighted_log_loss"]["high"]
    assert "weighted_log_loss" not in judge(predicted(), config(), at("any"), split="test", fingerprint="f")


def test_per_patient_by_hand(config, at):
    frame = pd.DataFrame(
        {
            "row": range(5),
            "patient": ["a", "a", "b", "b", "c"],
            "any": [0.2, 0.9, 0.6, 0.1, 0.4],
            "any_true": [0.0, 1, 0, 0, np.nan],
        }
    )

    def confusion(aggregate):
        settings = config(evaluate={"aggregate": aggregate})
        return judge(frame, settings, at("any"), split="test", fingerprint="f")["per_patient"]["targets"]["any"][
            "confusion"
        ]

    assert confusion("max") == {"tn": 0, "fp": 1, "fn": 0, "tp": 1}  # a 0.9 positive, b 0.6 negative
    assert confusion("mean") == {"tn": 1, "fp": 0, "fn": 0, "tp": 1}  # a 0.55, b 0.35


def test_patients_use_their_own_threshold_where_there_is_one(config, predicted, at):
    thresholds = at("any")
    thresholds["any"]["per_patient"] = at("any", value=0.8)["any"]
    found = judge(predicted(), config(), thresholds, split="test", fingerprint="f")
    assert found["targets"]["any"]["threshold"]["value"] == 0.5
    assert "per_patient" not in found["targets"]["any"]["threshold"]
    assert found["per_patient"]["targets"]["any"]["threshold"]["value"] == 0.8


def test_equal_inputs_in_any_order_give_equal_metrics(config, predicted, at):
    frame = predicted()
    first = judge(frame, config(), at("any"), split="test", fingerprint="f")
    shuffled = frame.sample(frac=1, random_state=1)
    assert judge(shuffled, config(), at("any"), split="test", fingerprint="f") == first
    assert judge(predicted(seed=1), config(), at("any"), split="test", fingerprint="f") != first


def test_only_the_fold_asked_for_is_judged(config, predicted, at):
    other = predicted(fold="train", seed=5).assign(row=lambda t: t["row"] + 1000)
    both = pd.concat([predicted(), other])
    alone = judge(predicted(), config(), at("any"), split="test", fingerprint="f")
    assert judge(both, config(), at("any"), split="test", fingerprint="f") == alone
    assert judge(both, config(), at("any"), split="all", fingerprint="f")["n"]["examples"] == 240
    with pytest.raises(MedtfError, match="no example in fold 'valid'; there is test, train"):
        judge(both, config(), at("any"), split="valid", fingerprint="f")


@pytest.mark.parametrize("odd", ["one patient", "one class", "all unknown", "one row", "as it is"])
def test_metrics_are_json_without_nan(config, predicted, at, odd):
    frame = predicted(targets=("any", "sex")).assign(age=40.0, age_true=41.0, site_0=0.5, site_1=0.5, site_true=0.0)
    if odd == "one patient":
        frame["patient"] = "a"
    elif odd == "one class":
        frame["any_true"] = 1.0
    elif odd == "all unknown":
        frame[[c for c in frame if c.endswith("_true")]] = np.nan
    elif odd == "one row":
        frame = frame.head(1)
    targets = {
        "any": "binary",
        "sex": {"binary": {"positive": "M"}},
        "age": "regression",
        "site": {"classes": ["a", "b"]},
    }
    found = judge(frame, config(targets), at("any", "sex"), split="test", fingerprint="f", warnings=["w"], leaks=["l"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["targets"]["sex"]["positive"] == "M"
    assert (found["warnings"], found["leaks"], found["schema"]) == (["w"], ["l"], 2)
    if odd in ("one patient", "one row"):
        assert "single patient" in found["targets"]["age"]["bias"]["reason"]


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda t: t.drop(columns="any_true"), "no column 'any_true'"),
        (lambda t: t.drop(columns="patient"), "no column 'patient'"),
        (lambda t: t.assign(row=0), "row 0 stands twice"),
        (lambda t: t.assign(patient=None), "'patient' has empty values"),
        (lambda t: t.head(0), "no example to judge"),
    ],
)
def test_broken_tables_are_refused_by_name(config, predicted, at, spoil, match):
    with pytest.raises(MedtfError, match=match):
        judge(spoil(predicted()), config(), at("any"), split="test", fingerprint="f")


def test_a_missing_threshold_is_named(config, predicted):
    with pytest.raises(MedtfError, match="none for target 'any'"):
        judge(predicted(), config(), {}, split="test", fingerprint="f")


def test_every_key_stands_in_the_docs(config, predicted, at):
    docs = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([a-z_0-9 ]+)`", docs))
    frame = predicted(targets=("any", "sex")).assign(age=40.0, age_true=41.0, site_0=0.5, site_1=0.5, site_true=0.0)
    targets = {"any": "binary", "sex": "binary", "age": "regression", "site": {"classes": ["a", "b"]}}
    settings = config(targets, evaluate={"prevalence": 0.1, "replicates": 50})
    generator = np.random.default_rng(0)
    frame["age"] += generator.normal(size=len(frame))
    frame["age_true"] += generator.normal(size=len(frame))
    frame = frame.assign(age_sd=1.0, covariate_site="Guys", covariate_foreground_ml=generator.normal(size=len(frame)))
    options = {"undersampled_prevalence": {"any": 0.5}, "training_means": {"age": 40.0}}
    options["valid"] = frame.assign(fold="valid")
    found = judge(frame, settings, at("any", "sex"), split="test", fingerprint="f", **options)
    del found["settings"]  # keys of the config
    assert {"corrected", "recalibrated", "predicted_sd", "subgroups"} <= set(found["targets"]["age"])
    assert "auc_matched" in found["targets"]["sex"]["matched"]

    def keys(node):
        for child in node if isinstance(node, list) else ():
            yield from keys(child)
        for key, child in node.items() if isinstance(node, dict) else ():
            yield key
            yield from keys(child)

    missing = set(keys(found)) - described - {"any", "sex", "age", "site", "a", "b", "value", "low", "high", "reason"}
    assert missing == set()
