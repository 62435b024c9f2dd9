"""Paired statistics of two or more runs on the same people."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medtf.evaluate.compare import bootstrap_p, compare, holm, signed_rank
from medtf.evaluate.compare_words import verdict


def paired(errors, truth=None) -> pd.DataFrame:
    """People whose run i is off by errors[i] (n,)."""
    n = len(errors[0])
    truth = np.linspace(20, 86, n) if truth is None else truth
    columns = {"patient": [f"p{i:05d}" for i in range(n)]}
    for i, error in enumerate(errors):
        columns |= {f"prediction_{i}": truth + error, f"truth_{i}": truth}
    return pd.DataFrame(columns)


def drawn(n, *sds, seed=0, common=0.0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, common, n)
    return [shared + generator.normal(0, sd, n) for sd in sds]


def words(found, kind="regression", target="age", people=100):
    pairs = found["pairs"]
    return [verdict(target, kind, pair, found["runs"], people=people, pairs=len(pairs)) for pair in pairs]


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
    assert (pair["mean_absolute_error"]["low"], pair["mean_absolute_error"]["high"]) == (0, 0)
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
    assert re.search(r"95 % interval -\d\.\d\d to -\d\.\d\d \(paired bootstrap p .*, Wilcoxon signed-rank p ", said)
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


def binary(n=200, strengths=(3.0, 1.0), seed=0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    truth = (np.arange(n) % 2).astype(float)
    columns = {"patient": [f"p{i:05d}" for i in range(n)]}
    for i, strength in enumerate(strengths):
        logit = strength * (truth - 0.5) + generator.normal(size=n)
        columns |= {f"prediction_{i}": 1 / (1 + np.exp(-logit)), f"truth_{i}": truth}
    return pd.DataFrame(columns)


def test_auc_of_each_run_equals_scikit_learn_and_the_better_is_named():
    people = binary()
    found = compare(people, ["a", "b"], "binary", replicates=1000)
    for i, name in enumerate("ab"):
        expected = roc_auc_score(people[f"truth_{i}"], people[f"prediction_{i}"])
        assert found["runs"][name]["auc"]["value"] == pytest.approx(expected)
    pair = found["pairs"][0]
    assert pair["better"] == "a"
    assert 0 < pair["auc"]["low"] < pair["auc"]["value"] < pair["auc"]["high"]
    assert pair["brier"]["value"] < 0
    assert "wilcoxon" not in pair
    assert "by 0." in words(found, "binary", "sex")[0]


def test_the_interval_of_an_auc_difference_agrees_with_delongs():
    """DeLong 1988, by its structural components."""
    people = binary(strengths=(2.0, 1.5), seed=2)
    truth = people["truth_0"].to_numpy()
    components = []
    for i in range(2):
        p = people[f"prediction_{i}"].to_numpy()
        won = (p[truth == 1][:, None] > p[truth == 0][None]).astype(float)
        components.append((won.mean(axis=1), won.mean(axis=0)))
    variance = sum(np.var(first - second, ddof=1) / len(first) for first, second in zip(*components, strict=True))
    found = compare(people, ["a", "b"], "binary", replicates=2000)["pairs"][0]["auc"]
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.1)


def test_one_class_only_is_said_not_guessed():
    people = binary().assign(truth_0=1.0, truth_1=1.0)
    found = compare(people, ["a", "b"], "binary", replicates=100)
    pair = found["pairs"][0]
    assert pair["auc"]["value"] is None
    assert pair["better"] is None
    assert "cannot be compared on sex" in words(found, "binary", "sex")[0]
