"""The model that is fitted, of volumes and with every head of a regression."""

import keras
import numpy as np
import pytest

from medtf import config as configs
from medtf.errors import MedtfError
from medtf.fitting import trainer
from medtf.losses import GaussianLoss, SoftBinsLoss
from medtf.models import build

BINS = {"regression": {"head": "bins", "bins": [20, 80, 5], "sigma": 4}}
TARGETS = {"age": BINS, "sure": {"regression": {"head": "gaussian"}}, "plain": "regression", "sex": "binary"}
AGES = np.array([[25.0], [70], [np.nan], [40], [55], [62]], np.float32)
LABELS = {"age": AGES, "sure": AGES, "plain": AGES, "sex": np.array([[0.0], [1], [1], [np.nan], [0], [1]], np.float32)}


def config(targets=TARGETS, **sections):
    raw = {"pipeline": "table", "targets": targets, "input": {"size": 16}, "model": {"name": "cnn3d", "dropout": 0.0}}
    return configs.parse(raw | {"train": {"batch_size": 3, "weight_decay": 0.0, "warmup": 0}} | sections)


def made(of, labels=LABELS):
    keras.utils.set_random_seed(0)
    model = build.build(of.model, (*of.input.size, 1), of.targets, priors=trainer.priors(of, labels))
    return model, trainer.make(model, of, labels, steps=4, jit=False)


def test_priors_of_bins_are_the_mean_soft_label():
    of = config()
    found = trainer.priors(of, LABELS)
    soft = keras.ops.convert_to_numpy(SoftBinsLoss((20, 80, 5), 4).soft_labels(AGES[~np.isnan(AGES)][:, None]))
    np.testing.assert_allclose(found["age"], soft.mean(axis=0), rtol=1e-6)
    assert found["age"].sum() == pytest.approx(1, rel=1e-5)
    known = AGES[~np.isnan(AGES)]
    for name in ("sure", "plain"):
        np.testing.assert_allclose(found[name], [known.mean(), known.std()], rtol=1e-6)
    assert isinstance(trainer._loss(of, "age", AGES), SoftBinsLoss)
    loss = trainer._loss(of, "sure", AGES)
    assert isinstance(loss, GaussianLoss)
    assert loss.scale == pytest.approx(known.std())


def test_volumes_and_every_head_are_fitted_with_unknown_and_mixed_labels():
    model, fitted = made(config(augment={"mixup": 0.4}))
    volumes = np.random.default_rng(0).normal(size=(6, 16, 16, 16, 1)).astype("float32")
    logs = fitted.fit(volumes, LABELS, batch_size=3, epochs=2, verbose=0).history
    for name in ("age", "sure", "plain"):
        assert np.isfinite(logs[f"{name}_mean_absolute_error"]).all()
        assert 0 < logs[f"{name}_mean_absolute_error"][0] < 60  # in years, whatever the head
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_target_without_any_label_stays_where_it_is():
    of = config()
    unknown = LABELS | {name: np.full_like(AGES, np.nan) for name in ("age", "sure")}
    model, fitted = made(of, unknown)
    before = {name: model.get_layer(f"{name}_logits").get_weights() for name in of.targets}
    volumes = np.random.default_rng(0).normal(size=(6, 16, 16, 16, 1)).astype("float32")
    logs = fitted.fit(volumes, unknown, batch_size=3, verbose=0).history
    assert logs["age_loss"] == logs["sure_loss"] == [0]
    for name, old in before.items():
        same = all((a == b).all() for a, b in zip(old, model.get_layer(f"{name}_logits").get_weights(), strict=True))
        assert same == (name in ("age", "sure")), name


def test_labels_beyond_the_bins_are_told_before_training():
    of = config({"age": BINS})
    labels = {"age": np.array([[25.0], [86.5], [np.nan], [20], [80], [18]], np.float32)}
    said = r"target 'age': 2 of 5 labels are beyond the bins 20 to 80, as 86.5 is; widen them"
    with pytest.raises(MedtfError, match=said):
        made(of, labels)
    labels["age"] = np.clip(labels["age"], 20, 80)  # the edges themselves are inside
    trainer.refuse_labels(of, labels)
