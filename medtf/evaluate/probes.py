"""Probes: how much of a target lies in the features of a network that stays as it is, read off by a line or by the nearest neighbours.

Both are fitted on the training fold and judge nothing: what they leave open (how strongly a line is held back, how many neighbours are
asked) is chosen on the validation fold. Neither TensorFlow nor Keras is needed: features are arrays.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from medtf.errors import MedtfError
from medtf.evaluate.binary import CLIP

STRENGTHS = tuple(10.0**i for i in range(-5, 3))  # C of the logistic regression, from the most held back
ALPHAS = tuple(10.0**i for i in range(6, -3, -1))  # of the ridge regression
NEIGHBOURS = (1, 5, 10, 20, 50, 100, 200)
TEMPERATURE = 0.07  # of the neighbours' votes (Wu 2018, arXiv 1805.01978; as in DINO, Caron 2021, arXiv 2104.14294)
ITERATIONS = 1000
BLOCK = 1024  # examples whose neighbours are looked for at once
WITHOUT = {"C": 1e-2, "alpha": 1e3, "k": 20}  # where the validation fold has no label to choose by
Answers = Callable[[np.ndarray], dict[float, np.ndarray]]  # features (m, f) -> {option: answers (m,) or (m, k)}


@dataclass(frozen=True)
class Known:
    """Features (n, f) of examples, and what is true of them (n,): 0/1, class index or value, NaN = unknown."""

    features: np.ndarray
    truth: np.ndarray

    def labelled(self) -> "Known":
        """Those whose label is known."""
        known = ~np.isnan(self.truth)
        return Known(np.asarray(self.features, np.float64)[known], np.asarray(self.truth, np.float64)[known])


@dataclass(frozen=True)
class Probe:
    """A fitted probe. `answer`: features (m, f) -> (m,) probability or value, of classes (m, k). `chosen`: what validation chose, and its loss."""

    answer: Callable[[np.ndarray], np.ndarray]
    chosen: dict


def fit(method: str, train: Known, valid: Known, *, kind: str, classes: int = 2, name: str = "target") -> Probe:
    """Fit one probe for one target.

    Args:
        method: `linear`: logistic regression (of several classes multinomial) or ridge regression on features standardised by the training
            fold; `knn`: votes of the neighbours with the largest cosine similarity, weighted by exp(similarity / 0.07), of a number their
            weighted mean.
        train, valid: of the training and of the validation fold; unknown labels are left out.
        kind: binary, multiclass or regression.
        classes: of a multiclass target.
        name: of the target, for errors.
    Returns:
        the probe with the smallest log loss (of numbers: mean squared error) on the validation fold.
    Raises:
        MedtfError: no known label in the training fold, or of a line one class only.
    """
    train, valid = train.labelled(), valid.labelled()
    if not len(train.truth):
        raise MedtfError(f"{name}: the training fold has no known label: nothing can be read off the features")
    if not np.isfinite(train.features).all() or not np.isfinite(valid.features).all():
        raise MedtfError(f"{name}: features that are not finite: did the training of these weights diverge?")
    if kind != "regression" and method == "linear" and len(np.unique(train.truth)) < 2:
        raise MedtfError(f"{name}: the training fold has examples of one class only: a line needs two")
    answers = METHODS[method](train, kind, classes)
    key = {"linear": "alpha" if kind == "regression" else "C", "knn": "k"}[method]
    found = answers(valid.features) if len(valid.truth) else answers(train.features[:1])
    if len(valid.truth):
        losses = {option: loss(one, valid.truth, kind) for option, one in found.items()}
        best = min(losses, key=losses.get)
        by = {"valid_mean_squared_error" if kind == "regression" else "valid_log_loss": losses[best]}
    else:
        best = min(found, key=lambda option: abs(np.log(option / WITHOUT[key])))
        by = {"reason": "the validation fold has no known label to choose by"}
    return Probe(lambda features: answers(np.asarray(features, np.float64))[best], {key: best, **by})


def loss(answers: np.ndarray, truth: np.ndarray, kind: str) -> float:
    """What is chosen by: the mean log loss (natural logarithm), or of numbers the mean squared error."""
    if kind == "regression":
        return float(np.mean((answers - truth) ** 2))
    right = answers[np.arange(len(truth)), truth.astype(int)] if kind == "multiclass" else None
    right = np.where(truth == 1, answers, 1 - answers) if right is None else right
    return float(-np.log(np.clip(right, CLIP, 1)).mean())


def _linear(train: Known, kind: str, classes: int) -> Answers:
    """Lines that are held back more and less."""
    scaler = StandardScaler().fit(train.features)
    scaled = scaler.transform(train.features)
    if kind == "regression":
        lines = {alpha: Ridge(alpha=alpha).fit(scaled, train.truth) for alpha in ALPHAS}
        return lambda features: {alpha: line.predict(scaler.transform(features)) for alpha, line in lines.items()}
    models = {}
    with warnings.catch_warnings():
        # a line that is hardly held back may not settle; it seldom is the best
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in STRENGTHS:
            models[strength] = LogisticRegression(C=strength, max_iter=ITERATIONS).fit(scaled, train.truth.astype(int))
    columns = classes if kind == "multiclass" else 2

    def answers(features):
        scaled = scaler.transform(features)
        return {strength: _classes(model, scaled, kind, columns) for strength, model in models.items()}

    return answers


def _classes(model, scaled: np.ndarray, kind: str, columns: int) -> np.ndarray:
    whole = np.zeros((len(scaled), columns))  # a class that the training fold lacks is never named
    whole[:, model.classes_] = model.predict_proba(scaled)
    return whole if kind == "multiclass" else whole[:, 1]


def _knn(train: Known, kind: str, classes: int) -> Answers:
    """Votes of few neighbours and of many."""
    memory = _directions(train.features)
    counts = [k for k in NEIGHBOURS if k <= len(memory)] or [len(memory)]
    columns = classes if kind == "multiclass" else 2
    votes = train.truth[:, None] if kind == "regression" else np.eye(columns)[train.truth.astype(int)]

    def answers(features):
        found = {k: np.empty((len(features), votes.shape[1])) for k in counts}
        for start in range(0, len(features), BLOCK):
            similar = _directions(features[start : start + BLOCK]) @ memory.T
            most = min(max(counts), similar.shape[1] - 1)
            nearest = np.argpartition(-similar, most, axis=1)[:, : max(counts)]
            near = np.take_along_axis(similar, nearest, axis=1)
            order = np.argsort(-near, axis=1, kind="stable")
            near, vote = np.take_along_axis(near, order, axis=1), votes[np.take_along_axis(nearest, order, axis=1)]
            weight = np.exp((near - near[:, :1]) / TEMPERATURE)
            for k in counts:
                share = weight[:, :k] / weight[:, :k].sum(axis=1, keepdims=True)
                found[k][start : start + BLOCK] = np.einsum("nk,nkc->nc", share, vote[:, :k])
        if kind == "regression":
            return {k: one[:, 0] for k, one in found.items()}
        shares = {k: np.clip(one, 0, 1) for k, one in found.items()}  # a sum of shares may end a bit above 1
        return {k: one if kind == "multiclass" else one[:, 1] for k, one in shares.items()}

    return answers


def _directions(features: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays one, and is like nothing."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1)


METHODS: dict[str, Callable[[Known, str, int], Answers]] = {"linear": _linear, "knn": _knn}
