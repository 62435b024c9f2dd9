"""What may be said of one run and method: does it look where experts look, does its answer hang on it, or can the data not tell?

The rules were written down before any result was seen, and made stricter once after a review: an effect must be above 0 by itself, and "for another
reason" must be shown, not merely not disproved. A model is *right* where its main number is better than a guess by more than chance. It
*looks there* where its maps' hottest places hit each person's own annotation more often than other people's; at the *usual place* where they hit
other people's no less, but the annotation shifted elsewhere less; *mostly elsewhere* where they beat either and yet the interval of the hits stays
below a half; *not there* where they do neither and the interval of the hits stays below a
half; else the data cannot tell. Its answer *hangs on it* where changing the annotated place lowers the score, and more than changing equal
places elsewhere.
"""

from medtf.evaluate.compare_words import p_text
from medtf.evaluate.metrics import as_text, interval_text
from medtf.evaluate.pages.words import with_interval
from medtf.evaluate.statistics.paired import ALPHA, holm
from medtf.explain.evidence import summary
from medtf.explain.evidence import words as evidence_words
from medtf.explain.intervention import words as intervention_words
from medtf.explain.intervention.words import VERBS, above_0, moves
from medtf.explain.runs.evidence_table import DECIDES

GOOD_AUC = 0.7  # from here on "acceptable" (Hosmer and Lemeshow 2013, Applied Logistic Regression, section 5.2.4)
FEWEST = 6  # patients: below, no test of signs or ranks reaches 5 %
HALF = 0.5
OWN, USUAL, SELDOM, NOT, OPEN = "own", "usual place", "seldom", "not there", "open"
# what the maps show -> by whether the answer hangs on the annotated place (None: not asked), the finding
FINDINGS = {
    OWN: {
        True: "{map} looks where the experts look, and the answer hangs on what they marked",
        False: "{map} looks where the experts look, but that the answer hangs on what they marked is not shown",
        None: "{map} looks where the experts look",
    },
    USUAL: {
        True: "{map} looks at the usual place of such findings, and the answer hangs on what the experts marked",
        False: "{map} looks at the usual place of such findings; that the answer hangs on what this person has there is not shown",
        None: "{map} looks at the usual place of such findings, and no nearer to what this person has there",
    },
    SELDOM: {
        True: "{map} looks mostly elsewhere, though where the experts look more often than chance, and the answer hangs on what they marked",
        False: "{map} looks mostly elsewhere, though where the experts look more often than chance; that the answer hangs on it is not shown",
        None: "{map} looks mostly elsewhere, though where the experts look more often than chance",
    },
    NOT: {
        True: "{map} does not look where the experts look, and yet the answer hangs on what they marked, which the map misses",
        False: "{map} does not look where the experts look, and that the answer hangs on what they marked is not shown",
        None: "{map} does not look where the experts look",
    },
}
RIGHT_FOR_ANOTHER_REASON = "The model is right, but not for the experts' reason"
CANNOT_TELL = "These data cannot tell whether {map} looks where the experts look"
NOT_RIGHT = "The model is not shown to be better than a guess, so its reasons weigh little"


def adjust(entries: list[dict]) -> None:
    """Put `p_holm` beside p of the deciding nulls and of the interventions, over all runs and methods of the page."""
    from medtf.explain.intervention import effect

    for key in ("others", "shifted"):
        tested = [one[key][DECIDES] for one in entries]
        for result, p in zip(tested, holm([result["p"] for result in tested]), strict=True):
            result["p_holm"] = p
    effect.adjusted([one for each in entries for one in each["interventions"].values()])


def right(performance: dict) -> bool | None:
    """Is the model better than a guess, by more than chance? None where there is no interval."""
    value, floor = performance["value"], performance["floor"]
    if value.get("low") is None or floor is None:
        return None
    return value["high"] < floor if performance["less_is_better"] else value["low"] > floor


def good(performance: dict) -> bool:
    """Is it right often enough for its reasons to matter?"""
    enough = performance["metric"] != "auc" or (performance["value"]["value"] or 0) >= GOOD_AUC
    return bool(right(performance)) and enough


def looks(one: dict) -> str:
    """OWN, USUAL, SELDOM, NOT or OPEN."""
    others, shifted, metric = one["others"][DECIDES], one["shifted"][DECIDES], one["measures"][DECIDES]
    if one["patients"] < FEWEST or others["p"] is None or 2 * one["empty_maps"] > one["cases"]:
        return OPEN
    beats = others["p_holm"] < ALPHA, shifted["p"] is not None and shifted["p_holm"] < ALPHA
    outside = metric.get("high") is not None and metric["high"] < HALF
    if any(beats):
        return SELDOM if outside else OWN if beats[0] else USUAL
    return NOT if outside else OPEN


def hangs(one: dict) -> bool | None:
    """Does any way of changing the annotated place lower the score, and more than elsewhere? None: not asked, or not to be tested."""
    return _lowers(one, "annotated", "annotated_more")


