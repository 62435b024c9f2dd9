"""Figures of what may be left to the machine, and of conformal sets."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, legend, new_axes, range_text, short
from medtf.evaluate.metrics import as_text

# part of the section, its name, colour
METHODS = (
    (None, "one limit for all", BLUE, "o"),
    ("class_conditional", "a limit for each class", ORANGE, "s"),
    ("adaptive", "adaptive", GREEN, "^"),
)


def figures(name: str, numbers: dict) -> Iterator[tuple[str, str, Figure]]:
    """Yield (kind, caption, figure) of one target's sections `selective` and `conformal`.

    Args:
        name: of the target. numbers: its section of metrics.json.
    """
    found = numbers.get("selective", {})
    if "curve" in found:
        caption = "Error among the examples the model is surest of, over their share; the band is the interval at each share by itself."
        yield "risk_coverage", caption, risk_coverage(found, title=f"Left to the machine: {name}")
    found = numbers.get("conformal", {})
    if "size" in found:
        caption = "How often conformal sets hold the truth, in all and by true class, with intervals; the line is what was promised."
        yield "conformal", caption, coverage(found, title=f"Conformal sets: {name}")


def risk_coverage(found: dict, *, title: str) -> Figure:
    """Risk over coverage with its interval, and the risk of all."""
    calls = found["risk"] == "wrong calls"
    figure, axes = new_axes(
        title, "Share left to the machine", "Share of wrong calls" if calls else "Mean absolute error"
    )
    x = [point["coverage"] for point in found["curve"]]
    risks = [point["risk"] for point in found["curve"]]
    ends = np.array([[risk["value"] if risk[end] is None else risk[end] for end in ("low", "high")] for risk in risks])
    axes.fill_between(x, *ends.T, color=BLUE, alpha=0.15, lw=0)
    score = found["aurc"]
    axes.plot(x, [risk["value"] for risk in risks], color=BLUE, lw=2, label=f"area {as_text(score)}{range_text(score)}")
    overall = found["aurc_of_chance"]
    axes.axhline(overall["value"], color=GREY, lw=1, ls=":", label=f"all, or in any order: {as_text(overall)}")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, max(1e-3, 1.08 * max(ends.max(), overall["value"])))
    legend(axes)
    return figure


def coverage(found: dict, *, title: str) -> Figure:
    """Coverage of each kind of set, in all and by true class."""
    names = ["all", *found["by_class"]]
    figure, axes = new_axes(title, "Share of sets that hold the truth", "", size=(5.6, 1.7 + 0.55 * len(names)))
    kinds = [kind for kind in METHODS if kind[0] is None or kind[0] in found]
    for place, (key, said, colour, marker) in enumerate(kinds):
        part = found if key is None else found[key]
        rows = [part["coverage"], *(row["coverage"] for row in part["by_class"].values())]
        at = np.arange(len(names)) + 0.18 * (place - (len(kinds) - 1) / 2)
        size = part["size"]
        label = f"{said}: {as_text(size)} classes a set, {100 * part['one']['value']:.0f} % with one"
        for i, (row, height) in enumerate(zip(rows, at, strict=True)):
            if row["value"] is None:
                continue
            if row["low"] is not None:
                axes.plot([row["low"], row["high"]], [height] * 2, color=colour, lw=1.6)
            axes.plot(row["value"], height, marker, color=colour, ms=6, mec="white", label=label if i == 0 else None)
    axes.axvline(
        1 - found["miscoverage"], color=INK, lw=1, ls=":", label=f"promised: {100 * (1 - found['miscoverage']):.3g} %"
    )
    axes.set_yticks(range(len(names)), ["all", *(f"truly {short(label)}" for label in names[1:])])
    axes.set_ylim(len(names) - 0.5, -0.5)
    lows = [np.min(line.get_xdata()) for line in axes.lines]
    axes.set_xlim(max(0, min(lows) - 0.05), 1.01)
    axes.grid(visible=False, axis="y")
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -0.45 / (1.7 + 0.55 * len(names)) * 2),
        borderaxespad=0,
        frameon=False,
        fontsize=9,
    )
    return figure
