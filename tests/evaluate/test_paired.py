"""Paired statistics of runs that predict a number with a unit, and what is the same for all kinds: Holm, the bootstrap's p, many runs."""

import json
import re

import numpy as np
import pytest
from pairs import drawn, paired, words
from scipy import stats
from sklearn import metrics as sklearn

from medtf.evaluate.compare import compare, enough_replicates
from medtf.evaluate.compare_words import paragraph
from medtf.evaluate.pages.compare_report import matrix
from medtf.evaluate.paired_metrics import METRICS
from medtf.evaluate.statistics.paired import bootstrap_p, holm, signed_rank


def test_signed_rank_equals_scipy_and_drops_equal_pairs():
    a, b = (np.abs(e) for e in drawn(60, 4.0, 5.0))
    found = signed_rank(a, b)["wilcoxon"]
    expected = stats.wilcoxon(a, b)
    assert (found["statistic"], found["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    b[:10] = a[:10]
    found = signed_rank(a, b)["wilcoxon"]
    assert found["equal"] == 10
    assert found["p"] == pytest.approx(stats.wilcoxon(a[10:], b[10:]).pvalue)


def test_signed_rank_by_hand():
    # |a| - |b| = -1 -2 -3 -4 -5 +6: the sum of positive ranks is 6, of negative 15; exact two-sided p = 2 x 14 / 64
    found = signed_rank(np.array([1.0, 1, 1, 1, 1, 7]), np.array([2.0, 3, 4, 5, 6, 1]))
    assert found["wilcoxon"] == {"statistic": 6.0, "p": pytest.approx(28 / 64), "favours": "a", "equal": 0}
    assert found["median_difference"] == pytest.approx(-2.5)
    assert found["share_nearer"] == {"a": pytest.approx(5 / 6), "b": pytest.approx(1 / 6)}


def test_the_same_run_twice_differs_in_nothing():
    (error,) = drawn(30, 4.0)
    found = compare(paired([error, error]), ["a", "b"], "regression", replicates=200)
    pair = found["pairs"][0]
    assert pair["wilcoxon"]["p"] == 1.0
    assert pair["mean_absolute_error"]["p"] == 1.0
    assert pair["mean_absolute_error"]["value"] == 0
    assert pair["mean_absolute_error"]["reason"].startswith("no interval")
    assert pair["better"] is None


def test_numbers_of_each_run_and_differences_by_hand():
    people = paired([np.array([1.0, -1, 2, -2, 3, -3]), np.array([2.0, 2, 2, 2, 2, 2])], np.arange(6.0))
    found = compare(people, ["a", "b"], "regression", replicates=200)
    assert found["runs"]["a"]["mean_absolute_error"]["value"] == pytest.approx(2)
    assert found["runs"]["b"]["bias"]["value"] == pytest.approx(2)
    assert found["pairs"][0]["mean_absolute_error"]["value"] == pytest.approx(0)
    assert found["pairs"][0]["root_mean_squared_error"]["value"] == pytest.approx(np.sqrt(28 / 6) - 2)
    r = stats.pearsonr(people["truth_0"], people["prediction_0"]).statistic
    assert found["pairs"][0]["pearson_r"]["value"] == pytest.approx(r - 1)


def test_two_years_better_is_found():
    a, b = drawn(150, 5.0, 5.0 + 2.0 / np.sqrt(2 / np.pi), seed=1)  # mean of |error| = sd x root(2 / pi)
    found = compare(paired([a, b]), ["t1", "tof"], "regression")
    pair = found["pairs"][0]
    assert pair["better"] == "t1"
    difference = pair["mean_absolute_error"]
    assert difference["low"] < -2 < difference["high"] < 0
    assert pair["wilcoxon"]["p"] < 0.01
    assert pair["wilcoxon"]["favours"] == "a"
    said = words(found)[0]
    assert re.match(r"t1 predicts age better than tof, by \d\.\d\d years of mean absolute error\.", said)
    assert re.search(r"95 % interval -\d\.\d\d to -\d\.\d\d \(Wilcoxon signed-rank p .*, paired bootstrap p ", said)
    swapped = compare(paired([b, a]), ["tof", "t1"], "regression")["pairs"][0]
    assert swapped["better"] == "t1"
    assert swapped["wilcoxon"]["favours"] == "b"


def test_a_loser_whose_order_is_better_is_told():
    """Thirty years off everywhere, but with r 1: a straight line away from winning."""
    noise, _ = drawn(80, 8.0, 1.0)
    found = compare(paired([noise, np.full(80, 30.0)]), ["a", "b"], "regression", replicates=500)
    assert found["pairs"][0]["better"] == "a"
    assert "But b has the higher Pearson r" in words(found)[0]
    assert "But" not in words(compare(paired([noise, 4 * noise + 9]), ["a", "b"], "regression", replicates=500))[0]


def test_what_is_hard_for_both_cancels():
    """Pairing: the same difference hides in unpaired intervals that overlap."""
    shared = np.random.default_rng(0).uniform(0, 30, 80)
    found = compare(paired([shared + 0.5, shared + 1.5]), ["a", "b"], "regression", replicates=500)
    runs = found["runs"]
    assert runs["a"]["mean_absolute_error"]["high"] > runs["b"]["mean_absolute_error"]["low"]
    assert found["pairs"][0]["better"] == "a"


def test_equal_runs_are_not_told_apart():
    found = compare(paired(drawn(60, 5.0, 5.0, seed=3)), ["a", "b"], "regression")
    assert found["pairs"][0]["better"] is None
    assert words(found)[0].startswith("The data cannot tell which of a and b predicts age better.")
    assert "no proof that they are equal" in words(found)[0]


def test_tests_that_disagree_give_no_verdict():
    """Nine in ten people a little better, a few much worse: ranks say a, the mean says nothing."""
    a, b = np.full(60, 1.0), np.full(60, 1.5) + np.linspace(0, 0.1, 60)
    a[:6] = [4, 6, 8, 9, 10, 12]
    pair = compare(paired([a, b]), ["a", "b"], "regression")["pairs"][0]
    assert pair["wilcoxon"]["p"] < 0.05 < pair["mean_absolute_error"]["p"]
    assert pair["better"] is None


def test_p_of_equal_runs_is_about_uniform():
    found = []
    for seed in range(150):
        pair = compare(paired(drawn(40, 5.0, 5.0, seed=seed)), ["a", "b"], "regression", replicates=300)["pairs"][0]
        found.append((pair["wilcoxon"]["p"], pair["mean_absolute_error"]["p"]))
    for ps in np.transpose(found):
        assert stats.kstest(ps, "uniform").pvalue > 0.001
        assert (ps < 0.05).mean() < 0.12


def test_bootstrap_p_by_hand():
    assert bootstrap_p(np.array([1.0, 2, 3, -1])) == pytest.approx(2 * 2 / 5)
    assert bootstrap_p(np.full(999, 1.0)) == pytest.approx(2 / 1000)
    assert bootstrap_p(np.zeros(10)) == 1
    assert bootstrap_p(np.array([1.0, np.nan])) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([0.2]) == [0.2]


def test_three_runs_are_compared_in_pairs_and_adjusted():
    found = compare(paired(drawn(120, 3.0, 3.0, 8.0)), ["a", "b", "c"], "regression")
    assert [(p["a"], p["b"], p["better"]) for p in found["pairs"]] == [
        ("a", "b", None), ("a", "c", "a"), ("b", "c", "b")
    ]  # fmt: skip
    for test in ("wilcoxon", "mean_absolute_error"):
        raw = [p[test]["p"] for p in found["pairs"]]
        assert [p[test]["p_holm"] for p in found["pairs"]] == pytest.approx(holm(raw))
    assert "adjusted for 3 pairs" in words(found)[1]


def test_every_number_with_a_unit_equals_scikit_learn():
    people = paired(drawn(90, 4.0, 5.0))
    run = compare(people, ["a", "b"], "regression", extra=tuple(METRICS["regression"]), replicates=50)["runs"]["b"]
    truth, said = people["truth_1"], people["prediction_1"]
    expected = {
        "mean_absolute_error": sklearn.mean_absolute_error(truth, said),
        "root_mean_squared_error": sklearn.root_mean_squared_error(truth, said),
        "bias": float((said - truth).mean()),
        "r2": sklearn.r2_score(truth, said),
        "pearson_r": stats.pearsonr(truth, said).statistic,
        "spearman_r": stats.spearmanr(truth, said).statistic,
    }
    assert {name: number["value"] for name, number in run.items()} == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_errors_with_ties_and_few_people():
    for errors in (
        [np.ones(6), np.full(6, 2.0)],
        [np.zeros(6), np.zeros(6)],
        [np.r_[1.0, np.zeros(7)], np.r_[np.zeros(7), 1.0]],
    ):
        found = compare(paired(errors), ["a", "b"], "regression", replicates=100)
        json.dumps(found, allow_nan=False)
        assert words(found)[0]


def test_several_runs_in_one_paragraph():
    found = compare(paired(drawn(150, 3.0, 3.1, 8.0, seed=4)), ["a", "b", "c"], "regression")
    said = paragraph("age", found | {"kind": "regression", "people": 150})
    best = min(found["runs"], key=lambda run: found["runs"][run]["mean_absolute_error"]["value"])
    other = {"a": "b", "b": "a"}[best]
    assert said.startswith(
        f"Of 3 runs that predict age, {best} has the lowest mean absolute error on the same 150 people: "
    )
    assert re.search(
        r"It is better than c by \d\.\d\d \(\d\.\d\d to \d\.\d\d; p < 0\.001\): more than chance explains\.", said
    )
    assert re.search(rf"cannot tell it from {other} \(difference 0\.\d+, -0\.\d+ to 0\.\d+; p = ", said)
    assert "partly luck" in said


def test_the_matrix_shows_each_pair_from_both_sides():
    found = compare(paired(drawn(150, 3.0, 3.0, 8.0)), ["a", "b", "c"], "regression", replicates=500)
    rows = {row["run"]: row["cells"] for row in matrix(found | {"kind": "regression"})}
    assert rows["a"][0] is None
    assert (
        rows["a"][2]["metric"]["value"]
        == -rows["c"][0]["metric"]["value"]
        == found["pairs"][1]["mean_absolute_error"]["value"]
    )
    assert rows["a"][2]["metric"]["low"] == -rows["c"][0]["metric"]["high"]
    assert (rows["a"][2]["won"], rows["c"][0]["won"], rows["a"][1]["won"]) == (True, False, None)


def test_more_runs_are_given_more_draws():
    """The smallest p of the draws, times the pairs, stays below a fifth of 5 %."""
    for runs in (2, 3, 6, 12):
        pairs = runs * (runs - 1) / 2
        assert pairs * 2 / (enough_replicates(runs) + 1) < 0.01
