"""Figures of a comparison, each drawn into the axes it is given, so that one picture can hold several."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from medtf.evaluate.compare_words import SHORT, p_text
from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, dress, legend, new_axes, range_text, short
from medtf.evaluate.metrics import as_text
from medtf.evaluate.paired_metrics import COMPARED, DECIDES, METRICS

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
WIDTH, HEIGHT = 4.8, 4.6  # inches


@dataclass(frozen=True)
class Picture:
    """One picture: what stands under it, how it is drawn into axes, and how high it must be in inches."""

    caption: str
    draw: Callable
    height: float = HEIGHT


def figures(target: str, found: dict, people: pd.DataFrame) -> list[Picture]:
    """The pictures of one target of `compare.json`, in the order in which they are shown.

    Args:
        found: `targets[target]` of compare.json. people: as `compare.compare` takes them.
    """
    kind, several = found["kind"], len(found["runs"]) > 2
    called = METRICS[kind][COMPARED[kind][0]].label
    made = []
    if kind == "binary":
        high = HEIGHT + 0.22 * max(0, len(found["runs"]) - 2)
        made.append(Picture("ROC curves of the same people.", lambda axes: _roc(axes, target, found, people), high))
    elif kind == "regression" and not several:
        made += _of_pair(target, found["pairs"][0], people)
    else:
        caption = (
            f"The {called} of each run with its interval. Intervals that overlap are no test: see the differences."
        )
        made.append(Picture(caption, lambda axes: _runs(axes, target, found), _rows(len(found["runs"]))))
    if kind != "regression" or several:
        caption = f"Differences in {called}; an interval that spans 0 is no verdict."
        made.append(Picture(caption, lambda axes: _forest(axes, target, found), _rows(len(found["pairs"]))))
    return made


def alone(picture: Picture) -> Figure:
    """A figure that holds one picture."""
    figure, axes = new_axes("", "", "", (WIDTH, picture.height))
    picture.draw(axes)
    return figure


def together(pictures: list[Picture]) -> Figure:
    """One figure that holds all pictures, two in a row."""
    rows = [pictures[i : i + 2] for i in range(0, len(pictures), 2)]
    heights = [max(one.height for one in row) + 1.3 for row in rows]
    figure = Figure(figsize=(10.8, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    parts = np.atleast_1d(figure.subfigures(len(rows), 1, height_ratios=heights))
    for part, row, height in zip(parts, rows, heights, strict=True):
        for half, picture in zip(part.subfigures(1, 2), row, strict=False):
            spare = height - picture.height - 1.3
            if spare > 0.5:  # its rows stay as far apart as alone
                half = half.subfigures(2, 1, height_ratios=[height - spare, spare])[0]
            picture.draw(half.add_subplot())
    return figure


def _of_pair(target: str, pair: dict, people: pd.DataFrame) -> list[Picture]:
    a, b = (np.abs(people[f"prediction_{k}"] - people[f"truth_{k}"]).to_numpy() for k in (0, 1))
    return [
        Picture(
            f"One dot a person. Above the dashed line {pair['a']} is nearer to the truth.",
            lambda axes: _errors(axes, target, a, b, pair),
        ),
        Picture(
            "How much larger or smaller each person's error is; the band is the interval of the mean.",
            lambda axes: _differences(axes, target, a, b, pair),
        ),
    ]


def _rows(count: int) -> float:
    """Height of a picture with a row for each run or pair."""
    return max(2.6, 1.2 + 0.62 * count)


def _errors(axes, target, a, b, pair) -> None:
    dress(axes, f"Absolute errors: {target}", short(pair["a"], 40), short(pair["b"], 40))
    high = 1.05 * max(a.max(), b.max(), 1e-12)
    axes.plot([0, high], [0, high], color=GREY, lw=1.2, ls="--", label="equal errors")
    axes.scatter(a, b, s=26 if len(a) < 500 else 8, color=BLUE, alpha=0.55, linewidths=0, rasterized=True)
    axes.set(xlim=(0, high), ylim=(0, high), aspect="equal")
    for key in ("a", "b"):
        axes.plot([], [], " ", label=f"{short(pair[key], 28)} is nearer for {pair['share_nearer'][key]:.0%} of people")
    legend(axes)


def _differences(axes, target, a, b, pair) -> None:
    label = f"|error of {short(pair['a'])}| - |error of {short(pair['b'])}|"
    dress(axes, f"Paired differences: {target}", label, "People")
    axes.hist(a - b, bins="auto" if np.ptp(a - b) > 0 else 1, color=BLUE, alpha=0.55)
    mean = pair["mean_absolute_error"]
    axes.axvline(0, color=GREY, lw=1.2, ls="--")
    axes.axvline(mean["value"], color=ORANGE, lw=2, label=f"mean {as_text(mean)}{range_text(mean)}")
    if mean.get("low") is not None:
        axes.axvspan(mean["low"], mean["high"], color=ORANGE, alpha=0.2, lw=0)
    axes.plot([], [], " ", label=f"Wilcoxon signed-rank {p_text(pair['wilcoxon']['p_holm'])}")
    axes.plot([], [], " ", label=f"paired bootstrap {p_text(mean['p_holm'])}")
    legend(axes)


def _roc(axes, target, found, people) -> None:
    dress(axes, f"ROC curves: {target} = {found['positive']}", "1 - specificity (false alarms)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="guessing")
    for i, (name, numbers) in enumerate(found["runs"].items()):
        if numbers["auc"]["value"] is not None:
            x, y, _ = roc_curve(people[f"truth_{i}"], people[f"prediction_{i}"])
            text = f"{short(name)}: AUC {as_text(numbers['auc'])}{range_text(numbers['auc'])}"
            axes.plot(x, y, color=COLOURS[i % 6], lw=1.8, ls=DASHES[i % 6], label=text)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    legend(axes)


def _runs(axes, target, found) -> None:
    """The deciding number of each run, a row a run."""
    metric = COMPARED[found["kind"]][0]
    title = METRICS[found["kind"]][metric].label
    dress(axes, f"{title[:1].upper()}{title[1:]}: {target}", "", "")
    for i, numbers in enumerate(found["runs"].values()):
        _row(axes, i, numbers[metric], f"{as_text(numbers[metric])}{range_text(numbers[metric])}", COLOURS[i % 6])
    _ticks(axes, [short(name, 20) for name in found["runs"]])


def _forest(axes, target, found) -> None:
    """The difference of each pair, a row a pair."""
    kind = found["kind"]
    metric, test = COMPARED[kind][0], DECIDES[kind][0]
    called, more = METRICS[kind][metric].label, METRICS[kind][metric].more
    side = "Right" if more else "Left"
    dress(axes, f"Differences in {called}: {target}", f"First - second. {side} of 0 the first is better", "")
    axes.axvline(0, color=GREY, lw=1.2, ls="--")
    for i, pair in enumerate(found["pairs"]):
        if pair[metric]["value"] is None:
            continue
        said = f"{as_text(pair[metric])}{range_text(pair[metric])}, {SHORT[test].split()[0]} {p_text(pair[test]['p_holm'])}"
        _row(axes, i, pair[metric], said, BLUE if pair["better"] else GREY)
    _ticks(axes, [f"{short(pair['a'], 20)}\n- {short(pair['b'], 20)}" for pair in found["pairs"]])


def _row(axes, i: int, metric: dict, said: str, colour: str) -> None:
    """A dot with its interval, and in words above it."""
    if metric.get("low") is not None:
        axes.plot([metric["low"], metric["high"]], [i, i], color=colour, lw=2.4, solid_capstyle="round")
    if metric["value"] is not None:
        axes.plot(metric["value"], i, "o", color=colour, ms=8, mec="white")
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
    across = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    axes.annotate(said, (0.01, i), (0, 7), fontsize=8.5, color=INK, bbox=box, **across)


def _ticks(axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.6, -0.8)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.08)
    axes.autoscale_view(scaley=False)
