"""Risk over coverage, by hand and against what the definitions say."""

import json
import warnings

import numpy as np
import pytest
from samples import known
from scipy.special import expit, softmax
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from medtf.evaluate.selective import COVERAGES, section
from medtf.evaluate.selective_cut import cut
from medtf.evaluate.statistics.intervals import PatientBootstrap


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def judged(sample, threshold=0.5, patients=None, replicates=50, **more):
    patients = np.arange(len(sample.truth)) if patients is None else patients
    return section(sample, PatientBootstrap(patients, replicates=replicates), threshold, **more)


def calls(n=500, seed=0):
    generator = np.random.default_rng(seed)
    x = 2 * generator.normal(size=n)
    return known(generator.random(n) < expit(x), expit(x))


def test_the_curve_by_hand():
    """From the surest down right, right, wrong, right: risks 0, 0, 1/3, 1/4."""
    found = judged(known([1, 0, 0, 1], [0.99, 0.05, 0.9, 0.6]))
    assert found["aurc"]["value"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert found["aurc_of_chance"]["value"] == 0.25
    by = {point["coverage"]: point["risk"]["value"] for point in found["curve"]}
    assert [by[c] for c in (0.25, 0.5, 0.75, 1.0)] == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert by[0.3] == 0  # reached with the second
    shares = [row["share"]["value"] for row in found["left_to_machine"]]
    assert shares == [0.5] * 4
    # one wrong call, less sure than two of three right ones... than the two surest, surer than the third
    assert found["finds_errors"]["value"] == pytest.approx(2 / 3)


def test_the_largest_share_is_taken_even_where_the_curve_dips():
    """Wrong first, then right 49 times: the risk is 1 at the start and 2 % at the end."""
    found = judged(known(np.r_[0, np.ones(49)], np.r_[0.999, np.full(49, 0.8)]))
    by_error = {row["error"]: row["share"]["value"] for row in found["left_to_machine"]}
    assert by_error == {0.01: 0, 0.02: 1, 0.05: 1, 0.1: 1}


def test_equally_sure_examples_come_in_together():
    found = judged(known([1, 1, 0, 0], [0.8, 0.8, 0.8, 0.2]))  # all lie as far from 0.5
    assert found["aurc"]["value"] == pytest.approx(0.25)
    assert {point["risk"]["value"] for point in found["curve"]} == {0.25}


def test_no_error_among_three_is_no_proof():
    row = judged(known([0, 1, 1], [0.1, 0.8, 0.9]))["left_to_machine"][0]
    assert (row["error"], row["share"]["value"], row["patients"], row["risk"]["value"]) == (0.01, 1, 3, 0)
    assert row["risk"]["high"] == pytest.approx(1.959964**2 / (3 + 1.959964**2))  # Wilson's of 0 out of 3


def test_it_equals_the_definition_and_scikit_learn():
    sample = calls()
    found = judged(sample)
    wrong = (sample.prediction >= 0.5) != sample.truth
    unsure = -np.abs(sample.prediction - 0.5)
    ranked = wrong[np.argsort(unsure)]
    assert found["aurc"]["value"] == pytest.approx((np.cumsum(ranked) / np.arange(1, 501)).mean())
    assert found["finds_errors"]["value"] == pytest.approx(roc_auc_score(wrong, unsure))
    best = np.sort(wrong)
    assert found["aurc_of_best"]["value"] == pytest.approx((np.cumsum(best) / np.arange(1, 501)).mean(), abs=0.002)
    assert found["aurc_of_best"]["value"] < found["aurc"]["value"] < found["aurc_of_chance"]["value"]
    assert [point["coverage"] for point in found["curve"]] == list(COVERAGES)
    assert found["curve"][-1]["risk"]["value"] == pytest.approx(wrong.mean())
    assert json.dumps(found, allow_nan=False)


def test_distance_is_from_the_threshold_and_each_example_may_have_its_own():
    sample = known([1, 1, 0, 0], [0.31, 0.9, 0.29, 0.01])
    one, each = judged(sample, 0.3), judged(sample, np.full(4, 0.3))
    assert one == each
    assert one["by"] == "distance from the threshold"
    assert judged(sample, np.array([0.3, 0.95, 0.3, 0.3]))["aurc_of_chance"]["value"] == 0.25


def test_a_given_uncertainty_that_knows_the_errors():
    sample = calls()
    wrong = ((sample.prediction >= 0.5) != sample.truth).astype(float)
    found = judged(sample, uncertainty=wrong, name="oracle")
    assert found["by"] == "oracle"
    assert found["finds_errors"]["value"] == 1
    assert found["left_to_machine"][0]["share"]["value"] == pytest.approx(1 - wrong.mean())
    turned = judged(sample, uncertainty=-wrong)
    assert turned["finds_errors"]["value"] == 0


def test_several_classes():
    generator = np.random.default_rng(1)
    p = softmax(2 * generator.normal(size=(300, 3)), axis=1)
    y = np.array([generator.choice(3, p=row) for row in p])
    found = judged(known(y, p), None)
    wrong = p.argmax(axis=1) != y
    assert found["finds_errors"]["value"] == pytest.approx(roc_auc_score(wrong, -p.max(axis=1)))
    assert found["by"] == "probability of the class called"


def test_values_need_a_spread():
    generator = np.random.default_rng(2)
    sd = generator.uniform(1, 8, 400)
    age = generator.normal(60, 10, 400)
    sample = known(age, age + sd * generator.normal(size=400))
    assert "head: gaussian" in judged(sample, None)["reason"]
    found = judged(sample, None, uncertainty=sd, name="predicted standard deviation")
    error = np.abs(sample.prediction - sample.truth)
    assert found["aurc_of_chance"]["value"] == pytest.approx(error.mean())
    assert found["finds_errors"]["value"] == pytest.approx(spearmanr(sd, error).statistic)
    assert found["aurc_of_best"]["value"] == pytest.approx((np.cumsum(np.sort(error)) / np.arange(1, 401)).mean())
    assert found["left_to_machine"][-1]["error"] == pytest.approx(0.9 * error.mean())
    shares = [row["share"]["value"] for row in found["left_to_machine"]]
    assert shares == sorted(shares)


def test_rows_of_one_patient_widen_the_interval():
    sample = calls(150)
    once = judged(sample)
    repeated = known(np.repeat(sample.truth, 4), np.repeat(sample.prediction, 4), np.repeat(np.arange(150), 4))
    copies = judged(repeated, patients=np.repeat(np.arange(150), 4))
    for end in ("value", "low", "high"):
        assert copies["finds_errors"][end] == pytest.approx(once["finds_errors"][end])
        assert copies["aurc"][end] == pytest.approx(once["aurc"][end])
    assert copies["left_to_machine"][2]["risk"]["method"] != "wilson"


@pytest.mark.parametrize(
    ("truth", "probability"),
    [([0, 0, 0], [0.1, 0.2, 0.3]), ([1], [0.2]), ([0, 1] * 20, [0.0, 1.0] * 20), ([1, 0] * 20, [0.0, 1.0] * 20)],
)
def test_without_both_kinds_of_calls_it_says_why(truth, probability):
    found = judged(known(truth, probability))
    assert found["finds_errors"]["reason"] == "needs wrong calls and right ones"
    assert found["aurc"]["value"] in (0, 1)


def test_nothing_known_and_an_uncertainty_that_is_none():
    assert judged(known([], []))["reason"] == "no example with a known label"
    sample = known([0, 1, 1], [0.1, 0.6, 0.7])
    assert "not a finite number" in judged(sample, uncertainty=np.array([0.1, np.nan, 0.2]), name="any_mc_sd")["reason"]


def test_a_cut_by_hand():
    """Validation from the surest on: right, right, wrong, right (two equally sure), wrong."""
    risks, unsure = np.array([0, 0, 1, 0, 1.0]), np.array([1, 2, 3, 3, 4.0])
    assert cut(risks, unsure, 0.1) == 2
    assert cut(risks, unsure, 0.25) == 3
    assert cut(risks, unsure, 0.4) == 4
    assert cut(1 - risks, unsure, 0.1) is None


def test_a_cut_fixed_on_validation_is_judged_elsewhere():
    found = judged(calls(2000), valid=(calls(2000, seed=1), None))
    for row in found["left_to_machine"]:
        fixed = row["fixed"]
        assert fixed["risk"]["low"] <= fixed["risk"]["value"] <= fixed["risk"]["high"]
    last = found["left_to_machine"][-1]["fixed"]
    assert last["risk"]["low"] < 0.1 < last["risk"]["high"]
    # the cut lies at the same distance from the threshold for both folds
    test = calls(2000)
    unsure = -np.abs(np.log(test.prediction / (1 - test.prediction)))
    assert last["share"]["value"] == pytest.approx((unsure <= last["cut"] + 1e-8).mean())


def test_where_no_cut_keeps_the_error_it_says_so():
    wrong = known([1, 0, 1, 0], [0.1, 0.9, 0.2, 0.8])
    row = judged(calls(100), valid=(wrong, None))["left_to_machine"][0]
    assert row["fixed"] == {"reason": "no share of the validation fold stays within this error"}
    nobody = judged(known([0, 1], [0.45, 0.55]), valid=(known([1, 0, 1], [0.99, 0.01, 0.4]), None))["left_to_machine"][
        0
    ]["fixed"]
    assert (nobody["share"]["value"], nobody["risk"]["reason"]) == (0, "no example is that sure")
