"""Thresholds of binary targets, chosen on the validation fold and never moved by the test fold.

A threshold picked on the fold that it is then judged on flatters sensitivity and specificity.
"""

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.evaluate.cuts import Cuts
from medtf.evaluate.predictions import Sample, of_fold, per_patient, sample
from medtf.evaluate.prevalence import shift
from medtf.evaluate.reached import reached
from medtf.schema_evaluate import SHARES, Aggregate, Rule

WITHOUT = 0.5  # the threshold where none can be chosen


def choose(
    predictions_valid: pd.DataFrame,
    targets: dict[str, Target],
    rule: Rule | str | float | dict,
    *,
    aggregate: Aggregate | str | None = None,
) -> dict:
    """The threshold of every binary target; an example is called positive when its probability >= the threshold.

    Args:
        predictions_valid: predictions of the validation fold (rows of other folds are ignored); may be empty.
        targets: the config's targets.
        rule: a Rule, or as a config writes it: "youden", {"sensitivity": 0.95}, {"specificity": 0.9},
            {"cost": 5, "prevalence": 0.1}, or a number that is taken as it is.
        aggregate: how examples become a patient: also choose a threshold for patients, whose aggregated probability is
            distributed otherwise (the maximum of 30 slices nearly always passes the slices' threshold). None: patients
            use that of the examples.

    Returns:
        {target: {"value", "rule" (in words), "asked" (as a config writes it), "fold", "n", "patients", "reached" (what it
        gives on the validation fold, or None), "notes" (lines for the reader)}}; of a cost also "bayes"; with
        `aggregate` also "per_patient", of the same form. docs/metrics.md explains the keys.
    """
    chosen, rule = {}, Rule.of(rule)
    frame = of_fold(predictions_valid, "valid") if len(predictions_valid) else predictions_valid
    for name, target in targets.items():
        if target.kind != "binary":
            continue
        if not len(frame):
            chosen[name] = _without(rule, "no validation fold", fold=None)
            continue
        known = sample(frame, name, target)
        people = frame["patient"].to_numpy()[known.at]
        chosen[name] = _choose(known, people, rule, of="examples")
        if aggregate is not None and rule.rule != "fixed":
            patients = per_patient(frame, name, target, aggregate)
            gathered = sample(patients, name, target)
            several = len(known.truth) > known.patients
            chosen[name]["per_patient"] = _choose(gathered, patients["patient"].to_numpy(), _of_patients(rule, several))
    return chosen


