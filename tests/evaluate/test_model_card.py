"""The model card: each sentence stands there only with the fact behind it."""

import copy

import pandas as pd
import pytest

from medtf.config import parse
from medtf.data.labels import encode
from medtf.evaluate.pages import demographics, limits, model_card


def measured(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, **more}


@pytest.fixture
def config():
    return parse({"pipeline": "table", "targets": {"any": "binary", "age": "regression"}})


@pytest.fixture
def metrics():
    """Of a model without a fault, of 100 people."""
    sound = {
        "kind": "binary", "positive": "1", "negative": "0", "n": 100, "unknown": 0,
        "auc": measured(0.9, 0.8, 0.95),
        "threshold": {"value": 0.4, "rule": "youden", "fold": "valid"},
        "ppv": {"at_data_prevalence": {"prevalence": 0.2}},
    }  # fmt: skip
    age = {
        "kind": "regression", "n": 100, "unknown": 0,
        "mean_absolute_error": measured(5.0, 4.0, 6.0), "mean_absolute_error_of_median": measured(12.0, 10.0, 14.0),
        "bias": measured(0.1, -1.0, 1.0), "error_truth_r": measured(0.0, -0.2, 0.2),
    }  # fmt: skip
    return {
        "split": "test", "n": {"examples": 100, "patients": 100}, "targets": {"any": sound, "age": age},
        "per_patient": {"n": 100, "aggregate": "max"}, "leaks": [],
    }  # fmt: skip


@pytest.fixture
def people(config):
    def build(**columns):
        fold = ["train", "test"] * 100
        patients = [f"p{i}" for i in range(200)]
        labels = {"any": [0, 0, 1, 1] * 50, "age": [20, 30, 40, 50, 60, 70, 80, 85, 45, 55] * 20}
        frame = pd.DataFrame({"patient": patients, "fold": fold, **labels, **columns})
        return demographics.table(frame, config.targets, encode(frame, config.targets))

    return build


def limit(metrics, target, **more):
    """What a change of one target's numbers adds to the known limits."""
    changed = copy.deepcopy(metrics)
    changed["targets"][target] |= more
    return [line for line in limits.known(changed) if line not in set(limits.known(metrics))]


def test_a_model_without_a_fault_has_no_known_limit(metrics):
    assert list(limits.known(metrics)) == []


