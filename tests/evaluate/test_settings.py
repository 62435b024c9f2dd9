"""Several settings on the same examples: means over seeds, patients drawn, paired differences, Holm."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medtf.evaluate.settings import together, with_holm

RNG = np.random.default_rng(0)
N = 120
TRUTH = (np.arange(N) % 2).astype(float)
PATIENTS = np.array([f"p{i // 2}" for i in range(N)])


def scores(apart: float, seeds=2) -> np.ndarray:
    """(seeds, n) scores; the further apart the better."""
    noise = RNG.normal(size=(seeds, N))
    return 1 / (1 + np.exp(-(apart * (2 * TRUTH - 1) + noise)))


def test_a_setting_is_the_mean_of_its_seeds():
    made = scores(0.5, seeds=3)
    found, _ = together("binary", TRUTH, PATIENTS, {"a": made}, replicates=200)
    aucs = [roc_auc_score(TRUTH, one) for one in made]
    assert found["a"]["seeds"] == pytest.approx(aucs)
    assert found["a"]["value"] == pytest.approx(np.mean(aucs))
    assert found["a"]["low"] < found["a"]["value"] < found["a"]["high"]


def test_accuracy_and_error_by_hand():
    truth = np.array([0.0, 1, 2, 2])
    sure = np.eye(3)[[[0, 1, 2, 0], [0, 0, 2, 2]]]  # three of four are right, by both seeds
    found, _ = together("multiclass", truth, list("abcd"), {"a": sure}, replicates=50)
    assert found["a"]["value"] == 0.75
    years, _ = together(
        "regression", np.array([60.0, 70.0]), ["a", "b"], {"a": np.array([[61.0, 73.0], [60.0, 70.0]])}, replicates=50
    )
    assert years["a"]["seeds"] == [2.0, 0.0]
    assert years["a"]["value"] == 1.0


def test_equal_answers_differ_by_nothing():
    made = scores(1)
    _, (one,) = together("binary", TRUTH, PATIENTS, {"a": made, "b": made.copy()}, [("b", "a")], replicates=200)
    assert one["value"] == 0
    assert one["p"] == 1


def test_the_better_is_found_and_the_sign_is_first_less_second():
    answers = {"low": scores(0.2), "high": scores(3)}
    _, differences = together("binary", TRUTH, PATIENTS, answers, [("high", "low"), ("low", "high")], replicates=1000)
    assert differences[0]["value"] == pytest.approx(-differences[1]["value"])
    assert differences[0]["low"] > 0
    assert differences[0]["p"] < 0.01
    assert differences[0]["p_holm"] == pytest.approx(2 * differences[0]["p"], rel=0.6)
    _, (error,) = together(
        "regression", TRUTH, PATIENTS, {"a": TRUTH[None] + 0.1, "b": TRUTH[None] + 0.5}, [("a", "b")], replicates=100
    )
    assert error["value"] == pytest.approx(-0.4)


def test_repeated_rows_of_a_patient_bring_no_certainty():
    """Every row twice, under the same patient: the same intervals to the last digit."""
    answers = {"a": scores(0.5), "b": scores(1)}
    twice = {key: np.repeat(one, 2, axis=1) for key, one in answers.items()}
    once = together("binary", TRUTH, PATIENTS, answers, [("b", "a")], replicates=300)
    more = together("binary", np.repeat(TRUTH, 2), np.repeat(PATIENTS, 2), twice, [("b", "a")], replicates=300)
    for key in ("low", "high"):
        assert once[0]["a"][key] == pytest.approx(more[0]["a"][key])
        assert once[1][0][key] == pytest.approx(more[1][0][key])
    alone, _ = together("binary", TRUTH, np.arange(N), answers, replicates=300)
    assert alone["a"]["high"] - alone["a"]["low"] < 0.5, "the sample can be told from noise at all"


def test_seeds_that_err_in_other_places_are_surer_than_one():
    """The mean of independent seeds varies less over patients than one of them does."""
    made = scores(0.5, seeds=12)
    found, _ = together("binary", TRUTH, PATIENTS, {"one": made[:1], "all": made}, replicates=500)
    width = {key: one["high"] - one["low"] for key, one in found.items()}
    assert width["all"] < width["one"]


def test_enough_draws_for_holm():
    """Twenty comparisons with no doubt: the smallest p that draws can give must survive being multiplied by twenty."""
    answers = {"good": scores(8, 1)} | {i: scores(0, 1) for i in range(20)}
    _, differences = together("binary", TRUTH, PATIENTS, answers, [("good", i) for i in range(20)], replicates=10)
    assert all(one["p_holm"] < 0.05 for one in differences)


def test_what_has_no_number_says_why():
    found, (one,) = together(
        "binary", np.ones(N), PATIENTS, {"a": scores(1), "b": scores(1)}, [("a", "b")], replicates=50
    )
    for number in (found["a"], one):
        assert number["value"] is None
        assert "both classes" in number["reason"]
    assert one["p"] is None
    assert found["a"]["seeds"] == [None, None]
    none, _ = together("binary", TRUTH, PATIENTS, {"a": scores(1)}, replicates=0)
    assert none["a"]["value"] is not None
    single, (pair,) = together(
        "binary", TRUTH, ["p"] * N, {"a": scores(1), "b": scores(1)}, [("a", "b")], replicates=50
    )
    assert "single patient" in single["a"]["reason"]
    assert pair["p"] is None


def test_holm_by_hand():
    """0.01 x 3, 0.02 x 2, then at least as large: 0.04 (Holm 1979)."""
    adjusted = with_holm([{"p": 0.01}, {"p": 0.02}, {"p": 0.03}, {"p": None}])
    assert [one["p_holm"] for one in adjusted] == [pytest.approx(0.03), pytest.approx(0.04), pytest.approx(0.04), None]
