"""What a judgement says against its own model: each limit is a number of metrics.json that misses a stated mark."""

from collections.abc import Iterator

from medtf.evaluate.metrics import DEFINITIONS, as_text
from medtf.evaluate.pages.words import with_interval

MANY_PATIENTS = 30  # below, an interval says little
SIGNIFICANT = 0.05
OTHER_PREVALENCE = 0.02  # absolute difference, above which predictive values of training and use differ visibly


def known(metrics: dict) -> Iterator[str]:
    """Sentences, one a limit; what is missing in `metrics`, or has no interval, gives none."""
    for leak in metrics.get("leaks", ()):
        yield f"Leak between folds: {leak}."
    if metrics["n"]["patients"] < MANY_PATIENTS:
        yield f"{metrics['n']['patients']} patients were judged; with fewer than {MANY_PATIENTS} an interval may be too narrow."
    if metrics["split"] in ("train", "valid", "all"):
        yield f"The numbers are of the fold {metrics['split']}, which training saw or was steered by."
    for name, numbers in metrics["targets"].items():
        for limit in (_guessing, _threshold, _prevalence, _calibration, _pull, _sd, _matched, _groups, _coverage):
            for said in limit(name, numbers):
                yield f"{name}: {said}."


def _guessing(name: str, numbers: dict) -> Iterator[str]:
    """No better than a coin, or than a constant."""
    for key in ("auc", "auc_macro"):
        auc = numbers.get(key) or {}
        if auc.get("low") is not None and auc["low"] <= 0.5:
            yield f"{DEFINITIONS[numbers['kind']][key][0]} {with_interval(auc)} is not shown to be above 0.5, which is guessing"
    error, floor = numbers.get("mean_absolute_error") or {}, numbers.get("mean_absolute_error_of_median") or {}
    if error.get("high") is not None and floor.get("value") is not None and error["high"] >= floor["value"]:
        yield (
            f"mean absolute error {with_interval(error)} is not shown to be below {as_text(floor)}, that of always guessing the median"
        )


def _threshold(name: str, numbers: dict) -> Iterator[str]:
    at = numbers.get("threshold") or {}
    if at.get("after_test"):
        yield f"the threshold {at['value']:.4g} was chosen after the test fold had been judged"
    elif str(at.get("rule", "")).startswith("fixed ("):
        yield f"the threshold {at['value']:.4g} is {at['rule']}"


def _prevalence(name: str, numbers: dict) -> Iterator[str]:
    """Probabilities speak of the prevalence that training saw."""
    by = numbers.get("ppv") or {}
    shares = {key: by.get(key, {}).get("prevalence") for key in ("at_undersampled_prevalence", "at_data_prevalence")}
    trained, judged = shares.values()
    if trained is not None and judged is not None and abs(trained - judged) >= OTHER_PREVALENCE:
        given = by.get("at_given_prevalence", {}).get("prevalence")
        meant = f", and {_percent(given)} where it is meant to be used" if given is not None else ""
        yield f"training saw a prevalence of {_percent(trained)}; it is {_percent(judged)} in the judged fold{meant}"


def _calibration(name: str, numbers: dict) -> Iterator[str]:
    found = numbers.get("calibration") or {}
    found = found.get("top_label") or found  # of several classes: of the one that is called
    slope, intercept = found.get("slope") or {}, found.get("intercept_in_the_large") or {}
    if slope.get("low") is not None and not slope["low"] <= 1 <= slope["high"]:
        lean = "too extreme" if slope["value"] < 1 else "too near to the prevalence"
        yield f"calibration slope {with_interval(slope)}, where 1 is right: probabilities are {lean}"
    if intercept.get("low") is not None and not intercept["low"] <= 0 <= intercept["high"]:
        lean = "too high" if intercept["value"] < 0 else "too low"
        yield f"calibration intercept {with_interval(intercept)}, where 0 is right: probabilities are {lean} on average"


def _pull(name: str, numbers: dict) -> Iterator[str]:
    lean, bias = numbers.get("error_truth_r") or {}, numbers.get("bias") or {}
    if lean.get("high") is not None and lean["high"] < 0:
        yield f"correlation of error and truth {with_interval(lean)}: low values are predicted too high, high ones too low"
    if bias.get("low") is not None and not bias["low"] <= 0 <= bias["high"]:
        yield f"predictions are too {'high' if bias['value'] > 0 else 'low'} on average: bias {with_interval(bias)}"


def _sd(name: str, numbers: dict) -> Iterator[str]:
    share = (numbers.get("predicted_sd") or {}).get("within_1_96_sd") or {}
    if share.get("high") is not None and share["high"] < share["expected"]:
        expected = f"{100 * share['expected']:.0f}\u00a0%"
        yield f"{as_text(share, True)} of the true values lie within 1.96 predicted standard deviations, where {expected} should"


def _matched(name: str, numbers: dict) -> Iterator[str]:
    matched = numbers.get("matched") or {}
    left, size = matched.get("auc_matched") or {}, matched.get("size_auc_matched") or {}
    if left.get("low") is not None and size.get("value") is not None and left["low"] <= max(0.5, size["value"]):
        yield (
            f"among {matched['pairs']:,} pairs of equal {matched['on']} the AUC is {with_interval(left)}, and"
            f" {as_text(size)} by {matched['on']} alone"
        )


def _groups(name: str, numbers: dict) -> Iterator[str]:
    for column, found in (numbers.get("subgroups") or {}).items():
        tests = found.get("tests") if isinstance(found, dict) else None
        for metric, test in (tests or {}).items():
            p = test.get("p_holm")
            if p is not None and p < SIGNIFICANT:
                label = DEFINITIONS[numbers["kind"]].get(metric, (metric.replace("_", " "),))[0]
                shown = "p < 0.001" if p < 0.001 else f"p {p:.3f}"
                yield f"{label} differs by {column} ({shown} after Holm)"


def _coverage(name: str, numbers: dict) -> Iterator[str]:
    found = numbers.get("conformal") or {}
    reached, wanted = found.get("coverage") or {}, found.get("miscoverage")
    if reached.get("high") is not None and wanted is not None and reached["high"] < 1 - wanted:
        yield f"conformal sets hold the truth in {as_text(reached, True)}, where {100 * (1 - wanted):.0f}\u00a0% was promised"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"
