"""rethreshold(run, rule): another threshold from the stored validation predictions alone -> thresholds.json, with what stood before.

The test fold is not looked at. Whether it had been judged before the choice is written down: who has seen a result can choose by it.
"""

import datetime
import math
from pathlib import Path

import pandas as pd

from medtf import runs
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate import thresholds
from medtf.schema_evaluate import Rule

FILE = "thresholds.json"


def parse(text: str, prevalence: float | None = None) -> Rule:
    """A rule as it is typed: youden, sensitivity=0.95, specificity=0.9, cost=5 (with `prevalence`), or a number.

    Raises:
        AskedWronglyError: none of these, or a number out of range.
    """
    name, equals, number = text.strip().partition("=")
    fields = {"rule": name}
    if name == "youden" and not equals:
        fields = {"rule": "youden"}
    elif equals and name in ("sensitivity", "specificity", "cost"):
        fields = {"rule": name, "value": _number(number, text)}
    elif not equals and _is_number(name):
        fields = {"rule": "fixed", "value": float(name)}
    else:
        known = nearest(name, ("youden", "sensitivity=0.95", "specificity=0.9", "cost=5"))
        raise AskedWronglyError(
            f"RULE {text!r}: expected youden, sensitivity=0.95, specificity=0.9, cost=5 or a number from 0 to 1"
            + (f"; {known}" if known.startswith("did") else "")
        )
    if prevalence is not None:
        fields["prevalence"] = prevalence
    try:
        return Rule.of(fields)
    except ValueError as error:  # pydantic's errors are ValueErrors
        said = error.errors()[0]["msg"].removeprefix("Value error, ") if hasattr(error, "errors") else str(error)
        said = said.replace("`cost`: {cost: 5, prevalence: 0.1}", "cost: cost=5 --prevalence 0.1")
        raise AskedWronglyError(f"RULE {text!r}: {said}") from error


def standing(run: runs.Run, target: str | None = None) -> tuple[dict[str, dict], list[dict]]:
    """The thresholds that stand, {target: choice}, and the choices they replaced, oldest first.

    Raises:
        AskedWronglyError: no such binary target.
    """
    content = _read(run)
    names = _names(run, target)
    return {n: content["targets"][n] for n in names if n in content["targets"]}, [
        past for past in content.get("history", []) if past.get("target") in names
    ]


def rethreshold(run: runs.Run, rule: Rule, target: str | None = None) -> dict[str, tuple[dict | None, dict]]:
    """Choose anew on the stored validation predictions, and write thresholds.json whole.

    Args:
        run: whose training has ended. rule: for `target`, or for all binary targets.

    Returns:
        {target: (what stood before or None, what stands now)}. A choice made once the test fold was judged holds "after_test": true. What
        it replaces goes into the file's "history", with its `target` and the time `until` which it stood (UTC).

    Raises:
        AskedWronglyError: no such binary target. MedtfError: no validation predictions, or a damaged file.
    """
    names, content = _names(run, target), _read(run)
    config = run.config()
    chosen = thresholds.choose(
        _validation(run), {name: config.targets[name] for name in names}, rule, aggregate=config.evaluate.aggregate
    )
    history, late = list(content.get("history", [])), was_test_judged(run, content)
    changes = {}
    for name, new in chosen.items():
        old = content["targets"].get(name)
        if old is not None and _answer(old) == _answer(new):
            changes[name] = (old, old)
            continue
        if late:
            new["after_test"] = True
            if "per_patient" in new:
                new["per_patient"]["after_test"] = True
        if old is not None:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            history.append({"target": name, "until": now, **old})
        changes[name] = (old, new)
    if any(old is not new for old, new in changes.values()):
        targets = content["targets"] | {name: new for name, (_, new) in changes.items()}
        run.write_json(FILE, content | {"targets": targets, "history": history})
    return changes


def was_test_judged(run: runs.Run, content: dict) -> bool:
    """Whether a result on the test fold has been seen: metrics.json holds one, or it is written down that one was made."""
    if "test" in content.get("judged", ()) or any(
        one.get("after_test") for one in [*content["targets"].values(), *content.get("history", [])]
    ):
        return True
    if not (run.folder / "metrics.json").is_file():
        return False
    try:
        return run.read_json("metrics.json").get("split") not in ("valid", "train")
    except MedtfError:  # damaged: nobody can say that it was not seen
        return True


def record_judged(run: runs.Run, fold: str) -> None:
    """Write down in thresholds.json that a fold was judged: metrics.json forgets the test when another fold is judged after it."""
    content = _read(run)
    if fold not in content.get("judged", ()):
        run.write_json(FILE, content | {"judged": sorted({*content.get("judged", ()), fold})})


def _answer(choice: dict) -> tuple:
    """What makes two choices the same: the rule, and where it cuts examples and patients."""
    return choice.get("rule"), choice["value"], (choice.get("per_patient") or {}).get("value")


def _read(run: runs.Run) -> dict:
    content = run.read_json(FILE)
    there = content.get("targets")
    whole = isinstance(there, dict) and all(_is_choice(one) for one in there.values())
    if not whole:
        raise MedtfError(
            f"{run.folder / FILE}: damaged: expected `targets`, each with a number as `value`; copy it again"
        )
    return content


def _is_choice(one) -> bool:
    """A dict with a finite number as `value`, and one in `per_patient` where that is there."""
    if not isinstance(one, dict) or not isinstance(one.get("value"), (int, float)) or isinstance(one["value"], bool):
        return False
    return math.isfinite(one["value"]) and ("per_patient" not in one or _is_choice(one["per_patient"]))


def _names(run: runs.Run, target: str | None) -> list[str]:
    targets = run.config().targets
    binary = [name for name, one in targets.items() if one.kind == "binary"]
    if not binary:
        raise AskedWronglyError(f"{run.folder}: no binary target, so there is no threshold to choose")
    if target is None:
        return binary
    if target not in binary:
        why = f"is {targets[target].kind}, and has no threshold; " if target in targets else ""
        raise AskedWronglyError(f"--target {target}: {why}{nearest(target, binary)}")
    return [target]


def _validation(run: runs.Run) -> pd.DataFrame:
    path = Path(run.folder) / "valid_predictions.parquet"
    if not path.is_file():
        raise MedtfError(
            f"{run.folder}: no {path.name}: a threshold is chosen on the validation fold's predictions, which this run"
            f" does not hold; `medtf evaluate {run.folder}` makes them, but judges the test fold too: a threshold chosen then is marked so"
        )
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{path}: damaged: not a Parquet file; copy it again") from error


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False


def _number(text: str, whole: str) -> float:
    if not _is_number(text):
        raise AskedWronglyError(f"RULE {whole!r}: expected a number after `=`, got {text!r}")
    return float(text)
