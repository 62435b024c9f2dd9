"""Probes on features made by hand: votes, lines, and what the validation fold chooses."""

import numpy as np
import pytest

from medtf.errors import MedtfError
from medtf.evaluate import probes
from medtf.evaluate.probes import TEMPERATURE, Known, fit

RNG = np.random.default_rng(0)
EMPTY = Known(np.zeros((0, 2)), np.zeros(0))


def rotated(cosines) -> np.ndarray:
    """Directions in the plane with these cosines to the first axis."""
    cosines = np.asarray(cosines, float)
    return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)


def test_neighbours_vote_by_their_similarity():
    """The second neighbour is less similar by 0.07 x ln 3, so its vote weighs a third of the first one's: 3 / 4 against 1 / 4."""
    memory = rotated([1, 1 - TEMPERATURE * np.log(3)])
    probe = fit("knn", Known(memory, np.array([1.0, 0.0])), EMPTY, kind="binary")
    assert probe.answer(np.array([[5.0, 0.0]])) == pytest.approx([1.0]), "of two examples k = 1 is all there is"
    answers = probes.METHODS["knn"](Known(np.repeat(memory, [1, 4], axis=0), np.array([1.0, 0, 0, 0, 0])), "binary", 2)
    assert answers(np.array([[5.0, 0.0]]))[5] == pytest.approx([3 / (3 + 4)])
    numbers = probes.METHODS["knn"](
        Known(np.repeat(memory, [1, 4], axis=0), np.array([70.0, 0, 0, 0, 0])), "regression", 1
    )
    assert numbers(np.array([[5.0, 0.0]]))[5] == pytest.approx([30])


def test_neighbours_are_the_nearest_directions():
    memory = rotated([0.1, 0.5, 0.9, 0.95, 0.99, 1.0])
    classes = np.array([0, 0, 1, 1, 2, 2.0])
    answers = probes.METHODS["knn"](Known(memory, classes), "multiclass", 3)
    assert answers(np.array([[1.0, 0.0]]))[1].tolist() == [[0, 0, 1]]
    five = answers(np.array([[1.0, 0.0]]))[5][0]
    assert five.sum() == pytest.approx(1)
    assert five[2] > five[1] > five[0] > 0, "the least similar of six is not asked, the fifth is"


def cloud(n=200, shift=1.0, f=5):
    """Two classes, apart along the first feature."""
    truth = (np.arange(n) % 2).astype(float)
    return Known(RNG.normal(size=(n, f)) + shift * np.outer(2 * truth - 1, np.eye(f)[0]), truth)


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_what_is_far_apart_is_told_apart(method):
    probe = fit(method, cloud(shift=20), cloud(shift=20), kind="binary")
    asked = cloud(shift=20)
    assert ((probe.answer(asked.features) > 0.5) == (asked.truth == 1)).all()


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_noise_is_held_back_as_far_as_it_goes(method):
    """Labels that have nothing to do with the features: the validation fold asks for the strongest hold, or the most neighbours."""
    generator = np.random.default_rng(1)
    train, valid = (
        Known(generator.normal(size=(300, 40)), generator.integers(0, 2, 300).astype(float)) for _ in range(2)
    )
    chosen = fit(method, train, valid, kind="binary").chosen
    if method == "knn":
        assert chosen["k"] == max(probes.NEIGHBOURS)
    else:
        assert chosen["C"] <= 1e-3
        assert chosen["valid_log_loss"] == pytest.approx(np.log(2), abs=0.01), "as good as guessing, and no worse"


def test_a_line_does_not_mind_the_scale_of_a_feature():
    train, valid, asked = cloud(), cloud(), cloud().features
    stretch = np.array([1, 1e6, 1e-6, 3, 1])
    plain = fit("linear", train, valid, kind="binary")
    stretched = fit(
        "linear",
        Known(train.features * stretch, train.truth),
        Known(valid.features * stretch, valid.truth),
        kind="binary",
    )
    assert plain.chosen["C"] == stretched.chosen["C"]
    np.testing.assert_allclose(plain.answer(asked), stretched.answer(asked * stretch), atol=1e-4)


