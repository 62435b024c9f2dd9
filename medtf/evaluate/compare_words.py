"""A comparison in sentences: which run is better, by how much, how sure that is, or that the data cannot tell."""

from medtf.evaluate.compare import ALPHA, COMPARED, METRICS
from medtf.evaluate.metrics import as_text, interval_text

_UNITS = {"age": "years"}


def verdict(target: str, kind: str, pair: dict, runs: dict, *, people: int, pairs: int) -> str:
    """One paragraph of a pair.

    Args:
        target: its name. kind: regression or binary. pair, runs: as `compare.compare` gives them.
        people: how many were compared. pairs: how many pairs were tested, for Holm.
    """
    metric = COMPARED[kind][0]
    called, difference = METRICS[kind][metric][0], pair[metric]
    if difference["value"] is None:
        return f"{pair['a']} and {pair['b']} cannot be compared on {target}: {difference['reason']}."
    holm = f", adjusted for {pairs} pairs" if pairs > 1 else ""
    both = f"{called} {as_text(runs[pair['a']][metric])} ({pair['a']}) against {as_text(runs[pair['b']][metric])} ({pair['b']})"
    tests = f"paired bootstrap {p_text(difference['p_holm'])}"
    if kind == "regression":
        tests += f", Wilcoxon signed-rank {p_text(pair['wilcoxon']['p_holm'])}"
    on = f"On the same {people:,} people: {both}, difference {_with_unit(difference, target, kind)} ({tests}{holm})."
    if pair["better"] is None:
        return f"The data cannot tell which of {pair['a']} and {pair['b']} predicts {target} better. {on} {_open(pair, kind)}".strip()
    other = pair["b"] if pair["better"] == pair["a"] else pair["a"]
    amount = as_text(difference).removeprefix("-")
    more = f"by {amount} {_unit(target, kind)}".rstrip()
    said = f"{pair['better']} predicts {target} better than {other}, {more} of {called}. {on}"
    return said + _order(pair, kind, other)


def p_text(p: float | None) -> str:
    """`p = 0.012`, `p < 0.001`."""
    if p is None:
        return "p undefined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _order(pair: dict, kind: str, other: str) -> str:
    """A caution where the loser has the higher r: its errors are then of scale and level, which a straight line mends."""
    r = pair["pearson_r"]["value"] if kind == "regression" else None
    if r is None or (r > 0) == (pair["better"] == pair["a"]):
        return ""
    return f" But {other} has the higher Pearson r, {abs(r):.3g} more: recalibrated, it may come out ahead."


def _open(pair: dict, kind: str) -> str:
    """Why there is no verdict: the tests disagree, or how large a difference is still possible."""
    difference = pair[COMPARED[kind][0]]
    if kind == "regression" and (difference["p_holm"] < ALPHA) != (pair["wilcoxon"]["p_holm"] < ALPHA):
        return "The two tests disagree: a few people with large errors weigh in one and not in the other."
    if difference.get("low") is None:
        return ""
    if difference["low"] > 0 or difference["high"] < 0:
        return "By itself the interval spares 0, but of several pairs one does so by chance more easily."
    return (
        f"That is no proof that they are equal: a difference between {interval_text(difference).replace(' to ', ' and ')} "
        "agrees with these data."
    )


def _with_unit(difference: dict, target: str, kind: str) -> str:
    text = f"{as_text(difference)} {_unit(target, kind)}".rstrip()
    return text + (f", 95 % interval {interval_text(difference)}" if difference.get("low") is not None else "")


def _unit(target: str, kind: str) -> str:
    return (
        next((_UNITS[word] for word in target.lower().split("_") if word in _UNITS), "") if kind == "regression" else ""
    )
