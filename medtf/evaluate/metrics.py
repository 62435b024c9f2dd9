"""Names and one-line definitions of every metric, as the report prints them and docs/metrics.md explains them.

The numbers themselves are made in binary.py, multiclass.py and regression.py, and gathered by judge.py.
"""

# key in metrics.json -> (name, definition, printed as a percentage)
BINARY = {
    "auc": ("AUC", "Chance that a positive example scores above a negative one; 0.5 is guessing, 1 is perfect.", False),
    "average_precision": (
        "Average precision",
        "Area under the precision-recall curve; guessing gives the prevalence.",
        False,
    ),
    "log_loss": (
        "Log loss",
        "Mean surprise at the true label (natural logarithm); lower is better, 0 is perfect.",
        False,
    ),
    "brier": ("Brier score", "Mean squared distance of probability and label; lower is better, 0 is perfect.", False),
    "sensitivity": ("Sensitivity", "Share of the positives that are called positive (also called recall).", True),
    "specificity": ("Specificity", "Share of the negatives that are called negative.", True),
    "precision": ("Precision", "Share of the positive calls that are right, at the prevalence of this fold.", True),
    "f1": ("F1", "Harmonic mean of precision and sensitivity.", False),
    "accuracy": ("Accuracy", "Share of all calls that are right; it flatters when one class is rare.", True),
    "balanced_accuracy": ("Balanced accuracy", "Mean of sensitivity and specificity.", True),
    "false_negative_rate_of_positives": (
        "False negatives, of the positives",
        "Missed positives divided by all positives: the miss rate, 1 - sensitivity.",
        True,
    ),
    "false_negatives_of_all": (
        "False negatives, of all examples",
        "Missed positives divided by all examples, negative ones too; it falls with the prevalence.",
        True,
    ),
    "prevalence": ("Prevalence", "Share of positives in this fold.", True),
}

MULTICLASS = {
    "accuracy": ("Accuracy", "Share of examples whose most probable class is the true one.", True),
    "balanced_accuracy": ("Balanced accuracy", "Mean sensitivity over the classes.", True),
    "auc_macro": ("AUC, macro", "One class against the rest, plain mean over the classes.", False),
    "auc_weighted": (
        "AUC, weighted",
        "One class against the rest, mean weighted by how frequent each class is.",
        False,
    ),
    "log_loss": ("Log loss", "Mean surprise at the true class (natural logarithm); lower is better.", False),
    "cohen_kappa": ("Cohen's kappa", "Agreement beyond chance; 0 is chance, 1 is perfect.", False),
}

PER_CLASS = {
    "prevalence": ("Prevalence", "Share of this class in this fold.", True),
    "sensitivity": ("Sensitivity", "Share of this class's examples that are called it.", True),
    "specificity": ("Specificity", "Share of the others that are not called it.", True),
    "precision": ("Precision (PPV)", "Share of the calls of this class that are right.", True),
    "npv": ("NPV", "Share of the calls of other classes whose true class is not this one.", True),
    "auc": ("AUC", "This class against all others.", False),
}

REGRESSION = {
    "mean_absolute_error": (
        "Mean absolute error",
        "Mean distance of prediction and truth, in the target's unit.",
        False,
    ),
    "root_mean_squared_error": ("Root mean squared error", "As before, but large errors weigh more.", False),
    "bias": ("Bias", "Mean of prediction minus truth; above 0 the model predicts too high.", False),
    "pearson_r": ("Pearson r", "Linear correlation of prediction and truth; blind to bias and scale.", False),
    "spearman_r": ("Spearman r", "Correlation of the ranks; blind to everything but the order.", False),
    "error_truth_r": (
        "Correlation of the error with the truth",
        "Below 0 predictions are pulled towards the mean: high values come out too low beside low ones.",
        False,
    ),
    "r2": (
        "R²",
        "1 - squared error divided by the variance of the truth; below 0 is worse than guessing the mean.",
        False,
    ),
    "mean_absolute_error_of_median": (
        "Floor: mean absolute error of a constant",
        "What always guessing this fold's median would give: a model must stay below it.",
        False,
    ),
    "mean_absolute_error_of_training_mean": (
        "Floor: mean absolute error of the training mean",
        "What always guessing the training fold's mean gives.",
        False,
    ),
}

DEFINITIONS = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}
MAIN = {
    "binary": "auc",
    "multiclass": "accuracy",
    "regression": "mean_absolute_error",
}  # the number a target is known by


def as_text(metric: dict, percent: bool = False) -> str:
    """A metric's value: `0.931`, `93.1 %`, or `–` where it has none."""
    value = metric["value"]
    return "–" if value is None else _number(value, percent, _digits(metric))


def interval_text(metric: dict, percent: bool = False) -> str:
    """A metric's interval, `0.912 to 0.947`, or the reason why there is none."""
    if metric.get("low") is None:
        return metric.get("reason", "")
    digits = _digits(metric)  # one for the three numbers, so that they line up
    return f"{_number(metric['low'], percent, digits)} to {_number(metric['high'], percent, digits)}"


def _digits(metric: dict) -> int:
    """Digits after the point, for about three that count in the largest of value and interval: -0.02 (-1.79 to 1.67)."""
    size = max(abs(metric[key]) for key in ("value", "low", "high") if metric.get(key) is not None)
    return 4 if 0 < size < 0.1 else 3 if size <= 1 else 2 if size < 10 else 1


def _number(value: float, percent: bool, digits: int) -> str:
    value = value + 0.0 if abs(value) >= 0.5 * 10**-digits or percent else 0.0  # never -0.0000
    return f"{100 * value:.1f}\u00a0%" if percent else f"{value:.{digits}f}"
