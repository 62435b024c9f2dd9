"""Conformal sets and intervals of new files, by hand from parameters that a judgement left."""

import numpy as np
import pandas as pd
import pytest

from medtf import runs
from medtf.config import parse
from medtf.promised import promised


@pytest.fixture
def run(tmp_path):
    made = runs.Run(tmp_path)
    error = {"conformal": {"parameters": {"scaled": False, "quantiles": {"error": 8.0}}}}
    lac = {"conformal": {"parameters": {"quantiles": {"lac": 0.7}}}}  # in where 1 - p <= 0.7
    made.write_json(
        "metrics.json", {"targets": {"age": error, "sex": lac, "site": lac, "any": {"conformal": {"reason": "few"}}}}
    )
    return made


TARGETS = parse({
    "pipeline": "table",
    "targets": {
        "age": "regression", "sex": {"binary": {"positive": "M", "negative": "F"}},
        "site": {"classes": ["Guys", "HH", "IOP"]}, "any": "binary",
    },
}).targets  # fmt: skip
FOUND = pd.DataFrame(
    {
        "age": [40.0, 70.5],
        "sex": [0.5, 0.9],
        "site_0": [0.8, 0.34],
        "site_1": [0.1, 0.33],
        "site_2": [0.1, 0.33],
        "any": 0.5,
    }
)


def test_ends_and_sets_by_hand(run):
    made = promised(run, TARGETS, FOUND)
    np.testing.assert_array_equal(made["age"]["age_low"], [32, 62.5])
    np.testing.assert_array_equal(made["age"]["age_high"], [48, 78.5])
    assert made["sex"]["sex_set"].tolist() == ["F|M", "M"]
    assert made["site"]["site_set"].tolist() == ["Guys", "Guys|HH|IOP"]
    assert "any" not in made


def test_half_widths_follow_the_predicted_deviation(run):
    run.write_json(
        "metrics.json",
        {"targets": {"age": {"conformal": {"parameters": {"scaled": True, "quantiles": {"error": 2.0}}}}}},
    )
    made = promised(run, TARGETS, FOUND.assign(age_sd=[1.0, 5.0]))["age"]
    np.testing.assert_array_equal(made["age_high"] - made["age_low"], [4, 20])


def test_a_run_that_was_not_judged_promises_nothing(tmp_path):
    assert promised(runs.Run(tmp_path), TARGETS, FOUND) == {}
