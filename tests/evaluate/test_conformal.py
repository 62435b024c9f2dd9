"""Conformal sets and intervals keep their promise on average, whatever the model."""

import json
import warnings

import numpy as np
import pytest
from samples import known
from scipy.special import expit, softmax
from scipy.stats import beta, kstest

from medtf.config import Target
from medtf.evaluate.conformal import section
from medtf.evaluate.conformal_sets import both, expected, fit, interval, needed, quantile, sets, summed
from medtf.evaluate.statistics.intervals import PatientBootstrap

BINARY, LETTERS = Target(kind="binary"), Target(kind="multiclass", classes=("a", "b", "c"))
AGE = Target(kind="regression")


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def binary(n, generator, patients=None, shift=-1.5):
    """A bad model: too sure, and shifted."""
    x = 1.5 * generator.normal(size=n) + shift
    return known(generator.random(n) < expit(x), expit(2 * x + 1), patients)


def letters(n, generator):
    x = 1.5 * generator.normal(size=(n, 3))
    return known([generator.choice(3, p=softmax(row)) for row in x], softmax(2 * x, axis=1))


def ages(n, generator, sd=5.0):
    age = generator.normal(60, 10, n)
    return known(age, age + sd * generator.normal(size=n))


def judged(test, valid, target, a=0.1, people=None, of=None, **more):
    people = np.arange(len(valid.truth)) if people is None else people
    of = np.arange(len(test.truth)) if of is None else of
    return section(test, valid, PatientBootstrap(of, replicates=50), a, target=target, people=people, **more)


# === The quantile ===


def test_the_quantile_by_hand():
    """Nine patients, a = 0.2: ceil(10 x 0.8) = the 8th smallest; a = 0.1: the 9th; below, there are too few."""
    scores = np.array([5, 3, 9, 1, 7, 2, 8, 4, 6.0])
    assert quantile(scores, np.arange(9), 0.2) == 8
    assert quantile(scores, np.arange(9), 0.1) == 9
    assert quantile(scores, np.arange(9), 0.09) is None
    assert [needed(a) for a in (0.5, 0.2, 0.1, 0.05, 0.01)] == [1, 4, 9, 19, 99]


def test_a_patient_weighs_once_however_many_examples_it_has():
    """Patient 0 has ten examples of score 100; four others one each: (4 + 1)... (5 + 1) x 0.75 = 4.5 of 5 patients."""
    scores = np.r_[np.full(10, 100.0), 1, 2, 3, 4]
    codes = np.r_[np.zeros(10, int), 1, 2, 3, 4]
    assert quantile(scores, codes, 0.4) == 4  # 6 x 0.6 = 3.6: the four others
    assert quantile(scores, codes, 0.25) == 100  # 4.5: half of patient 0's
    copies = np.repeat(np.arange(9.0), 3)
    assert quantile(copies, np.repeat(np.arange(9), 3), 0.2) == quantile(np.arange(9.0), np.arange(9), 0.2)


def test_coverage_follows_its_exact_law():
    """Given the calibration fold, coverage on endless new examples is Beta(k, n + 1 - k) (Vovk 2012)."""
    generator = np.random.default_rng(0)
    n, a = 39, 0.1
    k = int(np.ceil(40 * 0.9))
    # scores uniform on (0, 1): the coverage is the quantile itself
    reached = [quantile(generator.random(n), np.arange(n), a) for _ in range(2000)]
    assert kstest(reached, beta(k, n + 1 - k).cdf).pvalue > 0.01
    assert np.mean(reached) >= 1 - a - 0.003
    law = expected(n, a)
    assert np.mean([law["low"] <= c <= law["high"] for c in reached]) == pytest.approx(0.95, abs=0.02)


# === Coverage ===


@pytest.mark.parametrize("method", ["lac", "by_class", "aps"])
def test_sets_hold_the_truth_as_often_as_promised(method):
    generator = np.random.default_rng(1)
    hits = []
    for _ in range(150):
        valid, test = letters(60, generator), letters(60, generator)
        inside = sets(test.prediction, fit(valid, np.arange(60), 0.2, "multiclass"), method)
        hits.append(inside[np.arange(60), test.truth.astype(int)].mean())
    error = np.std(hits) / np.sqrt(len(hits))
    assert np.mean(hits) > 0.8 - 3 * error
    assert (
        np.mean(hits) < 0.8 + (0.06 if method == "by_class" else 1 / 61) + 3 * error
    )  # each class has a third of the examples


def test_examples_of_one_patient_do_not_break_the_promise():
    """Errors that are a patient's own: a quantile over rows would see many examples and few people."""
    generator = np.random.default_rng(2)
    hits = []
    for _ in range(300):
        sizes = generator.integers(1, 8, 31)
        people = np.repeat(np.arange(31), sizes)
        off = 5 * generator.normal(size=31) * np.where(sizes > 4, 2.0, 0.5)  # who has many examples is also further off
        error = off[people] + generator.normal(size=len(people))
        seen = people < 30
        valid = known(error[seen], np.zeros(seen.sum()), people[seen])
        low, high = interval(np.zeros((~seen).sum()), fit(valid, people[seen], 0.1, "regression"))
        hits.append(((low <= error[~seen]) & (error[~seen] <= high)).mean())
    assert np.mean(hits) == pytest.approx(0.9, abs=3 * np.std(hits) / np.sqrt(300))


