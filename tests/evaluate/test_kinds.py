"""Multiclass and regression."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn import metrics as sk

from medtf.evaluate.judge import judge


def site_frame(n=240, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, n, p=[0.5, 0.3, 0.2])
    logits = generator.normal(size=(n, 3)) + 1.5 * np.eye(3)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    columns = {f"site_{i}": p[:, i] for i in range(3)}
    patients = [f"p{i // 2:04d}" for i in range(n)]
    return pd.DataFrame(
        {"row": range(n), "patient": patients, "fold": "test", **columns, "site_true": truth.astype(float)}
    )


def age_frame(n=200, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.uniform(20, 86, n)
    predicted = truth + generator.normal(2, 6, n)
    patients = [f"p{i:04d}" for i in range(n)]
    return pd.DataFrame({"row": range(n), "patient": patients, "fold": "test", "age": predicted, "age_true": truth})


def site(frame, config):
    settings = config({"site": {"classes": ["Guys", "HH", "IOP"]}})
    return judge(frame, settings, {}, split="test", fingerprint="f")


def age(frame, config):
    return judge(frame, config({"age": "regression"}), {}, split="test", fingerprint="f")


def around(metric, value):
    """The value is as expected, and its replicates measure the same thing."""
    assert metric["value"] == pytest.approx(value)
    assert metric["low"] < value < metric["high"]
    middle = (metric["low"] + metric["high"]) / 2
    assert middle == pytest.approx(value, abs=0.25 * (metric["high"] - metric["low"]))


def test_multiclass_equals_scikit_learn(config):
    frame = site_frame()
    found = site(frame, config)["targets"]["site"]
    truth, p = frame["site_true"].astype(int), frame[["site_0", "site_1", "site_2"]].to_numpy()
    called = p.argmax(axis=1)
    around(found["accuracy"], sk.accuracy_score(truth, called))
    around(found["balanced_accuracy"], sk.balanced_accuracy_score(truth, called))
    around(found["cohen_kappa"], sk.cohen_kappa_score(truth, called))
    around(found["log_loss"], sk.log_loss(truth, p))
    around(found["auc_macro"], sk.roc_auc_score(truth, p, multi_class="ovr", average="macro"))
    around(found["auc_weighted"], sk.roc_auc_score(truth, p, multi_class="ovr", average="weighted"))
    around(found["per_class"]["HH"]["sensitivity"], sk.recall_score(truth, called, average=None)[1])
    around(found["per_class"]["HH"]["precision"], sk.precision_score(truth, called, average=None)[1])
    assert found["confusion"] == sk.confusion_matrix(truth, called).tolist()
    assert found["classes"] == ["Guys", "HH", "IOP"]


def test_a_missing_class_gives_null_with_a_reason(config):
    frame = site_frame()
    found = site(frame[frame["site_true"] < 2], config)["targets"]["site"]
    assert found["auc_macro"]["value"] is None
    assert "missing" in found["auc_macro"]["reason"]
    assert found["per_class"]["IOP"]["sensitivity"]["reason"] == "no example of this class"
    assert found["auc_weighted"]["value"] is not None
    assert found["accuracy"]["low"] is not None


def test_patients_of_two_classes_have_no_class(config):
    frame = site_frame(6)
    frame["site_true"] = [0.0, 0, 1, 2, 2, 2]  # the second patient is mixed
    assert site(frame, config)["per_patient"]["targets"]["site"]["n"] == 2


def test_regression_equals_scikit_learn_and_scipy(config):
    frame = age_frame()
    found = age(frame, config)["targets"]["age"]
    truth, predicted = frame["age_true"], frame["age"]
    around(found["mean_absolute_error"], sk.mean_absolute_error(truth, predicted))
    around(found["root_mean_squared_error"], sk.root_mean_squared_error(truth, predicted))
    around(found["r2"], sk.r2_score(truth, predicted))
    around(found["pearson_r"], pearsonr(truth, predicted).statistic)
    around(found["bias"], (predicted - truth).mean())
    around(found["mean_absolute_error_of_median"], (truth - truth.median()).abs().mean())


def test_regression_by_hand(config):
    frame = age_frame(3).assign(age=[31.0, 40.0, 56.0], age_true=[30.0, 42.0, 50.0])
    found = age(frame, config)["targets"]["age"]
    assert found["mean_absolute_error"]["value"] == pytest.approx(3)
    assert found["bias"]["value"] == pytest.approx(5 / 3)
    assert found["root_mean_squared_error"]["value"] == pytest.approx(np.sqrt(41 / 3))
    assert found["mean_absolute_error_of_median"]["value"] == pytest.approx(20 / 3)


def test_interval_of_r_agrees_with_fishers(config):
    """With n = 50 the 95 % interval of r = 0.903 is 0.83-0.94 (FACTS)."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=50)
    noise = generator.normal(size=50)
    x = (x - x.mean()) / x.std()
    noise = noise - noise.mean() - x * (noise @ x) / 50
    frame = age_frame(50).assign(age_true=x, age=0.903 * x + np.sqrt(1 - 0.903**2) * noise / noise.std())
    r = age(frame, config)["targets"]["age"]["pearson_r"]
    assert r["value"] == pytest.approx(0.903)
    assert (r["low"], r["high"]) == pytest.approx((0.83, 0.94), abs=0.04)


def test_constant_predictions_have_no_correlation(config):
    found = age(age_frame().assign(age=50.0), config)["targets"]["age"]
    assert found["pearson_r"]["value"] is None
    assert "all equal" in found["pearson_r"]["reason"]
    assert found["r2"]["value"] is not None


def test_patients_average_their_values(config):
    frame = age_frame(4).assign(patient=["a", "a", "b", "b"], age=[30, 40, 50, 50], age_true=[35, 35, 40, 40])
    found = age(frame, config)["per_patient"]["targets"]["age"]
    assert found["n"] == 2
    assert found["mean_absolute_error"]["value"] == pytest.approx(5)
