"""Figures of maps held against annotations: overlap over thresholds, what chance would give, changed pictures, performance beside evidence."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, legend, new_axes, range_text, short
from medtf.evaluate.draw.paired_plots import COLOURS, DASHES
from medtf.evaluate.metrics import as_text

PLACES = {
    "annotated": ("what is marked", BLUE),
    "elsewhere": ("equal places elsewhere", GREY),
    "hottest": ("hottest outside the marks", ORANGE),
}
MARKERS = "osD^vP"


def thresholds(entries: list[dict]) -> Figure:
    """Dice of the annotation and the map cut at each threshold, a line a run and method.

    Args:
        entries: of evidence.json.
    """
    figure, axes = new_axes("Overlap at each threshold", "Share of the map's maximum", "Dice, mean over people")
    for i, one in enumerate(entries):
        found = one["thresholds"]
        axes.plot(
            found["threshold"],
            found["dice"],
            color=COLOURS[i % 6],
            ls=DASHES[i % 6],
            lw=2,
            label=short(one["name"], 40),
        )
    axes.set(xlim=(0, 1), ylim=(0, None))
    legend(axes)
    return figure


def null(one: dict, measure: str, label: str) -> Figure:
    """What was observed beside what other people's annotations, and shifted ones, would have given in so many draws."""
    figure, axes = new_axes(
        f"By chance, or not: {short(one['name'], 30)}", f"{label}, mean over people", "Share of the draws"
    )
    for key, said, colour in (
        ("others", "other people's annotations", BLUE),
        ("shifted", "shifted annotations", GREEN),
    ):
        found, result = one["drawn"][key], one[key][measure]
        if found is None:
            continue
        total, edges = sum(found["counts"]), found["edges"]
        p = result["p"]
        heights = [count / total for count in found["counts"]]
        axes.stairs(
            heights,
            edges,
            fill=True,
            color=colour,
            alpha=0.4,
            label=f"{said}: p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}",
        )
    metric = one["measures"][measure]
    if metric["value"] is not None:
        axes.axvline(metric["value"], color=ORANGE, lw=2.4, label=f"observed {as_text(metric)}{range_text(metric)}")
    axes.set(xlim=(-0.02, 1.02))
    legend(axes)
    return figure


def effects(entries: list[dict], unit: str) -> Figure:
    """How much the score falls where a place is changed: three rows for each run, method and way."""
    rows = [
        (one, how, place, found[place])
        for one in entries
        for how, found in one["interventions"].items()
        for place in PLACES
        if found[place]["value"] is not None
    ]
    several = len({(one["name"], how) for one, how, _, _ in rows}) > 1
    figure, axes = new_axes("Changed pictures", f"{unit} falls by", "", (4.8, max(3.0, 1.2 + 0.62 * len(rows))))
    names = []
    for i, (one, how, place, metric) in enumerate(rows):
        said, colour = PLACES[place]
        if metric.get("low") is not None:
            axes.plot([metric["low"], metric["high"]], [i, i], color=colour, lw=2.4, solid_capstyle="round")
        axes.plot(metric["value"], i, "o", color=colour, ms=8, mec="white")
        names.append(f"{short(one['name'], 22)}\n{how}" if several else "")
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        text = f"{said}: {as_text(metric)}{range_text(metric)}"
        across = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(text, (0.01, i), (0, 7), fontsize=8.5, color=INK, bbox=box, **across)
    axes.axvline(0, color=GREY, lw=1.2, ls="--")
    axes.set_yticks(range(len(rows)), names, fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.margins(x=0.1)
    axes.autoscale_view(scaley=False)
    return figure


def curves(one: dict, answer: str) -> Figure:
    """Deletion and insertion in the map's order, and in a random one."""
    found = one["curves"]
    figure, axes = new_axes(
        f"Deletion and insertion: {short(one['name'], 30)}", "Share of pixels taken away, or given", answer
    )
    for name, said, colour in (("deletion", "taken away", ORANGE), ("insertion", "given", BLUE)):
        area, by_chance = found[f"{name}_area"], found[f"{name}_random_area"]
        axes.plot(
            found["shares"], found[name], color=colour, lw=2, label=f"{said}, hottest first: area {as_text(area)}"
        )
        label = f"{said}, in random order: area {as_text(by_chance)}"
        axes.plot(found["shares"], found[f"{name}_random"], color=colour, lw=1.4, ls=":", label=label)
    legend(axes)
    return figure


def scatter(entries: list[dict], measure: str, label: str) -> Figure:
    """Performance against evidence, a dot with both intervals for each run and method."""
    called = entries[0]["performance"]["label"]
    figure, axes = new_axes("Performance and evidence", called, f"{label}, mean over people")
    for i, one in enumerate(entries):
        x, y = one["performance"]["value"], one["measures"][measure]
        if x["value"] is None or y["value"] is None:
            continue
        colour = COLOURS[i % 6]
        if x.get("low") is not None:
            axes.plot([x["low"], x["high"]], [y["value"]] * 2, color=colour, lw=1.6, alpha=0.7)
        if y.get("low") is not None:
            axes.plot([x["value"]] * 2, [y["low"], y["high"]], color=colour, lw=1.6, alpha=0.7)
        axes.plot(x["value"], y["value"], MARKERS[i % 6], color=colour, ms=9, mec="white", label=short(one["name"], 40))
    axes.margins(0.1)
    axes.set_ylim(-0.02, max(1.02, axes.get_ylim()[1]) if measure == "pointing" else None)
    legend(axes)
    return figure
