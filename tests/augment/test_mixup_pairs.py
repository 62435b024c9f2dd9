"""The loss of a mixture: both labels by their shares; what is unknown of one takes nothing from the other."""

import keras
import numpy as np
import pytest

from medtf import config as configs
from medtf.augment.mixup import MixUp
from medtf.fitting import trainer
from medtf.losses import BinaryFocalLoss, BinaryLogLoss, CategoricalLogLoss, RegressionLoss, SoftBinsLoss
from medtf.models import build

NAN = np.nan
rng = np.random.default_rng(0)


@pytest.fixture(name="mixup")
def _mixup():
    layer = MixUp(1.0)
    layer.share.assign(0.75)
    return layer


def loss_of(mixup, loss, labels, predictions, *, values=(), weight=None):
    """The loss as the trainer has it."""
    both, twice, weights = mixup.pairs({"a": labels}, {"a": predictions}, weight, values=values)
    return float(loss(both["a"], twice["a"], weights))


LINEAR = {
    "binary": (BinaryLogLoss(), lambda: rng.integers(0, 2, (6, 3)), 3),
    "weighted": (BinaryLogLoss(4.0), lambda: rng.integers(0, 2, (6, 3)), 3),
    "focal": (BinaryFocalLoss(alpha=0.3), lambda: rng.integers(0, 2, (6, 1)), 1),
    "classes": (CategoricalLogLoss([1, 2, 3]), lambda: np.eye(3)[rng.integers(0, 3, 6)], 3),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_with_all_labels_known_it_is_the_loss_of_the_mixed_label(mixup, kind):
    """Zhang 2018, equation 2, and their code's form with two losses are one where the loss is linear in the label."""
    loss, draw, k = LINEAR[kind]
    labels, logits = draw().astype("float32"), rng.normal(size=(6, k)).astype("float32")
    mixed = 0.75 * labels + 0.25 * labels[::-1]
    assert loss_of(mixup, loss, labels, logits) == pytest.approx(float(loss(mixed, logits)), rel=1e-5)


def test_an_unknown_label_takes_nothing_from_its_partner(mixup):
    """Pair 0-3: 1 and unknown; pair 1-2: both known. Every p is 3/4, so a 1 costs log 4/3 and a 0 log 4."""
    labels = np.array([[1.0], [1.0], [0.0], [NAN]], "float32")
    logits = np.full((4, 1), np.log(3), "float32")
    yes, no = np.log(4 / 3), np.log(4)
    by_hand = [0.75 * yes, 0.75 * yes + 0.25 * no, 0.75 * no + 0.25 * yes, 0.25 * yes]
    assert loss_of(mixup, BinaryLogLoss(), labels, logits) == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_labels_of_one_example_are_masked_one_by_one(mixup):
    labels = np.array([[1.0, NAN], [NAN, 0.0]], "float32")
    logits = np.full((2, 2), np.log(3), "float32")
    # example 0: its own first label by 3/4, its partner's second by 1/4; example 1 the other way round
    by_hand = ((0.75 * np.log(4 / 3) + 0.25 * np.log(4)) + (0.75 * np.log(4) + 0.25 * np.log(4 / 3))) / 4
    assert loss_of(mixup, BinaryLogLoss(), labels, logits) == pytest.approx(by_hand, rel=1e-5)


def test_nobody_knows_anything(mixup):
    assert loss_of(mixup, BinaryLogLoss(), np.full((4, 1), NAN, "float32"), np.ones((4, 1), "float32")) == 0


def test_values_are_mixed_in_their_unit(mixup):
    """20 and 80 years at 3/4 and 1/4 are 35 and 65 years."""
    ages, answers = np.array([[20.0], [80]], "float32"), np.array([[36.0], [62]], "float32")
    assert loss_of(mixup, RegressionLoss(), ages, answers, values=("a",)) == pytest.approx((1 + 3) / 2)
    # as classes would have it, the best answer of the absolute error were 20 years
    right = np.array([[35.0], [65]], "float32")
    assert loss_of(mixup, RegressionLoss(), ages, right, values=("a",)) == pytest.approx(0, abs=1e-5)
    assert loss_of(mixup, RegressionLoss(), ages, right) > 10


def test_a_value_without_a_partner_counts_alone_by_its_share(mixup):
    ages, answers = np.array([[20.0], [NAN]], "float32"), np.array([[24.0], [28.0]], "float32")
    found = loss_of(mixup, RegressionLoss(), ages, answers, values=("a",))
    assert found == pytest.approx((0.75 * 4 + 0.25 * 8) / 2)


def test_soft_bins_are_those_of_the_mixed_value(mixup):
    loss = SoftBinsLoss((0, 100, 10), 5.0)
    labels, logits = np.array([[20.0], [80]], "float32"), rng.normal(size=(2, 10)).astype("float32")
    expected = float(loss(np.array([[35.0], [65]], "float32"), logits))
    assert loss_of(mixup, loss, labels, logits, values=("a",)) == pytest.approx(expected, rel=1e-5)


def test_weights_go_with_the_label(mixup):
    labels, logits = np.array([[1.0], [0]], "float32"), np.full((2, 1), np.log(3), "float32")
    yes, no = np.log(4 / 3), np.log(4)
    by_hand = ((0.75 * 2 * yes + 0.25 * 0 * no) + (0.75 * 0 * no + 0.25 * 2 * yes)) / 2
    found = loss_of(mixup, BinaryLogLoss(), labels, logits, weight=np.array([2.0, 0.0], "float32"))
    assert found == pytest.approx(by_hand, rel=1e-5)


def test_integer_labels_and_a_share_of_one(mixup):
    labels, logits = np.array([[0], [1]]), rng.normal(size=(2, 1)).astype("float32")
    mixup.share.assign(1.0)
    expected = float(BinaryLogLoss()(labels.astype("float32"), logits))
    assert loss_of(mixup, BinaryLogLoss(), labels, logits) == pytest.approx(expected, rel=1e-5)


def fitted(augment):
    raw = {"pipeline": "table", "targets": {"a": "binary", "b": "binary", "age": "regression"}, "augment": augment}
    raw |= {"input": {"size": 16}, "model": {"name": "cnn3d", "dropout": 0.0}, "train": {"weight_decay": 0.0}}
    config = configs.parse(raw)
    labels = {"a": [[1], [NAN], [0], [1]], "b": [[NAN]] * 4, "age": [[20], [80], [NAN], [50]]}
    labels = {name: np.array(values, "float32") for name, values in labels.items()}
    keras.utils.set_random_seed(0)
    model = build.build(config.model, (16, 16, 16, 1), config.targets, priors=trainer.priors(config, labels))
    return trainer.make(model, config, labels, steps=2, jit=False), labels


def test_the_trainer_tells_the_loss_of_both_labels_and_validates_with_one():
    made, labels = fitted({"mixup": 1.0})
    assert made.value_targets == ("age",)
    made.mixing.share.assign(0.6)
    answers = {name: keras.ops.convert_to_tensor(np.array([[2], [-1], [0], [1]], "float32")) for name in labels}
    twice, again, weights = made.mixing.pairs(labels, answers, None, values=("age",))
    losses = made.loss
    by_hand = sum(float(losses[name](twice[name], again[name], weights)) for name in labels)
    assert float(made.compute_loss(y=labels, y_pred=answers, training=True)) == pytest.approx(by_hand, rel=1e-5)
    plain = sum(float(losses[name](labels[name], answers[name])) for name in labels)
    assert float(made.compute_loss(y=labels, y_pred=answers, training=False)) == pytest.approx(plain, rel=1e-5)
    assert by_hand != pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("augment", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}], ids=str)
def test_every_mixing_trains(augment):
    made, labels = fitted(augment)
    assert made.mixing.name == "_or_".join(augment)
    logs = made.fit(rng.random((4, 16, 16, 16, 1), dtype="float32"), labels, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite([logs[name] for name in logs]).all()
    assert logs["b_loss"] == [0, 0]
    assert logs["loss"][0] == pytest.approx(logs["a_loss"][0] + logs["age_loss"][0], rel=1e-5)
