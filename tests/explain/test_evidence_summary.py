"""Means over patients, models against each other, readers against each other, and the sentences about them."""

import numpy as np
import pandas as pd
import pytest

from medtf.evaluate.statistics.paired import holm
from medtf.explain.evidence import summary, words
from medtf.explain.evidence.measures import NAMES


def frame(n, *, seed=0, shift=0.0, per_patient=1, noise=0.1):
    """Cases whose Dice and mass scatter about 0.4, hits and misses in turn."""
    rng = np.random.default_rng(seed)
    columns = {name: np.clip(0.4 + shift + noise * rng.normal(size=n), 0, 1) for name in ("dice", "mass")}
    rows = np.arange(n)
    return pd.DataFrame(
        {"row": rows, "patient": rows // per_patient, "pointing": (rows % 5 > 0) * 1.0, "area": 0.1} | columns
    )


def test_every_patient_weighs_the_same():
    cases = pd.DataFrame(
        {"row": range(4), "patient": list("aaab"), "dice": [0.2, 0.3, 0.4, 0.9], "area": [0.1] * 3 + [0.3]}
    )
    found = summary.over_cases(cases, ["dice"])["dice"]
    assert found["value"] == pytest.approx((0.3 + 0.9) / 2)
    assert found["chance"] == pytest.approx((0.1 + 0.3) / 2)
    assert found["cases"] == 4


def test_hits_have_wilsons_interval():
    """8 of 10: 0.490 to 0.943 (Wilson 1927)."""
    found = summary.over_cases(frame(10), ["pointing"])["pointing"]
    assert found["value"] == pytest.approx(0.8)
    assert (found["low"], found["high"]) == (pytest.approx(0.490, abs=5e-4), pytest.approx(0.943, abs=5e-4))
    assert found["method"] == "wilson"


def test_a_hit_that_ties_make_a_share_is_drawn():
    cases = frame(30)
    cases.loc[0, "pointing"] = 0.5
    found = summary.over_cases(cases, ["pointing"])["pointing"]
    assert found["value"] == pytest.approx(24.5 / 30)
    assert found["method"] == "bca"


def test_an_interval_is_about_two_standard_errors_wide():
    cases = frame(200)
    found = summary.over_cases(cases, ["mass"])["mass"]
    half = 1.96 * cases["mass"].std() / np.sqrt(200)
    assert found["high"] - found["value"] == pytest.approx(half, rel=0.1)
    assert found["value"] - found["low"] == pytest.approx(half, rel=0.1)


def test_copies_of_a_case_add_no_certainty():
    once = summary.over_cases(frame(20), ["dice"])["dice"]
    copied = pd.concat([frame(20)] * 10, ignore_index=True).assign(row=range(200))
    tenfold = summary.over_cases(copied, ["dice"])["dice"]
    assert (tenfold["low"], tenfold["high"]) == (pytest.approx(once["low"]), pytest.approx(once["high"]))


def test_the_order_of_the_cases_moves_nothing():
    cases = frame(30, per_patient=2)
    assert summary.over_cases(cases, ["dice", "pointing"]) == summary.over_cases(cases[::-1], ["dice", "pointing"])


def test_cases_without_a_number_are_not_counted():
    cases = frame(10)
    cases.loc[:3, "mass"] = np.nan
    found = summary.over_cases(cases, ["mass"])["mass"]
    assert found["value"] == pytest.approx(cases["mass"][4:].mean())
    assert found["cases"] == 6
    nothing = summary.over_cases(cases[:3], ["mass"])["mass"]
    assert nothing["value"] is None
    assert nothing["reason"] == "no case has a number"


def test_an_absent_column_is_named():
    with pytest.raises(ValueError, match="the cases: no column iou; there is row, patient"):
        summary.over_cases(frame(3), ["iou"])


def test_a_better_model_is_named_and_an_equal_one_is_not():
    a, b = frame(40), frame(40, seed=1, shift=-0.2)
    found = summary.compare({"a": a, "b": b, "again": a}, ["dice", "mass"])
    pairs = {(pair["a"], pair["b"]): pair for pair in found["pairs"]}
    assert list(pairs) == [("a", "b"), ("a", "again"), ("b", "again")]
    difference = pairs["a", "b"]["dice"]
    assert difference["value"] == pytest.approx((a["dice"] - b["dice"]).mean())
    assert difference["low"] > 0
    assert difference["better"] == "a"
    assert pairs["b", "again"]["dice"]["better"] == "again"
    assert pairs["a", "again"]["dice"]["better"] is None
    assert pairs["a", "again"]["dice"]["p"] == 1


def test_holm_counts_every_pair_and_every_measure():
    found = summary.compare(
        {"a": frame(12), "b": frame(12, seed=1, shift=-0.05), "c": frame(12, seed=2)}, ["dice", "mass"]
    )
    assert found["comparisons"] == 6
    for raw, adjusted in (("p", "p_holm"), ("wilcoxon", "wilcoxon_holm")):
        numbers = [pair[name] for pair in found["pairs"] for name in ("dice", "mass")]
        assert [one[adjusted] for one in numbers] == holm([one[raw] for one in numbers])


def test_three_patients_never_make_a_winner():
    """A bootstrap of three differences of one sign gives p below 0.001; no test of three can honestly go below 0.25."""
    found = summary.compare({"a": frame(3, noise=0.01), "b": frame(3, seed=1, shift=-0.3, noise=0.01)}, ["dice"])[
        "pairs"
    ][0]
    assert found["dice"]["p"] < 0.001
    assert found["dice"]["wilcoxon"] == 0.25
    assert found["dice"]["better"] is None


def test_of_distances_the_smaller_is_the_better():
    assert NAMES["distance"].more is False
    near_, far = (frame(30, seed=s, shift=d).rename(columns={"dice": "distance"}) for s, d in ((0, 0), (1, 0.3)))
    assert summary.compare({"near": near_, "far": far}, ["distance"])["pairs"][0]["distance"]["better"] == "near"


def test_only_shared_cases_are_compared():
    a, b = frame(20), frame(20, seed=1)
    b.loc[4, "dice"] = np.nan
    found = summary.compare({"a": a[2:], "b": b[:18]}, ["dice"])
    assert (found["cases"], found["patients"]) == (15, 15)
    assert found["left_out"] == {"a": 3, "b": 3}
    kept = a["row"].between(2, 17) & (a["row"] != 4)
    assert found["runs"]["a"]["dice"]["value"] == pytest.approx(a["dice"][kept].mean())
    # joined by row, wherever it stands in the frame
    assert summary.compare({"a": a[2:], "b": b[:18][::-1]}, ["dice"]) == found


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ({"a": frame(3)}, "needs two or more, there is a"),
        ({"a": frame(3), "b": frame(9)[4:]}, "a, b have no case in common"),
        ({"a": frame(3), "b": frame(3).assign(row=[0, 1, 1])}, "b: row 1 stands twice"),
        ({"a": frame(3), "b": frame(3).assign(patient=[0, 1, 7])}, "the same row is another patient's"),
        ({"a": frame(3), "b": frame(3).drop(columns="dice")}, "b: no column dice"),
    ],
)
def test_what_cannot_be_compared_says_why(frames, said):
    with pytest.raises(ValueError, match=said):
        summary.compare(frames, ["dice"])


