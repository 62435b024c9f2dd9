"""Calibration: the Brier score's parts, the calibration error, the line of truth on prediction."""

import warnings

import numpy as np
import pytest
from samples import known
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from medtf.config import Target
from medtf.evaluate.calibration import PARTS, _by_chance, of_probabilities
from medtf.evaluate.calibration_classes import section
from medtf.evaluate.statistics.folded import inverted
from medtf.evaluate.statistics.grouping import equal_mass
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.statistics.logistic import fit

BINARY = Target(kind="binary")


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def calibrated(truth, probability, patients=None, replicates=100):
    patients = np.arange(len(truth)) if patients is None else patients
    bootstrap = PatientBootstrap(patients, replicates=replicates)
    return of_probabilities(np.asarray(truth), np.asarray(probability), bootstrap, np.arange(len(truth)))


def drawn(n=400, slope=0.7, intercept=-0.4, seed=0, per=1):
    generator = np.random.default_rng(seed)
    x = 1.5 * generator.normal(size=n)
    return (generator.random(n) < expit(slope * x + intercept)).astype(float), expit(x), np.arange(n) // per


# === Bins ===


def test_bins_hold_equally_many():
    assert np.bincount(equal_mass(np.random.default_rng(0).random(100), 10)).tolist() == [10] * 10


def test_equal_values_are_never_parted():
    values = np.array([0.1] * 6 + [0.2, 0.3, 0.4, 0.5])
    codes = equal_mass(values, 5)
    assert len(set(codes[:6])) == 1
    assert (np.diff(codes) >= 0).all()
    assert equal_mass(np.full(7, 0.3), 5).tolist() == [0] * 7


def test_fewer_patients_make_fewer_bins():
    for patients, bins in ((3, 1), (40, 4), (99, 9), (500, 10)):
        assert calibrated(*drawn(patients)[:2])["bins"]["count"] == bins
    y, p, patients = drawn(200, per=10)  # 20 patients
    assert calibrated(y, p, patients)["bins"]["count"] == 2


# === Brier ===


def test_the_parts_by_hand():
    """Two bins of ten: 0.2 with one positive of ten, 0.8 with six: worked out on paper."""
    y = np.r_[np.ones(1), np.zeros(9), np.ones(6), np.zeros(4)]
    p = np.r_[np.full(10, 0.2), np.full(10, 0.8)]
    found = calibrated(y, p)
    parts = {name: metric["value"] for name, metric in found["decomposition"].items()}
    assert parts["reliability"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert parts["resolution"] == pytest.approx(0.25**2)
    assert parts["uncertainty"] == pytest.approx(0.35 * 0.65)
    assert (parts["within_bin_variance"], parts["within_bin_covariance"]) == pytest.approx((0, 0), abs=1e-15)
    assert found["brier"]["value"] == pytest.approx(0.19)
    assert found["ece"]["value"] == pytest.approx(0.15)
    assert found["observed_over_expected"]["value"] == pytest.approx(7 / 10)


@pytest.mark.parametrize("per", [1, 4])
def test_the_parts_add_up_to_scikit_learns_brier_score(per):
    y, p, patients = drawn(per=per)
    found = calibrated(y, p, patients)
    reliability, resolution, uncertainty, variance, covariance = (found["decomposition"][n]["value"] for n in PARTS)
    assert variance > 0
    assert covariance != 0
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(y, p))
    assert reliability - resolution + uncertainty + variance - covariance == pytest.approx(brier_score_loss(y, p))


# === Calibration error ===


def test_what_chance_alone_makes_of_the_error():
    """Against right probabilities, simulated."""
    generator = np.random.default_rng(1)
    p = generator.uniform(0.1, 0.9, 500)
    bins = equal_mass(p, 10)
    y = generator.random((2000, 500)) < p
    apart = np.array([np.bincount(bins, weights=row - p) for row in y])
    assert _by_chance(p, bins) == pytest.approx((np.abs(apart).sum(axis=1) / 500).mean(), rel=0.03)


