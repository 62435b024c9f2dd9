"""Evidence in sentences, each as careful as the number behind it.

Agreement with an annotation says where a map glows, not why the network answers as it does: only a changed picture tells that. So nothing here
says that a network "uses" or "sees" a finding.
"""

from medtf.evaluate.compare_words import p_text
from medtf.evaluate.metrics import as_text, interval_text
from medtf.evaluate.statistics.paired import ALPHA
from medtf.explain.evidence.measures import NAMES, OF_A_CONSTANT_MAP

# measure -> what the map does in so many cases, and what it would do under the null; the others are told by their label
PHRASES = {
    "pointing": (
        "{map}'s hottest place lies inside the annotation in {value} of {cases}",
        "{whose} would be hit in {expected}",
    ),
    "mass": ("{map} has {value} of its relevance inside the annotation over {cases}", "{whose} would hold {expected}"),
    "rank": (
        "{value} of {map}'s hottest pixels lie inside the annotation over {cases}",
        "{whose} would hold {expected}",
    ),
}
PLAIN = ("{map} reaches {label} {value} over {cases}", "against {whose} it would reach {expected}")
OTHERS, SHIFTED = "other people's annotations", "the same annotations shifted elsewhere"


def against_null(
    name: str, metric: dict, null: dict, *, map_name: str, whose: str = OTHERS, patients: int | None = None
) -> str:
    """What a map reaches, what it would reach by other annotations, and p, in one sentence.

    Args:
        name: of the measure. metric: of `summary.over_cases`, with `cases`. null: `Null.result(name)`.
        map_name: "Grad-CAM". whose: OTHERS or SHIFTED. patients: how many, told where they are fewer than the cases.
    """
    reached, drawn = PHRASES.get(name, PLAIN)
    cases = f"{metric['cases']:,} case{'' if metric['cases'] == 1 else 's'}"
    if patients is not None and patients != metric["cases"]:
        cases += f" of {patients:,} {'person' if patients == 1 else 'people'}"
    if metric["value"] is None:
        return f"{NAMES[name].label} of {map_name}: no number, {metric['reason']}."
    said = reached.format(map=map_name, label=NAMES[name].label, value=_number(metric), cases=cases)
    if null["p"] is None:
        return f"{said}; not tested, for {null['reason']}."
    expected = as_text({"value": null["expected"]})
    return f"{said}; {drawn.format(whose=whose, expected=expected)} ({p_text(null.get('p_holm', null['p']))})."


def verdict(null: dict, *, map_name: str, whose: str = OTHERS) -> str:
    """What one of the two nulls allows to be said.

    Args:
        null: `Null.result(name)` of one measure; several measures tested are several chances to find something, so choose it beforehand.
        map_name, whose: as `against_null`.
    """
    if null["p"] is None:
        return f"Whether {map_name} does better than by {whose} was not tested: {null['reason']}."
    smallest = 1 / (1 + null["draws"])
    if null["p"] < ALPHA and null["observed"] > null["expected"]:
        what = "each person's own annotation" if whose == OTHERS else "the annotated places"
        return f"{map_name} agrees with {what} better than with {whose} ({p_text(null['p'])})."
    if smallest >= ALPHA:
        return (
            f"Too few patients to tell whether {map_name} does better than by {whose}: "
            f"with {null['draws']} other way{'' if null['draws'] == 1 else 's'} to pair them p cannot fall below {smallest:.2f}."
        )
    if whose == OTHERS:
        return (
            f"{map_name} was not shown to agree with each person's own annotation better than with {whose} ({p_text(null['p'])}): "
            "it may only know where such findings usually lie."
        )
    return f"{map_name} was not shown to agree with the annotated places better than with {whose} ({p_text(null['p'])}): chance may explain it."


def against_chance(name: str, metric: dict, *, map_name: str) -> str:
    """The measure beside what a map that knows nothing reaches at these areas; empty where the area does not tell."""
    if metric.get("chance") is None or metric["value"] is None:
        return ""
    chance, label = as_text({"value": metric["chance"]}), NAMES[name].label
    if name in OF_A_CONSTANT_MAP:
        least = "chance gives a map with hot and cold places more, see the shifted annotations"
        return f"{map_name}: {label} {_number(metric)}; a constant map reaches {chance} ({least})."
    said = f"{map_name}: {label} {_number(metric)}; a map that knows nothing reaches {chance}"
    if metric.get("low") is None:
        return f"{said}."
    if metric["low"] <= metric["chance"] <= metric["high"]:
        return f"{said}, which lies in the interval."
    return f"{said}, which lies {'below' if metric['chance'] < metric['low'] else 'above'} the interval."


def against_ceiling(name: str, metric: dict, ceiling: dict, *, map_name: str) -> str:
    """The measure beside what readers reach among themselves.

    Args:
        name: iou, dice or pointing. metric: of the map. ceiling: what `summary.ceiling` gives.
    """
    among, label = ceiling[name], NAMES[name].label.removesuffix(" at matched area")
    if among["value"] is None or metric["value"] is None:
        return (
            f"{map_name} cannot be held against the readers: {(among if among['value'] is None else metric)['reason']}."
        )
    cases = f"{ceiling['cases']:,} case{'' if ceiling['cases'] == 1 else 's'}"
    if name == "pointing":
        said = f"The middle of one reader's annotation lies inside another's in {_number(among)} of {cases}; {map_name}'s hottest place does in "
    else:
        readers = {2: "Two", 3: "Three"}.get(ceiling["readers"], str(ceiling["readers"]))
        said = (
            f"{readers} readers agree among themselves with {label} {_number(among)} over {cases}; {map_name} reaches "
        )
    said += _number(metric)
    if metric.get("high") is None or among.get("low") is None:
        return f"{said}."
    if metric["high"] < among["low"]:
        return f"{said}, {metric['value'] / among['value']:.0%} of it.".replace("%", "\u00a0%")
    return f"{said}, which is more." if metric["low"] > among["high"] else f"{said}; the intervals overlap."


def compared(found: dict, name: str) -> list[str]:
    """A sentence for every pair.

    Args:
        found: what `summary.compare` gives. name: the measure.
    """
    said = []
    cases = f"On the same {found['cases']:,} cases" if found["cases"] != 1 else "On the one case that both have"
    for pair in found["pairs"]:
        one, label = pair[name], NAMES[name].label
        if one["value"] is None:
            said.append(f"{pair['a']} and {pair['b']} cannot be compared by {label}: {one['reason']}.")
            continue
        a, b = (as_text(found["runs"][pair[side]][name]) for side in ("a", "b"))
        holm = f", adjusted for {found['comparisons']} comparisons" if found["comparisons"] > 1 else ""
        tests = f"paired bootstrap {p_text(one['p_holm'])}, Wilcoxon {p_text(one['wilcoxon_holm'])}{holm}"
        numbers = f"{label} {a} ({pair['a']}) against {b} ({pair['b']}), difference {_number(one)}; {tests}"
        if one["better"] is None:
            said.append(f"The data cannot tell which of {pair['a']} and {pair['b']} agrees better. {cases}: {numbers}.")
        else:
            other = pair["b"] if one["better"] == pair["a"] else pair["a"]
            said.append(f"{one['better']} agrees better with the annotations than {other}. {cases}: {numbers}.")
    return said


def _number(metric: dict) -> str:
    """`0.820 (0.750 to 0.880)`, or the value alone where there is no interval."""
    return as_text(metric) if metric.get("low") is None else f"{as_text(metric)} ({interval_text(metric)})"
