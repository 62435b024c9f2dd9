import numpy as np
import pandas as pd
import pytest
from ages import ages

from medtf.evaluate.judge import judge
from medtf.evaluate.predictions import sample
from medtf.evaluate.subgroups import groups, rows_of


def judged(frame, config, targets=None, thresholds=None, **evaluate):
    settings = config(targets or {"age": "regression"}, evaluate={"replicates": 200, **evaluate})
    return judge(frame, settings, thresholds or {}, split="test", fingerprint="f")["targets"]


def rows(found, column):
    return {row["group"]: row for row in found["subgroups"][column]["groups"]}


def test_groups_of_columns():
    ages_ = groups(pd.Series([20.0, 29.99, 30, 86, np.nan, 41, 42, 43, 44, 45]), "age")
    assert ages_[:4].tolist() == ["20 to <30", "20 to <30", "30 to <40", "80 to <90"]
    assert ages_.isna().tolist() == [False] * 4 + [True] + [False] * 5
    sites = groups(pd.Series(["HH", "Guys", "", None, "HH"]), "site")
    assert (list(sites.cat.categories), sites.isna().sum()) == (["Guys", "HH"], 2)
    assert list(groups(pd.Series([1.0, 2.0, np.nan]), "sex").cat.categories) == ["1", "2"]
    assert groups(pd.Series(np.arange(100.0)), "head_size").value_counts().tolist() == [20] * 5
    many = groups(pd.Series([f"s{i}" for i in range(30)] + ["big"] * 5), "scanner")
    assert len(many.cat.categories) == 12
    assert {"big", "other"} <= set(many.cat.categories)


def test_odd_numbers_still_make_groups():
    wild = groups(pd.Series([*np.arange(20.0, 40), 99999]), "age")  # 99999: unknown, as some sheets write it
    assert len(wild.cat.categories) == 5
    assert wild.notna().all()
    close = groups(pd.Series(1300 + np.arange(20) / 1000), "head_size")
    assert len(close.cat.categories) == 5
    assert groups(pd.Series([*range(20), np.inf]), "age").notna().sum() == 21


def test_errors_of_groups_by_hand(config):
    frame = ages(40).assign(age=lambda t: t["age_true"] + np.where(t["row"] < 20, 2.0, -6.0))
    frame["covariate_sex"] = np.where(frame["row"] < 20, "F", "M")
    found = rows(judged(frame, config)["age"], "sex")
    assert {g: (r["n"], r["patients"]) for g, r in found.items()} == {"F": (20, 20), "M": (20, 20)}
    assert found["F"]["bias"]["value"] == pytest.approx(2)
    assert found["M"]["bias"]["value"] == pytest.approx(-6)
    assert found["M"]["mean_absolute_error"]["value"] == pytest.approx(6)


def test_a_groups_interval_spans_its_value_and_is_wider_than_that_of_all(config):
    frame = ages(200).assign(covariate_site=lambda t: np.where(t["row"] % 4 == 0, "IOP", "Guys"))
    numbers = judged(frame, config)["age"]
    metric, whole = rows(numbers, "site")["IOP"]["mean_absolute_error"], numbers["mean_absolute_error"]
    assert metric["low"] < metric["value"] < metric["high"]
    assert metric["high"] - metric["low"] > 1.4 * (whole["high"] - whole["low"])


def test_too_few_people_and_unknown_groups_say_so(config):
    sites = ["IOP"] * 9 + ["Guys"] * 29 + [None] * 2
    found = rows(judged(ages(40).assign(covariate_site=sites), config)["age"], "site")
    nothing = {"value": None, "low": None, "high": None}
    assert found["IOP"]["bias"] == nothing | {"reason": "too few people: 9, expected at least 10"}
    assert found["Guys"]["bias"]["value"] is not None
    assert found[None] == {"group": None, "n": 2}


def test_people_are_counted_not_their_scans(config):
    frame = ages(40).assign(covariate_site="Guys", patient=[f"p{i // 5}" for i in range(40)])
    row = rows(judged(frame, config)["age"], "site")["Guys"]
    assert (row["n"], row["patients"]) == (40, 8)
    assert row["bias"]["value"] is None


def test_the_config_chooses_columns(config):
    frame = ages(40).assign(covariate_sex="F", covariate_age=lambda t: t["age_true"], covariate_scanner="A")
    assert list(judged(frame, config)["age"]["subgroups"]) == ["sex", "age"]
    assert list(judged(frame, config, subgroups=["scanner"])["age"]["subgroups"]) == ["scanner"]
    assert "subgroups" not in judged(frame, config, subgroups=[])["age"]


def test_auc_of_groups_but_not_by_the_target_itself(config, predicted, at):
    frame = predicted(per=1, patients=80).rename(columns={"any": "sex", "any_true": "sex_true"})
    frame = frame.assign(covariate_site=["Guys", "HH"] * 40, covariate_sex=lambda t: t["sex_true"])
    found = judged(frame, config, {"sex": "binary"}, at("sex"))["sex"]
    assert list(found["subgroups"]) == ["site"]
    from sklearn.metrics import roc_auc_score

    half = frame[frame["covariate_site"] == "HH"]
    row = rows(found, "site")["HH"]
    assert row["auc"]["value"] == pytest.approx(roc_auc_score(half["sex_true"], half["sex"]))
    assert row["positives"] == half["sex_true"].sum()
    one = judged(frame.assign(covariate_site="Guys", sex_true=1.0), config, {"sex": "binary"}, at("sex"))["sex"]
    assert rows(one, "site")["Guys"]["auc"]["reason"] == "too few people with sex = 0: 0, expected at least 5"


def test_ages_are_in_bins_of_twenty_years_where_decades_hold_too_few_people():
    few, many = pd.Series(np.linspace(20, 79.9, 48)), pd.Series(np.linspace(20, 79.9, 480))
    assert list(groups(few, "age").cat.categories) == ["20 to <40", "40 to <60", "60 to <80"]
    assert len(groups(many, "age").cat.categories) == 6


def test_sensitivity_of_groups_is_at_the_threshold_of_each_row(config, predicted, at):
    frame = predicted(per=1, patients=80).assign(covariate_site=["Guys", "HH"] * 40)
    found = judged(frame, config, {"any": "binary"}, at("any", value=0.3))["any"]
    positive = frame[(frame["covariate_site"] == "HH") & (frame["any_true"] == 1)]
    assert rows(found, "site")["HH"]["sensitivity"]["value"] == pytest.approx((positive["any"] >= 0.3).mean())
    known = sample(frame, "any", config().targets["any"])
    own = np.where(frame["row"] < 40, 0.3, 0.7)
    called = rows_of(frame, known, "any", config().targets["any"], own).called
    assert called.tolist() == (frame["any"] >= own).tolist()
