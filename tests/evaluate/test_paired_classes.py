"""Paired statistics of runs that tell classes apart: DeLong, McNemar, the bootstrap, and the verdict that needs two of them."""

import json

import numpy as np
import pandas as pd
import pytest
from pairs import binary, several, words
from sklearn import metrics as sklearn

from medtf.evaluate.compare import better, compare
from medtf.evaluate.compare_words import paragraph
from medtf.evaluate.paired_metrics import METRICS


def test_auc_of_each_run_equals_scikit_learn_and_the_better_is_named():
    people = binary()
    found = compare(people, ["a", "b"], "binary", replicates=1000)
    for i, name in enumerate("ab"):
        expected = sklearn.roc_auc_score(people[f"truth_{i}"], people[f"prediction_{i}"])
        assert found["runs"][name]["auc"]["value"] == pytest.approx(expected)
    pair = found["pairs"][0]
    assert pair["better"] == "a"
    assert 0 < pair["auc"]["low"] < pair["auc"]["value"] < pair["auc"]["high"]
    assert pair["brier"]["value"] < 0
    assert "wilcoxon" not in pair
    assert "by 0." in words(found, "binary", "sex")[0]


def test_the_paired_bootstrap_of_an_auc_agrees_with_delong():
    pair = compare(binary(strengths=(2.0, 1.5), seed=2), ["a", "b"], "binary", replicates=2000)["pairs"][0]
    drawn, formula = pair["auc"], pair["delong"]
    assert drawn["value"] == pytest.approx(formula["difference"])
    assert drawn["high"] - drawn["low"] == pytest.approx(formula["high"] - formula["low"], rel=0.1)
    assert drawn["method"] == "percentile"


def test_one_class_only_is_said_not_guessed():
    people = binary().assign(truth_0=1.0, truth_1=1.0)
    found = compare(people, ["a", "b"], "binary", replicates=100)
    pair = found["pairs"][0]
    assert pair["auc"]["value"] is None
    assert pair["better"] is None
    assert "cannot be compared on sex" in words(found, "binary", "sex")[0]


def test_every_binary_number_equals_scikit_learn():
    people = binary(120)
    run = compare(people.assign(threshold_0=0.4), ["a", "b"], "binary", extra=tuple(METRICS["binary"]), replicates=50)[
        "runs"
    ]["a"]
    truth, p = people["truth_0"], people["prediction_0"]
    expected = {
        "auc": sklearn.roc_auc_score(truth, p),
        "average_precision": sklearn.average_precision_score(truth, p),
        "brier": sklearn.brier_score_loss(truth, p),
        "log_loss": sklearn.log_loss(truth, p),
        "accuracy": sklearn.accuracy_score(truth, p >= 0.4),
        "balanced_accuracy": sklearn.balanced_accuracy_score(truth, p >= 0.4),
        "sensitivity": sklearn.recall_score(truth, p >= 0.4),
        "specificity": sklearn.recall_score(truth, p >= 0.4, pos_label=0),
        "f1": sklearn.f1_score(truth, p >= 0.4),
    }
    assert {name: number["value"] for name, number in run.items()} == pytest.approx(expected)


def test_every_number_of_classes_equals_scikit_learn():
    people = several()
    run = compare(people, ["a", "b"], "multiclass", extra=tuple(METRICS["multiclass"]), replicates=50)["runs"]["b"]
    truth, shares = people["truth_1"], people[[f"prediction_1_{k}" for k in range(3)]].to_numpy()
    called = shares.argmax(axis=1)
    expected = {
        "accuracy": sklearn.accuracy_score(truth, called),
        "balanced_accuracy": sklearn.balanced_accuracy_score(truth, called),
        "auc_macro": sklearn.roc_auc_score(truth, shares, multi_class="ovr"),
        "log_loss": sklearn.log_loss(truth, shares),
        "cohen_kappa": sklearn.cohen_kappa_score(truth, called),
    }
    assert {name: number["value"] for name, number in run.items()} == pytest.approx(expected)


def test_runs_of_several_classes():
    found = compare(several(300), ["a", "b"], "multiclass", replicates=1000)
    pair = found["pairs"][0]
    assert pair["better"] == "a"
    assert pair["mcnemar"]["only_a"] > pair["mcnemar"]["only_b"]
    assert (pair["mcnemar"]["only_a"] - pair["mcnemar"]["only_b"]) / 300 == pytest.approx(pair["accuracy"]["value"])
    assert words(found, "multiclass", "site")[0].startswith("a predicts site better than b, by 0.")


