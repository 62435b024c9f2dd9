import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from medtf.errors import MedtfError
from medtf.evaluate.binary import at_threshold, predictive_values
from medtf.evaluate.judge import judge


def run(frame, config, thresholds, **options):
    return judge(frame, config, thresholds, split="test", fingerprint="f", **options)


def test_two_by_two_by_hand():
    rates = at_threshold(tn=50, fp=10, fn=5, tp=35)
    expected = {
        "accuracy": 0.85,
        "sensitivity": 0.875,
        "specificity": 50 / 60,
        "precision": 35 / 45,
        "f1": 70 / 85,
        "balanced_accuracy": (0.875 + 50 / 60) / 2,
        "false_negative_rate_of_positives": 0.125,
        "false_negatives_of_all": 0.05,
    }
    assert {name: float(rates[name]) for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sensitivity", "ppv"),
    [
        (1 - 0.0476, 0.62),  # 4.76 % of the positives are missed
        (1 - 2 * 0.0476, 0.76),  # 4.76 % of all images are missed positives, half of the images are positive
    ],
)
def test_published_accuracy_is_worth_less_at_the_real_prevalence(sensitivity, ppv):
    specificity = 2 * 0.928 - sensitivity  # accuracy 92.8 % on 1:1
    assert float(predictive_values(sensitivity, specificity, 0.144)["ppv"]) == pytest.approx(ppv, abs=0.005)


def test_both_definitions_from_the_same_published_table(config, at):
    # 5,000 + 5,000 images, 92.8 % right, 476 of all 10,000 missed
    truth = np.repeat([0.0, 0, 1, 1], [4756, 244, 476, 4524])
    called = np.repeat([0.1, 0.9, 0.1, 0.9], [4756, 244, 476, 4524])
    n = len(truth)
    frame = pd.DataFrame({"row": range(n), "patient": np.arange(n).astype(str), "any": called, "any_true": truth})
    settings = config(evaluate={"prevalence": 0.144, "replicates": 0})
    found = run(frame, settings, at("any"), undersampled_prevalence={"any": 0.5})["targets"]["any"]
    assert found["accuracy"]["value"] == pytest.approx(0.928)
    assert found["false_negatives_of_all"]["value"] == pytest.approx(0.0476)
    assert found["false_negative_rate_of_positives"]["value"] == pytest.approx(0.0952)
    assert found["ppv"]["at_given_prevalence"]["value"] == pytest.approx(0.76, abs=0.005)
    assert found["ppv"]["at_undersampled_prevalence"]["value"] == pytest.approx(4524 / (4524 + 244))
    assert found["confusion"] == {"tn": 4756, "fp": 244, "fn": 476, "tp": 4524}
    assert found["auc"]["low"] is None
    assert "replicates" in found["auc"]["reason"]


def test_values_equal_scikit_learn_and_replicates_agree_with_them(config, predicted, at):
    frame = predicted(patients=300)
    found = run(frame, config(), at("any"))["targets"]["any"]
    truth, probability = frame["any_true"], frame["any"]
    called = probability >= 0.5
    expected = {
        "auc": sk.roc_auc_score(truth, probability),
        "average_precision": sk.average_precision_score(truth, probability),
        "log_loss": sk.log_loss(truth, probability),
        "brier": sk.brier_score_loss(truth, probability),
        "accuracy": sk.accuracy_score(truth, called),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, called),
        "precision": sk.precision_score(truth, called),
        "recall": sk.recall_score(truth, called),
        "f1": sk.f1_score(truth, called),
        "prevalence": truth.mean(),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value), name
        # a replicate that measured something else than the value would not surround it this closely
        assert found[name]["low"] < value < found[name]["high"], name
        middle = (found[name]["low"] + found[name]["high"]) / 2
        assert middle == pytest.approx(value, abs=0.25 * (found[name]["high"] - found[name]["low"])), name
    data = found["ppv"]["at_data_prevalence"]
    assert [data[k] for k in ("value", "low", "high")] == pytest.approx(
        [found["precision"][k] for k in ("value", "low", "high")]
    )


def test_interval_is_wider_over_patients_than_over_rows_of_copies(config, predicted, at):
    frame = predicted(patients=60, per=1)
    copies = pd.concat([frame] * 6, ignore_index=True).assign(row=range(360))
    by_patient = run(copies, config(), at("any"))["targets"]["any"]["auc"]
    by_row = run(copies.assign(patient=copies["row"].astype(str)), config(), at("any"))["targets"]["any"]["auc"]
    assert by_patient["value"] == pytest.approx(by_row["value"])
    assert by_patient["high"] - by_patient["low"] > 1.8 * (by_row["high"] - by_row["low"])


def test_one_class_gives_null_with_a_reason(config, predicted, at):
    found = run(predicted().assign(any_true=0.0), config(), at("any"))["targets"]["any"]
    for name in ("auc", "average_precision", "sensitivity", "balanced_accuracy"):
        assert found[name]["value"] is None
        assert found[name]["reason"]
    assert "one class only" in found["auc"]["reason"]
    assert found["specificity"]["value"] is not None
    assert found["log_loss"]["value"] is not None


def test_unknown_labels_are_left_out_and_counted(config, predicted, at):
    frame = predicted()
    hidden = frame.assign(any_true=frame["any_true"].where(frame["row"] >= 30))
    found = run(hidden, config(), at("any"))
    alone = run(frame[frame["row"] >= 30], config(), at("any"))
    assert found["targets"]["any"]["unknown"] == 30
    assert found["targets"]["any"]["n"] == 90
    assert found["targets"]["any"]["auc"]["value"] == alone["targets"]["any"]["auc"]["value"]
    assert found["n"] == {"examples": 120, "patients": 40}
    assert found["per_patient"]["targets"]["any"]["n"] == 30


def test_all_unknown_is_no_crash(config, predicted, at):
    found = run(predicted().assign(any_true=np.nan), config(), at("any"))["targets"]["any"]
    assert found["n"] == 0
    assert found["auc"]["reason"] == "no example with a known label"


def test_rare_positives_get_a_value_without_an_interval(config, predicted, at):
    frame = predicted()
    frame["any_true"] = (frame["row"] == 0).astype(float)  # a third of the draws miss the only positive patient
    found = run(frame, config(), at("any"))["targets"]["any"]
    assert found["auc"]["value"] is not None
    assert found["auc"]["low"] is None
    assert "10%" in found["auc"]["reason"]
    assert found["specificity"]["low"] is not None


@pytest.mark.parametrize(
    ("bad", "match"), [(1.5, r"'any': expected probabilities in \[0, 1\].*row 7"), (np.nan, "diverge")]
)
def test_bad_predictions_are_refused_by_name(config, predicted, at, bad, match):
    frame = predicted()
    frame.loc[7, "any"] = bad
    with pytest.raises(MedtfError, match=match):
        run(frame, config(), at("any"))


def test_bad_labels_are_refused_by_name(config, predicted, at):
    frame = predicted()
    frame.loc[7, "any_true"] = 2
    with pytest.raises(MedtfError, match=r"any_true: expected a class .* found 2.0 in row 7"):
        run(frame, config(), at("any"))
