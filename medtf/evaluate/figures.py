"""All figures that belong to one metrics.json, by the name of their file."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from medtf.config import Target
from medtf.evaluate import plots, regression_plots
from medtf.evaluate.predictions import of_fold, per_patient, sample


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
            for kind, caption, figure in _DRAW[target.kind](frame, name, target, numbers, metrics["per_patient"]):
                yield f"{kind}_{name}", name, caption, figure
    if history is not None and len(history) and "loss" in history:
        yield "history", None, "Loss by epoch, on the training and the validation fold.", plots.history(history)


def _binary(frame, name, target, numbers, per):
    known = sample(frame, name, target)
    patients = None
    if known.patients < len(known.truth):
        gathered = sample(per_patient(frame, name, target, per["aggregate"]), name, target)
        patients = gathered.truth, gathered.prediction, per["targets"][name]
    if numbers["auc"]["value"] is not None:
        yield (
            "roc",
            "ROC curve; the dot is the threshold.",
            plots.roc(known.truth, known.prediction, numbers, title=f"ROC curve: {name}", patients=patients),
        )
        yield (
            "precision_recall",
            "Precision over recall, per example.",
            plots.precision_recall(known.truth, known.prediction, numbers, title=f"Precision and recall: {name}"),
        )
    cells = numbers["confusion"]
    counts, labels = (
        [[cells["tp"], cells["fn"]], [cells["fp"], cells["tn"]]],
        [numbers["positive"], numbers["negative"]],
    )
    yield (
        "confusion",
        "Counts and share of each row, per example.",
        plots.confusion(counts, labels, title=f"Confusion: {name}"),
    )


def _multiclass(frame, name, target, numbers, per):
    yield (
        "confusion",
        "Counts and share of each row, per example.",
        plots.confusion(numbers["confusion"], numbers["classes"], title=f"Confusion: {name}"),
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
    for column, rows in numbers.get("subgroups", {}).items():
        if any(row["group"] is not None and row["bias"]["value"] is not None for row in rows):
            yield (
                f"by_{column}",
                f"Error by {column}, with intervals over patients.",
                regression_plots.by_group(rows, column, numbers, title=f"Error by {column}: {name}"),
            )


_DRAW = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}