def test_the_interval_of_the_error_reaches_down_to_what_chance_makes():
    """A bootstrap's percentiles would begin far above 0 although the probabilities are right."""
    held = 0
    for seed in range(25):
        y, p, _ = drawn(200, slope=1, intercept=0, seed=seed)
        found = calibrated(y, p)["ece"]
        assert found["method"] == "test_inversion"
        assert found["low"] <= found["value"] <= found["high"] <= 1
        assert found["bootstrap"]["percentile"][0] > 0
        held += found["low"] == 0
    assert held >= 20  # of 25 at 95 %: fewer has a chance of one in a thousand


def test_a_clear_error_keeps_away_from_zero():
    y, p, _ = drawn(3000, slope=0.4, intercept=-1)
    found = calibrated(y, p)
    assert 0 < found["ece_if_calibrated"] < found["ece"]["low"]


def test_an_inverted_test_of_one_bin_is_the_normal_interval():
    """One bin whose part is many standard errors from 0: value - and + 1.96 standard errors."""
    generator = np.random.default_rng(0)
    draws = 0.3 + 0.01 * generator.normal(size=(20_000, 1))
    low, high, _ = inverted(np.array([0.3]), draws, 1, np.array([10_000]))
    assert (low, high) == pytest.approx((0.2804, 0.3196), abs=0.005)  # scales are tried in steps of 0.015


# === Line ===


def test_the_line_equals_scikit_learns():
    y, p, _ = drawn()
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], y)
    found = calibrated(y, p)
    assert found["slope"]["value"] == pytest.approx(model.coef_[0, 0], rel=1e-4)
    assert found["intercept"]["value"] == pytest.approx(model.intercept_[0], rel=1e-4)


def test_the_intercept_in_the_large_makes_the_mean_right():
    """With slope 1 the score equation says: mean probability = prevalence."""
    y, p, _ = drawn()
    a = calibrated(y, p)["intercept_in_the_large"]["value"]
    assert expit(logit(p) + a).mean() == pytest.approx(y.mean())


def test_a_weight_of_two_is_the_example_twice():
    y, p, _ = drawn(60)
    weights = np.random.default_rng(3).integers(0, 4, (5, 60)).astype(float)
    intercepts, slopes = fit(logit(p), weights * y, weights)
    for w, intercept, slope in zip(weights.astype(int), intercepts, slopes, strict=True):
        model = LogisticRegression(C=np.inf, tol=1e-10).fit(np.repeat(logit(p), w)[:, None], np.repeat(y, w))
        assert (slope, intercept) == pytest.approx((model.coef_[0, 0], model.intercept_[0]), rel=1e-3, abs=1e-4)


def test_a_two_by_two_table_by_hand():
    """x = 0: 1 of 4; x = 1: 3 of 4: intercept ln(1/3), slope ln(3) - ln(1/3)."""
    intercept, slope = fit(np.array([0.0, 1.0]), np.array([[1.0, 3.0]]), np.array([[4.0, 4.0]]))
    assert (intercept[0], slope[0]) == pytest.approx((np.log(1 / 3), 2 * np.log(3)))


