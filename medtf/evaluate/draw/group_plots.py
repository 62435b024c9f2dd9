"""Forest plots: a number of each group with its interval, beside that of all, and what the test for a difference says."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from medtf.evaluate.draw.drawing import BLUE, GREY, INK, ORANGE, new_axes, plain, short
from medtf.evaluate.group_metrics import METRICS, NAMES
from medtf.evaluate.metrics import as_text, interval_text

# what is drawn of each kind of target: metric, colour, marker
_DRAWN = {
    "binary": (("auc", BLUE, "o"),),
    "multiclass": (("auc_macro", BLUE, "o"),),
    "regression": (("mean_absolute_error", BLUE, "o"), ("bias", ORANGE, "D")),
}
_ROW, _ABOVE, _BELOW = 0.46, 0.75, 0.62  # inches: a row, title, axis label


def figures(name: str, numbers: dict) -> Iterator[tuple[str, str, Figure]]:
    """Yield (kind, caption, figure) for each column by which people were grouped, where any group has a number to draw.

    Args:
        name: of the target. numbers: its section of metrics.json.
    """
    kind = numbers["kind"]
    meant = f"{name} = {numbers['positive']}" if "positive" in numbers else name
    judged = "Error" if kind == "regression" else "AUC"
    for column, section in numbers.get("subgroups", {}).items():
        known = [row for row in section["groups"] if row["group"] is not None]
        if any(row[METRICS[kind][0]]["value"] is not None for row in known):
            title = f"{judged} by {column}"
            caption = f"{title}, with intervals over patients; dashed: all."
            yield f"by_{column}", caption, forest(section, column, numbers, title=f"{title}: {meant}")


def forest(section: dict, column: str, numbers: dict, *, title: str = "") -> Figure:
    """One line a group, `all` at the foot; value and interval are printed at the right.

    Args:
        section: `subgroups[column]` of the target's section of metrics.json. column: what the groups are groups of.
        numbers: that section of the target, for the line of all.
    """
    kind = numbers["kind"]
    drawn = _DRAWN[kind]
    rows = [row for row in section["groups"] if row["group"] is not None]
    whole = {key: numbers.get(key) for key in ("n", "patients", "positives")}
    rows.append({"group": None} | whole | {metric: numbers.get(metric) for metric, _, _ in drawn})
    legend_lines = len(drawn) + 1
    height = _ABOVE + _BELOW + _ROW * len(rows) * (1.25 if len(drawn) > 1 else 1) + 0.2 * legend_lines
    figure, axes = new_axes(title or f"By {column}", _unit(kind), "", size=(5.0, height))
    for i, row in enumerate(rows):
        for j, (metric, colour, marker) in enumerate(drawn):
            shift = 0.0 if len(drawn) == 1 else (-0.17, 0.17)[j]
            _line(axes, row[metric], i + shift, colour, marker, whole=row["group"] is None, percent=NAMES[metric][1])
    for metric, colour, marker in drawn:
        whole = numbers.get(metric)
        if whole and whole["value"] is not None:
            axes.axvline(whole["value"], color=colour, lw=1, ls="--", alpha=0.7, zorder=0)
        axes.plot([], [], marker, color=colour, label=f"{NAMES[metric][0]}{_tested(section['tests'].get(metric))}")
    if kind == "regression":
        axes.axvline(0, color=GREY, lw=1, zorder=0)
    axes.axhline(len(rows) - 1.5, color=GREY, lw=0.8)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=9.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    figure.subplots_adjust(
        left=0.26, right=0.7, top=1 - _ABOVE * 0.6 / height, bottom=(_BELOW + 0.2 * legend_lines) / height
    )
    drop = 0.52 / (height * (figure.subplotpars.top - figure.subplotpars.bottom))
    axes.legend(loc="upper left", bbox_to_anchor=(0, -drop), borderaxespad=0, frameon=False, fontsize=9.5)
    return figure


def _line(axes, metric: dict | None, at: float, colour: str, marker: str, *, whole: bool, percent: bool) -> None:
    """Point, interval and text of one group; a reason where there is no number."""
    if metric is None:
        return
    beside = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9}
    if metric["value"] is None:
        axes.text(1.03, at, "too few", color=GREY, **beside)
        return
    if metric.get("low") is not None:
        axes.plot([metric["low"], metric["high"]], [at, at], color=colour, lw=2, solid_capstyle="round")
    axes.plot(
        metric["value"], at, marker, color=colour, ms=9 if whole else 7, mec="white", mfc="white" if whole else colour
    )
    if whole:
        axes.plot(metric["value"], at, marker, ms=8, mec=colour, mfc="white", mew=1.8)
    limits = f"  ({interval_text(metric, percent)})" if metric.get("low") is not None else ""
    axes.text(1.03, at, as_text(metric, percent) + limits, color=INK, **beside)


def _label(row: dict) -> str:
    name = "all" if row["group"] is None else short(row["group"])
    positives = "" if row.get("positives") is None else f", {row['positives']:,}/{row['n']:,} pos."
    return f"{name}\n{row['patients']:,} people{positives}"


def _unit(kind: str) -> str:
    return {"binary": "AUC", "multiclass": "AUC, mean of the classes against the rest"}.get(
        kind, "In the target's unit"
    )


def _tested(test: dict | None) -> str:
    """What stands behind a metric's name in the legend."""
    if not test or test["p"] is None:
        return ": no test"
    p = test["p_holm"]
    return plain(f": test for a difference, p {'< 0.001' if p < 0.001 else f'{p:.2g}'}") + (
        " (Holm)" if p != test["p"] else ""
    )