def box(rows, columns):
    mask = np.zeros((9, 9), bool)
    mask[rows, columns] = True
    return mask


FIRST, SECOND = box(slice(0, 3), slice(0, 3)), box(slice(1, 4), slice(0, 3))  # 6 of 9 pixels shared, 12 in either


def test_readers_by_hand():
    found = summary.ceiling([{0: FIRST}, {0: SECOND}])
    assert found["iou"]["value"] == pytest.approx(6 / 12)
    assert found["dice"]["value"] == pytest.approx(12 / 18)
    assert found["pointing"]["value"] == 1  # (1, 1) lies in the second, (2, 1) in the first
    assert (found["cases"], found["readers"], found["one_empty"]) == (1, 2, 0)
    one_way = summary.ceiling([{0: FIRST}, {0: box(1, 1)}])
    assert one_way["pointing"]["value"] == 1
    beside = summary.ceiling([{0: FIRST}, {0: box(slice(0, 3), slice(2, 9))}])
    assert beside["pointing"]["value"] == 0  # they overlap, but not where either is thickest


def test_readers_who_mark_nothing_disagree():
    none = np.zeros((9, 9), bool)
    found = summary.ceiling([{0: FIRST, 1: FIRST, 2: none, 3: FIRST}, {0: FIRST, 1: none, 2: none}])
    assert found["cases"] == 2  # of the third nothing was marked, the fourth was read once
    assert found["one_empty"] == 1
    for name in ("iou", "dice", "pointing"):
        assert found[name]["value"] == pytest.approx(1 / 2), name


def test_three_readers_are_compared_two_by_two():
    far = box(slice(6, 9), slice(6, 9))
    found = summary.ceiling([{"x": FIRST}, {"x": SECOND}, {"x": far}], patients={"x": "p"})
    assert found["iou"]["value"] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_slices_of_a_patient_weigh_as_one_for_readers_too():
    far = box(slice(6, 9), slice(6, 9))
    first, second = dict.fromkeys(range(4), FIRST), {0: FIRST, 1: far, 2: far, 3: far}
    assert summary.ceiling([first, second])["iou"]["value"] == pytest.approx(1 / 4)
    by_patient = summary.ceiling([first, second], patients={0: "a", 1: "b", 2: "b", 3: "b"})
    assert by_patient["iou"]["value"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("readers", "said"),
    [
        ([{0: FIRST}], "needs two of them"),
        ([{0: FIRST}, {1: FIRST}], "no case was annotated by two readers"),
        ([{5: FIRST}, {5: FIRST[:4]}], r"row 5: the readers' annotations are \[\(9, 9\), \(4, 9\)\]"),
    ],
)
def test_readers_who_cannot_be_compared(readers, said):
    with pytest.raises(ValueError, match=said):
        summary.ceiling(readers)


