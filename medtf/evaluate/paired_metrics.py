"""The numbers in which runs can differ: what each is called, which way is better, and how it is computed under many weightings at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medtf.evaluate.binary import CLIP, at_threshold
from medtf.evaluate.multiclass import from_confusion
from medtf.evaluate.statistics.ranking import Ranking
from medtf.evaluate.statistics.ranks import Spearman


@dataclass(frozen=True)
class Metric:
    """What a reader calls it, and whether more is better (None: nearer to 0 is)."""

    label: str
    more: bool | None


@dataclass(frozen=True)
class Answers:
    """One run's answers to one target, one a person.

    truth: (n,) float64: 0/1, class index or value. prediction: (n,) float64 probability or value; multiclass (n, k). threshold: of a binary
    target, from there on (>=) a person is called positive, (n,) as a cross-validation has one a fold; None: there is none.
    """

    truth: np.ndarray
    prediction: np.ndarray
    threshold: np.ndarray | None = None

    def right(self, kind: str) -> np.ndarray | None:
        """(n,) bool, whether each person is called rightly; None where there is no call."""
        if kind == "multiclass":
            return self.prediction.argmax(axis=1) == self.truth
        if kind == "regression" or self.threshold is None:
            return None
        return (self.prediction >= self.threshold) == (self.truth == 1)


METRICS = {
    "binary": {
        "auc": Metric("AUC", True),
        "average_precision": Metric("average precision", True),
        "brier": Metric("Brier score", False),
        "log_loss": Metric("log loss", False),
        "accuracy": Metric("accuracy", True),
        "balanced_accuracy": Metric("balanced accuracy", True),
        "sensitivity": Metric("sensitivity", True),
        "specificity": Metric("specificity", True),
        "f1": Metric("F1", True),
    },
    "multiclass": {
        "accuracy": Metric("accuracy", True),
        "balanced_accuracy": Metric("balanced accuracy", True),
        "auc_macro": Metric("AUC, macro", True),
        "log_loss": Metric("log loss", False),
        "cohen_kappa": Metric("Cohen's kappa", True),
    },
    "regression": {
        "mean_absolute_error": Metric("mean absolute error", False),
        "root_mean_squared_error": Metric("root mean squared error", False),
        "bias": Metric("bias", None),
        "r2": Metric("R²", True),
        "pearson_r": Metric("Pearson r", True),
        "spearman_r": Metric("Spearman r", True),
    },
}
# always compared; the first decides, with the test beside it (DECIDES). The others are secondary: their p values are read with care
COMPARED = {
    "binary": ("auc", "brier", "log_loss", "accuracy"),
    "multiclass": ("accuracy", "auc_macro", "log_loss"),
    "regression": ("mean_absolute_error", "root_mean_squared_error", "pearson_r"),
}
# kind -> (key of the deciding test, its name, what it tests); a run is better only where it and the paired bootstrap of the first number agree
DECIDES = {
    "binary": ("delong", "DeLong's test", "AUC"),
    "multiclass": ("mcnemar", "McNemar's test", "accuracy"),
    "regression": ("wilcoxon", "Wilcoxon signed-rank test", "absolute errors"),
}
UNDEFINED = {
    "auc": "needs positive and negative people; there is one class only",
    "average_precision": "needs positive and negative people; there is one class only",
    "auc_macro": "a class is missing among these people",
    "sensitivity": "no positive person",
    "specificity": "no negative person",
    "balanced_accuracy": "needs positive and negative people; there is one class only",
    "f1": "nobody is positive, or called so",
    "cohen_kappa": "one class only, in truths and calls",
    "r2": "true values are all equal",
    "pearson_r": "true or predicted values are all equal",
    "spearman_r": "true or predicted values are all equal",
}
AT_THRESHOLD = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "f1")
NO_THRESHOLD = "no threshold is stored in the run"
Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


def statistic(kind: str, answers: list[Answers], names: tuple[str, ...]) -> Statistic:
    """The numbers `names` of several runs on the same people.

    Returns:
        a function of weights (r, n) that gives {f"{metric}@{run}": (r,) float64}, NaN where undefined.
    """
    each = [_OF_KIND[kind](one, names) for one in answers]

    def together(weights):
        found = {}
        for i, one in enumerate(each):
            values = one(weights)
            found |= {f"{name}@{i}": values[name] for name in names}
        return found

    return together


def undefined(kind: str, name: str, answers: Answers) -> str:
    """Why a number of a run has no value."""
    if kind == "binary" and name in AT_THRESHOLD and answers.threshold is None:
        return NO_THRESHOLD
    return UNDEFINED.get(name, "undefined here")


def _binary(answers: Answers, names) -> Statistic:
    truth, probability = answers.truth, answers.prediction
    ranking = Ranking(truth, probability) if {"auc", "average_precision"} & set(names) else None
    precision = "average_precision" in names
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    called = np.zeros_like(truth) if answers.threshold is None else (probability >= answers.threshold).astype(float)
    linear = np.column_stack([
        (1 - truth) * (1 - called), (1 - truth) * called, truth * (1 - called), truth * called,
        (probability - truth) ** 2, -np.log(np.where(truth == 1, clipped, 1 - clipped)),
    ])  # fmt: skip

    def values(weights):
        tn, fp, fn, tp, squared, loss = (weights @ linear).T
        total = weights.sum(axis=1)
        found = at_threshold(tn, fp, fn, tp) | {"brier": squared / total, "log_loss": loss / total}
        if answers.threshold is None:
            found |= dict.fromkeys(AT_THRESHOLD, np.full(len(weights), np.nan))
        if ranking is not None:
            found["auc"], found["average_precision"] = ranking(weights, precision=precision)
        return found

    return values


def _multiclass(answers: Answers, names) -> Statistic:
    truth, n, k = answers.truth.astype(int), *answers.prediction.shape
    cell = k * truth + answers.prediction.argmax(axis=1)
    cells = (cell[:, None] == np.arange(k * k)).astype(float)  # (n, k x k)
    clipped = np.clip(answers.prediction, CLIP, 1)
    loss = -np.log((clipped / clipped.sum(axis=1, keepdims=True))[np.arange(n), truth])
    rankings = [Ranking(truth == i, answers.prediction[:, i]) for i in range(k)] if "auc_macro" in names else []

    def values(weights):
        found = from_confusion((weights @ cells).reshape(-1, k, k)) | {"log_loss": weights @ loss / weights.sum(axis=1)}
        if rankings:
            found["auc_macro"] = np.mean([ranking(weights, precision=False)[0] for ranking in rankings], axis=0)
        return found

    return values


def _regression(answers: Answers, names) -> Statistic:
    truth, predicted = answers.truth - answers.truth.mean(), answers.prediction - answers.prediction.mean()
    error = answers.prediction - answers.truth
    columns = [
        np.ones_like(truth),
        np.abs(error),
        error,
        error**2,
        truth,
        predicted,
        truth**2,
        predicted**2,
        truth * predicted,
    ]
    linear = np.column_stack(columns)
    spearman = Spearman(answers.truth, answers.prediction) if "spearman_r" in names else None

    def values(weights):
        total, *sums = (weights @ linear).T
        absolute, bias, squared, t, p, tt, pp, tp = (one / total for one in sums)
        # of centred squares this much is rounding: a draw of one person's copies has no spread
        spread_t, spread_p = (np.where(s - m**2 > 1e-12 * s, s - m**2, np.nan) for s, m in ((tt, t), (pp, p)))
        found = {
            "mean_absolute_error": absolute,
            "root_mean_squared_error": np.sqrt(squared),
            "bias": bias,
            "r2": 1 - squared / spread_t,
            "pearson_r": (tp - t * p) / np.sqrt(spread_t * spread_p),
        }
        return found | ({"spearman_r": spearman(weights)} if spearman else {})

    return values


_OF_KIND = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}
