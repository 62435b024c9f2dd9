"""Which test a number gets, that it keeps its level, and what it says where nothing can be said."""

import warnings

import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.group_metrics import METRICS, Rows
from medtf.evaluate.group_tests import adjust, differences
from medtf.evaluate.statistics.delong import auc_variance

NAMES = {"binary": ("x = 0", "x = 1"), "multiclass": ("A", "B", "C"), "regression": ()}


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rows(kind, truth, prediction, patients=None, threshold=0.5) -> Rows:
    truth, prediction = np.asarray(truth, float), np.asarray(prediction, float)
    patients = np.arange(len(truth)) if patients is None else patients
    called = {"binary": lambda: (prediction >= threshold).astype(int), "multiclass": lambda: prediction.argmax(axis=1)}
    return Rows(kind, truth, prediction, patients, np.arange(len(truth)), called.get(kind, lambda: None)(), NAMES[kind])


def drawn(kind, generator, people, per, separation=1.5) -> Rows:
    """Rows of one population; patients of several rows resemble each other."""
    patients = np.repeat(np.arange(people), per)

    def noise():
        own, shared = (0, 1) if per == 1 else (0.7, 0.7)
        return own * generator.normal(size=people)[patients] + shared * generator.normal(size=len(patients))

    if kind == "binary":
        truth = (noise() > 0.3).astype(float)
        return rows(kind, truth, 1 / (1 + np.exp(-separation * (truth - 0.5) - noise())), patients)
    if kind == "regression":
        truth = generator.normal(50, 10, people)[patients]
        return rows(kind, truth, truth + 5 * noise(), patients)
    truth = generator.integers(0, 3, people)[patients]
    logits = np.stack([separation * (truth == i) + noise() for i in range(3)], axis=1)
    return rows(kind, truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), patients)


def split(whole: Rows, labels) -> dict[str, Rows]:
    return {str(label): whole.of(np.flatnonzero(labels == label)) for label in np.unique(labels)}


def test_aucs_are_compared_by_q_with_delongs_variances():
    whole = drawn("binary", np.random.default_rng(0), 300, 1)
    groups = split(whole, whole.patients % 3)
    logits, variances = [], []
    for part in groups.values():
        auc, variance = auc_variance(part.truth, part.prediction)
        logits.append(np.log(auc / (1 - auc)))
        variances.append(variance / (auc * (1 - auc)) ** 2)
    weights = 1 / np.array(variances)
    q = weights @ (np.array(logits) - weights @ logits / weights.sum()) ** 2
    found = differences(groups, ["auc"])["auc"]
    assert found["statistic"] == pytest.approx(q)
    assert found["p"] == pytest.approx(stats.chi2.sf(q, 2))
    assert found["groups"] == ["0", "1", "2"]


def test_one_row_a_person_gets_scipys_tests():
    whole = drawn("regression", np.random.default_rng(1), 90, 1)
    groups = split(whole, whole.patients % 3)
    error = whole.prediction - whole.truth
    samples = [error[whole.patients % 3 == i] for i in range(3)]
    found = differences(groups, METRICS["regression"])
    assert found["mean_absolute_error"]["p"] == pytest.approx(stats.kruskal(*map(np.abs, samples)).pvalue)
    assert found["bias"]["p"] == pytest.approx(stats.f_oneway(*samples, equal_var=False).pvalue)
    z, weights = [], []
    for part in groups.values():
        r = stats.pearsonr(part.truth, part.prediction).statistic
        left = [stats.pearsonr(*(np.delete(x, i) for x in (part.truth, part.prediction))).statistic for i in range(30)]
        z.append(np.arctanh(r))
        weights.append(
            (1 - r**2) ** 2 / (29 / 30 * np.sum((left - np.mean(left)) ** 2))
        )  # the jackknife by its definition
    apart = np.array(z) - np.average(z, weights=weights)
    assert found["pearson_r"]["statistic"] == pytest.approx(
        weights @ apart**2 / 2
    )  # F, with 2 and 87 degrees of freedom
    assert found["pearson_r"]["df"] == [2.0, 87.0]
    whole = drawn("binary", np.random.default_rng(1), 300, 1)
    groups = split(whole, whole.patients % 2)
    table = [[(part.called[part.truth == 1] == code).sum() for code in (1, 0)] for part in groups.values()]
    expected = stats.chi2_contingency(table, correction=False)
    assert differences(groups, ["sensitivity"])["sensitivity"]["p"] == pytest.approx(expected.pvalue)


