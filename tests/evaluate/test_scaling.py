"""Temperature, Platt and isotonic scaling: against scikit-learn's and scipy's, and both sets of numbers."""

import json
import warnings

import numpy as np
import pytest
from samples import known
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from medtf.config import Target
from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate import scaled, scaling
from medtf.evaluate.statistics.intervals import PatientBootstrap

BINARY, LETTERS = Target(kind="binary"), Target(kind="multiclass", classes=("a", "b", "c"))


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def too_sure(n=500, seed=0, factor=0.5, shift=-0.5):
    """Logits twice as large as they should be, and lifted."""
    generator = np.random.default_rng(seed)
    x = 2 * generator.normal(size=n)
    return known(generator.random(n) < expit(factor * x + shift), expit(x))


def letters(n=400, seed=0, factor=0.4):
    generator = np.random.default_rng(seed)
    x = 2 * generator.normal(size=(n, 3))
    return known([generator.choice(3, p=softmax(factor * row)) for row in x], softmax(x, axis=1))


@pytest.fixture
def given():
    """A fitted logistic regression whose decision function is x itself, to be calibrated by scikit-learn."""

    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = np.array([0.0, 1.0]), np.ones((1, 1)), np.zeros(1)
    model.n_features_in_ = 1
    return FrozenEstimator(model)


@pytest.mark.parametrize(
    ("how", "method"), [("platt", "sigmoid"), ("temperature", "temperature"), ("isotonic", "isotonic")]
)
def test_it_is_what_scikit_learn_does(given, how, method):
    sample = too_sure()
    x = logit(sample.prediction)[:, None]
    theirs = CalibratedClassifierCV(given, method=method).fit(x, sample.truth)
    new = np.linspace(-4, 4, 41)
    ours = scaling.apply(scaling.fit(sample, how, "binary"), expit(new))
    expected = theirs.predict_proba(new[:, None])[:, 1]
    if (
        how == "isotonic"
    ):  # ours never says 0 or 1, and is straight in probabilities, not in logits: equal at the examples
        new = x[:, 0]
        ours = scaling.apply(scaling.fit(sample, how, "binary"), expit(new))
        expected = np.clip(theirs.predict_proba(x)[:, 1], 1 / 502, 501 / 502)
    assert ours == pytest.approx(expected, abs=2e-4)


def test_the_temperature_is_scipys_optimum():
    sample = letters()
    logs = np.log(sample.prediction)

    def loss(temperature):
        return log_loss(sample.truth, softmax(logs / temperature, axis=1), labels=[0, 1, 2])

    best = minimize_scalar(loss, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-9}).x
    assert scaling.fit(sample, "temperature", "multiclass")["temperature"] == pytest.approx(best, rel=1e-5)


def test_a_planted_temperature_is_found():
    assert scaling.fit(too_sure(20_000, factor=0.5, shift=0), "temperature", "binary")["temperature"] == pytest.approx(
        2, rel=0.05
    )
    assert scaling.fit(letters(20_000), "temperature", "multiclass")["temperature"] == pytest.approx(2.5, rel=0.05)


def test_platts_labels_are_drawn_in():
    """Platt 1999: (N+ + 1) / (N+ + 2) and 1 / (N- + 2). Ten positives at one value, 20 negatives at another: both are met exactly."""
    sample = known(np.r_[np.ones(10), np.zeros(20)], np.r_[np.full(10, 0.8), np.full(20, 0.4)])
    found = scaling.apply(scaling.fit(sample, "platt", "binary"), np.array([0.8, 0.4]))
    assert found == pytest.approx([11 / 12, 1 / 22])


def test_the_staircase_by_hand():
    """0.1: 0 of 10, 0.2: 4 of 10 and 0.3: 2 of 10 pool to 6 of 20, 0.9: 9 of 10."""
    truth = np.r_[np.zeros(10), np.ones(4), np.zeros(6), np.ones(2), np.zeros(8), np.ones(9), np.zeros(1)]
    parameters = scaling.fit(known(truth, np.repeat([0.1, 0.2, 0.3, 0.9], 10)), "isotonic", "binary")
    found = scaling.apply(parameters, np.array([0.0, 0.1, 0.2, 0.25, 0.3, 0.9, 1.0]))
    assert found == pytest.approx([1 / 42, 1 / 42, 0.3, 0.3, 0.3, 0.9, 0.9])


def test_several_classes_one_against_the_rest():
    sample = letters()
    parameters = scaling.fit(sample, "isotonic", "multiclass")
    found = scaling.apply(parameters, sample.prediction)
    assert found.sum(axis=1) == pytest.approx(1)
    each = [
        np.clip(IsotonicRegression(out_of_bounds="clip").fit(p, sample.truth == i).predict(p), 1 / 402, 401 / 402)
        for i, p in enumerate(sample.prediction.T)
    ]
    assert found == pytest.approx(np.column_stack(each) / np.sum(each, axis=0)[:, None])


