"""What interventions say, in cautious sentences."""

from medtf.evaluate.compare_words import p_text
from medtf.evaluate.metrics import as_text, interval_text
from medtf.evaluate.statistics.paired import ALPHA
from medtf.explain.intervention.change import HOW

VERBS = {"erase": "Erasing", "blur": "Blurring", "inpaint": "Inpainting", "transplant": "Replacing"}
LIMIT = (
    "A picture with a region taken out is like none that the network was trained on; equal regions elsewhere were therefore taken out as well,"
    " and only what the marked region has beyond them is counted as its own."
)


def of_effects(how: str, found: dict, unit: str = "the logit") -> str:
    """One summary as sentences.

    Args:
        how: a key of `change.HOW`. found: of `effect.summarised`. unit: what is lowered, such as `the logit` or `the age in years`.
    """
    if found["annotated"]["value"] is None:
        return f"{HOW[how].label}: no case could be changed."
    annotated, elsewhere, more = found["annotated"], found["elsewhere"], found["annotated_more"]
    verb = VERBS[how].lower()
    said = f"{VERBS[how]} what experts marked {moves(annotated, unit, interval=True)}"
    if elsewhere["value"] is None:
        return said + "; there was no room for equal regions elsewhere to compare with."
    said += f", {verb} equal regions elsewhere {moves(elsewhere, interval=True)}: "
    said += _difference(more)
    hottest, beyond = found["hottest"], found["hottest_more"]
    if hottest["value"] is not None:
        said += f" {VERBS[how]} the place outside the marks where the map is hottest {moves(hottest, interval=True)}"
        if _certain(beyond) and beyond["value"] > 0:
            said += f", more than what was marked ({p_text(_p(beyond))})"
            said += ": the answer hangs on something else." if above_0(hottest) else "."
        elif _certain(beyond):
            said += f", less than what was marked ({p_text(_p(beyond))})."
        else:
            said += "; which of the two weighs more cannot be told."
    return said


def above_0(metric: dict) -> bool:
    """Does the whole interval of an effect lie above 0? Where all patients have one value there is no interval, and the value decides."""
    return (metric["value"] if metric.get("low") is None else metric["low"]) > 0


def moves(metric: dict, unit: str = "it", *, interval: bool = False) -> str:
    """`lowers the logit by 1.2 (0.4 to 2.0)`; what falls by less than nothing is raised."""
    raised = metric["value"] < 0
    if raised:
        metric = metric | {"value": -metric["value"]}
        if metric.get("low") is not None:
            metric |= {"low": -metric["high"], "high": -metric["low"]}
    return f"{'raises' if raised else 'lowers'} {unit} by {_told(metric) if interval else as_text(metric)}"


def _difference(more: dict) -> str:
    if _p(more) is None:
        return "too few patients to test the difference."
    if not _certain(more):
        return f"no difference can be told ({p_text(_p(more))}). That is no proof that there is none."
    if more["value"] > 0:
        return f"the marked region counts for more ({p_text(_p(more))})."
    return f"the marked region counts for less ({p_text(_p(more))})."


def _p(metric: dict) -> float | None:
    return metric.get("p_holm", metric.get("p"))


def _certain(metric: dict) -> bool:
    return _p(metric) is not None and _p(metric) < ALPHA


def _told(metric: dict) -> str:
    return f"{as_text(metric)} ({interval_text(metric)})"