def youden(truth: np.ndarray, probability: np.ndarray) -> float | None:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), half-way to the next lower score.

    Of several equally good ones the lowest is taken, which has the highest sensitivity: a missed finding costs more
    than a second look. None when no threshold does better than chance.
    """
    cuts = Cuts(truth, probability)
    best = cuts.youden()
    return None if best is None else cuts.value(best)


def in_words(rule: Rule, prevalence: float | None = None) -> str:
    """A rule as a reader reads it: `sensitivity at least 0.95`, `a miss costs 5 false alarms, prevalence 0.1`.

    Args:
        rule: of the threshold.
        prevalence: of the fold, for a cost that was given without one.
    """
    if rule.rule in SHARES:
        return f"{rule.rule} at least {rule.value:g}"
    if rule.rule != "cost":
        return rule.rule
    said = f"a miss costs {rule.value:g} false alarm{'' if rule.value == 1 else 's'}"
    if rule.prevalence is not None:
        return f"{said}, prevalence {rule.prevalence:g}"
    return said if prevalence is None else f"{said}, at this fold's prevalence of {prevalence:.3g}"


def as_written(rule: Rule) -> str | float | dict:
    """A rule as a config writes it, so that it can be asked for again."""
    if rule.rule == "youden":
        return "youden"
    if rule.rule == "fixed":
        return rule.value
    return {rule.rule: rule.value} | ({} if rule.prevalence is None else {"prevalence": rule.prevalence})


def _of_patients(rule: Rule, several: bool) -> Rule:
    """A given prevalence is one of examples (docs/metrics.md); patients of several examples are positive more often."""
    return rule.model_copy(update={"prevalence": None}) if several else rule


def _choose(known: Sample, people: np.ndarray, rule: Rule, of: str = "patients") -> dict:
    """The choice for one target, of its examples or of its patients."""
    if rule.rule == "fixed":
        found = _without(rule, None, fold=None)
        if len(known.truth):
            found["reached"] = reached(known, people, rule.value)
        return found
    about = {"n": len(known.truth), "patients": known.patients}
    if not len(known.truth):
        return _without(rule, "validation fold holds no known label", **about)
    if known.truth.min() == known.truth.max():
        return _without(rule, "validation fold holds one class only", **about) | {
            "reached": reached(known, people, WITHOUT)
        }
    cuts = Cuts(known.truth, known.prediction)
    prevalence = rule.prevalence or float(known.truth.mean())
    best = _best(cuts, rule, prevalence)
    if best is None:
        return _without(rule, "no threshold separates the validation fold", **about) | {
            "reached": reached(known, people, WITHOUT)
        }
    value = cuts.value(best)
    got = reached(known, people, value)
    found = {"value": value, "rule": in_words(rule, prevalence), "asked": as_written(rule), "fold": "valid", **about}
    found["reached"] = got
    if rule.rule == "cost":
        found["reached"]["cost"] = float(cuts.cost(rule.value, prevalence)[best])
        found["bayes"] = _bayes(rule.value, prevalence, float(known.truth.mean()))
    return found | {"notes": _notes(rule, got, cuts.calls(best), of)}


def _best(cuts: Cuts, rule: Rule, prevalence: float) -> int | None:
    if rule.rule == "youden":
        return cuts.youden()
    if rule.rule == "cost":
        return cuts.cheapest(rule.value, prevalence)
    return cuts.at_least(rule.rule, rule.value)


def _bayes(cost: float, prevalence: float, of_fold: float) -> dict:
    """Where probabilities that are right would be cut, for reference (Elkan 2001): costs balance at odds of 1 / cost."""
    value = 1 / (1 + cost)
    return {"value": value, "prevalence": prevalence, "at_fold_prevalence": float(shift(value, prevalence, of_fold))}


def _notes(rule: Rule, got: dict, calls: str, of: str) -> list[str]:
    """What a reader must know of a choice: a rule that only an empty answer meets, and too few people to tell."""
    said = []
    if calls != "some":
        every = f"calling {'every one' if calls == 'all' else 'none'} of the {of} positive"
        how = "is the cheapest" if rule.rule == "cost" else "alone meets the rule"
        said.append(f"On the validation fold {every} {how}: the model adds nothing under this rule.")
    if rule.rule in SHARES:
        few = got[rule.rule].get("units", 0)
        needed = _needed(rule.value)
        kind = "positive" if rule.rule == "sensitivity" else "negative"
        if needed is not None and few < needed:
            low = got[rule.rule]["low"]
            counted = "patient is" if few == 1 else "patients are"
            starts = "" if low is None else f"; the interval of the {rule.rule} reached starts at {low:.3f}"
            said.append(
                f"{few:,} {kind} {counted} too few to show a {rule.rule} of {rule.value:g}: at least {needed:,} are needed{starts}."
            )
        elif needed is None:
            said.append(f"A {rule.rule} of 1 cannot be shown by any number of patients.")
    return said


def _needed(share: float) -> int | None:
    """How many, all called rightly, lift the lower Wilson limit n / (n + z²) to a share; None: no number does."""
    return None if share >= 1 else int(np.ceil(1.959964**2 * share / (1 - share) - 1e-9))


def _without(rule: Rule, why: str | None, *, fold: str | None = "valid", n: int = 0, patients: int = 0) -> dict:
    """A number that was given, or 0.5 where the rule has nothing to go by."""
    value = WITHOUT if rule.value is None or rule.rule != "fixed" else float(rule.value)
    said = "fixed" if rule.rule == "fixed" else f"fixed ({why})"
    notes = [] if rule.rule == "fixed" else [f"Asked for: {in_words(rule)}. It could not be chosen: {why}."]
    about = {"asked": as_written(rule), "fold": fold, "n": n, "patients": patients}
    return {"value": value, "rule": said, **about, "reached": None, "notes": notes}