METRIC = {"value": 0.82, "low": 0.75, "high": 0.88, "cases": 120, "chance": 0.1}
NULL = {"observed": 0.82, "expected": 0.21, "low": 0.15, "high": 0.27, "p": 0.001, "draws": 999}


def test_the_sentence_of_a_hit():
    assert words.against_null("pointing", METRIC, NULL, map_name="Grad-CAM") == (
        "Grad-CAM's hottest place lies inside the annotation in 0.820 (0.750 to 0.880) of 120 cases; "
        "other people's annotations would be hit in 0.210 (p = 0.001)."
    )
    assert "120 cases of 40 people;" in words.against_null("pointing", METRIC, NULL, map_name="Grad-CAM", patients=40)
    said = words.against_null("average_precision", METRIC, NULL, map_name="Occlusion", whose=words.SHIFTED)
    assert said == (
        "Occlusion reaches average precision 0.820 (0.750 to 0.880) over 120 cases; "
        "against the same annotations shifted elsewhere it would reach 0.210 (p = 0.001)."
    )


@pytest.mark.parametrize("name", [name for name in NAMES if NAMES[name].more])
def test_every_measure_has_its_sentences(name):
    for whose in (words.OTHERS, words.SHIFTED):
        said = words.against_null(name, METRIC, NULL, map_name="Grad-CAM", whose=whose)
        assert whose in said
        assert "{" not in said
    assert words.against_null(name, {"value": None, "reason": "r", "cases": 0}, NULL, map_name="X").endswith(
        "no number, r."
    )


def test_a_verdict_says_no_more_than_p_allows():
    assert words.verdict(NULL, map_name="CAM") == (
        "CAM agrees with each person's own annotation better than with other people's annotations (p = 0.001)."
    )
    not_shown = words.verdict(NULL | {"p": 0.2}, map_name="CAM")
    assert not_shown.startswith("CAM was not shown to agree")
    assert "usually lie" in not_shown
    assert "chance may explain it" in words.verdict(NULL | {"p": 0.2}, map_name="CAM", whose=words.SHIFTED)
    few = words.verdict(NULL | {"p": 1 / 6, "draws": 5}, map_name="CAM")
    assert few.startswith("Too few patients")
    assert "cannot fall below 0.17" in few
    untested = words.verdict(NULL | {"p": None, "reason": "it needs two"}, map_name="CAM")
    assert untested.endswith("was not tested: it needs two.")


def test_chance_in_words():
    assert words.against_chance("mass", METRIC, map_name="CAM").endswith(
        "knows nothing reaches 0.100, which lies below the interval."
    )
    inside = words.against_chance("mass", METRIC | {"chance": 0.8}, map_name="CAM")
    assert inside.endswith("which lies in the interval.")
    # what a constant map reaches is less than chance gives a real one: no verdict
    assert "interval" not in words.against_chance("average_precision", METRIC, map_name="CAM")
    assert words.against_chance("iou_mean", {"value": 0.2}, map_name="CAM") == ""


def test_the_ceiling_in_words():
    readers = {"cases": 40, "readers": 2, "dice": {"value": 0.9, "low": 0.89, "high": 0.91}}
    said = words.against_ceiling("dice", METRIC | {"value": 0.45, "low": 0.4, "high": 0.5}, readers, map_name="CAM")
    assert said == (
        "Two readers agree among themselves with Dice 0.900 (0.890 to 0.910) over 40 cases; "
        "CAM reaches 0.450 (0.400 to 0.500), 50\u00a0% of it."
    )
    assert words.against_ceiling("dice", METRIC | {"high": 0.9}, readers, map_name="CAM").endswith(
        "the intervals overlap."
    )
    assert words.against_ceiling(
        "dice", METRIC | {"value": 0.95, "low": 0.92, "high": 0.97}, readers, map_name="CAM"
    ).endswith("which is more.")


def test_a_comparison_in_words():
    found = summary.compare(
        {"deep": frame(40), "flat": frame(40, seed=1, shift=-0.2), "twin": frame(40, seed=3)}, ["dice"]
    )
    first, second, third = words.compared(found, "dice")
    assert first.startswith(
        "deep agrees better with the annotations than flat. On the same 40 cases: Dice at matched area 0."
    )
    assert "adjusted for 3 comparisons" in first
    assert second.startswith("The data cannot tell which of deep and twin agrees better.")
    assert third.startswith("twin agrees better with the annotations than flat.")
