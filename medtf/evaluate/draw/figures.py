"""All figures that belong to one metrics.json, by the name of their file."""

import re
from collections.abc import Iterator
from itertools import chain

import pandas as pd
from matplotlib.figure import Figure

from medtf.config import Target
from medtf.evaluate.draw import (
    calibration_plots,
    decision_plots,
    fold_plots,
    group_plots,
    multiclass_plots,
    plots,
    regression_plots,
    trust_plots,
)
from medtf.evaluate.predictions import of_fold, per_patient, sample

# of each target, from its section of metrics.json alone: (name, numbers) -> (kind, caption, figure) of what it holds
TOPICS = (decision_plots.figures, group_plots.figures, trust_plots.figures)


def figures(
    metrics: dict, predictions: pd.DataFrame, history: pd.DataFrame | None = None
) -> Iterator[tuple[str, str | None, str, Figure]]:
    """Yield (file name without suffix, target or None, caption, figure).

    Args:
        metrics: as `judge` gives them. predictions: what was judged (rows of other folds are ignored).
        history: history.csv of the run, if there is one.
    """
    frame = of_fold(predictions, metrics["split"])
    for name, numbers in metrics["targets"].items():
        if numbers["n"]:
            target = Target(kind=numbers["kind"], classes=tuple(numbers.get("classes", ())))
            drawn = _DRAW[target.kind](frame, name, target, numbers, metrics["per_patient"])
            topics = chain.from_iterable(draw(name, numbers) for draw in TOPICS)
            probabilities = sample(frame, name, target).prediction if target.kind != "regression" else None
            calibrated = calibration_plots.figures(name, numbers, probabilities)
            for kind, caption, figure in chain(drawn, topics, calibrated):
                yield _file(f"{kind}_{name}"), name, caption, figure
    if "cross_validation" in metrics:
        for kind, name, caption, figure in fold_plots.figures(metrics["cross_validation"]):
            yield _file(kind), name, caption, figure
    if history is not None and len(history) and "loss" in history:
        yield "history", None, "Loss by epoch, on the training and the validation fold.", plots.history(history)


def _file(name: str) -> str:
    """A name that is one file in any folder: targets and columns come from untrusted tables."""
    return re.sub(r"[^\w.-]+", "_", name)


def _binary(frame, name, target, numbers, per):
    known = sample(frame, name, target)
    patients = None
    if known.patients < len(known.truth):
        gathered = sample(per_patient(frame, name, target, per["aggregate"]), name, target)
        patients = gathered.truth, gathered.prediction, per["targets"][name]
    meant = f"{name} = {numbers['positive']}"  # the positive class stands in every title
    if numbers["auc"]["value"] is not None:
        yield (
            "roc",
            f"ROC curve, positive: {meant}; the dot is the threshold.",
            plots.roc(known.truth, known.prediction, numbers, title=f"ROC curve: {meant}", patients=patients),
        )
        yield (
            "precision_recall",
            f"Precision over recall, positive: {meant}; per example.",
            plots.precision_recall(known.truth, known.prediction, numbers, title=f"Precision and recall: {meant}"),
        )
    cells = numbers["confusion"]
    counts, labels = (
        [[cells["tp"], cells["fn"]], [cells["fp"], cells["tn"]]],
        [numbers["positive"], numbers["negative"]],
    )
    yield (
        "confusion",
        f"Counts and share of each row, per example; positive: {meant}.",
        plots.confusion(counts, labels, title=f"Confusion: {name}"),
    )


def _multiclass(frame, name, target, numbers, per):
    known = sample(frame, name, target)
    if any(row["auc"]["value"] is not None for row in numbers["per_class"].values()):
        yield (
            "roc",
            "ROC curve of each class against all others, per example.",
            multiclass_plots.roc_per_class(known.truth, known.prediction, numbers, title=f"ROC curves: {name}"),
        )
    yield (
        "confusion",
        "Counts and share of each row, per example.",
        plots.confusion(numbers["confusion"], numbers["classes"], title=f"Confusion: {name}"),
    )
    yield (
        "classes",
        "Sensitivity and precision of each class, per example, with intervals.",
        multiclass_plots.calls_per_class(numbers, title=f"Calls of each class: {name}"),
    )


def _regression(frame, name, target, numbers, per):
    known = sample(frame, name, target)
    yield (
        "scatter",
        "One dot an example; the fit is a straight line of predicted on true.",
        regression_plots.scatter(known.truth, known.prediction, numbers, title=f"Predicted and true: {name}"),
    )
    if "sd" in numbers["agreement"]:
        yield (
            "bland_altman",
            "Bland-Altman: 95 % of the differences are expected between the limits; bands are intervals.",
            regression_plots.bland_altman(
                known.truth, known.prediction, numbers["agreement"], title=f"Agreement: {name}"
            ),
        )


_DRAW = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}