def test_a_winner_needs_both_the_deciding_test_and_the_bootstrap():
    pair = {"a": "x", "b": "y", "auc": {"value": 0.1, "p_holm": 0.01}, "delong": {"p_holm": 0.01, "favours": "a"}}
    assert better(pair, "binary") == "x"
    assert better(pair | {"delong": {"p_holm": 0.06, "favours": "a"}}, "binary") is None
    assert better(pair | {"delong": {"p_holm": None, "favours": "a"}}, "binary") is None
    assert better(pair | {"auc": {"value": 0.1, "p_holm": 0.06}}, "binary") is None
    errors = {"a": "x", "b": "y", "mean_absolute_error": {"value": 1.0, "p_holm": 0.01}}
    assert better(errors | {"wilcoxon": {"p_holm": 0.01, "favours": "b"}}, "regression") == "y"
    assert better(errors | {"wilcoxon": {"p_holm": 0.01, "favours": "a"}}, "regression") is None


def test_equal_runs_are_seldom_told_apart():
    """300 comparisons under the null: each test near 5 % (within 3.1 standard errors), the verdict, which needs two, no more often."""
    ps, verdicts = [], []
    for seed in range(300):
        people = binary(100, (1.5, 1.5), seed=seed).assign(threshold_0=0.5, threshold_1=0.5)
        pair = compare(people, ["a", "b"], "binary", replicates=400)["pairs"][0]
        ps.append([pair[test]["p"] for test in ("delong", "mcnemar", "auc", "brier")])
        verdicts.append(pair["better"] is not None)
    shares = (np.array(ps) < 0.05).mean(axis=0)
    assert (shares < 0.089).all()
    assert (shares[[0, 2, 3]] > 0.011).all()  # McNemar's counts are whole numbers: it may stay below
    assert np.mean(verdicts) <= shares[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [6, 40])
def test_constant_perfect_and_identical_runs_have_stated_answers(n):
    truth = (np.arange(n) % 2).astype(float)
    runs = {
        "perfect": 0.1 + 0.8 * truth,
        "again": 0.1 + 0.8 * truth,
        "constant": np.full(n, 0.5),
        "inverted": 0.9 - 0.8 * truth,
    }
    columns = {"patient": np.arange(n)}
    for i, said in enumerate(runs.values()):
        columns |= {f"prediction_{i}": said, f"truth_{i}": truth, f"threshold_{i}": 0.5}
    found = compare(
        pd.DataFrame(columns),
        list(runs),
        "binary",
        extra=("f1", "average_precision"),
        replicates=100,
    )
    json.dumps(found, allow_nan=False)
    pairs = {(pair["a"], pair["b"]): pair for pair in found["pairs"]}
    same = pairs["perfect", "again"]
    assert (same["auc"]["value"], same["delong"]["p"], same["mcnemar"]["p"], same["better"]) == (0, 1.0, 1.0, None)
    far = pairs["perfect", "constant"]
    assert far["delong"]["p"] is None
    assert "variance of 0" in far["delong"]["reason"]
    assert "variance of 0" in words(found, "binary", "sex")[1]
    assert far["better"] is None
    assert paragraph("sex", found | {"kind": "binary", "people": n}).startswith(
        "Of 4 runs that predict sex, perfect has the highest AUC"
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_one_class_or_equal_truths(kind):
    n = 8
    columns = {"patient": np.arange(n)}
    for i in range(2):
        said = np.random.default_rng(i).uniform(0.1, 0.9, n)
        columns |= (
            {f"prediction_{i}_0": said, f"prediction_{i}_1": 1 - said}
            if kind == "multiclass"
            else {f"prediction_{i}": said}
        )
        columns |= {f"truth_{i}": np.ones(n), f"threshold_{i}": 0.5}
    found = compare(pd.DataFrame(columns), ["a", "b"], kind, extra=tuple(METRICS[kind]), replicates=100)
    json.dumps(found, allow_nan=False)
    undefined = {"binary": "auc", "multiclass": "auc_macro", "regression": "r2"}[kind]
    assert found["pairs"][0][undefined]["reason"]
    assert found["pairs"][0][undefined]["p_holm"] is None
    assert words(found, kind, "t", people=n)[0]
