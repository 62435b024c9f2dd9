"""DeLong's variance and paired test against published numbers, the definition, and simulated data."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medtf.evaluate.statistics.delong import auc_variance, covariance, paired_test

# DeLong, DeLong and Clarke-Pearson (1988): ovarian cancer, four columns: albumin, total protein, K-G score (high is bad), operated with
# success. The 43 complete patients, as SAS/STAT's user guide prints them ("Comparing Receiver Operating Characteristic Curves").
OVARIAN = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1
    3.2 5.4 4 1   3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1
    3.8 6.8 7 1   3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1
    3.3 6.8 6 0   1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1   3.7 6.9 5 1  3.6 6.6 5 1"""
ALBUMIN, PROTEIN, RISK, BENEFIT = np.array([float(value) for value in OVARIAN.split()]).reshape(-1, 4).T
SCORE = 10 - RISK

# R's pROC: aSAH, S100b of 72 patients with a good and 41 with a poor outcome: how many stand at each of its 50 levels (from the curve in
# pROC's tests, tests/testthat/helper-roc-expected.R)
GOOD = "0 5 3 2 6 6 6 7 4 0 3 4 4 3 2 1 2 0 0 1 0 0 0 1 0 1 1 1 0 1 0 1 0 1 1 2 1 0 2 0 0 0 0 0 0 0 0 0 0 0"
POOR = "1 0 0 0 3 1 2 2 1 1 2 1 0 1 0 0 0 1 1 0 1 1 1 0 1 1 1 0 1 0 1 0 2 0 0 0 1 1 0 1 1 1 1 2 1 1 1 1 1 1"


def by_definition(truth, score, patients):
    """Obuchowski's (1997) variance by the comparison of every pair, as the paper writes it."""
    x, y = score[truth == 1], score[truth == 0]
    won = (x[:, None] > y).astype(float) + 0.5 * (x[:, None] == y)  # (m, n)
    theta, (m, n) = won.mean(), won.shape
    of_x, of_y = patients[truth == 1], patients[truth == 0]
    everybody = np.unique(patients)
    v10, v01, a, b = (np.array(column) for column in zip(*[
        (won.mean(axis=1)[of_x == who].sum(), won.mean(axis=0)[of_y == who].sum(), (of_x == who).sum(), (of_y == who).sum())
        for who in everybody
    ], strict=True))  # fmt: skip
    i10, i01, i = (a > 0).sum(), (b > 0).sum(), len(everybody)
    s10 = i10 / ((i10 - 1) * m) * ((v10 - a * theta) ** 2).sum()
    s01 = i01 / ((i01 - 1) * n) * ((v01 - b * theta) ** 2).sum()
    s11 = i / (i - 1) * ((v10 - a * theta) * (v01 - b * theta)).sum()
    return theta, s10 / m + s01 / n + 2 * s11 / (m * n)


def drawn(n, *shifts, seed=0, patients=None, own=1.0):
    """Truth (n,) of two in five, and for each shift a score that is so far higher for positives; patients add a part of their own."""
    generator = np.random.default_rng(seed)
    truth = (generator.random(n) < 0.4).astype(float)
    shared = 0 if patients is None else generator.normal(0, own, patients.max() + 1)[patients]
    return truth, np.array([shift * truth + shared + generator.normal(size=n) for shift in shifts])


def test_the_papers_ovarian_cancer_data():
    """AUCs, standard errors and contrasts that SAS prints: 0.7366 (0.0927), 0.6478 (0.1000), 0.7258 (0.1028), chi2 2.5340 on 2 df."""
    aucs, matrix = covariance(BENEFIT, [ALBUMIN, PROTEIN, SCORE])
    assert aucs == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    assert np.sqrt(np.diag(matrix)) == pytest.approx([0.0927, 0.1000, 0.1028], abs=5e-5)
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    estimate = contrast @ aucs
    assert estimate @ np.linalg.solve(contrast @ matrix @ contrast.T, estimate) == pytest.approx(2.5340, abs=5e-5)
    albumin, protein = paired_test(BENEFIT, ALBUMIN, SCORE), paired_test(BENEFIT, PROTEIN, SCORE)
    assert (albumin["difference"], albumin["z"] ** 2, albumin["p"]) == pytest.approx((0.0108, 0.0127, 0.9102), abs=6e-5)
    assert (protein["difference"], protein["z"] ** 2, protein["p"]) == pytest.approx(
        (-0.0780, 0.5554, 0.4561), abs=6e-5
    )
    assert albumin["method"] == "DeLong 1988"


def test_a_variance_that_proc_gives():
    truth = np.repeat([0.0, 1.0], [72, 41])
    levels = np.concatenate([np.repeat(np.arange(50), [int(n) for n in counts.split()]) for counts in (GOOD, POOR)])
    assert auc_variance(truth, levels) == pytest.approx((0.73136856368563685, 0.00266868245717244), rel=1e-12)


def test_four_rows_by_hand():
    """Positives 3, 1; negatives 2, 0. Shares of positives 1, 1/2; of negatives 1/2, 1: AUC 3/4, variance 2 x (1/8) / 2."""
    assert auc_variance([1, 1, 0, 0], [3, 1, 2, 0]) == pytest.approx((0.75, 0.125))
    # two patients, (3, 0) and (1, 2): both shares of one lie above, of the other below, so the classes vary together: 2 S11 / (m n) = 1/8 more
    assert auc_variance([1, 1, 0, 0], [3, 1, 2, 0], [0, 1, 1, 0]) == pytest.approx((0.75, 0.25))
    # (3, 2) and (1, 0): they cancel
    assert auc_variance([1, 1, 0, 0], [3, 1, 2, 0], [0, 1, 0, 1]) == pytest.approx((0.75, 0.0))


