"""Cross-validation: folds apart, their mean, and pooled; each row called by its own fold's threshold."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from medtf import config as configs
from medtf.config import Target
from medtf.errors import MedtfError
from medtf.evaluate import by_fold
from medtf.evaluate.fold_statistics import KEYS, statistic
from medtf.evaluate.predictions import sample

KINDS = {
    "binary": Target(kind="binary"),
    "multiclass": Target(kind="multiclass", classes=("a", "b", "c")),
    "regression": Target(kind="regression"),
}


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def config(targets, replicates=200):
    return configs.parse({"pipeline": "table", "targets": targets, "evaluate": {"replicates": replicates}})


def frame_of(truth, probability, fold, threshold=None, patients=None) -> pd.DataFrame:
    n = len(truth)
    found = pd.DataFrame({
        "row": range(n), "patient": [f"p{i:04d}" for i in (range(n) if patients is None else patients)], "fold": "test",
        "ill": np.asarray(probability, float), "ill_true": np.asarray(truth, float), "cv_fold": fold,
    })  # fmt: skip
    return found if threshold is None else found.assign(ill_threshold=np.asarray(threshold, float))


def cohort(n=240, folds=3, seed=0) -> pd.DataFrame:
    """Scores that tell something, each fold's on a scale and with a threshold of its own."""
    generator = np.random.default_rng(seed)
    truth, fold = generator.integers(0, 2, n), np.arange(n) % folds
    score = 1 / (1 + np.exp(-(generator.normal(size=n) + 1.2 * truth + fold - 1)))
    return frame_of(truth, score, fold, threshold=np.linspace(0.4, 0.8, folds)[fold])


def of(frame, replicates=200, targets=None, **options):
    found = by_fold.section(frame, config(targets or {"ill": "binary"}, replicates), **options)
    json.dumps(found, allow_nan=False)
    return found["targets"]["ill"]


def test_folds_that_rank_rightly_on_two_scales():
    """By hand: each fold is perfect; pooled, the positive of the first lies below the negative of the second: 3 of 4 pairs."""
    found = of(frame_of([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], threshold=[0.15, 0.15, 0.85, 0.85]))
    assert [row["auc"]["value"] for row in found["folds"]] == [1, 1]
    assert found["mean"]["auc"]["value"] == 1
    assert found["pooled"]["auc"]["value"] == 0.75
    assert found["pooled_minus_mean"]["auc"]["value"] == -0.25
    # each by its own threshold, all four are called rightly; one threshold for all could not do that
    assert found["pooled"]["accuracy"]["value"] == 1
    assert found["sd"]["auc"] == 0


def test_numbers_are_scikit_learns():
    frame = cohort()
    found = of(frame)
    aucs, called = [], frame["ill"] >= frame["ill_threshold"]
    for fold, rows in frame.groupby("cv_fold"):
        row = found["folds"][fold]
        aucs.append(sk.roc_auc_score(rows["ill_true"], rows["ill"]))
        assert row["auc"]["value"] == pytest.approx(aucs[-1])
        assert row["sensitivity"]["value"] == pytest.approx(sk.recall_score(rows["ill_true"], called[rows.index]))
        assert (row["n"], row["patients"], row["positives"]) == (len(rows), len(rows), rows["ill_true"].sum())
    assert found["mean"]["auc"]["value"] == pytest.approx(np.mean(aucs))
    assert found["sd"]["auc"] == pytest.approx(stats.tstd(aucs))
    assert found["pooled"]["auc"]["value"] == pytest.approx(sk.roc_auc_score(frame["ill_true"], frame["ill"]))
    specificity = sk.recall_score(frame["ill_true"], called, pos_label=0)
    assert found["pooled"]["specificity"]["value"] == pytest.approx(specificity)


def test_the_scale_of_a_fold_changes_what_is_pooled_and_nothing_else():
    frame = cohort()
    squeezed = frame.copy()
    rows = frame["cv_fold"] == 1
    for column in ("ill", "ill_threshold"):
        squeezed.loc[rows, column] = frame.loc[rows, column] ** 8
    before, after = of(frame), of(squeezed)
    for key in ("auc", "average_precision", "sensitivity", "specificity"):
        for end in ("value", "low", "high"):
            assert before["mean"][key][end] == pytest.approx(after["mean"][key][end]), key
    assert before["pooled"]["sensitivity"] == after["pooled"]["sensitivity"]
    assert before["pooled"]["auc"]["value"] != after["pooled"]["auc"]["value"]
    assert after["pooled_minus_mean"]["auc"]["high"] < 0