def test_neighbours_do_not_mind_the_length_of_a_vector():
    train, valid, asked = cloud(), cloud(), cloud().features
    longer = RNG.uniform(0.5, 50, (len(asked), 1))
    probe = fit("knn", train, valid, kind="binary")
    np.testing.assert_allclose(probe.answer(asked), probe.answer(asked * longer), atol=1e-9)


@pytest.mark.parametrize("method", ["linear", "knn"])
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_unknown_labels_change_nothing(method, kind):
    train, valid, asked = cloud(), cloud(), cloud().features
    more = Known(
        np.concatenate([train.features, 9 * np.ones((7, 5))]), np.concatenate([train.truth, np.full(7, np.nan)])
    )
    few = Known(
        np.concatenate([valid.features, 9 * np.ones((7, 5))]), np.concatenate([valid.truth, np.full(7, np.nan)])
    )
    np.testing.assert_array_equal(
        fit(method, train, valid, kind=kind).answer(asked), fit(method, more, few, kind=kind).answer(asked)
    )


def test_ridge_regression_is_the_closed_form():
    """(X'X + alpha I)^-1 X'y of standardised features and centred values."""
    train, valid = (
        Known(RNG.normal(size=(50, 3)), RNG.normal(size=50)),
        Known(RNG.normal(size=(20, 3)), RNG.normal(size=20)),
    )
    probe = fit("linear", train, valid, kind="regression")
    mean, deviation = train.features.mean(axis=0), train.features.std(axis=0)
    x, asked = (train.features - mean) / deviation, RNG.normal(size=(4, 3))
    slope = np.linalg.solve(x.T @ x + probe.chosen["alpha"] * np.eye(3), x.T @ (train.truth - train.truth.mean()))
    np.testing.assert_allclose(probe.answer(asked), (asked - mean) / deviation @ slope + train.truth.mean())


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_a_class_that_nobody_has_is_never_named(method):
    train = Known(RNG.normal(size=(30, 4)), np.repeat([0.0, 2.0], 15))
    answer = fit(method, train, train, kind="multiclass", classes=3).answer(RNG.normal(size=(6, 4)))
    assert answer.shape == (6, 3)
    assert (answer[:, 1] == 0).all()
    np.testing.assert_allclose(answer.sum(axis=1), 1)


def test_without_validation_labels_nothing_is_chosen():
    nobody = Known(RNG.normal(size=(8, 5)), np.full(8, np.nan))
    for method, key, value in (("linear", "C", 0.01), ("knn", "k", 20)):
        chosen = fit(method, cloud(), nobody, kind="binary").chosen
        assert chosen[key] == value
        assert "no known label" in chosen["reason"]


def test_the_loss_is_the_mean_surprise():
    assert probes.loss(np.array([0.25, 0.5]), np.array([1.0, 0.0]), "binary") == pytest.approx(np.log(4 * 2) / 2)
    three = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    assert probes.loss(three, np.array([0.0, 2.0]), "multiclass") == pytest.approx(-np.log(0.5 * 0.8) / 2)
    assert probes.loss(np.array([1.0, 4.0]), np.array([2.0, 2.0]), "regression") == 2.5


def test_what_cannot_be_fitted():
    one = Known(np.ones((4, 2)), np.ones(4))
    with pytest.raises(MedtfError, match="ill: the training fold has examples of one class only"):
        fit("linear", one, one, kind="binary", name="ill")
    with pytest.raises(MedtfError, match="ill: the training fold has no known label"):
        fit("knn", Known(np.ones((4, 2)), np.full(4, np.nan)), one, kind="binary", name="ill")
    with pytest.raises(MedtfError, match="not finite"):
        fit("knn", Known(np.full((4, 2), np.nan), np.ones(4)), one, kind="binary", name="ill")
