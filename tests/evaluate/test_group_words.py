"""What stands in metrics.json for each column of groups, and what the sentences make of it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from ages import ages

from medtf.evaluate import subgroups
from medtf.evaluate.draw import group_plots
from medtf.evaluate.group_words import in_short, of_column
from medtf.evaluate.predictions import sample
from medtf.evaluate.statistics.intervals import PatientBootstrap


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def grouped(config):
    """`subgroups` of one target, as it stands in metrics.json."""

    def build(frame, columns, targets=("any",), threshold=0.5, replicates=100):
        name, target = next(iter(config(targets).targets.items()))
        bootstrap = PatientBootstrap(frame["patient"], replicates=replicates)
        known = sample(frame, name, target)
        found = subgroups.by_group(frame, known, name, target, bootstrap, columns, threshold=threshold)
        json.dumps(found, allow_nan=False)
        return found

    return build


def two_sites(predicted, *, spoil: bool) -> pd.DataFrame:
    """300 people of one example each at sites A and B; spoilt: at B the answers are those of other people."""
    frame = predicted(patients=300, per=1).assign(covariate_site=lambda t: np.where(t["row"] % 2, "A", "B"))
    if spoil:
        at_b = frame["covariate_site"] == "B"
        frame.loc[at_b, "any"] = np.random.default_rng(0).permutation(frame.loc[at_b, "any"])
    return frame


def test_a_difference_is_named_with_its_ends(predicted, grouped):
    section = grouped(two_sites(predicted, spoil=True), ["site"])["site"]
    assert section["tests"]["auc"]["p_holm"] < 0.001
    aucs = {row["group"]: row["auc"]["value"] for row in section["groups"]}
    assert aucs["A"] > 0.8 > 0.6 > aucs["B"]
    said = section["words"]
    assert said.startswith("AUC differs between the groups of site by more than chance explains (p < 0.001)")
    assert f"{aucs['A']:.3f} in A, {aucs['B']:.3f} in B." in said
    assert "gone unseen" not in said
    assert in_short({"site": section}, "binary") == [
        f"AUC differs by site: {aucs['A']:.3f} in A, {aucs['B']:.3f} in B (p < 0.001 after Holm)"
    ]


def test_no_difference_is_no_proof_and_says_what_could_have_hidden(predicted, grouped):
    section = grouped(two_sites(predicted, spoil=False), ["site"])["site"]
    test = section["tests"]["auc"]
    assert test["p"] > 0.05
    assert in_short({"site": section}, "binary") == []
    widths = [(row["auc"]["high"] - row["auc"]["low"]) / 3.92 for row in section["groups"]]
    assert test["detectable"] == pytest.approx(2.8 * np.hypot(*widths), rel=0.1)  # from the intervals' widths
    assert "No difference in AUC between the groups of site was shown" in section["words"]
    assert f"a difference below about {test['detectable']:.2g}" in section["words"]


def test_groups_too_small_and_unknown_are_named(predicted, grouped):
    frame = two_sites(predicted, spoil=False)
    frame.loc[:6, "covariate_site"] = "C"
    frame.loc[7:9, "covariate_site"] = None
    section = grouped(frame, ["site"])["site"]
    assert section["groups"][-1] == {"group": None, "n": 3}
    assert section["groups"][2]["auc"]["reason"] == "too few people: 7, expected at least 10"
    assert section["tests"]["auc"]["groups"] == ["A", "B"]
    assert "Too small to say anything about AUC: C" in section["words"]


def test_numbers_of_a_rare_class_are_not_given_but_the_others_are(predicted, grouped):
    frame = predicted(patients=60, per=1).assign(covariate_site=["A"] * 40 + ["B"] * 20)
    frame.loc[40:, "any_true"] = [1.0] * 4 + [0.0] * 16
    rows = {row["group"]: row for row in grouped(frame, ["site"])["site"]["groups"]}
    assert rows["B"]["auc"]["reason"] == "too few people with any = 1: 4, expected at least 5"
    assert rows["B"]["sensitivity"]["value"] is None
    assert rows["B"]["specificity"]["value"] is not None
    expected = frame.loc[40:, "any"].mean() - 0.2
    assert rows["B"]["calibration_in_the_large"]["value"] == pytest.approx(expected)


def test_holm_counts_the_columns(predicted, grouped):
    frame = two_sites(predicted, spoil=False).assign(covariate_sex=lambda t: np.where(t["row"] % 3, "F", "M"))
    found = grouped(frame, ["site", "sex"])
    ps = sorted((section["tests"]["auc"]["p"], section["tests"]["auc"]["p_holm"]) for section in found.values())
    assert ps[0][1] == pytest.approx(min(1, 2 * ps[0][0]))
    assert ps[1][1] == pytest.approx(max(ps[1][0], ps[0][1]))


def test_classes_have_groups_as_well(grouped):
    generator = np.random.default_rng(0)
    truth, p = generator.integers(0, 3, 200), generator.dirichlet(np.ones(3), 200)
    columns = {f"seq_{i}": p[:, i] for i in range(3)} | {"seq_true": truth.astype(float)}
    frame = pd.DataFrame({"row": range(200), "patient": range(200), "fold": "test", **columns})
    frame["covariate_site"] = np.repeat(["A", "B"], 100)
    section = grouped(frame, ["site"], {"seq": {"classes": ["x", "y", "z"]}})["site"]
    half = slice(0, 100)
    right = p[half].argmax(axis=1) == truth[half]
    assert section["groups"][0]["accuracy"]["value"] == pytest.approx(right.mean())
    shares = [right[truth[half] == i].mean() for i in range(3)]
    assert section["groups"][0]["balanced_accuracy"]["value"] == pytest.approx(np.mean(shares))
    assert set(section["tests"]) == {"auc_macro", "accuracy", "balanced_accuracy"}
    assert all(0 <= test["p"] <= 1 for test in section["tests"].values())


def test_bins_of_the_true_value_are_not_tested(grouped):
    frame = ages(200, shrink=0.5).assign(covariate_age=lambda t: t["age_true"])
    section = grouped(frame, ["age"], {"age": "regression"})["age"]
    assert all(test["p"] is None and test["p_holm"] is None for test in section["tests"].values())
    assert "made of the true value itself" in section["words"]


@pytest.mark.parametrize("spoiler", ["constant", "one class", "three", "one patient", "unknown", "no draws"])
def test_odd_folds_are_answered_without_a_warning(predicted, grouped, spoiler):
    frame = two_sites(predicted, spoil=False)
    if spoiler == "constant":
        frame["any"] = 0.5
    elif spoiler == "one class":
        frame["any_true"] = 0.0
    elif spoiler == "three":
        frame = frame.head(3)
    elif spoiler == "one patient":
        frame["patient"] = "p"
    elif spoiler == "unknown":
        frame.loc[frame["covariate_site"] == "B", "any_true"] = np.nan
    section = grouped(frame, ["site"], replicates=0 if spoiler == "no draws" else 50)["site"]
    assert section["words"].endswith(".")
    for row in section["groups"]:
        for metric in ("auc", "sensitivity", "specificity", "calibration_in_the_large"):
            assert row[metric]["value"] is not None or row[metric]["reason"]
            assert row[metric]["low"] is not None or row[metric]["reason"]
    if spoiler == "constant":
        assert section["tests"]["auc"]["p"] == 1
        assert section["tests"]["sensitivity"]["reason"] == "the same answer for everybody in all groups"


def test_a_difference_that_does_not_survive_holm_is_said_so():
    value = {"value": 0.8, "low": 0.7, "high": 0.9}
    test = {"p": 0.03, "p_holm": 0.06, "groups": ["A", "B"], "detectable": 0.6}
    none = {"p": None, "p_holm": None, "groups": [], "detectable": None, "reason": "r"}
    rest = dict.fromkeys(("sensitivity", "specificity", "calibration_in_the_large"), none)
    section = {"groups": [{"group": g, "auc": value} for g in "AB"], "tests": {"auc": test} | rest}
    said = of_column("any", "site", section, "binary")
    assert "p 0.030, 0.060 after Holm), though by itself this test would have called one." in said
    assert "no difference of any size could be relied on to show" in said  # 0.6 is more than an AUC can differ


def test_the_forest_shows_each_group_and_all(predicted, grouped):
    frame = two_sites(predicted, spoil=True)
    section = grouped(frame, ["site"])["site"]
    whole = {"value": 0.75, "low": 0.7, "high": 0.8}
    numbers = {"kind": "binary", "n": 300, "patients": 300, "positives": 120, "auc": whole}
    axes = group_plots.forest(section, "site", numbers).axes[0]
    assert [label.get_text().split("\n")[0] for label in axes.get_yticklabels()] == ["A", "B", "all"]
    texts = [text.get_text() for text in axes.texts]
    assert texts[-1] == "0.750  (0.700 to 0.800)"
    assert any(line.get_xdata()[0] == 0.75 and len(line.get_xdata()) == 2 for line in axes.get_lines())
    assert "p < 0.001" in axes.get_legend().get_texts()[0].get_text()