def test_one_fold_is_its_own_mean():
    """The draws of the mean are those of the fold: intervals agree to the last digit that sums keep."""
    found = of(cohort().assign(cv_fold=0))
    for key in KEYS["binary"]:
        assert found["mean"][key]["value"] == pytest.approx(found["folds"][0][key]["value"])
        mean, fold = (one["bootstrap"]["percentile"] for one in (found["mean"][key], found["folds"][0][key]))
        assert mean == pytest.approx(fold, abs=1e-9), key
    assert found["pooled_minus_mean"]["auc"]["value"] == pytest.approx(0, abs=1e-12)
    assert found["sd"]["auc"] is None


def test_every_draw_keeps_the_size_of_each_fold():
    """Also of a fold with a single patient, who is in every draw; and patients are drawn, never rows."""
    fold = np.array([0, 0, 0, 1, 1, 2, 2])
    patients = ["d", "c", "b", "a", "e", "f", "f"]
    counts = np.concatenate(list(by_fold.WithinFolds(patients, fold, replicates=300).counts()))
    assert counts.shape == (300, 6)
    of = {name: counts[:, i] for i, name in enumerate("abcdef")}
    assert (of["b"] + of["c"] + of["d"] == 3).all()
    assert (of["a"] + of["e"] == 2).all()
    assert (of["f"] == 1).all()
    assert 0.45 < of["a"].mean() / 2 < 0.55


def test_copies_of_a_patients_rows_say_nothing_new():
    frame = cohort(n=90)
    twice = pd.concat([frame, frame], ignore_index=True).assign(row=range(180))
    once, again = of(frame)["mean"], of(twice)["mean"]
    for key in KEYS["binary"]:
        assert again[key]["value"] == pytest.approx(once[key]["value"])
        assert (again[key]["low"], again[key]["high"]) == pytest.approx((once[key]["low"], once[key]["high"]))


