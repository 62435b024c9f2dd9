"""Settings in sentences: which weights are better than the first, at which share of the labels, by how much, and what the data cannot tell."""

from medtf.evaluate.compare_words import p_text
from medtf.evaluate.metrics import MAIN, as_text, interval_text
from medtf.evaluate.paired_metrics import METRICS
from medtf.evaluate.statistics.paired import ALPHA

_UNTOLD = "That it cannot tell is no proof that they are equal."


def heading(target: str, found: dict) -> str:
    """What the table of a target holds: the number, and how many examples and people it is of."""
    n, people = found["n"], found["patients"]
    return f"{target}: {capital(found['label'])} on {n:,} examples of {people:,} people of the test fold"


def of_probes(target: str, found: dict) -> str:
    """What probes of one target say.

    Args:
        found: `targets[target]` of probe.json.
    """
    said, several = [], len(found["comparisons"]) > 1
    for method in dict.fromkeys(one["method"] for one in found["probes"]):
        values = {one["weights"]: one[found["metric"]] for one in found["probes"] if one["method"] == method}
        called = {"linear": "A linear probe", "knn": "A nearest-neighbour probe"}[method]
        each = ", ".join(f"{name} {number(value)}" for name, value in values.items())
        said.append(f"{called} of {target}: {found['label']} {each}.")
        for one in (one for one in found["comparisons"] if one["method"] == method):
            verdict = verdict_of(one, found["kind"])
            word = {"better": "knows more than", "worse": "knows less than"}.get(verdict, "cannot be told from")
            said.append(f"{one['weights']} {word} {one['against']} (difference {difference(one)}).")
    if any(verdict_of(one, found["kind"]) is None for one in found["comparisons"]):
        said.append(_UNTOLD)
    if several:
        said.append(f"p adjusted for {len(found['comparisons'])} comparisons (Holm).")
    return " ".join(said)


def of_curve(target: str, found: dict) -> str:
    """What a label-fraction curve of one target says; intervals and p values stand in the table.

    Args:
        found: `targets[target]` of curve.json.
    """
    comparisons, kind = found["comparisons"], found["kind"]
    said = [
        _start(target, [one for one in comparisons if one["weights"] == name], kind)
        for name in dict.fromkeys(one["weights"] for one in comparisons)
    ]
    if not said:
        last = [one for one in found["points"] if one["share"] == max(point["share"] for point in found["points"])]
        each = ", ".join(f"{one['weights']} {number(one['metric'])}" for one in last)
        return f"{capital(found['label'])} of {target} with {share(last[0]['share'])} of the labels: {each}."
    if any(verdict_of(one, kind) is None for one in comparisons):
        said.append(_UNTOLD)
    said.append(f"By {found['label']}, paired bootstrap over {found['patients']:,} test patients")
    said[-1] += f", p adjusted for {len(comparisons)} comparisons (Holm)." if len(comparisons) > 1 else "."
    return " ".join(said)


def _start(target: str, comparisons: list[dict], kind: str) -> str:
    """One start against the first: where it is better, where worse, where nothing can be said."""
    by: dict[str | None, list[str]] = {"better": [], "worse": [], None: []}
    for one in comparisons:
        verdict = verdict_of(one, kind)
        amount = f" (by {as_text(one).removeprefix('-')})" if verdict else ""
        by[verdict].append(f"{share(one['share'])}{amount}")
    name, first = comparisons[0]["weights"], comparisons[0]["against"]
    told = [
        f"{verdict} than {first} with {_and(by[verdict])} of the labels"
        for verdict in ("better", "worse")
        if by[verdict]
    ]
    if not told:
        return f"With {_and(by[None])} of the labels the data cannot tell which of {name} and {first} predicts {target} better."
    rest = f"; with {_and(by[None])} the data cannot tell" if by[None] else ""
    return f"{name} predicts {target} {', and '.join(told)}{rest}."


def number(metric: dict) -> str:
    """`0.931 (0.912 to 0.947)`, or why there is none."""
    if metric["value"] is None:
        return f"none ({metric['reason']})"
    return as_text(metric) + (f" ({interval_text(metric)})" if metric.get("low") is not None else "")


def difference(one: dict) -> str:
    """`0.04, 0.01 to 0.07, p = 0.012`, second subtracted from first."""
    if one["value"] is None:
        return one["reason"]
    parts = [as_text(one), interval_text(one) if one.get("low") is not None else "", p_text(one["p_holm"])]
    return ", ".join(part for part in parts if part)


def capital(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:]


def share(part: float) -> str:
    """`5 %`."""
    return f"{100 * part:.3g} %"


def verdict_of(one: dict, kind: str) -> str | None:
    """better, worse, or None where the adjusted p leaves it open."""
    if one["value"] is None or one["p_holm"] is None or one["p_holm"] >= ALPHA or not one["value"]:
        return None
    return "better" if (one["value"] > 0) == METRICS[kind][MAIN[kind]].more else "worse"


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
