"""Columns to label arrays: what is unknown stays unknown, and what is wrong is refused by name."""

import numpy as np
import pandas as pd
import pytest

from medtf.config import parse
from medtf.data.labels import encode
from medtf.errors import AskedWronglyError


def labels(values, spec):
    return encode(pd.DataFrame({"y": values}), parse({"pipeline": "table", "targets": {"y": spec}}).targets)["y"]


@pytest.mark.parametrize(
    ("values", "spec", "expected"),
    [
        ([0, 1, np.nan], "binary", [0, 1, np.nan]),
        (["0", "1", ""], "binary", [0, 1, np.nan]),
        ([True, False, None], "binary", [1, 0, np.nan]),
        (["M", "F", "", None], {"binary": {"positive": "M"}}, [1, 0, np.nan, np.nan]),
        ([1, 2, np.nan], {"binary": {"positive": 2, "negative": 1}}, [0, 1, np.nan]),
        (["2.5", "", "-3"], "regression", [2.5, np.nan, -3]),
    ],
)
def test_one_column(values, spec, expected):
    found = labels(values, spec)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, np.float32)[:, None])


def test_classes_are_one_hot_in_the_order_of_the_config():
    found = labels(["b", "c", None, "a"], {"classes": ["c", "b", "a"]})
    np.testing.assert_array_equal(found, [[0, 1, 0], [1, 0, 0], [np.nan] * 3, [0, 0, 1]])
    np.testing.assert_array_equal(labels([2.0, 1.0], {"classes": [1, 2]}), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("values", "spec", "message"),
    [
        ([0, 2], "binary", r"target 'y': row 1 holds 2 .*expected 0, 1 or empty"),
        ([0, -1, 0.5], "binary", "2 such rows"),
        (["yes", "no"], "binary", "positive: VALUE"),
        (["a", "x"], {"classes": ["a", "b"]}, "row 1 holds 'x'.*expected one of a, b"),
        (["M", "F", "U"], {"binary": {"positive": "M", "negative": "F"}}, "'U'.*expected M or F"),
        (["m", "f"], {"binary": {"positive": "M"}}, "no row holds the positive value 'M'; found f, m"),
        (["12", "thirteen"], "regression", "'thirteen'.*expected a number"),
        ([1.0, np.inf], "regression", "inf.*expected a number"),  # one infinite age makes the whole loss NaN
    ],
)
def test_what_is_refused(values, spec, message):
    with pytest.raises(AskedWronglyError, match=message):
        labels(values, spec)


def test_a_target_that_is_no_column_names_the_nearest():
    frame = pd.DataFrame({"haemorrhage": [1]})
    with pytest.raises(AskedWronglyError, match="did you mean 'haemorrhage'"):
        encode(frame, parse({"pipeline": "table", "targets": {"hemorrhage": "binary"}}).targets)
