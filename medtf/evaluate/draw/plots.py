"""Figures of a judgement: ranking, thresholds, and how the training went; those of numbers with a unit are in regression_plots.py."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, legend, new_axes, png, range_text, short
from medtf.evaluate.metrics import as_text

__all__ = ["confusion", "history", "png", "precision_recall", "roc"]

_BLUES = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#9CC7E4", BLUE])


def roc(truth, probability, metrics: dict, *, title: str = "", patients: tuple | None = None) -> Figure:
    """ROC curve with AUC, its interval, and the point of the threshold.

    Args:
        truth: (n,) 0 or 1. probability: (n,) of the positive class.
        metrics: the target's section of metrics.json.
        title: above the figure.
        patients: (truth, probability, metrics) of the patients, for a second curve.
    """
    figure, axes = new_axes(title or "ROC curve", "1 - specificity (false alarms)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="guessing")
    _roc_line(
        axes, truth, probability, metrics, colour=BLUE, dashes="-", label="examples" if patients is not None else ""
    )
    if patients is not None:
        _roc_line(axes, *patients, colour=GREEN, dashes="--", label="patients")
    _unit_square(axes)
    legend(axes)
    return figure


def precision_recall(truth, probability, metrics: dict, *, title: str = "") -> Figure:
    """Precision over sensitivity (recall), with the prevalence as the line of guessing and the threshold's point."""
    figure, axes = new_axes(title or "Precision and recall", "Sensitivity (recall)", "Precision")
    prevalence = metrics["prevalence"]["value"]
    if prevalence is not None:
        axes.axhline(prevalence, color=GREY, lw=1, ls=":", label=f"guessing: prevalence {prevalence:.1%}")
    if metrics["average_precision"]["value"] is not None:
        precision, recall, _ = precision_recall_curve(truth, probability)
        score = metrics["average_precision"]
        axes.step(
            recall,
            precision,
            color=BLUE,
            lw=2,
            where="post",
            label=f"average precision {as_text(score)}{range_text(score)}",
        )
    at = metrics["sensitivity"]["value"], metrics["precision"]["value"]
    if None not in at:
        axes.plot(*at, "o", ms=8, color=ORANGE, mec="white", label=_threshold(metrics))
    _unit_square(axes)
    legend(axes)
    return figure


def confusion(counts, labels, *, title: str = "") -> Figure:
    """Counts and row percentages of true (rows) against called (columns).

    Args:
        counts: (k, k) integers.
        labels: k names.
        title: above the figure.
    """
    counts = np.asarray(counts)
    k = len(counts)
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    side = min(9.0, max(4.4, 1.0 * k + 1.6))
    figure, axes = new_axes(title or "Confusion", "Called", "True", size=(side, side * 0.9))
    axes.imshow(share, cmap=_BLUES, vmin=0, vmax=1)
    for i, j in np.ndindex(k, k):
        text = f"{counts[i, j]:,}\n{share[i, j]:.1%}" if rows[i, 0] else "0\n–"
        axes.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            fontsize=12 if k < 4 else 10 if k < 6 else 8,
            color="white" if share[i, j] > 0.6 else INK,
        )
    names = [short(label) for label in labels]
    axes.set_xticks(range(k), names, rotation=0 if k < 4 else 45, ha="center" if k < 4 else "right")
    axes.set_yticks(range(k), names)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


def history(table: pd.DataFrame) -> Figure:
    """Loss and validation loss by epoch, the best validation epoch marked.

    Args:
        table: history.csv; columns `loss` and, if any, `val_loss`; its rows are epochs 1, 2, ...
    """
    figure, axes = new_axes("Training", "Epoch", "Loss", size=(6.4, 4.4))
    epochs = np.arange(1, len(table) + 1)
    for column, colour, dashes, label in (("loss", BLUE, "-", "training"), ("val_loss", ORANGE, "--", "validation")):
        if column in table:
            axes.plot(epochs, table[column], color=colour, ls=dashes, lw=2, marker="o", ms=4, label=label)
    if "val_loss" in table and table["val_loss"].notna().any():
        best = int(np.nanargmin(table["val_loss"]))
        axes.plot(
            epochs[best],
            table["val_loss"].iloc[best],
            "o",
            ms=11,
            mfc="none",
            mec=ORANGE,
            mew=1.5,
            label=f"best: epoch {best + 1}",
        )
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes)
    return figure


def _roc_line(axes, truth, probability, metrics, *, colour, dashes, label) -> None:
    if metrics["auc"]["value"] is None:
        return
    false_rate, true_rate, _ = roc_curve(truth, probability)
    name = f"{label}: " if label else ""
    axes.plot(
        false_rate,
        true_rate,
        color=colour,
        lw=2,
        ls=dashes,
        label=f"{name}AUC {as_text(metrics['auc'])}{range_text(metrics['auc'])}",
    )
    point = 1 - metrics["specificity"]["value"], metrics["sensitivity"]["value"]
    axes.plot(
        *point,
        "o",
        ms=8,
        color=ORANGE if dashes == "-" else colour,
        mec="white",
        label=_threshold(metrics),
    )


def _threshold(metrics: dict) -> str:
    value = metrics["threshold"]["value"]
    return "each fold's threshold" if value is None else f"threshold {value:.3g}"  # none of its own: a cross-validation


def _unit_square(axes) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
