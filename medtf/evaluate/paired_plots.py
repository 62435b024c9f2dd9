"""Figures of a comparison, each drawn into the axes it is given, so that one picture can hold several."""

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from medtf.evaluate.compare import COMPARED, METRICS
from medtf.evaluate.compare_words import p_text
from medtf.evaluate.drawing import BLUE, GREEN, GREY, INK, ORANGE, dress, legend, new_axes, plain, range_text
from medtf.evaluate.metrics import as_text

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")


def figures(target: str, found: dict, people: pd.DataFrame) -> list[tuple[str, callable]]:
    """(caption, draw(axes)) of one target of `compare.json`, in the order in which they are shown.

    Args:
        found: `targets[target]` of compare.json. people: as `compare.compare` takes them.
    """
    names = list(found["runs"])
    made = []
    if found["kind"] == "binary":
        made.append(("ROC curves of the same people.", lambda axes: _roc(axes, target, found, people)))
        made.append(
            ("Differences in AUC; an interval that spans 0 is no verdict.", lambda axes: _forest(axes, target, found))
        )
        return made
    for pair in found["pairs"]:
        i, j = names.index(pair["a"]), names.index(pair["b"])
        a, b = (np.abs(people[f"prediction_{k}"] - people[f"truth_{k}"]).to_numpy() for k in (i, j))
        made.append(
            (
                f"One dot a person. Above the dashed line {pair['a']} is nearer to the truth.",
                lambda axes, a=a, b=b, pair=pair: _errors(axes, target, a, b, pair),
            )
        )
        made.append(
            (
                "How much larger or smaller each person's error is; the band is the interval of the mean.",
                lambda axes, a=a, b=b, pair=pair: _differences(axes, target, a, b, pair),
            )
        )
    if len(found["pairs"]) > 1:
        made.append(("All pairs.", lambda axes: _forest(axes, target, found)))
    return made


def alone(draw) -> Figure:
    """A figure that holds one picture."""
    figure, axes = new_axes("", "", "")
    draw(axes)
    return figure


def together(draws: list) -> Figure:
    """One figure that holds all pictures, two in a row."""
    rows = -(-len(draws) // 2)
    figure = Figure(figsize=(10.4, 5.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for i, draw in enumerate(draws):
        draw(figure.add_subplot(rows, 2, i + 1))
    return figure


def _errors(axes, target, a, b, pair) -> None:
    dress(axes, f"Absolute errors: {target}", f"{plain(pair['a'])}", f"{plain(pair['b'])}")
    high = 1.05 * max(a.max(), b.max(), 1e-12)
    axes.plot([0, high], [0, high], color=GREY, lw=1.2, ls="--", label="equal errors")
    axes.scatter(a, b, s=26 if len(a) < 500 else 8, color=BLUE, alpha=0.55, linewidths=0, rasterized=True)
    axes.set(xlim=(0, high), ylim=(0, high), aspect="equal")
    for key in ("a", "b"):
        axes.plot([], [], " ", label=f"{plain(pair[key])} is nearer for {pair['share_nearer'][key]:.0%} of people")
    legend(axes)


def _differences(axes, target, a, b, pair) -> None:
    label = f"|error of {plain(pair['a'])}| - |error of {plain(pair['b'])}|"
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
    dress(axes, f"ROC curves: {target}", "1 - specificity (false alarms)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="guessing")
    for i, (name, numbers) in enumerate(found["runs"].items()):
        if numbers["auc"]["value"] is not None:
            x, y, _ = roc_curve(people[f"truth_{i}"], people[f"prediction_{i}"])
            text = f"{plain(name)}: AUC {as_text(numbers['auc'])}{range_text(numbers['auc'])}"
            axes.plot(x, y, color=COLOURS[i % len(COLOURS)], lw=2, ls=("-", "--", "-.", ":")[i % 4], label=text)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    legend(axes)


def _forest(axes, target, found) -> None:
    metric = COMPARED[found["kind"]][0]
    called = METRICS[found["kind"]][metric][0]
    dress(axes, f"Differences in {called}: {target}", "First - second", "")
    axes.axvline(0, color=GREY, lw=1.2, ls="--")
    ticks = []
    for i, pair in enumerate(found["pairs"]):
        difference = pair[metric]
        ticks.append(f"{plain(pair['a'])}\n- {plain(pair['b'])}")
        if difference["value"] is None:
            continue
        if difference.get("low") is not None:
            axes.plot([difference["low"], difference["high"]], [i, i], color=BLUE, lw=2.4, solid_capstyle="round")
        said = f"{as_text(difference)}{range_text(difference)}, {p_text(difference['p_holm'])}"
        axes.plot(difference["value"], i, "o", color=BLUE, ms=9, mec="white")
        axes.annotate(
            said,
            (0.02, i),
            (0, 10),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=9,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axes.set_yticks(range(len(ticks)), ticks)
    axes.set_ylim(len(ticks) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
