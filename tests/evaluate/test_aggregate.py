"""Several examples become one patient or series: by hand, by pandas, and in time."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from medtf.evaluate.aggregate import gather, median
from medtf.evaluate.predictions import has_series, per_patient, per_series

P = np.array([0.5, 0.9, 0.2, 0.4, 0.1, 0.6])
CODES = np.array([0, 1, 0, 0, 0, 1])  # patient 0: 0.5 0.2 0.4 0.1; patient 1: 0.9 0.6


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("max", [0.5, 0.9]),
        ("mean", [0.3, 0.75]),
        ("top 2", [0.45, 0.75]),
        ("top 3", [(0.5 + 0.4 + 0.2) / 3, 0.75]),  # of two there are only two
        ({"top": 1}, [0.5, 0.9]),
        ("noisy_or", [1 - 0.5 * 0.8 * 0.6 * 0.9, 1 - 0.1 * 0.4]),
    ],
)
def test_by_hand(rule, expected):
    assert gather(P, CODES, 2, rule) == pytest.approx(expected, abs=1e-12)
    both = gather(np.column_stack([P, P / 2]), CODES, 2, rule)
    assert both[:, 0] == pytest.approx(expected, abs=1e-12)


def test_noisy_or_of_certain_and_of_many_unlikely_examples():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gather([1.0, 0.3, 0.0, 0.0], np.array([0, 0, 1, 1]), 2, "noisy_or").tolist() == [1.0, 0.0]
    # 1 - (1 - 1e-15)^1000 = 1e-12: the nearest float64 of 1 - 1e-15 is off by a tenth of 1e-15 already
    assert gather(np.full(1000, 1e-15), np.zeros(1000, int), 1, "noisy_or")[0] == pytest.approx(1e-12, rel=1e-6)


def test_rules_stand_in_order_and_agree_where_a_patient_has_one_example():
    generator = np.random.default_rng(0)
    p, codes = generator.random(500), np.sort(np.r_[np.arange(60), generator.integers(0, 60, 440)])
    mean, top, most, witness = (gather(p, codes, 60, rule) for rule in ("mean", "top 3", "max", "noisy_or"))
    assert (mean <= top + 1e-12).all()
    assert (top <= most).all()
    assert (most <= witness + 1e-12).all()
    for rule in ("mean", "top 3", "max", "noisy_or"):
        assert gather(p, np.arange(500), 500, rule) == pytest.approx(p)


def test_medians_and_means_equal_pandas():
    generator = np.random.default_rng(1)
    values, codes = (
        generator.normal(size=301),
        generator.permutation(np.r_[np.arange(40), generator.integers(0, 40, 261)]),
    )
    grouped = pd.Series(values).groupby(codes)
    assert median(values, codes, 40) == pytest.approx(grouped.median().to_numpy())
    assert gather(values, codes, 40, "mean") == pytest.approx(grouped.mean().to_numpy())
    assert gather(values, codes, 40, "max") == pytest.approx(grouped.max().to_numpy())


def test_patients_and_series_of_a_binary_target(config):
    frame = pd.DataFrame(
        {
            "row": range(6),
            "patient": ["b", "b", "b", "a", "a", "a"],
            "series": ["s1", "s1", "s2", "s1", "s3", ""],
            "any": [0.2, 0.6, 0.9, 0.1, 0.3, 0.8],
            "any_true": [0, 1, 0, 0, np.nan, 0],
        }
    )
    target = config().targets["any"]
    people = per_patient(frame, "any", target, "top 2")
    assert people[["row", "patient", "any_true"]].to_numpy().tolist() == [[0, "a", 0.0], [1, "b", 1.0]]
    assert people["any"].tolist() == pytest.approx([0.45, 0.75])
    series = per_series(frame, "any", target, "noisy_or")
    assert series[["patient", "series", "any_true"]].to_numpy().tolist() == [
        ["a", "s1", 0],
        ["b", "s1", 1],
        ["b", "s2", 0],
    ]
    assert series["any"].tolist() == pytest.approx([0.1, 1 - 0.8 * 0.4, 0.9])
    assert has_series(frame)
    assert not has_series(frame.drop(columns="series"))
    assert not has_series(frame.assign(series=frame["patient"]))
    assert not has_series(frame.assign(series=[f"s{i}" for i in range(6)]))
    assert not has_series(frame.assign(series=None))


def test_classes_of_a_patient_are_averaged_and_mixed_patients_left_out(config):
    frame = pd.DataFrame(
        {
            "row": range(5),
            "patient": ["a", "a", "b", "b", "c"],
            "site_0": [0.9, 0.2, 0.5, 0.5, 0.1],
            "site_true": [0, 0, 0, 1, 1],
        }
    ).assign(site_1=lambda t: 1 - t["site_0"])
    target = config({"site": {"classes": ["A", "B"]}}).targets["site"]
    for rule in ("max", "mean", "noisy_or"):
        people = per_patient(frame, "site", target, rule)
        assert people["patient"].tolist() == ["a", "c"]
        assert people["site_0"].tolist() == pytest.approx([0.55, 0.1])
        assert people["row"].tolist() == [0, 1]


def test_nobody_known_gives_an_empty_table(config):
    frame = pd.DataFrame({"row": [0], "patient": ["a"], "any": [0.1], "any_true": [np.nan]})
    assert len(per_patient(frame, "any", config().targets["any"], "top 3")) == 0


def test_a_hundred_thousand_rows_of_ten_thousand_patients_take_less_than_a_second(config):
    generator = np.random.default_rng(0)
    n = 100_000
    frame = pd.DataFrame(
        {
            "row": range(n),
            "patient": [f"{i:016x}" for i in generator.integers(0, 10_000, n)],
            "any": generator.random(n),
            "any_true": (generator.random(n) < 0.1).astype(float),
        }
    )
    for rule in ("max", "mean", "top 3", "noisy_or"):
        start = time.process_time()
        per_patient(frame, "any", config().targets["any"], rule)
        assert time.process_time() - start < 1, rule