@pytest.mark.parametrize("digits", [1, 8])
@pytest.mark.parametrize("rows", [1, 4])
def test_variance_equals_its_definition(digits, rows):
    patients = np.random.default_rng(5).integers(0, 60 // rows, 60) if rows > 1 else np.arange(60)
    truth, (a, b) = drawn(60, 1.0, 0.4, patients=patients)
    a, b = np.round(a, digits), np.round(b, digits)
    assert auc_variance(truth, a, patients) == pytest.approx(by_definition(truth, a, patients))
    aucs, matrix = covariance(truth, [a, b], patients)
    found = paired_test(truth, a, b, patients)
    assert found["difference"] == pytest.approx(aucs[0] - aucs[1])
    spread = matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]
    assert found["z"] ** 2 == pytest.approx((aucs[0] - aucs[1]) ** 2 / spread)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(1.959964 * np.sqrt(spread), rel=1e-6)
    assert found["method"].startswith("DeLong" if rows == 1 else "Obuchowski")
    assert aucs[0] == pytest.approx(roc_auc_score(truth, a))


def test_order_of_rows_and_monotone_scores_change_nothing():
    patients = np.arange(90) // 3
    truth, (a, b) = drawn(90, 1.0, 0.5, patients=patients)
    found = paired_test(truth, a, b, patients)
    mixed = np.random.default_rng(1).permutation(90)
    again = paired_test(truth[mixed], np.exp(a)[mixed], 3 * b[mixed] - 7, patients[mixed])
    assert again["p"] == pytest.approx(found["p"])
    swapped = paired_test(truth, b, a, patients)
    assert (swapped["z"], swapped["p"]) == pytest.approx((-found["z"], found["p"]))


def test_equal_copies_of_every_row_do_not_narrow_the_clustered_interval():
    truth, (a, b) = drawn(80, 1.0, 0.5)
    once = paired_test(truth, a, b)
    thrice = paired_test(np.tile(truth, 3), np.tile(a, 3), np.tile(b, 3), np.tile(np.arange(80), 3))
    assert (thrice["z"], thrice["p"]) == pytest.approx((once["z"], once["p"]))


@pytest.mark.filterwarnings("error")
def test_what_has_no_variance_has_a_stated_answer():
    truth = np.array([1.0, 1, 1, 0, 0, 0])
    perfect, other, constant = np.array([6.0, 5, 4, 3, 2, 1]), np.array([4.0, 5, 6, 1, 2, 3]), np.ones(6)
    mixed = np.array([6.0, 2, 4, 3, 5, 1])
    for a, b in ((mixed, mixed), (perfect, other), (constant, constant)):
        found = paired_test(truth, a, b)
        assert (found["difference"], found["p"], found["z"], found["low"]) == (0, 1.0, None, None)
        assert "alike" in found["reason"]
    found = paired_test(truth, perfect, constant)
    assert (found["difference"], found["p"]) == (0.5, None)
    assert "variance of 0" in found["reason"]
    assert auc_variance(truth, perfect) == (1, 0)
    assert auc_variance(truth, constant) == (0.5, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("truth", "patients", "auc"),
    [([1, 1, 1], None, None), ([0, 0, 0], None, None), ([1, 0, 0], None, 1.0), ([1, 1, 0], [0, 0, 1], 1.0), ([1, 0, 0], [0, 0, 0], 1.0)],
)  # fmt: skip
def test_too_little_to_have_a_variance(truth, patients, auc):
    score = [3.0, 2.0, 1.0]
    found, variance = auc_variance(truth, score, patients)
    assert np.isnan(variance)
    assert np.isnan(found) if auc is None else found == auc
    tested = paired_test(truth, score, score, patients)
    assert tested["p"] is None
    assert tested["reason"].startswith("needs")


@pytest.mark.parametrize("rows", [1, 5])
def test_one_in_twenty_equal_scores_is_called_different(rows):
    """800 data sets under the null: 5 % within 3.1 standard errors. Patients of five rows share a part that lies in both scores and one
    in each; the plain form would call far more of them different."""
    ps, plain = [], []
    patients = np.arange(200) // rows
    for seed in range(800):
        generator = np.random.default_rng(seed)
        truth = (generator.random(200 // rows) < 0.4)[patients].astype(float)
        scores = truth + generator.normal(0, 0.5, 200)
        a, b = (
            scores + generator.normal(0, 1, patients.max() + 1)[patients] + generator.normal(0, 0.5, 200)
            for _ in range(2)
        )
        ps.append(paired_test(truth, a, b, patients)["p"])
        plain.append(paired_test(truth, a, b)["p"])
    shares = (np.array([ps, plain]) < 0.05).mean(axis=1)
    assert 0.026 < shares[0] < 0.075
    if rows > 1:
        assert shares[1] > 0.2


def test_a_million_predictions_in_five_seconds():
    truth, (score,) = drawn(1_000_000, 1.0)
    began = time.perf_counter()
    auc_variance(truth, score, np.arange(1_000_000) // 10)
    assert time.perf_counter() - began < 5
