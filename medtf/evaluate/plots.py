"""Figures of a judgement. Figures are made without pyplot, so there is no global state and no display is needed.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; lines also differ in their dashes.
"""

import io

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from medtf.evaluate.metrics import as_text, interval_text

BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#1F2933"
_BLUES = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#9CC7E4", BLUE])


def roc(truth, probability, metrics: dict, *, title: str = "", patients: tuple | None = None) -> Figure:
    """ROC curve with AUC, its interval, and the point of the threshold.

    Args:
        truth: (n,) 0 or 1. probability: (n,) of the positive class.
        metrics: the target's section of metrics.json.
        title: above the figure.
        patients: (truth, probability, metrics) of the patients, for a second curve.
    """
    figure, axes = _axes(title or "ROC curve", "1 - specificity (false alarms)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="guessing")
    _roc_line(
        axes, truth, probability, metrics, colour=BLUE, dashes="-", label="examples" if patients is not None else ""
    )
    if patients is not None:
        _roc_line(axes, *patients, colour=GREEN, dashes="--", label="patients")
    _unit_square(axes)
    _legend(axes)
    return figure


def precision_recall(truth, probability, metrics: dict, *, title: str = "") -> Figure:
    """Precision over sensitivity (recall), with the prevalence as the line of guessing and the threshold's point."""
    figure, axes = _axes(title or "Precision and recall", "Sensitivity (recall)", "Precision")
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
            label=f"average precision {as_text(score)}{_range(score)}",
        )
    at = metrics["sensitivity"]["value"], metrics["precision"]["value"]
    if None not in at:
        axes.plot(*at, "o", ms=8, color=ORANGE, mec="white", label=f"threshold {metrics['threshold']['value']:.3g}")
    _unit_square(axes)
    _legend(axes)
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
    figure, axes = _axes(title or "Confusion", "Called", "True", size=(side, side * 0.9))
    axes.imshow(share, cmap=_BLUES, vmin=0, vmax=1)
    for i, j in np.ndindex(k, k):
        text = f"{counts[i, j]:,}\n{share[i, j]:.1%}" if rows[i, 0] else "0\n–"
        axes.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            fontsize=12 if k < 4 else 8,
            color="white" if share[i, j] > 0.6 else INK,
        )
    names = [_short(label) for label in labels]
    axes.set_xticks(range(k), names, rotation=0 if k < 4 else 45, ha="center" if k < 4 else "right")
    axes.set_yticks(range(k), names)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


def scatter(truth, predicted, metrics: dict, *, title: str = "") -> Figure:
    """Predicted over true values with the line of identity, r and mean absolute error."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    figure, axes = _axes(title or "Predicted and true", "True", "Predicted")
    low, high = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
    margin = 0.05 * (high - low) or 1.0
    limits = low - margin, high + margin
    axes.plot(limits, limits, color=GREY, lw=1.2, ls="--", label="identity")
    size = 26 if len(truth) < 500 else 8
    axes.scatter(truth, predicted, s=size, color=BLUE, alpha=0.55, linewidths=0, rasterized=True)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    lines = [
        f"r {as_text(metrics['pearson_r'])}{_range(metrics['pearson_r'])}",
        f"mean absolute error {as_text(metrics['mean_absolute_error'])}{_range(metrics['mean_absolute_error'])}",
    ]
    for line in lines:
        axes.plot([], [], " ", label=line)
    _legend(axes)
    return figure


def history(table: pd.DataFrame) -> Figure:
    """Loss and validation loss by epoch, the best validation epoch marked.

    Args:
        table: history.csv; columns `loss` and, if any, `val_loss`; its rows are epochs 1, 2, ...
    """
    figure, axes = _axes("Training", "Epoch", "Loss", size=(6.4, 4.4))
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
    _legend(axes)
    return figure


def png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None}
    )  # equal figures, equal bytes
    return buffer.getvalue()


def _axes(title: str, x: str, y: str, size: tuple[float, float] = (4.8, 4.6)):
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(_plain(title), loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E4E7EB", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)
    return figure, axes


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
        label=f"{name}AUC {as_text(metrics['auc'])}{_range(metrics['auc'])}",
    )
    point = 1 - metrics["specificity"]["value"], metrics["sensitivity"]["value"]
    axes.plot(
        *point,
        "o",
        ms=8,
        color=ORANGE if dashes == "-" else colour,
        mec="white",
        label=f"threshold {metrics['threshold']['value']:.3g}",
    )


def _range(metric: dict) -> str:
    return f"  ({interval_text(metric)})" if metric.get("low") is not None else ""


def _legend(axes) -> None:
    """Below the axes, where it hides no data."""
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), borderaxespad=0, frameon=False, fontsize=10)


def _unit_square(axes) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def _short(label, most: int = 18) -> str:
    label = _plain(str(label))
    return label if len(label) <= most else label[: most - 1] + "…"


def _plain(text: str) -> str:
    """Names of columns and classes may hold a dollar sign, which matplotlib would read as a formula."""
    return text.replace("$", r"\$")