def test_the_interval_of_the_slope_is_as_wide_as_the_textbooks():
    y, p, _ = drawn(1000)
    found = calibrated(y, p, replicates=500)
    x = logit(p)
    q = expit(found["intercept"]["value"] + found["slope"]["value"] * x)
    information = np.array([[(q * (1 - q) * x**k).sum() for k in (i, i + 1)] for i in (0, 1)])
    error = np.sqrt(np.linalg.inv(information)[1, 1])
    assert found["slope"]["high"] - found["slope"]["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_rows_of_one_patient_widen_the_interval():
    y, p, _ = drawn(150)
    once = calibrated(y, p)
    copies = calibrated(np.repeat(y, 5), np.repeat(p, 5), np.repeat(np.arange(150), 5))
    for name in ("slope", "brier"):
        assert copies[name]["value"] == pytest.approx(once[name]["value"])
        width, of_copies = (found[name]["high"] - found[name]["low"] for found in (once, copies))
        assert of_copies == pytest.approx(width, rel=0.02)


# === Edges ===


@pytest.mark.parametrize(
    ("truth", "probability", "why"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], "one class only"),
        ([0, 1, 1], [0.5, 0.5, 0.5], "all probabilities are equal"),
        ([0, 0, 1], [0.1, 0.2, 0.3], "parts the classes wholly"),
        ([1], [0.3], "one class only"),
        ([0, 1] * 40, [0, 1] * 40, "parts the classes wholly"),
        ([1, 0] * 40, [0, 1] * 40, "parts the classes wholly"),
    ],
)
def test_where_there_is_no_slope_it_says_why(truth, probability, why):
    found = calibrated(truth, probability)
    assert found["slope"]["value"] is None
    assert why in found["slope"]["reason"]
    assert np.isfinite(found["brier"]["value"])
    assert sum(row["n"] for row in found["reliability"]) == len(truth)


def test_nothing_known_and_nothing_drawn():
    assert section(known([], []), BINARY, PatientBootstrap(["a"])) == {"reason": "no example with a known label"}
    y, p, _ = drawn(50)
    found = calibrated(y, p, replicates=0)
    assert found["ece"]["low"] is None
    assert "replicates is 0" in found["ece"]["reason"]


def test_a_bin_where_all_are_positive_has_an_interval():
    y, p = np.r_[np.ones(40), np.zeros(60)], np.r_[np.full(40, 0.9), np.full(60, 0.1)]
    row = calibrated(y, p)["reliability"][-1]
    assert (row["n"], row["observed"]["value"], row["observed"]["high"]) == (40, 1, 1)
    # Wilson's lower limit of n out of n is n / (n + z^2)
    assert row["observed"]["low"] == pytest.approx(40 / (40 + 1.959964**2))


# === Several classes ===


def test_two_classes_as_several_are_the_binary_target():
    y, p, patients = drawn(200)
    bootstrap = PatientBootstrap(patients, replicates=50)
    several = Target(kind="multiclass", classes=("no", "yes"))
    found = section(known(y, np.column_stack([1 - p, p])), several, bootstrap)
    one = section(known(y, p), BINARY, bootstrap)
    assert found["per_class"]["yes"]["slope"]["value"] == pytest.approx(one["slope"]["value"])
    assert found["brier"]["value"] == pytest.approx(2 * one["brier"]["value"])
    assert set(found["per_class"]) == {"no", "yes"}


def test_the_top_label_is_judged_against_its_probability():
    """Always 0.6 sure of the first class and right in 60 of 100: calibrated; in 30 of 100: off by 0.3."""
    target = Target(kind="multiclass", classes=("a", "b", "c"))
    p = np.tile([0.6, 0.3, 0.1], (100, 1))
    for right, error in ((60, 0.0), (30, 0.3)):
        y = np.r_[np.zeros(right), np.ones(100 - right)]
        found = section(known(y, p), target, PatientBootstrap(range(100), replicates=50))
        assert found["top_label"]["ece"]["value"] == pytest.approx(error)
    assert found["per_class"]["c"]["slope"]["value"] is None


def test_classes_add_up():
    generator = np.random.default_rng(0)
    p = softmax(generator.normal(size=(300, 3)), axis=1)
    y = np.array([generator.choice(3, p=row) for row in p])
    found = section(
        known(y, p), Target(kind="multiclass", classes=("a", "b", "c")), PatientBootstrap(range(300), replicates=50)
    )
    assert found["brier"]["value"] == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean())
    assert found["brier"]["value"] == pytest.approx(sum(one["brier"]["value"] for one in found["per_class"].values()))