def test_several_rows_of_a_patient_do_not_count_as_so_many_people():
    whole = drawn("regression", np.random.default_rng(2), 60, 1)
    again = np.repeat(np.arange(60), 5)
    copied = rows("regression", whole.truth[again], whole.prediction[again], again)
    for metric in ("mean_absolute_error", "bias"):
        once = differences(split(whole, whole.patients % 2), [metric])[metric]
        five = differences(split(copied, copied.patients % 2), [metric])[metric]
        assert five["p"] == pytest.approx(once["p"])
        assert five["method"].endswith("error")  # on each patient's mean
    whole = drawn("binary", np.random.default_rng(2), 120, 1)
    again = np.repeat(np.arange(120), 5)
    copied = rows("binary", whole.truth[again], whole.prediction[again], again)
    for metric in METRICS["binary"]:
        once = differences(split(whole, whole.patients % 2), [metric])[metric]
        five = differences(split(copied, copied.patients % 2), [metric])[metric]
        assert five["p"] == pytest.approx(once["p"], rel=0.15), metric


def test_a_planted_difference_is_found():
    generator = np.random.default_rng(0)
    for kind in METRICS:
        whole = drawn(kind, generator, 300, 1, separation=2.5)
        half = whole.patients < 150
        spoilt = whole.prediction.copy()
        spoilt[half] = generator.permutation(spoilt[half])  # these people's answers are of others
        found = differences(split(rows(kind, whole.truth, spoilt), half), METRICS[kind])
        assert found[METRICS[kind][0]]["p"] < 0.001, kind


@pytest.mark.parametrize("kind", list(METRICS))
@pytest.mark.parametrize(("people", "per", "shared"), [(120, 1, False), (90, 4, False), (90, 4, True)])
def test_without_a_difference_one_in_twenty_is_called(kind, people, per, shared):
    generator = np.random.default_rng(0)
    called = {metric: [] for metric in METRICS[kind]}
    for _ in range(400):
        whole = drawn(kind, generator, people, per)
        labels = (np.arange(len(whole.truth)) if shared else whole.patients) % 2
        for metric, test in differences(split(whole, labels), called).items():
            called[metric] += [] if test["p"] is None else [test["p"] < 0.05]
    assert min(map(len, called.values())) > 380
    # 400 draws of 5 % lie between 1.5 and 8.5 % 99.9 times in 100
    rates = {metric: np.mean(hits) for metric, hits in called.items()}
    assert all(0.015 <= rate <= 0.085 for rate in rates.values()), rates


def test_people_in_two_groups_are_allowed_for():
    whole = drawn("binary", np.random.default_rng(4), 80, 4)
    found = differences(split(whole, np.arange(320) % 2), METRICS["binary"])
    for test in found.values():
        assert "share patients" in test["method"]
        assert test["p"] is not None


def test_a_perfect_group_is_compared_by_shuffling():
    truth = np.tile([0.0, 1.0], 30)
    perfect, poor = 0.2 + 0.6 * truth, np.random.default_rng(0).random(60)
    both = rows("binary", np.r_[truth, truth], np.r_[perfect, poor])
    found = differences(split(both, both.patients < 60), ["auc"])["auc"]
    assert found["method"].startswith("permutation test")
    assert found["p"] == pytest.approx(1 / 2000)  # no shuffle gives as large a difference
    same = rows("binary", np.r_[truth, truth], np.r_[perfect, perfect])
    assert differences(split(same, same.patients < 60), ["auc"])["auc"]["p"] == 1


def test_what_cannot_be_tested_says_why():
    whole = drawn("binary", np.random.default_rng(0), 60, 1)
    alone = differences({"a": whole, "b": whole.of(np.arange(9))}, ["auc"])["auc"]
    assert alone["reason"] == "of 2 groups 1 have enough people for it, expected at least 2"
    assert alone["groups"] == ["a"]
    constant = rows("binary", np.tile([0.0, 1.0], 30), np.full(60, 0.7))
    found = differences(split(constant, constant.patients % 3), METRICS["binary"])
    assert found["auc"]["p"] == 1  # every shuffle gives 0.5 too
    assert found["sensitivity"]["reason"] == "the same answer for everybody in all groups"
    perfect = rows("regression", np.arange(40.0), np.arange(40.0))
    found = differences(split(perfect, perfect.patients % 2), METRICS["regression"])
    assert [test["p"] for test in found.values()] == [None] * 3
    assert all(test["reason"] for test in found.values())


def test_holm_counts_the_columns_of_each_number():
    columns = {
        "sex": {"auc": {"p": 0.03}},
        "site": {"auc": {"p": 0.01}},
        "age": {"auc": {"p": None}, "other": {"p": 0.04}},
    }
    adjust(columns)
    assert [columns[c]["auc"]["p_holm"] for c in columns] == [0.03, 0.02, None]
    assert columns["age"]["other"]["p_holm"] == 0.04