@pytest.mark.parametrize("kind", KINDS)
def test_whole_weights_are_copies_of_rows(kind):
    """Weights 0, 1, 2 of patients give what scikit-learn and SciPy say of the rows, copied as often."""
    generator = np.random.default_rng(4)
    n, target = 60, KINDS[kind]
    frame = pd.DataFrame({"row": range(n), "patient": np.arange(n) // 2})
    if kind == "multiclass":
        truth = generator.integers(0, 3, n)
        scores = generator.random((n, 3)) + np.eye(3)[truth]
        scores /= scores.sum(axis=1, keepdims=True)
        frame = frame.assign(t_true=truth, **{f"t_{i}": scores[:, i] for i in range(3)})
    else:
        truth = generator.integers(0, 2, n) if kind == "binary" else generator.normal(50, 10, n)
        scores = (
            np.clip(0.3 * truth + 0.7 * generator.random(n), 0, 1)
            if kind == "binary"
            else truth + generator.normal(1, 5, n)
        )
        frame = frame.assign(t_true=truth, t=scores)
    weights = generator.integers(0, 3, n // 2)
    copies = np.repeat(np.arange(n), weights[np.arange(n) // 2])
    found = statistic(sample(frame, "t", target), target, 0.5, np.arange(n) // 2)(weights[None].astype(float))
    truth, scores = truth[copies], scores[copies]
    called = scores.argmax(axis=1) if kind == "multiclass" else scores >= 0.5
    expected = {
        "binary": lambda: {
            "auc": sk.roc_auc_score(truth, scores), "average_precision": sk.average_precision_score(truth, scores),
            "log_loss": sk.log_loss(truth, scores), "brier": sk.brier_score_loss(truth, scores),
            "sensitivity": sk.recall_score(truth, called), "specificity": sk.recall_score(truth, called, pos_label=0),
            "accuracy": sk.accuracy_score(truth, called), "balanced_accuracy": sk.balanced_accuracy_score(truth, called),
        },
        "multiclass": lambda: {
            "auc_macro": sk.roc_auc_score(truth, scores, multi_class="ovr"), "accuracy": sk.accuracy_score(truth, called),
            "balanced_accuracy": sk.balanced_accuracy_score(truth, called), "log_loss": sk.log_loss(truth, scores),
        },
        "regression": lambda: {
            "mean_absolute_error": sk.mean_absolute_error(truth, scores), "bias": np.mean(scores - truth),
            "root_mean_squared_error": sk.root_mean_squared_error(truth, scores), "pearson_r": stats.pearsonr(truth, scores)[0],
        },
    }[kind]()  # fmt: skip
    assert set(found) == set(KEYS[kind])
    for key, value in expected.items():
        assert found[key][0] == pytest.approx(value), key


def test_a_fold_without_positives_has_no_mean():
    frame = cohort()
    frame.loc[frame["cv_fold"] == 1, "ill_true"] = 0
    found = of(frame)
    assert found["mean"]["auc"] == {"value": None, "low": None, "high": None, "reason": "undefined in fold 1"}
    assert found["sd"]["auc"] is None
    assert found["pooled_minus_mean"]["auc"]["reason"] == "undefined in fold 1"
    assert found["mean"]["specificity"]["low"] is not None
    assert found["pooled"]["auc"]["value"] is not None


@pytest.mark.parametrize(
    "changed",
    [
        lambda f: f.assign(ill=0.5),
        lambda f: f.assign(ill_true=1.0),
        lambda f: f.assign(ill_true=f["ill_true"].where(f["cv_fold"] != 2)),
        lambda f: f.iloc[:3],
        lambda f: f.assign(patient="one"),
        lambda f: f.assign(patient=f["cv_fold"].astype(str)),
    ],
    ids=["constant", "one class", "a fold without labels", "three examples", "one patient", "a patient a fold"],
)
def test_awkward_folds_are_answered_without_a_warning(changed):
    found = of(changed(cohort(n=30)), replicates=50)
    for row in [*found["folds"], found["mean"], found["pooled"], found["pooled_minus_mean"]]:
        for metric in row.values():
            if isinstance(metric, dict):
                assert metric["low"] is not None or metric["reason"]


def test_no_label_no_numbers():
    assert of(cohort(n=30).assign(ill_true=np.nan)) == {"kind": "binary", "reason": "no example with a known label"}


def test_flat_regression_and_no_draws():
    frame = cohort(n=30).assign(ill=40.0).drop(columns="ill_threshold")
    frame["ill_true"] = np.arange(30.0)
    found = of(frame, replicates=0, targets={"ill": "regression"})
    assert found["mean"]["pearson_r"]["reason"] == "undefined in folds 0, 1, 2"
    assert found["mean"]["bias"]["value"] == pytest.approx(40 - 14.5)
    assert "replicates is 0" in found["mean"]["bias"]["reason"]
    assert found["pooled_minus_mean"] == {}


def test_what_was_judged_already_is_taken():
    judged = {"ill": {key: {"value": 0.123, "low": 0, "high": 1} for key in KEYS["binary"]}}
    assert of(cohort(), judged=judged)["pooled"]["auc"]["value"] == 0.123


def test_every_target_with_labels_is_drawn_also_where_numbers_are_missing():
    from medtf.evaluate.draw import fold_plots, plots

    frame = cohort(n=60)
    frame.loc[frame["cv_fold"] == 1, "ill_true"] = 0
    frame = frame.assign(age=frame["ill"] * 50, age_true=np.arange(60.0), none=0.5, none_true=np.nan)
    targets = {"ill": "binary", "age": "regression", "none": "binary"}
    drawn = list(fold_plots.figures(by_fold.section(frame, config(targets, 50))))
    assert [(name, target) for name, target, *_ in drawn] == [("folds_ill", "ill"), ("folds_age", "age")]
    words = [text.get_text() for text in drawn[0][3].axes[0].texts]
    assert "none: undefined in fold 1" in words
    assert all(plots.png(figure).startswith(b"\x89PNG") for *_, figure in drawn)


def test_predictions_of_a_single_run_are_refused():
    with pytest.raises(MedtfError, match="no column 'cv_fold'"):
        of(cohort().drop(columns="cv_fold"))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3])
def test_the_interval_of_the_mean_holds_what_it_promises(rows):
    """Binormal scores of known AUC, five folds of 40 patients with 1 or 3 rows each: 95 % of 500 intervals should hold it."""
    distance, hit = 1.2, 0
    for seed in range(500):
        generator = np.random.default_rng(seed)
        people = np.arange(200)
        truth = np.repeat(generator.integers(0, 2, 200), rows)
        score = distance * truth + np.repeat(generator.normal(size=200), rows) * np.sqrt(0.7 if rows > 1 else 1)
        score = score + generator.normal(size=len(truth)) * np.sqrt(0.3 if rows > 1 else 0)
        frame = frame_of(
            truth, stats.norm.cdf(score / 2), np.repeat(people % 5, rows), patients=np.repeat(people, rows)
        )
        mean = mean_alone(frame, replicates=400)
        hit += mean["low"] <= stats.norm.cdf(distance / np.sqrt(2)) <= mean["high"]
    assert 0.92 <= hit / 500 <= 0.975, hit


def mean_alone(frame, replicates) -> dict:
    """The mean of the folds' AUCs, without judging each fold in full."""
    known, target = sample(frame, "ill", KINDS["binary"]), KINDS["binary"]
    values = [sk.roc_auc_score(rows["ill_true"], rows["ill"]) for _, rows in frame.groupby("cv_fold")]
    rows = [{"fold": i} | {key: {"value": value} for key in KEYS["binary"]} for i, value in enumerate(values)]
    judged = {key: {"value": values[0]} for key in KEYS["binary"]}
    bootstrap = by_fold.WithinFolds(frame["patient"], frame["cv_fold"], replicates=replicates)
    return by_fold._together(known, target, np.full(len(frame), 0.5), frame, bootstrap, rows, judged)["mean"]["auc"]
