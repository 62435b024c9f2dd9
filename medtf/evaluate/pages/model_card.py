"""Intended use and limits (Mitchell 2019, Model Cards), from facts of the run alone: no sentence without a number or a name behind it."""

from collections.abc import Iterator

from medtf.config import Config
from medtf.evaluate.metrics import DEFINITIONS, MAIN, as_text, interval_text
from medtf.evaluate.pages import limits
from medtf.evaluate.pages.demographics import role

PURPOSE = "For research use; not a medical device."
FEWEST = 10  # patients of a group, below which nothing was learnt of it
OLDEST = 89  # ages above it can point to a person (HIPAA's Safe Harbor counts them together)
DESCRIBED = ("sex", "ethnicity", "site", "scanner", "image")


def lines(metrics: dict, config: Config, demographics: dict | None) -> list[str]:
    """All sentences of `sections`, after what the model is for."""
    return [PURPOSE, *(line for found in sections(metrics, config, demographics).values() for line in found)]


def sections(metrics: dict, config: Config, demographics: dict | None) -> dict[str, list[str]]:
    """Heading -> sentences; a heading without a sentence is left away.

    Args:
        metrics: of metrics.json. config: resolved.
        demographics: as `demographics.table` gives them, or None where the run's table is away.
    """
    found = {
        "What it learnt from": list(_learnt(config, demographics)),
        "What it answers": list(_answers(metrics)),
        "What it was judged on": list(_judged(metrics, demographics)),
        "Where it was not tried": list(_untried(metrics, demographics)),
        "Known limits": list(limits.known(metrics)),
    }
    return {heading: said for heading, said in found.items() if said}


def _learnt(config: Config, people: dict | None) -> Iterator[str]:
    train = _trained(people)
    if train is None:
        return
    counts = f"{people['examples'][train]:,} examples of {people['patients'][train]:,} patients"
    select = ", ".join(f"{k} = {_list(v)}" for k, v in config.data.select.items())
    where = f" (pipeline {config.pipeline}{f'; only {select}' if select else ''})"
    if "train" in people["folds"]:
        yield f"Trained on {counts}{where}."
    else:
        yield f"{len(people['folds']) - 1} networks, each trained without its own fold of {counts}{where}."
    for row in people["rows"]:
        if row["role"] in ("age", "target") and "numbers" in row and row["numbers"][train]["n"]:
            n = row["numbers"][train]
            yield (
                f"{row['column']}: median {n['median']:.4g}, quartiles {n['q1']:.4g} to {n['q3']:.4g},"
                f" range {_end(row, n['low'])} to {_end(row, n['high'])}{_unknown(row, train)}."
            )
        elif row["role"] in DESCRIBED and "levels" in row and row["known"][train]:
            yield f"{row['column']}: {_shares(row, train)}{_unknown(row, train)}."
    for row in people["rows"]:
        if row["role"] == "target" and "levels" in row and row["known"][train]:
            yield (
                _prevalence(row, train)
                if "positive" in row
                else f"{row['column']}: {_shares(row, train)}{_unknown(row, train)}."
            )


def _prevalence(row: dict, fold: int) -> str:
    positives, known, examples = row["levels"][0]["counts"][fold], row["known"][fold], row["examples"][fold]
    patients = f"{positives:,} of {known:,} patients ({percent(positives / known)})"
    share = percent(examples["positives"] / examples["known"])
    return f"{row['column']} = {row['positive']} in {patients} and {examples['positives']:,} of {examples['known']:,} examples ({share})."


def _answers(metrics: dict) -> Iterator[str]:
    for name, numbers in metrics["targets"].items():
        if numbers["kind"] == "binary":
            at = numbers.get("threshold") or {}
            called = ""
            if at.get("value") is not None:
                fold = f", chosen on the fold {at['fold']}" if at.get("fold") else ""
                called = f"; called {numbers['positive']} from {at['value']:.4g} on ({at['rule']}{fold})"
            yield f"{name}: the probability that {name} = {numbers['positive']} in one example{called}."
        elif numbers["kind"] == "multiclass":
            yield f"{name}: a probability for each of {', '.join(numbers['classes'])}; the most probable is called."
        else:
            yield f"{name}: a number in the unit of the column {name}."
    per = metrics.get("per_patient") or {}
    if per.get("n") and per["n"] != metrics["n"]["examples"]:
        yield f"The answers of a patient's examples become one by: {per['aggregate']}."