def elsewhere(one: dict) -> bool | None:
    """Does changing the map's own hottest place outside the annotation lower the score, and more than changing the annotated one?"""
    return _lowers(one, "hottest", "hottest_more")


def _lowers(one: dict, place: str, difference: str) -> bool | None:
    """The difference alone would not do: a place whose change raises the score a little may still lie above one that raises it more."""
    tested = [found for found in one["interventions"].values() if found[difference].get("p_holm") is not None]
    if not tested:
        return None
    return any(
        found[difference]["p_holm"] < ALPHA and found[difference]["value"] > 0 and above_0(found[place])
        for found in tested
    )


def finding(one: dict) -> str:
    """The first sentence of a page about one run and method: `what is found: the numbers behind it`.

    Args:
        one: of `evidence_table.entry`, adjusted.
    """
    seen, uses, is_right = looks(one), hangs(one), right(one["performance"])
    if seen == OPEN:
        said = CANNOT_TELL.format(map=one["label"])
        if one["patients"] < FEWEST:
            said += f": {one['patients']} {'person is' if one['patients'] == 1 else 'people are'} too few to test"
            return said + "."
        if 2 * one["empty_maps"] > one["cases"]:
            said += f", for {one['empty_maps']:,} of its {one['cases']:,} maps are empty: in this layer nothing speaks for it"
        elif uses:
            said += ", but the answer hangs on what they marked"
    elif good(one["performance"]) and seen == NOT and elsewhere(one):
        said = RIGHT_FOR_ANOTHER_REASON
    else:
        said = FINDINGS[seen][uses].format(map=one["label"])
        if is_right is False:
            said = f"{NOT_RIGHT}. {said}"
    if (one["trust"] or {}).get("passed") is False:
        said = f"{one['label']} fails its trust check on this model, so its maps are no evidence. For what they are worth: {said}"
    return f"{said}: {_numbers(one)}"


def _numbers(one: dict) -> str:
    """The numbers behind a finding, in one sentence."""
    value, metric, others = one["performance"]["value"], one["measures"][DECIDES], one["others"][DECIDES]
    parts = []
    if value["value"] is not None:
        parts.append(f"{one['performance']['label']} {with_interval(value)}")
    cases = f"{metric['cases']:,} case{'' if metric['cases'] == 1 else 's'}"
    hit = f"the hottest place lies inside the annotation in {_share(metric)} of {cases}"
    if others["p"] is not None:
        hit += f", and would in other people's in {others['expected']:.2f} ({_p(others)})"
    parts.append(hit)
    for how, found in one["interventions"].items():
        parts += _changed(how, found, one["unit"])
    return "; ".join(parts) + "."


def _p(result: dict) -> str:
    """`p = 0.012`, and whether it is adjusted."""
    adjusted = result.get("p_holm") is not None and result["p_holm"] != result["p"]
    return p_text(result.get("p_holm")) + (" adjusted" if adjusted else "")


def _changed(how: str, found: dict, unit: str) -> list[str]:
    annotated, away, more, verb = found["annotated"], found["elsewhere"], found["annotated_more"], VERBS[how].lower()
    if annotated["value"] is None or away["value"] is None:
        return []
    said = [f"{verb} what is marked {moves(annotated, unit)}, {verb} equal places elsewhere {moves(away)} ({_p(more)})"]
    if found["hottest"]["value"] is not None:
        said.append(
            f"{verb} the map's own hottest place outside the marks {moves(found['hottest'])} ({_p(found['hottest_more'])}"
            " against what is marked)"
        )
    return said


def sentences(one: dict, *, unit: str, ceiling: dict | None) -> list[str]:
    """Everything that is said of one run and method, a sentence or two each, in the order of a page."""
    measures, name = one["measures"], one["label"]
    said = [
        evidence_words.against_null(
            DECIDES, measures[DECIDES], one["others"][DECIDES], map_name=name, patients=one["patients"]
        ),
        evidence_words.against_null(
            DECIDES, measures[DECIDES], one["shifted"][DECIDES], map_name=name, whose=evidence_words.SHIFTED
        ),
        evidence_words.against_chance("mass", measures["mass"], map_name=name),
    ]
    said += [intervention_words.of_effects(how, found, unit) for how, found in one["interventions"].items()]
    if ceiling:
        said.append(evidence_words.against_ceiling("dice", measures["dice"], ceiling, map_name=name))
    return [sentence for sentence in said if sentence]


def compared(frames: dict, *, seed: int) -> dict:
    """`summary.compare` of all runs and methods, with a sentence for every pair and each measure of `summary.COMPARED`."""
    found = summary.compare(frames, seed=seed)
    return found | {"words": evidence_words.compared(found, DECIDES)}


def unit_of(kind: str, target: str) -> str:
    """What an intervention lowers."""
    return f"the predicted {target}" if kind == "regression" else f"the logit of {target}"


def _share(metric: dict) -> str:
    value = as_text(metric)
    return f"{value} ({interval_text(metric)})" if metric.get("low") is not None else value
