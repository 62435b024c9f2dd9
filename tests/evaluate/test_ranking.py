import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medtf.evaluate.statistics.ranking import Ranking


def test_auc_with_ties_by_hand():
    # pairs (positive, negative): 0.9>0.5, 0.9>0.2, 0.5=0.5 (one half), 0.5>0.2 -> 3.5 of 4
    auc, _ = Ranking(np.array([1, 1, 0, 0]), np.array([0.9, 0.5, 0.5, 0.2]))(np.ones((1, 4)))
    assert auc[0] == pytest.approx(3.5 / 4)


def test_average_precision_by_hand():
    # at 0.9: precision 1, recall 1/2; at 0.5 (two tied): precision 2/3, recall 1 -> 1/2 * 1 + 1/2 * 2/3
    _, average = Ranking(np.array([1, 1, 0, 0]), np.array([0.9, 0.5, 0.5, 0.2]))(np.ones((1, 4)))
    assert average[0] == pytest.approx(0.5 + 1 / 3)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_equals_scikit_learn(ties):
    generator = np.random.default_rng(1)
    truth, scores = generator.integers(0, 2, 200), generator.random(200)
    scores = np.round(scores, 1) if ties else scores
    weights = generator.integers(0, 4, size=(20, 200)).astype(float)
    auc, average = Ranking(truth, scores)(weights)
    for i, weight in enumerate(weights):
        assert auc[i] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight), abs=1e-12)
        assert average[i] == pytest.approx(average_precision_score(truth, scores, sample_weight=weight), abs=1e-12)


def test_undefined_where_a_class_weighs_nothing():
    ranking = Ranking(np.array([1, 0, 0]), np.array([0.9, 0.1, 0.2]))
    auc, average = ranking(np.array([[0.0, 1, 1], [1, 0, 0], [1, 1, 1]]))
    assert np.isnan(auc).tolist() == [True, True, False]
    assert np.isnan(average).tolist() == [True, True, False]


def test_weighting_patients_equals_weighting_their_rows():
    generator = np.random.default_rng(2)
    truth, scores, units = generator.integers(0, 2, 300), generator.random(300).round(2), generator.integers(0, 40, 300)
    units[:40] = np.arange(40)
    weights = generator.integers(0, 4, size=(20, 40)).astype(float)
    of_patients, of_rows = Ranking(truth, scores, units)(weights), Ranking(truth, scores)(weights[:, units])
    np.testing.assert_allclose(of_patients, of_rows)
    alone, nothing = Ranking(truth, scores, units)(weights, precision=False)
    np.testing.assert_array_equal(alone, of_patients[0])
    assert nothing is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("truth", [[1, 1, 1], [0, 0, 0]])
def test_one_class_is_undefined(truth):
    auc, average = Ranking(np.array(truth), np.array([0.1, 0.2, 0.2]))(np.ones((2, 3)))
    assert np.isnan(auc).all()
    assert np.isnan(average).all()


def test_constant_and_perfect_scores():
    truth, weights = np.array([1, 1, 0, 0, 0]), np.array([[1.0, 1, 1, 1, 1], [3, 0, 1, 0, 1]])
    auc, average = Ranking(truth, np.full(5, 0.3))(weights)
    assert (auc.tolist(), average.tolist()) == ([0.5, 0.5], [0.4, 0.6])  # nothing but the prevalence
    assert np.array(Ranking(truth, truth)(weights)).tolist() == [[1, 1], [1, 1]]
    assert np.array(Ranking(truth, -truth)(weights))[0].tolist() == [0, 0]
