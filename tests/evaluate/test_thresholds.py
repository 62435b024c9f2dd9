import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from medtf.config import Target
from medtf.errors import MedtfError
from medtf.evaluate.cuts import ABOVE_ALL
from medtf.evaluate.thresholds import choose, youden
from medtf.schema_evaluate import Rule

BINARY = {"any": Target(kind="binary")}

# ten examples, best score first: + + - + - + - - - -
RANKED = [1, 1, 0, 1, 0, 1, 0, 0, 0, 0]
SCORES = [0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.fixture(autouse=True)
def _nothing_from_the_depths():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def frame(truth, probability, fold="valid", patients=None):
    n = len(truth)
    patients = [f"p{i}" for i in range(n)] if patients is None else patients
    return pd.DataFrame(
        {"row": range(n), "patient": patients, "fold": fold, "any": probability, "any_true": np.array(truth, float)}
    )


def chosen(rule, truth=RANKED, scores=SCORES, **more):
    return choose(frame(truth, scores, **more), BINARY, rule)["any"]


def test_youden_by_hand_lies_half_way():
    # from 0.6 on: sensitivity 2/2, specificity 3/3; the next lower score is 0.4
    assert youden(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.6, 0.9])) == pytest.approx(0.5)


def test_of_equal_thresholds_the_more_sensitive_one():
    # J is 0.5 from 0.9 on (1/2, 2/2) and from 0.5 on (2/2, 1/2)
    assert youden(np.array([1, 0, 1, 0]), np.array([0.9, 0.7, 0.5, 0.1])) == pytest.approx(0.3)


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_the_middle_of_neighbouring_floats_still_separates(number):
    """Predictions are float32, and are compared with the threshold in that."""
    low = number(0.5)
    high = np.nextafter(low, number(1))
    value = youden(np.array([0, 1]), np.array([low, high], dtype=np.float64))
    assert low < value <= high
    assert list(np.array([low, high]) >= value) == [False, True]


def test_choice_says_where_it_comes_from():
    found = chosen("youden", [0, 0, 1, 1, np.nan], [0.1, 0.2, 0.7, 0.9, 0.5])
    reached = found.pop("reached")
    assert found == {
        "value": pytest.approx(0.45),
        "rule": "youden",
        "asked": "youden",
        "fold": "valid",
        "n": 4,
        "patients": 4,
        "notes": [],
    }
    assert (reached["positives"], reached["negatives"]) == (2, 2)
    assert reached["sensitivity"]["value"] == reached["specificity"]["value"] == 1


def test_other_folds_never_move_it():
    valid, test = frame([0, 1], [0.2, 0.4]), frame([0, 1, 1], [0.95, 0.96, 0.97], "test")
    both = pd.concat([valid, test.assign(row=test["row"] + 10)])
    assert choose(both, BINARY, "youden") == choose(valid, BINARY, "youden")
    with pytest.raises(MedtfError, match="no example in fold 'valid'; there is test"):
        choose(test, BINARY, "youden")


# === Rules, each worked out on RANKED by hand ===


@pytest.mark.parametrize(
    ("rule", "value", "sensitivity", "specificity", "words"),
    [
        ({"sensitivity": 1.0}, 0.45, 4 / 4, 4 / 6, "sensitivity at least 1"),
        ({"sensitivity": 0.75}, 0.65, 3 / 4, 5 / 6, "sensitivity at least 0.75"),
        ({"sensitivity": 0.51}, 0.65, 3 / 4, 5 / 6, "sensitivity at least 0.51"),
        ({"specificity": 1.0}, 0.85, 2 / 4, 6 / 6, "specificity at least 1"),
        ({"specificity": 0.8}, 0.65, 3 / 4, 5 / 6, "specificity at least 0.8"),
        ({"specificity": 0.1}, 0.45, 4 / 4, 4 / 6, "specificity at least 0.1"),
        # cost of a cut = misses x cost + false alarms, on these ten: 2 misses (85), 1 + 1 (65), 0 + 2 (45)
        ({"cost": 5}, 0.45, 4 / 4, 4 / 6, "a miss costs 5 false alarms, at this fold's prevalence of 0.4"),
        ({"cost": 0.4}, 0.85, 2 / 4, 6 / 6, "a miss costs 0.4 false alarms, at this fold's prevalence of 0.4"),
        ({"cost": 1, "prevalence": 0.4}, 0.45, 4 / 4, 4 / 6, "a miss costs 1 false alarm, prevalence 0.4"),
        # a rare finding makes false alarms frequent
        ({"cost": 1, "prevalence": 0.01}, 0.85, 2 / 4, 6 / 6, "a miss costs 1 false alarm, prevalence 0.01"),
    ],
)
def test_each_rule_by_hand(rule, value, sensitivity, specificity, words):
    found = chosen(rule)
    assert found["value"] == pytest.approx(value)
    assert found["rule"] == words
    assert found["reached"]["sensitivity"]["value"] == pytest.approx(sensitivity)
    assert found["reached"]["specificity"]["value"] == pytest.approx(specificity)
    assert Rule.of(found["asked"]) == Rule.of(rule)


