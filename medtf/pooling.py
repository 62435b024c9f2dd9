"""The folds of a cross-validation as one judgement: out-of-fold predictions pooled, everybody once, each called by the threshold of its fold."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medtf import runs
from medtf.errors import MedtfError
from medtf.evaluate.by_fold import FOLD
from medtf.folds import Parent


def pooled(parent: Parent) -> pd.DataFrame:
    """Predictions of every example of the table, each by the run that tests on its fold.

    Returns:
        columns as predictions.parquet, `fold` = test; `cv_fold`, the number of the run; and for each binary target `<t>_threshold` and
        `<t>_threshold_per_patient`, which that run chose on its own validation fold. In the order of the table.
    Raises:
        MedtfError: a fold is not judged on its test fold, or its predictions are not of this table.
    """
    return _gathered(parent, "test")


def valid_pooled(parent: Parent) -> pd.DataFrame:
    """Predictions of every example by the run that validates on its fold; `cv_fold` is that run's number.

    What is fitted on them must be fitted run by run (`by_run`): all folds' validation people together are the people who are tested.
    """
    return _gathered(parent, "valid")


def by_run(tested: pd.DataFrame, validated: pd.DataFrame):
    """Yield (run's number, its test predictions, its validation predictions), of what `pooled` and `valid_pooled` give."""
    for number in sorted(tested[FOLD].unique()):
        yield int(number), tested[tested[FOLD] == number], validated[validated[FOLD] == number]


def thresholds(parent: Parent) -> dict:
    """As thresholds.json's `targets`: `value` is the median of the folds' (for a plot), `by_fold` holds those that calls are made with."""
    each = [run.read_json("thresholds.json")["targets"] for run in parent.children()]
    return {name: _together([one[name] for one in each]) for name in each[0]}


def _together(each: list[dict]) -> dict:
    values = [one["value"] for one in each]
    rules = list(dict.fromkeys(one["rule"] for one in each))
    rule = "; ".join(rules)
    if len(set(values)) > 1:
        rule += f"; each fold by its own, {min(values):.3g} to {max(values):.3g} (here: their median)"
    found = {"value": float(np.median(values)), "rule": rule, "fold": each[0]["fold"], "by_fold": values}
    found |= {key: sum(one[key] for one in each) for key in ("n", "patients")}
    found |= {"asked": each[0].get("asked"), "reached": None}
    found["notes"] = [f"Fold {fold}: {note}" for fold, one in enumerate(each) for note in one.get("notes", ())]
    if all("per_patient" in one for one in each):
        found["per_patient"] = _together([one["per_patient"] for one in each])
    return found


def judge_missing(parent: Parent, *, root=None, allow_leaks: bool = False, progress=None) -> Iterator[int]:
    """Judge each run that holds no predictions of its test fold yet, and yield its number.

    Raises:
        MedtfError: as `judging.evaluate`.
    """
    from medtf import judging

    for number, run in enumerate(parent.children()):
        if not judged(run):
            judging.evaluate(run, root=root, allow_leaks=allow_leaks or parent.allow_leaks, progress=progress)
            yield number


def mean_of_runs(parent: Parent, function) -> dict[str, float]:
    """The mean over the runs of what `function(config, table)` gives for each, {name: value}; names that all runs have."""
    each = [function(parent.config_of(number), parent.table_of(number)) for number in range(parent.count)]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0] if all(name in one for one in each)}


def judged(run: runs.Run) -> bool:
    """Does a fold's run hold predictions of its test fold?"""
    if not run.predictions.is_file() or not (run.folder / "metrics.json").is_file():
        return False
    return run.read_json("metrics.json").get("split") == "test"


def _gathered(parent: Parent, split: str) -> pd.DataFrame:
    table, frames = parent.table().frame, []
    for number, run in enumerate(parent.children()):
        found = _predictions(run, split)
        expected = np.flatnonzero(parent.table_of(number).frame["fold"] == split)
        rows = found["row"].to_numpy()
        same = np.array_equal(np.sort(rows), expected)
        if not same or (found["patient"].to_numpy() != table["patient"].to_numpy()[rows]).any():
            raise MedtfError(
                f"{run.folder}: its predictions are not those of fold {number} of {parent.folder}: judge it again"
            )
        chosen = run.read_json("thresholds.json")["targets"]
        columns = {FOLD: number}
        for name, threshold in chosen.items():
            columns[f"{name}_threshold"] = float(threshold["value"])
            columns[f"{name}_threshold_per_patient"] = float(threshold.get("per_patient", threshold)["value"])
        frames.append(found.assign(**columns))
    return pd.concat(frames, ignore_index=True).sort_values("row", ignore_index=True)


def _predictions(run: runs.Run, split: str) -> pd.DataFrame:
    path = run.predictions if split == "test" else run.folder / "valid_predictions.parquet"
    ask = f"judge it with `medtf evaluate {run.folder}`"
    if split == "test" and not judged(run):
        raise MedtfError(f"{run.folder}: no predictions of its test fold: {ask}")
    try:
        found = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise MedtfError(f"{run.folder}: it has no {path.name}: {ask}") from error
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{path}: damaged: not a Parquet file; {ask}") from error
    return found[found["fold"] == split]
