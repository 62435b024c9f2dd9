"""Figures of decisions: net benefit over threshold probabilities, and what a call is worth over prevalences."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from medtf.evaluate.binary import predictive_values
from medtf.evaluate.draw.drawing import BLUE, GREEN, GREY, INK, ORANGE, legend, new_axes

MARKS = {"data": "this fold", "undersampled": "training stream", "given": "given"}


def figures(name: str, numbers: dict) -> Iterator[tuple[str, str, Figure]]:
    """Yield (kind, caption, figure) of one binary target, each only where its section holds numbers.

    Args:
        name: of the target. numbers: its section of metrics.json.
    """
    meant = f"{name} = {numbers['positive']}" if "positive" in numbers else name
    decision, values = numbers.get("decision", {}), numbers.get("predictive_values", {})
    if decision.get("curve"):
        yield (
            "decision",
            f"Decision curve, positive: {meant}. Net benefit of acting on the model, on everyone and on no one, over the probability from"
            " which one would act; bands are intervals. It presumes calibrated probabilities.",
            decision_curve(decision, title=f"Decision curve: {meant}"),
        )
    if any(row["ppv"]["value"] is not None or row["npv"]["value"] is not None for row in values.get("rows", ())):
        yield (
            "predictive_values",
            f"How often a positive and a negative call are right, over the prevalence of {meant} where the model is used; bands are intervals.",
            predictive(values, title=f"Predictive values: {meant}"),
        )


def decision_curve(section: dict, *, title: str = "") -> Figure:
    """Net benefit of the model with its interval, of treating everyone and of treating no one.

    Args:
        section: `decision` of a binary target.
    """
    figure, axes = new_axes(
        title or "Decision curve", "Threshold probability", "Net benefit (true positives an example)", size=(5.6, 4.6)
    )
    curve = section["curve"]
    at = np.array([row["threshold"] for row in curve])
    model = np.array([row["model"]["value"] for row in curve])
    everyone = np.array([row["treat_all"] for row in curve])
    prevalence = section["prevalence"]
    axes.plot(at, everyone, color=ORANGE, lw=1.6, ls="--", label="treat everyone")
    axes.axhline(0, color=GREY, lw=1.6, ls=":", label="treat no one")
    low, high = (np.array([row["model"][end] for row in curve], dtype=np.float64) for end in ("low", "high"))
    axes.fill_between(at, low, high, where=np.isfinite(low), color=BLUE, alpha=0.18, lw=0)
    axes.plot(at, model, color=BLUE, lw=2, label="act on the model")
    worth = at[(model > 0.02 * prevalence) | (at <= 2 * prevalence)]
    axes.set_xlim(0, min(1.0, 1.1 * worth.max()) if len(worth) else 1.0)
    top = max(1.1 * prevalence, 1.03 * np.max(high, where=np.isfinite(high), initial=0))
    axes.set_ylim(-0.25 * prevalence, top)  # treating everyone falls without end
    where = "this fold" if section["at"] == "data" else "given"
    axes.plot([], [], " ", label=f"prevalence {_percent(prevalence)} ({where})")
    axes.xaxis.set_major_formatter(lambda x, _: _percent(x))
    legend(axes)
    return figure


def predictive(section: dict, *, title: str = "") -> Figure:
    """Positive and negative predictive value over the prevalence, on a logarithmic axis.

    Args:
        section: `predictive_values` of a binary target.
    """
    figure, axes = new_axes(
        title or "Predictive values", "Prevalence", "Share of the calls that are right", size=(5.6, 4.6)
    )
    rows = section["rows"]
    at = np.array([row["prevalence"] for row in rows])
    smooth = np.geomspace(at[0], at[-1], 200)
    values = predictive_values(section["sensitivity"], section["specificity"], smooth)
    for kind, colour, dashes, label in (
        ("ppv", BLUE, "-", "positive call (positive predictive value)"),
        ("npv", GREEN, "--", "negative call (negative predictive value)"),
    ):
        low, high = (np.array([row[kind][end] for row in rows], dtype=np.float64) for end in ("low", "high"))
        axes.fill_between(at, low, high, where=np.isfinite(low), color=colour, alpha=0.16, lw=0)
        if np.isfinite(values[kind]).all():
            axes.plot(smooth, values[kind], color=colour, ls=dashes, lw=2, label=label)
    _marks(axes, rows)
    axes.set(xscale="log", xlim=(at[0], at[-1]), ylim=(0, 1.02))
    ticks = [p for p in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3) if at[0] <= p <= at[-1]]
    axes.set_xticks(ticks, [_percent(p) for p in ticks])
    axes.minorticks_off()
    legend(axes)
    return figure


def _marks(axes, rows: list[dict]) -> None:
    """A line for each prevalence that has a name; names of neighbours stand at different heights."""
    before, height = None, 0.02
    for row in (row for row in rows if row["marks"]):
        at = row["prevalence"]
        height = 0.4 if before is not None and at < 1.25 * before and height < 0.1 else 0.02
        axes.axvline(at, color=ORANGE, lw=1.2, ls=":")
        named = " = ".join(MARKS.get(mark, mark) for mark in row["marks"])
        axes.text(at, height, f" {named}", rotation=90, ha="right", va="bottom", fontsize=9, color=INK)
        before = at


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
