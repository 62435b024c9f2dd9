"""Figures of calibration: observed against predicted, and how often each probability is given."""

from collections.abc import Iterator

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, dress, range_text
from medtf.evaluate.metrics import as_text

SIZE = (4.8, 5.6)
_LINES = ((BLUE, "-", "o", "as predicted"), (ORANGE, "--", "s", "calibrated"))


def figures(name: str, numbers: dict, probabilities=None) -> Iterator[tuple[str, str, Figure]]:
    """Yield (kind, caption, figure) of one target's sections `calibration` and `calibrated`.

    Args:
        name: of the target. numbers: its section of metrics.json.
        probabilities: (n,) or (n, k) raw ones of the examples with a known label, for the histogram; None: it is left out.
    """
    found = numbers.get("calibration", {})
    after = numbers.get("calibrated", {})
    if "reason" in found or not found:
        return
    caption = "Observed share over mean probability, by bins of equally many examples, with intervals; below, how often each probability is given."
    if "top_label" in found:
        top = None if probabilities is None else np.asarray(probabilities).max(axis=1)
        yield (
            "reliability",
            f"The class called: {caption}",
            reliability(found["top_label"], after, title=f"Calibration of the class called: {name}", probabilities=top),
        )
        yield "reliability_classes", "Each class against the rest.", by_class(found["per_class"], name)
        return
    which = f"{name} = {numbers['positive']}" if "positive" in numbers else name
    yield "reliability", caption, reliability(found, after, title=f"Calibration: {which}", probabilities=probabilities)


def reliability(found: dict, after: dict | None = None, *, title: str, probabilities=None) -> Figure:
    """Observed share over mean probability, with the line of right probabilities, and a histogram of the raw ones.

    Args:
        found: of `calibration.of_probabilities`. after: of `scaled.section`, drawn beside where it holds numbers.
        title: above the figure. probabilities: (n,) for the histogram.
    """
    with_histogram = probabilities is not None
    figure = Figure(figsize=SIZE if with_histogram else (4.8, 4.6))
    FigureCanvasAgg(figure)
    ratios = {"height_ratios": [4, 1], "hspace": 0.12}
    axes = figure.subplots(2, sharex=True, gridspec_kw=ratios) if with_histogram else [figure.subplots()]
    dress(axes[0], title, "" if with_histogram else "Mean predicted probability", "Observed share")
    axes[0].plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="right probabilities")
    drawn = [(found["reliability"], found["ece"], found["slope"])]
    if after and "reliability" in after:
        drawn.append((after["reliability"], after["after"]["ece"], after["after"]["slope"]))
    for (rows, ece, slope), (colour, dashes, marker, said) in zip(drawn, _LINES, strict=False):
        said = f"{said}: " if len(drawn) > 1 else ""
        label = f"{said}error {as_text(ece)}{range_text(ece)}"
        if slope["value"] is not None:
            label += f"\nslope {as_text(slope)}{range_text(slope)}"
        _points(axes[0], rows, colour, dashes, marker, label)
    axes[0].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if with_histogram:
        dress(axes[1], "", "Mean predicted probability", "Examples")
        axes[1].hist(probabilities, bins=np.linspace(0, 1, 41), color=BLUE, alpha=0.75)
        axes[1].locator_params(axis="y", nbins=3)
    below = -0.6 if with_histogram else -0.14
    last = axes[-1]
    last.legend(
        *axes[0].get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0, below),
        borderaxespad=0,
        frameon=False,
        fontsize=10,
    )
    return figure


def by_class(per_class: dict, name: str) -> Figure:
    """One small reliability diagram a class."""
    names = list(per_class)
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(2.6 * columns + 0.4, 2.9 * lines + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)).ravel()
    for ax, label in zip(axes, names, strict=False):
        dress(ax, label if len(label) <= 18 else label[:17] + "…", "", "")
        ax.title.set_fontsize(10)
        ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
        if "reason" not in per_class[label]:
            ece = per_class[label]["ece"]
            _points(ax, per_class[label]["reliability"], GREEN, "-", "o", "")
            ax.text(0.03, 0.97, f"error {as_text(ece)}", transform=ax.transAxes, va="top", fontsize=9, color=INK)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    figure.supxlabel("Mean predicted probability", fontsize=10, color=INK)
    figure.supylabel("Observed share", fontsize=10, color=INK)
    return figure


def _points(axes, rows: list[dict], colour: str, dashes: str, marker: str, label: str) -> None:
    x = np.array([row["predicted"] for row in rows])
    y = np.array([row["observed"]["value"] for row in rows])
    ends = np.array([[row["observed"][end] for end in ("low", "high")] for row in rows], dtype=np.float64)
    ends = np.where(np.isnan(ends), y[:, None], ends)  # a bin without an interval
    spread = np.maximum(np.abs(ends - y[:, None]).T, 0)
    axes.errorbar(
        x,
        y,
        yerr=spread,
        color=colour,
        ls=dashes,
        lw=1.6,
        marker=marker,
        ms=5,
        mec="white",
        capsize=2,
        elinewidth=1,
        label=label,
    )