def test_the_cost_is_the_least_that_any_threshold_gives():
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 2, 300)
    scores = np.round(1 / (1 + np.exp(-(truth + generator.normal(size=300)))), 2)  # with ties
    for cost in (0.2, 1, 3, 20):
        for prevalence in (0.02, 0.5):
            found = chosen({"cost": cost, "prevalence": prevalence}, truth, scores)
            each = []
            for threshold in np.linspace(0, 1.001, 2003):
                called = scores >= threshold
                miss, alarm = (truth & ~called).sum() / truth.sum(), ((1 - truth) & called).sum() / (1 - truth).sum()
                each.append(cost * miss * prevalence + alarm * (1 - prevalence))
            assert found["reached"]["cost"] == pytest.approx(min(each))


def test_the_threshold_of_right_probabilities_stands_beside_a_cost():
    at_fold = chosen({"cost": 4})["bayes"]
    assert at_fold["value"] == at_fold["at_fold_prevalence"] == pytest.approx(1 / 5)
    # odds 1/4 at prevalence 0.1 are odds 1/4 x (0.4/0.6) / (0.1/0.9) = 1.5 at the fold's 0.4
    elsewhere = chosen({"cost": 4, "prevalence": 0.1})["bayes"]
    assert elsewhere["value"] == pytest.approx(0.2)
    assert elsewhere["at_fold_prevalence"] == pytest.approx(1.5 / 2.5)


def test_calibrated_probabilities_are_cut_near_the_threshold_of_bayes():
    generator = np.random.default_rng(0)
    probability = generator.random(40_000)
    truth = (generator.random(40_000) < probability).astype(float)
    for cost in (0.5, 4):
        assert chosen({"cost": cost}, truth, probability)["value"] == pytest.approx(1 / (1 + cost), abs=0.03)


# === Answers that say nothing ===


@pytest.mark.parametrize(
    ("truth", "scores", "why"),
    [
        ([0, 0], [0.1, 0.9], "holds one class only"),
        ([1, 1, 1], [0.1, 0.9, 0.9], "holds one class only"),
        ([np.nan, np.nan], [0.1, 0.9], "no known label"),
        ([1, 0], [0.1, 0.9], "no threshold separates"),
        ([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3], "no threshold separates"),
        ([], [], "no validation fold"),
    ],
)
def test_without_a_choice_it_is_one_half_and_says_why(truth, scores, why):
    found = chosen("youden", truth, scores)
    assert found["value"] == 0.5
    assert why in found["rule"]
    assert why in found["notes"][0]


@pytest.mark.parametrize("rule", [{"sensitivity": 0.9}, {"specificity": 0.9}, {"cost": 5}, {"cost": 0.1}])
@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_constant_predictions_meet_a_rule_by_calling_all_or_none(rule, score):
    truth, scores = [0, 1, 0, 1], np.full(4, score)
    found = chosen(rule, truth, scores)
    every = rule in ({"sensitivity": 0.9}, {"cost": 5})
    for number in (np.float64, np.float32):
        assert ((scores.astype(number) >= found["value"]) == every).all()
    assert f"calling {'every one' if every else 'none'} of the examples positive" in found["notes"][0]
    assert 0 <= found["value"] <= ABOVE_ALL


@pytest.mark.parametrize("rule", [{"sensitivity": 0.9}, {"specificity": 0.9}, {"cost": 5, "prevalence": 0.1}])
def test_one_class_gives_one_half_and_what_was_asked_for(rule):
    found = chosen(rule, [1, 1, 1], [0.2, 0.6, 0.7])
    assert found["value"] == 0.5
    assert found["rule"] == "fixed (validation fold holds one class only)"
    assert "Asked for: " in found["notes"][0]
    assert found["reached"]["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert found["reached"]["specificity"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no negative example",
        "units": 0,
    }


