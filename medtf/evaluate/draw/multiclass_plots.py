"""Figures of a target with several classes: each class against the rest, in one ROC plot."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, ORANGE, legend, new_axes, range_text, short
from medtf.evaluate.metrics import as_text

# Okabe and Ito's colours that stand out on white; dashes tell more classes apart than there are colours
_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", "--", ":", "-.")
MOST = 8  # curves that can be told apart


def roc_per_class(truth, probability, numbers: dict, *, title: str = "") -> Figure:
    """A ROC curve of each class against all others; of more than eight classes those with the lowest AUC.

    Args:
        truth: (n,) class index. probability: (n, k).
        numbers: the target's section of metrics.json.
        title: above the figure.
    """
    figure, axes = new_axes(title or "ROC curves", "1 - specificity (false alarms)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="guessing")
    truth, probability = np.asarray(truth), np.asarray(probability)
    there = [i for i, label in enumerate(numbers["classes"]) if numbers["per_class"][label]["auc"]["value"] is not None]
    aucs = {i: numbers["per_class"][numbers["classes"][i]]["auc"] for i in there}
    shown = sorted(sorted(there, key=lambda i: aucs[i]["value"])[:MOST])
    for place, i in enumerate(shown):
        false_rate, true_rate, _ = roc_curve(truth == i, probability[:, i])
        label = f"{short(numbers['classes'][i])}: AUC {as_text(aucs[i])}{range_text(aucs[i])}"
        colour, dashes = _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]
        axes.plot(false_rate, true_rate, color=colour, ls=dashes, lw=2, label=label)
    if len(there) > MOST:
        axes.plot([], [], " ", label=f"the {MOST} lowest of {len(there)} classes")
    macro = numbers["auc_macro"]
    if macro["value"] is not None:
        axes.plot([], [], " ", label=f"mean of the classes: {as_text(macro)}{range_text(macro)}")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    legend(axes)
    return figure


def calls_per_class(numbers: dict, *, title: str = "") -> Figure:
    """Sensitivity and precision of each class with their intervals, one line a class."""
    labels = numbers["classes"]
    height = 1.9 + 0.5 * len(labels)
    figure, axes = new_axes(title or "Calls of each class", "Share", "", size=(4.8, height))
    for key, colour, marker, shift in (("sensitivity", BLUE, "o", -0.14), ("precision", ORANGE, "D", 0.14)):
        for i, label in enumerate(labels):
            metric = numbers["per_class"][label][key]
            if metric["value"] is None:
                continue
            if metric.get("low") is not None:
                axes.plot([metric["low"], metric["high"]], [i + shift] * 2, color=colour, lw=2, solid_capstyle="round")
            axes.plot(metric["value"], i + shift, marker, color=colour, ms=7, mec="white")
        axes.plot([], [], marker, color=colour, label=_MEANING[key])
    counts = [numbers["per_class"][label]["n"] for label in labels]
    axes.set_yticks(range(len(labels)), [f"{short(label)}\nn {n:,}" for label, n in zip(labels, counts, strict=True)])
    axes.set(xlim=(-0.02, 1.02))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    drop = 0.5 / (0.77 * height)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -drop), borderaxespad=0, frameon=False, fontsize=10)
    return figure


_MEANING = {
    "sensitivity": "sensitivity: of the class, called it",
    "precision": "precision: called it, of the class",
}
