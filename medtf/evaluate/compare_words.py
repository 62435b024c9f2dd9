"""A comparison in sentences: which run is better, by how much, how sure that is, or that the data cannot tell."""

from medtf.evaluate.compare import ALPHA, COMPARED, DECIDES
from medtf.evaluate.metrics import as_text, interval_text
from medtf.evaluate.paired_metrics import METRICS

_UNITS = {"age": "years"}
SHORT = {"delong": "DeLong", "mcnemar": "McNemar", "wilcoxon": "Wilcoxon signed-rank"}


def paragraph(target: str, found: dict) -> str:
    """What may be said of a target: the verdict of the one pair, or of several runs which is best, by how much, and whether that is luck.

    Args:
        found: `targets[target]` of compare.json, with `people`.
    """
    kind, pairs = found["kind"], found["pairs"]
    if len(pairs) == 1:
        return verdict(target, kind, pairs[0], found["runs"], people=found["people"], pairs=1)
    metric = COMPARED[kind][0]
    called, more = METRICS[kind][metric].label, METRICS[kind][metric].more
    known = {run: numbers[metric] for run, numbers in found["runs"].items() if numbers[metric]["value"] is not None}
    if not known:
        return f"The runs cannot be compared on {target}: {next(iter(found['runs'].values()))[metric]['reason']}."
    best = (max if more else min)(known, key=lambda run: known[run]["value"])
    with_best = [
        (pair, pair["b"] if pair["a"] == best else pair["a"]) for pair in pairs if best in (pair["a"], pair["b"])
    ]
    beaten = [_against(pair, other, kind) for pair, other in with_best if pair["better"] == best]
    unclear = [
        _against(pair, other, kind, "{} (difference {}, {})") for pair, other in with_best if pair["better"] is None
    ]
    superlative = "highest" if more else "lowest"
    said = (
        f"Of {len(found['runs'])} runs that predict {target}, {best} has the {superlative} {called} on the same {found['people']:,} people: "
        f"{as_text(known[best])} {_unit(target, kind)}".rstrip()
        + _interval(known[best])
        + "."
    )
    if beaten:
        said += f" It is better than {_and(beaten)}: more than chance explains."
    if unclear:
        said += f" The data cannot tell it from {_and(unclear)}."
    said += f" p: {SHORT[DECIDES[kind][0]]}, adjusted for {len(pairs)} pairs."
    if not unclear:
        return said
    return said + " That a run comes out best is partly luck: on other people expect a little less of it."


def verdict(target: str, kind: str, pair: dict, runs: dict, *, people: int, pairs: int) -> str:
    """One paragraph of a pair.

    Args:
        target: its name. kind: binary, multiclass or regression. pair, runs: as `compare.compare` gives them.
        people: how many were compared. pairs: how many pairs were tested, for Holm.
    """
    metric, test = COMPARED[kind][0], DECIDES[kind][0]
    called, difference = METRICS[kind][metric].label, pair[metric]
    if difference["value"] is None:
        return f"{pair['a']} and {pair['b']} cannot be compared on {target}: {difference['reason']}."
    holm = f", adjusted for {pairs} pairs" if pairs > 1 else ""
    both = f"{called} {as_text(runs[pair['a']][metric])} ({pair['a']}) against {as_text(runs[pair['b']][metric])} ({pair['b']})"
    tests = f"{SHORT[test]} {p_text(pair[test]['p_holm'])}, paired bootstrap {p_text(difference['p_holm'])}"
    on = f"On the same {people:,} people: {both}, difference {_with_unit(difference, target, kind)} ({tests}{holm})."
    on += _calls(pair, kind)
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


def _against(pair: dict, other: str, kind: str, form: str = "{} by {} ({})") -> str:
    """`tof by 1.20 (0.50 to 2.01; p = 0.003)`; the difference is seen from the run with the better number."""
    difference = pair[COMPARED[kind][0]]
    if difference["value"] is None:
        return f"{other} ({difference['reason']})"
    flipped = dict(difference)
    if difference["value"] < 0:
        ends = (difference.get("high"), difference.get("low"))
        flipped |= {"value": -difference["value"]}
        flipped |= {key: None if end is None else -end for key, end in zip(("low", "high"), ends, strict=True)}
    inside = "; ".join(filter(None, [_plain_interval(flipped), p_text(pair[DECIDES[kind][0]]["p_holm"])]))
    return form.format(other, as_text(flipped), inside)


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _calls(pair: dict, kind: str) -> str:
    """Of a target of classes: who is right where the runs differ."""
    test = pair.get("mcnemar")
    if test is None or "only_a" not in test:
        return ""
    tested = "" if kind == "multiclass" else f" (McNemar {p_text(test['p_holm'])})"
    where = "At their thresholds " if kind == "binary" else "Of all calls "
    return f" {where}{pair['a']} alone is right for {test['only_a']:,} and {pair['b']} alone for {test['only_b']:,}{tested}."


def _order(pair: dict, kind: str, other: str) -> str:
    """A caution where the loser has the higher r: its errors are then of scale and level, which a straight line mends."""
    r = pair["pearson_r"]["value"] if kind == "regression" else None
    if r is None or (r > 0) == (pair["better"] == pair["a"]):
        return ""
    return f" But {other} has the higher Pearson r, {abs(r):.3g} more: recalibrated, it may come out ahead."


def _open(pair: dict, kind: str) -> str:
    """Why there is no verdict: a test has no answer, the two disagree, or how large a difference is still possible."""
    difference, test = pair[COMPARED[kind][0]], pair[DECIDES[kind][0]]
    if test["p_holm"] is None:
        return f"No test: {test['reason']}."
    if difference["p_holm"] is not None and (difference["p_holm"] < ALPHA) != (test["p_holm"] < ALPHA):
        few = " a few people with large errors weigh in one and not in the other." if kind == "regression" else ""
        return f"The two tests disagree{':' + few if few else ': it is a close call.'}"
    if difference.get("low") is None:
        return ""
    if difference["low"] > 0 or difference["high"] < 0:
        return "By itself the interval spares 0, but of several pairs one does so by chance more easily."
    if difference["low"] == difference["high"]:
        return "Nobody's answer differs in a way that counts."
    return (
        f"That is no proof that they are equal: a difference between {interval_text(difference).replace(' to ', ' and ')} "
        "agrees with these data."
    )


def _with_unit(difference: dict, target: str, kind: str) -> str:
    text = f"{as_text(difference)} {_unit(target, kind)}".rstrip()
    return text + (f", 95 % interval {interval_text(difference)}" if difference.get("low") is not None else "")


def _plain_interval(metric: dict) -> str:
    return interval_text(metric) if metric.get("low") is not None else ""


def _interval(metric: dict) -> str:
    text = _plain_interval(metric)
    return f" ({text})" if text else ""


def _unit(target: str, kind: str) -> str:
    return (
        next((_UNITS[word] for word in target.lower().split("_") if word in _UNITS), "") if kind == "regression" else ""
    )
