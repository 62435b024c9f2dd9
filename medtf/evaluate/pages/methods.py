"""How each interval was made: the mark beside a number, and what it stands for. Each method is explained once, at the report's end."""

from collections.abc import Iterator

# `method` in metrics.json -> (name, what it does, source)
METHODS = {
    "bca": (
        "BCa bootstrap over patients",
        "Whole patients are drawn with replacement; the ends of the interval are shifted for the bias and the skewness of the draws.",
        "Efron 1987, J Am Stat Assoc 82:171",
    ),
    "percentile": (
        "Percentile bootstrap over patients",
        "Whole patients are drawn with replacement; the middle 95 % of what the draws give, and a little more for few patients.",
        "Efron and Tibshirani 1993, chapter 13; Hesterberg 2015, Am Stat 69:371",
    ),
    "logit_bootstrap": (
        "Bootstrap over patients, on the logit scale",
        "A normal interval of the logit with the standard deviation of the draws: for numbers near 1, whose draws lean on it.",
        "Boyd, Eng and Page 2013, LNCS 8190:451; Mercaldo, Lau and Zhou 2007, Stat Med 26:2170",
    ),
    "test_inversion": (
        "Inverted test",
        "For sums of absolute values, which chance alone lifts above 0: the sizes under which the number found is neither among the 2.5 %"
        " largest nor the 2.5 % smallest of the bootstrap's.",
        "",
    ),
    "delong": (
        "DeLong",
        "Variance of an AUC from how each example ranks among those of the other class; one example a patient; on the logit scale.",
        "DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837; Sun and Xu 2014, IEEE Signal Process Lett 21:1389",
    ),
    "obuchowski": (
        "DeLong, clustered by patient",
        "As DeLong's, but the examples of one patient are one cluster, since they resemble each other; with Student's t, on the logit scale.",
        "Obuchowski 1997, Biometrics 53:567",
    ),
    "newcombe": (
        "Newcombe",
        "For an AUC of exactly 0 or 1, where DeLong's variance is 0: a score interval at the number of patients.",
        "Newcombe 2006, Stat Med 25:559",
    ),
    "wilson": (
        "Wilson score",
        "Interval of a proportion that holds its level near 0 and 1 and for few examples.",
        "Wilson 1927, J Am Stat Assoc 22:209",
    ),
    "wilson_patients": (
        "Wilson score, clustered by patient",
        "As Wilson's, for as many independent examples as these are worth by their variance over patients.",
        "Rao and Scott 1992, Biometrics 48:577; Korn and Graubard 1998, Surv Methodol 24:193",
    ),
    "from_wilson": (
        "From Wilson's limits",
        "For a number at 0 or 1 that follows from proportions: made of the ends of their intervals, and so rather too wide.",
        "",
    ),
    "mover": (
        "MOVER",
        "For a difference of proportions: the distances from each proportion to the ends of its own interval, put together.",
        "Zou and Donner 2008, Stat Med 27:1693",
    ),
    "fisher_z": (
        "Fisher's z",
        "A correlation's inverse hyperbolic tangent is nearly normal; its variance, 1 / (n - 3) if all is normal, follows each patient's influence.",
        "Fisher 1921, Metron 1:3; Bishara, Li and Nash 2018, Br J Math Stat Psychol 71:167",
    ),
    "student": (
        "Student's t",
        "Normal differences, one example a patient.",
        "Bland and Altman 1999, Stat Methods Med Res 8:135",
    ),
}


def used(metrics) -> list[str]:
    """The methods that stand in metrics.json, in the order of METHODS; unknown ones last, by name."""
    found = set(_found(metrics))
    return [key for key in METHODS if key in found] + sorted(found - set(METHODS))


def _found(node) -> Iterator[str]:
    if isinstance(node, dict):
        if "low" in node and node["low"] is not None and isinstance(node.get("method"), str):
            yield node["method"]
        for value in node.values():
            yield from _found(value)
    elif isinstance(node, list):
        for value in node:
            yield from _found(value)


def marks(metrics) -> dict[str, str]:
    """{method: its letter}: a, b, c ... in the order of `used`."""
    return {key: chr(ord("a") + place) for place, key in enumerate(used(metrics)[:26])}


def explained(metrics) -> list[dict]:
    """[{mark, key, name, text, source}] of every method used; one without an explanation is named as it is."""
    letters = marks(metrics)
    found = []
    for key in letters:
        name, text, source = METHODS.get(key, (key.replace("_", " "), "", ""))
        found.append({"mark": letters[key], "key": key, "name": name, "text": text, "source": source})
    return found