def test_the_rare_class_is_missed_by_one_limit_and_kept_by_its_own():
    generator = np.random.default_rng(3)
    valid, test = binary(1500, generator, shift=-3), binary(3000, generator, shift=-3)
    found = judged(test, valid, BINARY)
    assert found["coverage"]["value"] == pytest.approx(0.9, abs=0.03)
    assert found["by_class"]["1"]["coverage"]["high"] < 0.8
    own = found["class_conditional"]["by_class"]
    assert own["1"]["coverage"]["value"] == pytest.approx(0.9, abs=0.07)
    assert own["0"]["coverage"]["value"] == pytest.approx(0.9, abs=0.04)


def test_values():
    generator = np.random.default_rng(4)
    found = judged(ages(2000, generator), ages(1000, generator), AGE)
    assert found["coverage"]["low"] < 0.9 < found["coverage"]["high"]
    assert found["half_width"]["value"] == pytest.approx(1.645 * 5, rel=0.06)  # the 90 % of a normal error of sd 5
    assert not found["parameters"]["scaled"]


def test_a_predicted_deviation_makes_wide_where_it_is_unsure():
    generator = np.random.default_rng(5)
    sd, sd_valid = generator.uniform(1, 8, 2000), generator.uniform(1, 8, 2000)
    test, valid = ages(2000, generator, sd), ages(2000, generator, sd_valid)
    scaled = judged(test, valid, AGE, sd=sd, sd_valid=sd_valid)
    plain = judged(test, valid, AGE)
    assert scaled["coverage"]["value"] == pytest.approx(0.9, abs=0.03)
    assert scaled["parameters"]["quantiles"]["error"] == pytest.approx(1.645, rel=0.06)
    assert scaled["half_width"]["value"] < plain["half_width"]["value"]
    low, high = interval([50.0, 50.0], scaled["parameters"], sd=[1.0, 4.0])
    assert (high - low)[1] == pytest.approx(4 * (high - low)[0])


# === Sets by hand ===


def test_sets_by_hand():
    parameters = {"quantiles": {"lac": 0.6, "aps": 0.75, "by_class": [0.3, None, 0.95]}}
    p = np.array([[0.5, 0.3, 0.2], [0.9, 0.08, 0.02], [0.35, 0.33, 0.32]])
    assert sets(p, parameters).tolist() == [[True, False, False], [True, False, False], [False, False, False]]
    # sums of the larger and half of the own: 0.25, 0.65, 0.9 / 0.45, 0.94, 0.99 / 0.175, 0.515, 0.84
    assert summed(p)[0] == pytest.approx([0.25, 0.65, 0.9])
    assert sets(p, parameters, "aps").tolist() == [[True, True, False], [True, False, False], [True, True, False]]
    assert sets(p, parameters, "by_class").tolist() == [[False, True, True], [True, True, False], [False, True, True]]
    assert sets(np.array([0.7]), {"quantiles": {"lac": 0.6}}).tolist() == [[False, True]]


def test_equal_probabilities_come_in_together():
    assert summed(np.array([[0.25, 0.5, 0.25]]))[0] == pytest.approx([0.625, 0.25, 0.625])
    assert both(np.array([0.2])).tolist() == [[0.8, 0.2]]


def test_sizes_add_up():
    generator = np.random.default_rng(6)
    found = judged(letters(200, generator), letters(100, generator), LETTERS)
    for part in (found, found["class_conditional"], found["adaptive"]):
        two = 1 - sum(part[name]["value"] for name in ("empty", "one", "all"))
        assert part["size"]["value"] == pytest.approx(part["one"]["value"] + 2 * two + 3 * part["all"]["value"])
    assert found["adaptive"]["empty"]["value"] == 0
    assert json.dumps(found, allow_nan=False)


# === Edges ===


def test_too_few_patients_says_how_many_are_needed():
    generator = np.random.default_rng(7)
    valid = binary(24, generator, np.repeat(np.arange(8), 3))
    found = judged(binary(20, generator), valid, BINARY, people=np.repeat(np.arange(8), 3))
    assert found["reason"] == (
        "the validation fold has 8 patients with a known label; sets that may miss 0.1 of the truths need at least 9"
    )
    assert found["calibrated_on"] == {"fold": "valid", "n": 24, "patients": 8, "judged_too": False}


def test_a_class_too_rare_for_a_limit_of_its_own_is_always_in():
    generator = np.random.default_rng(8)
    valid = known(np.r_[np.zeros(30), np.ones(3)], generator.random(33))
    found = judged(binary(50, generator), valid, BINARY)["class_conditional"]
    assert found["always_in"] == ["1"]
    assert found["by_class"]["1"]["coverage"]["value"] == 1
    assert found["empty"]["value"] == 0


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 0, 1]])
def test_few_judged_and_constant_predictions(truth):
    generator = np.random.default_rng(9)
    valid = known(generator.random(30) < 0.5, np.full(30, 0.5))
    found = judged(known(truth, [0.5, 0.5, 0.5]), valid, BINARY)
    assert found["coverage"]["value"] == 1  # all scores are equal: nothing can be left out
    assert found["size"]["value"] == 2
    if sum(truth) == 0:
        assert found["by_class"]["1"]["coverage"]["reason"] == "no example of this class"
    assert judged(known([], []), valid, BINARY)["reason"] == "no example with a known label"
    assert judged(valid, valid, BINARY, fold="valid")["calibrated_on"]["judged_too"]