def test_too_few_positives_to_show_a_sensitivity_are_named():
    # the lower limit of Wilson's interval of n of n is n / (n + 1.96²): 72 of 72 give 0.9493, 73 of 73 give 0.9500
    assert (
        binomtest(72, 72).proportion_ci(method="wilson").low
        < 0.95
        < binomtest(73, 73).proportion_ci(method="wilson").low
    )

    def notes(positives):
        truth = np.r_[np.ones(positives), np.zeros(50)]
        return chosen({"sensitivity": 0.95}, truth, np.where(truth == 1, 0.9, 0.1))["notes"]

    assert notes(73) == []
    assert "72 positive patients are too few to show a sensitivity of 0.95: at least 73 are needed" in notes(72)[0]
    assert "starts at 0.949" in notes(72)[0]
    assert "cannot be shown by any number" in chosen({"specificity": 1.0})["notes"][0]


def test_what_is_reached_has_the_interval_of_wilson():
    # Newcombe (1998): 81 of 263 gives 0.2553 to 0.3662
    truth = np.ones(264)
    truth[-1] = 0
    scores = np.r_[np.full(81, 0.9), np.full(182, 0.1), 0.05]
    found = chosen(0.5, truth, scores)["reached"]["sensitivity"]
    assert (round(found["low"], 4), round(found["high"], 4), found["method"]) == (0.2553, 0.3662, "wilson")


def test_slices_of_a_patient_are_not_people():
    """Thirty copies of a slice say no more than one."""
    truth, scores = np.array(RANKED * 6, float), np.array(SCORES * 6)
    people = [f"p{i}" for i in range(60)]
    single = chosen(0.65, truth, scores, patients=people)["reached"]
    copies = chosen(0.65, np.repeat(truth, 30), np.repeat(scores, 30), patients=np.repeat(people, 30))["reached"]
    for name in ("sensitivity", "specificity"):
        assert copies[name]["value"] == pytest.approx(single[name]["value"])
        width = [one[name]["high"] - one[name]["low"] for one in (copies, single)]
        assert width[0] == pytest.approx(width[1], rel=0.25)
        assert copies[name]["units"] == single[name]["units"]
    perfect = chosen(0.05, np.repeat(truth, 30), np.repeat(scores, 30), patients=np.repeat(people, 30))["reached"]
    assert perfect["sensitivity"]["low"] == pytest.approx(24 / (24 + 1.959964**2), rel=1e-6)  # all of 24 patients


def test_a_single_patient_has_a_threshold_and_no_bootstrap():
    found = chosen("youden", patients=["a"] * 10)
    assert found["value"] == pytest.approx(0.45)
    assert found["reached"]["specificity"]["reason"] == "no interval: a single patient"
    assert found["reached"]["specificity"]["low"] is None


def test_a_number_is_taken_as_it_is():
    found = choose(frame([0, 1], [0.2, 0.4]), BINARY | {"age": Target(kind="regression")}, 0.8)
    assert set(found) == {"any"}
    assert (found["any"]["value"], found["any"]["rule"], found["any"]["fold"]) == (0.8, "fixed", None)
    assert found["any"]["reached"]["sensitivity"]["value"] == 0
    assert choose(frame([], []), BINARY, 0.8)["any"]["value"] == 0.8
    assert choose(frame([], []), BINARY, {"sensitivity": 0.8})["any"]["value"] == 0.5  # 0.8 is no threshold


# === Patients ===


def test_patients_get_their_own_on_aggregated_probabilities():
    valid = frame([0, 0, 0, 1], [0.1, 0.6, 0.2, 0.9]).assign(patient=["a", "a", "b", "b"])
    found = choose(valid, BINARY, "youden", aggregate="max")["any"]
    assert found["value"] == pytest.approx(0.75)
    assert found["per_patient"]["value"] == pytest.approx(0.75)  # a: 0.6 negative, b: 0.9 positive
    assert found["per_patient"]["n"] == 2


def test_a_given_prevalence_is_of_examples_and_not_of_patients_with_several():
    people = np.repeat([f"p{i}" for i in range(5)], 2)
    rule = {"cost": 2, "prevalence": 0.01}
    several = choose(frame(RANKED, SCORES, patients=people), BINARY, rule, aggregate="max")["any"]
    assert several["rule"].endswith("prevalence 0.01")
    assert several["per_patient"]["rule"].endswith("at this fold's prevalence of 0.6")  # pairs ++ -+ -+ -- --
    single = choose(frame(RANKED, SCORES), BINARY, rule, aggregate="max")["any"]
    assert single["per_patient"]["value"] == single["value"]
