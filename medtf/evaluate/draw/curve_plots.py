"""The picture of a label-fraction curve: a panel a target, the number over how many patients were labelled, a line for each start."""

from collections.abc import Callable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from medtf.evaluate.draw.drawing import GREY, dress, legend, short
from medtf.evaluate.draw.paired_plots import COLOURS, DASHES
from medtf.evaluate.settings_words import capital
from medtf.evaluate.settings_words import share as percent

WIDTH, HEIGHT = 5.6, 4.4  # inches
GUESSING = {"auc": 0.5}
MARKERS = "osD^vP"


def panel(axes, target: str, found: dict, starts: list[str]) -> None:
    """One target into its axes.

    Args:
        found: `targets[target]` of curve.json. starts: names, in the order of their colours.
    """
    dress(axes, target, "Labelled patients in training", capital(found["label"]))
    shares = sorted({point["share"] for point in found["points"]})
    near = _spread(shares)
    for i, name in enumerate(starts):
        points = sorted((p for p in found["points"] if p["weights"] == name), key=lambda point: point["share"])
        known = [point for point in points if point["metric"]["value"] is not None]
        shift = near ** (i - (len(starts) - 1) / 2)
        x = np.array([point["share"] * shift for point in known])
        colour, dash, marker = COLOURS[i % 6], DASHES[i % 6], MARKERS[i % 6]
        y = [point["metric"]["value"] for point in known]
        axes.plot(
            x, y, color=colour, ls=dash, lw=2, marker=marker, ms=6.5, mec="white", label=short(name, 40), zorder=3
        )
        _intervals(axes, x, known, colour)
        for at, point in zip(x, known, strict=True):
            seeds = [one for one in point["metric"]["seeds"] if one is not None]
            if len(seeds) > 1:
                beside = [at * near**0.3] * len(seeds)
                axes.scatter(beside, seeds, s=13, color=colour, alpha=0.6, linewidths=0, zorder=2)
    guessing = GUESSING.get(found["metric"])
    if guessing is not None and axes.get_ylim()[0] < guessing + 0.06:
        axes.axhline(guessing, color=GREY, lw=1, ls=":", zorder=0)
        axes.annotate("guessing", (1, guessing), (-2, 3), fontsize=8.5, color=GREY, ha="right", **_across(axes))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(shares, [f"{round(_patients(found, share)):,}\n{percent(share)}" for share in shares])
    axes.tick_params(axis="x", labelsize=9)


def draw(targets: dict, starts: list[str], *, only: str | None = None) -> Figure:
    """All panels in one figure, two in a row; or one of them alone."""
    names = [only] if only else list(targets)
    columns = min(2, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH * columns, (HEIGHT + 0.22 * len(starts)) * lines), layout="constrained")
    FigureCanvasAgg(figure)
    every = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name in zip(every, names, strict=False):
        panel(axes, name, targets[name], starts)
        legend_below(axes)
    for axes in every[len(names) :]:
        axes.remove()
    return figure


def legend_below(axes) -> None:
    """Below the ticks, which have two lines."""
    legend(axes)
    axes.get_legend().set_bbox_to_anchor((0, -0.2), transform=axes.transAxes)


def _intervals(axes, x: np.ndarray, known: list[dict], colour: str) -> None:
    """A band between the ends of the intervals, and of each a line, since bands of several starts lie over one another."""
    there = [(at, point["metric"]) for at, point in zip(x, known, strict=True) if point["metric"]["low"] is not None]
    if not there:
        return
    at, low, high = (np.array(v) for v in zip(*[(at, m["low"], m["high"]) for at, m in there], strict=True))
    axes.fill_between(at, low, high, color=colour, alpha=0.13, lw=0, zorder=1)
    axes.vlines(at, low, high, color=colour, lw=1.2, alpha=0.8, zorder=2)


def _patients(found: dict, share: float) -> float:
    return float(np.mean([point["patients"] for point in found["points"] if point["share"] == share]))


def _spread(shares: list[float]) -> float:
    """The factor by which starts stand apart on the logarithmic axis, so that intervals at one share can be told from each other."""
    steps = np.diff(np.log(shares))
    return float(np.exp(0.06 * steps.min())) if len(steps) else 1.02


def _across(axes) -> dict:
    transform: Callable = axes.get_yaxis_transform
    return {"xycoords": transform(), "textcoords": "offset points"}