@pytest.mark.parametrize(
    ("target", "fault", "said"),
    [
        ("any", {"auc": measured(0.6, 0.45, 0.7)}, "any: AUC 0.600 (0.450 to 0.700) is not shown to be above 0.5"),
        ("any", {"calibration": {"slope": measured(0.6, 0.4, 0.8)}}, "calibration slope 0.600 (0.400 to 0.800).*too extreme"),
        (
            "any",
            {"calibration": {"top_label": {"slope": measured(0.5, 0.4, 0.6)}}},
            "calibration slope 0.500.*too extreme",
        ),
        ("any", {"calibration": {"slope": measured(1.6, 1.4, 1.8)}}, "calibration slope 1.60.*too near to the prevalence"),
        (
            "any",
            {"calibration": {"intercept_in_the_large": measured(-1.0, -1.5, -0.5)}},
            "calibration intercept -1.00.*too high on average",
        ),
        (
            "any",
            {"ppv": {"at_data_prevalence": {"prevalence": 0.14}, "at_undersampled_prevalence": {"prevalence": 0.5}}},
            "training saw a prevalence of 50.0\u00a0%; it is 14.0\u00a0% in the judged fold",
        ),
        ("any", {"threshold": {"value": 0.3, "rule": "youden", "after_test": True}}, "0.3 was chosen after the test fold"),
        ("any", {"threshold": {"value": 0.5, "rule": "fixed (validation fold holds one class only)"}}, "one class only"),
        ("any", {"subgroups": {"site": {"tests": {"auc": {"p_holm": 0.012}}}}}, "AUC differs by site (p 0.012 after Holm)"),
        (
            "any",
            {
                "matched": {
                    "on": "ml", "pairs": 40, "auc_matched": measured(0.55, 0.45, 0.65), "size_auc_matched": measured(0.5)
                }
            },
            "among 40 pairs of equal ml",
        ),
        (
            "any",
            {"conformal": {"miscoverage": 0.1, "coverage": measured(0.8, 0.75, 0.85)}},
            "hold the truth in 80.0\u00a0%, where 90\u00a0% was promised",
        ),
        ("age", {"mean_absolute_error": measured(12.0, 11.0, 13.0)}, "not shown to be below 12.0"),
        ("age", {"error_truth_r": measured(-0.5, -0.6, -0.4)}, "low values are predicted too high"),
        ("age", {"bias": measured(3.0, 2.0, 4.0)}, "too high on average: bias 3.00"),
        (
            "age",
            {"predicted_sd": {"within_1_96_sd": measured(0.7, 0.6, 0.8, expected=0.95)}},
            "70.0\u00a0% of the true values lie within 1.96",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(metrics, target, fault, said):
    found = limit(metrics, target, **fault)
    assert len(found) == 1
    assert all(part in found[0] for part in said.split(".*")), found[0]


@pytest.mark.parametrize(
    ("target", "sound"),
    [
        ("any", {"auc": measured(None, reason="one class only")}),
        ("any", {"auc": measured(0.4)}),  # without an interval nothing is said
        ("any", {"calibration": {"reason": "one class only"}}),
        ("any", {"calibration": {"slope": measured(0.9, 0.7, 1.1)}}),
        ("any", {"conformal": {"reason": "too few"}}),
        ("any", {"conformal": {"miscoverage": 0.1, "coverage": measured(0.88, 0.82, 0.93)}}),
        ("any", {"subgroups": {"site": {"tests": {"auc": {"p_holm": 0.3}}, "groups": []}}}),
        ("any", {"subgroups": {"site": {"tests": {"auc": {"p": None, "reason": "one group"}}}}}),
        ("any", {"matched": {"on": "ml", "reason": "only 2 pairs"}}),
        ("age", {"predicted_sd": {"within_1_96_sd": measured(0.93, 0.9, 0.96, expected=0.95)}}),
    ],
)
def test_what_is_sound_or_unknown_is_no_limit(metrics, target, sound):
    assert limit(metrics, target, **sound) == []


def test_leaks_few_people_and_the_training_fold_are_limits(metrics):
    found = list(
        limits.known(metrics | {"leaks": ["p1 in both"], "n": {"examples": 9, "patients": 9}, "split": "train"})
    )
    assert found[0] == "Leak between folds: p1 in both."
    assert found[1].startswith("9 patients were judged")
    assert found[2].startswith("The numbers are of the fold train")


def test_it_says_what_it_learnt_from_in_people(metrics, config, people):
    said = model_card.sections(metrics, config, people(sex=["F"] * 60 + ["M"] * 140))["What it learnt from"]
    assert said[0] == "Trained on 100 examples of 100 patients (pipeline table)."
    assert "sex: M 70 (70.0\u00a0%), F 30 (30.0\u00a0%)." in said
    assert "any = 1 in 50 of 100 patients (50.0\u00a0%) and 50 of 100 examples (50.0\u00a0%)." in said


def test_sites_of_the_test_that_training_saw_or_did_not(metrics, config, people):
    judged = model_card.sections(metrics, config, people(site=["A", "A", "B", "B"] * 50))["What it was judged on"]
    assert any("A, B of the judged fold also stand in training; no other site was tested" in line for line in judged)
    judged = model_card.sections(metrics, config, people(site=["A", "C"] * 100))["What it was judged on"]
    assert any(line == "site: C of the judged fold was not in training." for line in judged)
    judged = model_card.sections(metrics, config, people())["What it was judged on"]
    assert any(line.startswith("No column of the table names a site") for line in judged)


def test_a_cross_validation_learnt_from_all_but_the_judged_fold(metrics, config):
    frame = pd.DataFrame({"patient": [f"p{i}" for i in range(60)], "fold": ["fold 0", "fold 1", "fold 2"] * 20})
    frame = frame.assign(any=[0, 1] * 30, age=range(20, 80), site=["A", "B"] * 30)
    people = demographics.table(frame, config.targets, encode(frame, config.targets))
    said = model_card.lines(metrics | {"cross_validation": {}}, config, people)
    assert "3 networks, each trained without its own fold of 60 examples of 60 patients (pipeline table)." in said
    assert any("come from one table" in line for line in said)


def test_groups_that_were_hardly_judged_are_named(metrics, config, people):
    found = model_card.sections(metrics, config, people(sex=["F"] * 190 + ["M"] * 10))["Where it was not tried"]
    assert "sex: fewer than 10 patients judged of M (5)." in found
    found = model_card.sections(metrics, config, people(sex=["F", "F", "M", "M"] * 50))["Where it was not tried"]
    assert not [line for line in found if line.startswith("sex")]
    assert "age: nobody in training is below 20 or above 80." in found


def test_the_oldest_ages_are_not_told(metrics, config, people):
    old = people(age=[20, 30, 40, 50, 60, 70, 101, 85, 45, 55] * 20)
    text = " ".join(model_card.lines(metrics, config, old))
    assert "range 20 to over 89" in text
    assert "101" not in text


def test_without_the_table_the_metrics_still_speak(metrics, config):
    found = model_card.sections(metrics, config, None)
    assert set(found) == {"What it answers", "What it was judged on"}
    assert model_card.lines(metrics, config, None)[0] == "For research use; not a medical device."


def test_no_sentence_praises(metrics, config, people):
    text = " ".join(model_card.lines(metrics, config, people(site=["A", "B"] * 100))).lower()
    for word in ("good", "excellent", "robust", "reliable", "safe", "accurate", "state-of-the-art", "high performance"):
        assert word not in text, word
