"""Numbers in a sentence, for readers who are no statisticians."""

from medtf.evaluate.metrics import as_text, interval_text


def in_words(numbers: dict, name: str = "") -> str:
    """What a binary target's threshold means for a hundred people, in a sentence; empty where a rate is undefined.

    name: of the target, so that the classes can be named; without it they are called positives and negatives.
    """
    sensitivity, specificity = numbers["sensitivity"]["value"], numbers["specificity"]["value"]
    if sensitivity is None or specificity is None:
        return ""
    positive, negative = (f" ({name} = {numbers[key]})" if name else "" for key in ("positive", "negative"))
    # of slices that is no promise about people: a patient has many
    what = "people" if numbers.get("n") == numbers.get("patients") else "examples"
    found, alarms = round(100 * sensitivity), round(100 * (1 - specificity))
    sentence = (
        f"Of 100 positive {what}{positive} the model finds {found}{_of_hundred(numbers['sensitivity'])} and misses {100 - found}; "
        f"of 100 negative {what}{negative} it calls {alarms}{_of_hundred(numbers['specificity'], turned=True)} positive by mistake."
    )
    ppv = numbers["ppv"]["at_data_prevalence"]
    if ppv["value"] is not None:
        right, prevalence = round(100 * ppv["value"]), 100 * ppv["prevalence"]
        sentence += f" Of 100 positive calls {right} are right, at this fold's prevalence of {prevalence:.1f}\u00a0%."
    return sentence


def _of_hundred(metric: dict, *, turned: bool = False) -> str:
    """` (80 to 94)`, of 100; `turned`: of the others."""
    if metric.get("low") is None:
        return ""
    low, high = (1 - metric["high"], 1 - metric["low"]) if turned else (metric["low"], metric["high"])
    return f" ({round(100 * low)} to {round(100 * high)})"


def of_multiclass(numbers: dict) -> str:
    """How often the class named is right, beside always naming the most frequent one, and which class is missed most, and for what."""
    accuracy = numbers["accuracy"]
    if accuracy["value"] is None:
        return ""
    counts = {label: row["n"] for label, row in numbers["per_class"].items()}
    common = max(counts, key=counts.get)
    said = (
        f"Of 100 examples the model names the class of {round(100 * accuracy['value'])} rightly "
        f"({interval_text(accuracy, True)}); always naming the most frequent one, {common}, would be right for "
        f"{round(100 * counts[common] / numbers['n'])}."
    ).replace(" ()", "")
    sensitivities = {label: row["sensitivity"]["value"] for label, row in numbers["per_class"].items()}
    missed = min((label for label in counts if counts[label]), key=lambda label: sensitivities[label])
    if sensitivities[missed] == 1:
        return said
    row = numbers["confusion"][numbers["classes"].index(missed)]
    others = {label: n for label, n in zip(numbers["classes"], row, strict=True) if label != missed}
    taken = max(others, key=others.get)
    return (
        f"{said} Missed most often: {missed}, of which it recognises {as_text(numbers['per_class'][missed]['sensitivity'], True)} "
        f"of {counts[missed]:,} and takes {others[taken]:,} for {taken}."
    )


def of_regression(numbers: dict) -> str:
    """How far off the predictions are, beside the floor; empty where nothing is known."""
    error, floor = numbers["mean_absolute_error"], numbers["mean_absolute_error_of_median"]
    if error["value"] is None:
        return ""
    said = f"A prediction is off by {with_interval(error)} on average; always guessing the median is off by {as_text(floor)}."
    lean = numbers["error_truth_r"]
    if lean.get("high") is not None and lean["high"] < 0:
        said += (
            " The higher the true value, the lower the prediction beside it: predictions are pulled towards the mean."
        )
    return said


def of_matching(matched: dict) -> str:
    """What is left of the AUC among people of equal head size, and what that means."""
    if "auc_matched" not in matched:
        return f"Not matched on {matched['on']}: {matched['reason']}."
    auc, left, size = matched["auc"], matched["auc_matched"], matched["size_auc"]
    said = (
        f"Among {matched['pairs']:,} pairs whose {matched['on']} differs by at most {matched['caliper']:.3g}, the AUC is "
        f"{with_interval(left)}; among all {matched['people']:,} people it is {with_interval(auc)}. "
        f"{matched['on']} alone gives {as_text(size)} among all and {as_text(matched['size_auc_matched'])} in the pairs. "
    )
    if left.get("low") is None:
        return said.strip()
    if left["low"] <= max(0.5, matched["size_auc_matched"]["value"]):  # within a pair sizes still differ a little
        return said + "It is not shown that the model knows more than head size."
    if auc["value"] - left["value"] > (auc["value"] - 0.5) / 2:
        return said + "More than half of what the model knows above chance goes with head size."
    if left["value"] >= auc["low"]:
        return said + "The model loses next to nothing: it does not live on head size."
    return said + "The model knows more than head size, and some of what it knows goes with it."


def of_sd(spread: dict) -> str:
    """Whether the predicted standard deviations are too small, too large or right."""
    share = spread["within_1_96_sd"]
    if share.get("low") is None:
        return ""
    verdict = "as it should be"
    if share["high"] < share["expected"]:
        verdict = "fewer than there should be: the model is too sure of itself"
    elif share["low"] > share["expected"]:
        verdict = "more than there should be: the model is less sure than it could be"
    return f"{as_text(share, True)} of the true values lie within 1.96 predicted standard deviations: {verdict}."


def with_interval(metric: dict) -> str:
    """`4.21 (3.80 to 4.65)`."""
    return as_text(metric) + (f" ({interval_text(metric)})" if metric.get("low") is not None else "")
