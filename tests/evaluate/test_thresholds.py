import numpy as np
import pandas as pd
import pytest

from medtf.config import Target
from medtf.errors import MedtfError
from medtf.evaluate.thresholds import choose, youden

BINARY = {"any": Target(kind="binary")}


def frame(truth, probability, fold="valid"):
    n = len(truth)
    patients = [f"p{i}" for i in range(n)]
    return pd.DataFrame(
        {"row": range(n), "patient": patients, "fold": fold, "any": probability, "any_true": np.array(truth, float)}
    )


def test_youden_by_hand_lies_half_way():
    # from 0.6 on: sensitivity 2/2, specificity 3/3; the next lower score is 0.4
    assert youden(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.6, 0.9])) == pytest.approx(0.5)


def test_of_equal_thresholds_the_more_sensitive_one():
    # J is 0.5 from 0.9 on (1/2, 2/2) and from 0.5 on (2/2, 1/2)
    assert youden(np.array([1, 0, 1, 0]), np.array([0.9, 0.7, 0.5, 0.1])) == pytest.approx(0.3)


def test_the_middle_of_neighbouring_floats_still_separates():
    low = 0.5
    high = np.nextafter(low, 1)
    value = youden(np.array([0, 1]), np.array([low, high]))
    assert low < value <= high


def test_choice_says_where_it_comes_from():
    chosen = choose(frame([0, 0, 1, 1, np.nan], [0.1, 0.2, 0.7, 0.9, 0.5]), BINARY, "youden")
    assert chosen["any"] == {"value": pytest.approx(0.45), "rule": "youden", "fold": "valid", "n": 4, "patients": 4}


def test_other_folds_never_move_it():
    valid, test = frame([0, 1], [0.2, 0.4]), frame([0, 1, 1], [0.95, 0.96, 0.97], "test")
    both = pd.concat([valid, test.assign(row=test["row"] + 10)])
    assert choose(both, BINARY, "youden") == choose(valid, BINARY, "youden")
    with pytest.raises(MedtfError, match="no example in fold 'valid'; there is test"):
        choose(test, BINARY, "youden")


@pytest.mark.parametrize(
    ("truth", "scores", "why"),
    [
        ([0, 0], [0.1, 0.9], "holds one class only"),
        ([np.nan, np.nan], [0.1, 0.9], "no known label"),
        ([1, 0], [0.1, 0.9], "no threshold separates"),
        ([], [], "no validation fold"),
    ],
)
def test_without_a_choice_it_is_one_half_and_says_why(truth, scores, why):
    chosen = choose(frame(truth, scores), BINARY, "youden")["any"]
    assert chosen["value"] == 0.5
    assert why in chosen["rule"]


def test_a_number_is_taken_as_it_is():
    chosen = choose(frame([0, 1], [0.2, 0.4]), BINARY | {"age": Target(kind="regression")}, 0.8)
    assert set(chosen) == {"any"}
    assert (chosen["any"]["value"], chosen["any"]["rule"], chosen["any"]["fold"]) == (0.8, "fixed", None)


def test_patients_get_their_own_on_aggregated_probabilities():
    valid = frame([0, 0, 0, 1], [0.1, 0.6, 0.2, 0.9]).assign(patient=["a", "a", "b", "b"])
    chosen = choose(valid, BINARY, "youden", aggregate="max")["any"]
    assert chosen["value"] == pytest.approx(0.75)
    assert chosen["per_patient"]["value"] == pytest.approx(0.75)  # a: 0.6 negative, b: 0.9 positive
    assert chosen["per_patient"]["n"] == 2
