"""Figures of a target with a unit: predicted over true, and Bland-Altman."""

import numpy as np
from matplotlib.figure import Figure

from medtf.evaluate.draw.drawing import BLUE, GREY, INK, ORANGE, legend, new_axes, range_text
from medtf.evaluate.metrics import as_text


def scatter(truth, predicted, metrics: dict, *, title: str = "") -> Figure:
    """Predicted over true values with the line of identity, the fitted line, and the numbers.

    Args:
        truth, predicted: (n,) in the target's unit. metrics: the target's section of metrics.json. title: above the figure.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    figure, axes = new_axes(title or "Predicted and true", "True", "Predicted")
    low, high = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
    margin = 0.05 * (high - low) or 1.0
    limits = low - margin, high + margin
    axes.plot(limits, limits, color=GREY, lw=1.2, ls="--", label="identity")
    _dots(axes, truth, predicted)
    if np.ptp(truth) > 0:
        slope, intercept = np.polyfit(truth, predicted, 1)
        ends = np.array([truth.min(), truth.max()])
        label = f"fit: {intercept:.3g} + {slope:.3g} x true"
        axes.plot(ends, intercept + slope * ends, color=ORANGE, lw=2, label=label)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    for name, key in (("r", "pearson_r"), ("mean absolute error", "mean_absolute_error"), ("R²", "r2")):
        axes.plot([], [], " ", label=f"{name} {as_text(metrics[key])}{range_text(metrics[key])}")
    legend(axes)
    return figure


def bland_altman(truth, predicted, agreement: dict, *, title: str = "") -> Figure:
    """Prediction minus truth over their mean, with the mean difference and the limits of agreement (Bland and Altman 1999).

    Args:
        truth, predicted: (n,). agreement: `agreement` of the target's section of metrics.json.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    figure, axes = new_axes(title or "Agreement", "Mean of predicted and true", "Predicted - true")
    axes.axhline(0, color=GREY, lw=1, ls=":")
    _dots(axes, (truth + predicted) / 2, predicted - truth)
    for key, name, dashes in (
        ("upper_limit", "upper limit", "--"),
        ("mean_difference", "mean difference", "-"),
        ("lower_limit", "lower limit", "--"),
    ):
        line = agreement[key]
        colour = ORANGE if key == "mean_difference" else INK
        axes.axhline(line["value"], color=colour, lw=1.8, ls=dashes, label=f"{name} {as_text(line)}{range_text(line)}")
        if line.get("low") is not None:
            axes.axhspan(line["low"], line["high"], color=colour, alpha=0.12, lw=0)
    legend(axes)
    return figure


def _dots(axes, x, y) -> None:
    size = 26 if len(x) < 500 else 8
    axes.scatter(x, y, s=size, color=BLUE, alpha=0.55, linewidths=0, rasterized=True)