def _judged(metrics: dict, people: dict | None) -> Iterator[str]:
    n = metrics["n"]
    fold = "all folds" if metrics["split"] == "all" else f"the fold {metrics['split']}"
    yield f"Judged on {n['examples']:,} examples of {n['patients']:,} patients: {fold}."
    for name, numbers in metrics["targets"].items():
        key = MAIN[numbers["kind"]]
        if numbers[key]["value"] is not None:
            label, _, percent = DEFINITIONS[numbers["kind"]][key]
            interval = interval_text(numbers[key], percent)
            yield f"{name}: {label} {as_text(numbers[key], percent)} ({interval})."
    train, judged = _trained(people), _tested(people, metrics["split"])
    if train is None or judged is None:
        return
    if train == judged:
        if "train" not in people["folds"]:
            yield "All these people come from one table; whether the numbers hold at another site was not tested."
        return
    sites = [row for row in people["rows"] if row["role"] == "site" and "levels" in row]
    if not sites:
        yield "No column of the table names a site, so whether the numbers hold at another one was not tested."
    for row in sites:
        there = [level["level"] for level in row["levels"] if level["counts"][judged]]
        known = [level["level"] for level in row["levels"] if level["counts"][train]]
        new = [level for level in there if level not in known]
        if new:
            yield f"{row['column']}: {_list(new)} of the judged fold {'was' if len(new) == 1 else 'were'} not in training."
        elif there:
            yield f"{row['column']}: {_list(there)} of the judged fold also stand in training; no other site was tested."


def _untried(metrics: dict, people: dict | None) -> Iterator[str]:
    train, judged = _trained(people), _tested(people, metrics["split"])
    if train is None or judged is None:
        return
    for row in people["rows"]:
        if row["role"] in ("age", "target") and "numbers" in row and row["numbers"][train]["n"]:
            yield _beyond(row, row["numbers"][train])
        if row["role"] not in (*DESCRIBED, None) or "levels" not in row:
            continue
        few = [(level["level"], level["counts"][judged]) for level in row["levels"] if level["counts"][judged] < FEWEST]
        if few:
            shown = ", ".join(f"{level} ({count})" for level, count in few)
            yield f"{row['column']}: fewer than {FEWEST} patients judged of {shown}."
        if len(row["levels"]) == 1 and row["known"][train]:
            yield f"{row['column']}: every patient whose value is known is {row['levels'][0]['level']}."
    for name, numbers in metrics["targets"].items():
        if numbers.get("unknown"):
            all_ = numbers["n"] + numbers["unknown"]
            yield f"{name}: {numbers['unknown']:,} of {all_:,} examples of the judged fold have no known label."


def _trained(people: dict | None) -> int | None:
    """Place of the fold that was trained on: `train`, and all of them in a cross-validation."""
    if not people:
        return None
    return people["folds"].index("train" if "train" in people["folds"] else "all")


def _tested(people: dict | None, split: str) -> int | None:
    """Place of the fold that was judged; all of them in a cross-validation."""
    if not people:
        return None
    return people["folds"].index(split if split in people["folds"] else "all")


def _shares(row: dict, fold: int) -> str:
    known = row["known"][fold]
    there = [level for level in row["levels"] if level["counts"][fold]]
    return ", ".join(f"{v['level']} {v['counts'][fold]:,} ({percent(v['counts'][fold] / known)})" for v in there)


def _unknown(row: dict, fold: int) -> str:
    return f"; unknown of {row['unknown'][fold]:,}" if row["unknown"][fold] else ""


def _beyond(row: dict, numbers: dict) -> str:
    """What lies outside the range that training saw."""
    above = "" if _end(row, numbers["high"]).startswith("over") else f" or above {numbers['high']:.4g}"
    return f"{row['column']}: nobody in training is below {_end(row, numbers['low'])}{above}."


def _end(row: dict, value: float) -> str:
    """An end of a range; the highest ages are not told."""
    return f"over {OLDEST}" if role(row["column"]) == "age" and value > OLDEST else f"{value:.4g}"


def percent(share: float) -> str:
    """`14.4 %`, as the report's tables print it."""
    return f"{100 * share:.1f}\u00a0%"


def _list(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
