"""Metrics that follow training, against scikit-learn, without the unknown labels."""

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from medtf.config import Target
from medtf.metrics import AUC, Accuracy, LogLoss, MeanAbsoluteError, for_target

NAN = np.nan


def result(metric, *batches):
    for batch in batches:
        metric.update_state(*(None if part is None else np.array(part, "float32") for part in batch))
    return float(metric.result())


@pytest.fixture
def scores():
    """Labels (300, 1), a third unknown; logits that know something; weights."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    logits = labels * 1.5 + rng.normal(0, 2, 300)
    known = rng.random(300) > 1 / 3
    return labels[:, None], logits[:, None], rng.uniform(0.2, 2, 300), known


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_auc_and_log_loss_are_those_of_scikit_learn(scores, from_logits, weighted):
    labels, logits, weights, known = scores
    weights = weights if weighted else None
    probabilities = 1 / (1 + np.exp(-logits))
    said = logits if from_logits else probabilities
    masked = np.where(known[:, None], labels, NAN)
    batches = [
        (masked[a : a + 100], said[a : a + 100], None if weights is None else weights[a : a + 100])
        for a in (0, 100, 200)
    ]
    kept = None if weights is None else weights[known]
    auc = roc_auc_score(labels[known, 0], logits[known, 0], sample_weight=kept)
    assert result(AUC(from_logits), *batches) == pytest.approx(auc, abs=0.003)
    expected = log_loss(labels[known, 0], probabilities[known, 0], sample_weight=kept)
    assert result(LogLoss(from_logits), *batches) == pytest.approx(expected, rel=1e-5)


def test_auc_of_a_rare_finding(scores):
    labels, logits, _, _ = scores
    rare = logits - 12  # all probabilities under 0.004: one bucket of Keras's
    expected = roc_auc_score(labels[:, 0], rare[:, 0])
    assert result(AUC(), (labels, rare)) == pytest.approx(expected, abs=0.02)
    assert result(keras.metrics.AUC(from_logits=True), (labels, rare)) < expected - 0.05


def test_auc_pools_several_labels():
    labels, logits = [[1, 0], [NAN, 0], [1, NAN]], [[3, -1], [-9, 2], [1, 9]]
    assert result(AUC(), (labels, logits)) == pytest.approx(3 / 4, abs=1e-3)  # of 3, 1 over -1, 2 only 1 under 2


def test_accuracy_by_hand():
    labels = [[1, 0, 0], [0, 1, 0], [NAN, NAN, NAN], [0, 0, 1]]
    logits = [[2, 1, 0], [2, 1, 0], [9, 0, 0], [-1, -2, 0]]
    assert result(Accuracy(), (labels, logits)) == pytest.approx(2 / 3)
    assert result(Accuracy(), (labels, logits, [1, 3, 100, 1])) == pytest.approx(2 / 5)
    assert result(Accuracy(), (labels[:1], logits[:1]), (labels[1:], logits[1:])) == pytest.approx(2 / 3)


def test_mean_absolute_error_by_hand():
    ages, said = [[60], [NAN], [70], [80]], [[61], [0], [67], [80]]
    assert result(MeanAbsoluteError(), (ages, said)) == pytest.approx(4 / 3)
    assert result(MeanAbsoluteError(), (ages, said, [3, 9, 1, 0])) == pytest.approx(6 / 4)


def test_mean_absolute_error_is_in_the_unit_whatever_the_head():
    ages = [[50], [NAN], [70]]
    gaussian = for_target(Target(kind="regression", head="gaussian"))[0]
    assert result(gaussian, (ages, [[53, 100], [0, 1], [71, 2]])) == pytest.approx(
        2
    )  # 3 and 1; deviations do not count
    bins = for_target(Target(kind="regression", head="bins", bins=(40, 80, 20)))[0]  # centres 50 and 70
    logits = [[0, 0], [9, 9], [0, np.log(3)]]  # expected values 60 and 65
    assert result(bins, (ages, logits)) == pytest.approx(7.5)
    assert result(bins, (ages, logits, [1, 1, 0])) == pytest.approx((10 + 5 + 10) / 3)  # a metric gathers batches
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(bins))
    assert again.bin_centers == [50, 70]
    assert result(again, (ages, logits)) == pytest.approx(7.5)


@pytest.mark.parametrize("metric", [AUC(), Accuracy(), LogLoss(), MeanAbsoluteError()], ids=lambda m: m.name)
def test_nothing_known_is_no_nan(metric):
    assert result(metric, ([[NAN, NAN]], [[1, 2]])) == 0


@pytest.mark.parametrize(
    "metric", [AUC(False, name="mine", num_thresholds=50), Accuracy("mine"), LogLoss(False), MeanAbsoluteError("mine")]
)
def test_config_round_trip(metric):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert getattr(again, "from_logits", False) is False


def test_for_target_and_the_names_in_the_history():
    kinds = {"binary": "auc", "multiclass": "accuracy", "regression": "mean_absolute_error"}
    for kind, name in kinds.items():
        target = Target(kind=kind, classes=("a", "b") if kind == "multiclass" else ())
        assert [metric.name for metric in for_target(target)] == [name]


def test_fit_reports_them_compiled():
    inputs = keras.Input((2,))
    outputs = {"any": keras.layers.Dense(1, name="any")(inputs), "age": keras.layers.Dense(1, name="age")(inputs)}
    model = keras.Model(inputs, outputs)
    metrics = {"any": for_target(Target(kind="binary")), "age": for_target(Target(kind="regression"))}
    model.compile("sgd", {"any": "mse", "age": "mse"}, metrics=metrics, jit_compile=True)
    labels = {"any": np.array([[1], [0], [1], [0]], "float32"), "age": np.array([[1], [NAN], [3], [4]], "float32")}
    logs = model.fit(np.eye(4, 2, dtype="float32"), labels, verbose=0).history
    assert 0 <= logs["any_auc"][0] <= 1
    assert np.isfinite(logs["age_mean_absolute_error"][0])
