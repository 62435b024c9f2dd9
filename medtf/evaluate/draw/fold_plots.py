"""Figures of a cross-validation: the number that a target is known by, fold by fold, and of all folds together."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from medtf.evaluate.draw.drawing import BLUE, GREY, INK, ORANGE, new_axes
from medtf.evaluate.metrics import DEFINITIONS, as_text, interval_text

MAIN = {"binary": "auc", "multiclass": "auc_macro", "regression": "mean_absolute_error"}


def figures(cross_validation: dict) -> Iterator[tuple[str, str, str, Figure]]:
    """Yield (file name without suffix, target, caption, figure) for each target that has labels.

    Args:
        cross_validation: of metrics.json.
    """
    for name, found in cross_validation["targets"].items():
        if "reason" in found:
            continue
        key = MAIN[found["kind"]]
        label = DEFINITIONS[found["kind"]][key][0]
        caption = f"{label} of each fold, their mean, and of all folds pooled, with intervals over patients."
        yield f"folds_{name}", name, caption, by_fold(found, key, label, title=f"{label} by fold: {name}")


def by_fold(found: dict, key: str, label: str, *, title: str = "") -> Figure:
    """One metric: a dot and an interval a fold, the mean of the folds, and the pooled number.

    Args:
        found: a target's section of `cross_validation`. key: of the metric. label: its name. title: above the figure.
    """
    rows = [(f"fold {row['fold']}\nn {row['patients']:,}", row[key], BLUE, "o") for row in found["folds"]]
    rows += [("mean of\nthe folds", found["mean"][key], ORANGE, "D"), ("pooled", found["pooled"][key], INK, "s")]
    figure, axes = new_axes(title, label, "", size=(6.0, 1.3 + 0.5 * len(rows)))
    for at, (_, metric, colour, marker) in enumerate(rows):
        if metric["value"] is None:
            text = f"none: {metric.get('reason', 'undefined')}"
            axes.text(0.02, at, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=GREY)
            continue
        if metric.get("low") is not None:
            axes.plot([metric["low"], metric["high"]], [at, at], color=colour, lw=2, solid_capstyle="round")
        axes.plot(metric["value"], at, marker, color=colour, ms=7, mec="white")
        said = as_text(metric) + (f"  ({interval_text(metric)})" if metric.get("low") is not None else "")
        axes.text(1.02, at, said, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5, color=INK)
    if found["mean"][key]["value"] is not None:
        axes.axvline(found["mean"][key]["value"], color=ORANGE, lw=1, ls="--", zorder=0)
    axes.axhline(len(rows) - 2.5, color="#C5CBD3", lw=1)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    return figure