@pytest.mark.parametrize("how", scaling.HOW)
@pytest.mark.parametrize(("sample", "kind"), [(too_sure(), "binary"), (letters(), "multiclass")])
def test_parameters_survive_json_and_give_probabilities(how, sample, kind):
    parameters = scaling.fit(sample, how, kind)
    again = json.loads(json.dumps(parameters, allow_nan=False))
    edge = np.array([0.0, 1.0, 0.5]) if kind == "binary" else np.array([[0, 0, 1.0], [1, 0, 0], [0.4, 0.3, 0.3]])
    found = scaling.apply(again, edge)
    assert found.shape == edge.shape
    assert ((found > 0) & (found < 1)).all()
    assert found.tolist() == scaling.apply(parameters, edge).tolist()


@pytest.mark.parametrize("how", ["temperature", "platt"])
def test_the_order_stays(how):
    sample = too_sure()
    changed = scaling.apply(scaling.fit(too_sure(seed=1), how, "binary"), sample.prediction)
    assert roc_auc_score(sample.truth, changed) == pytest.approx(
        roc_auc_score(sample.truth, sample.prediction), abs=1e-12
    )


@pytest.mark.parametrize(("how", "target", "make"), [("platt", BINARY, too_sure), ("temperature", LETTERS, letters)])
def test_both_sets_of_numbers(how, target, make):
    sample, kind = make(), target.kind
    parameters = scaling.fit(make(seed=1), how, kind)
    found = scaled.section(sample, target, parameters, PatientBootstrap(range(len(sample.truth)), replicates=200))
    before, after = found["before"], found["after"]
    labels = range(3) if kind == "multiclass" else [0, 1]
    assert before["log_loss"]["value"] == pytest.approx(log_loss(sample.truth, sample.prediction, labels=labels))
    changed = scaling.apply(parameters, sample.prediction)
    assert after["log_loss"]["value"] == pytest.approx(log_loss(sample.truth, changed, labels=labels))
    assert found["difference"]["log_loss"]["high"] < 0
    assert found["difference"]["log_loss"]["value"] == pytest.approx(
        after["log_loss"]["value"] - before["log_loss"]["value"]
    )
    assert after["ece"]["value"] < before["ece"]["value"]
    assert before["slope"]["high"] < 1 < after["slope"]["high"]
    if kind == "binary":
        assert after["auc"]["value"] == pytest.approx(before["auc"]["value"])
    assert found["fitted_on"] == {
        "fold": "valid",
        "n": len(sample.truth),
        "patients": len(sample.truth),
        "judged_too": False,
    }
    assert json.dumps(found, allow_nan=False)


def test_judged_on_the_fold_of_the_fit_it_says_so():
    sample = too_sure(100)
    parameters = scaling.fit(sample, "platt", "binary")
    found = scaled.section(sample, BINARY, parameters, PatientBootstrap(range(100), replicates=0), fold="valid")
    assert found["fitted_on"]["judged_too"]


@pytest.mark.parametrize(
    ("truth", "probability", "how", "why"),
    [
        ([0, 1] * 5, np.linspace(0, 1, 10), "platt", "10 patients with a known label; at least 20"),
        (np.zeros(30), np.linspace(0, 1, 30), "isotonic", "one class only"),
        ([0, 1] * 20, np.full(40, 0.3), "platt", "all validation probabilities are equal"),
        ([0, 1] * 20, np.full(40, 0.3), "isotonic", "all validation probabilities are equal"),
        ([0, 1] * 20, np.full(40, 0.5), "temperature", "equal among the classes"),
        ([0, 1] * 20, [0.9, 0.1] * 20, "temperature", "tell nothing"),
        ([0, 1] * 20, [0.1, 0.9] * 20, "temperature", "call every example rightly"),
        ([0, 1] * 20, [0.9, 0.1] * 20, "platt", "do not rise"),
        ([0, 1] * 20, [0.9, 0.1] * 20, "isotonic", "do not rise"),
    ],
)
def test_without_a_rule_it_says_why(truth, probability, how, why):
    sample = known(truth, probability)
    parameters = scaling.fit(sample, how, "binary")
    assert why in parameters["reason"]
    found = scaled.section(sample, BINARY, parameters, PatientBootstrap(range(len(sample.truth)), replicates=10))
    assert found == {"how": how, "reason": parameters["reason"]}
    with pytest.raises(MedtfError, match="there is no rule to apply"):
        scaling.apply(parameters, [0.5])


def test_a_class_that_validation_lacks():
    sample = letters()
    sample.truth[sample.truth == 2] = 1
    assert "a class is missing" in scaling.fit(sample, "temperature", "multiclass")["reason"]


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(AskedWronglyError, match="did you mean 'isotonic'"):
        scaling.fit(too_sure(), "isotonik", "binary")
