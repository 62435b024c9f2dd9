"""Which rows of a subject are looked at, and what is told of each beside its heat map."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medtf import gallery
from medtf.errors import AskedWronglyError
from medtf.evaluate.predictions import class_names
from medtf.explain.runs.subject import Subject

# kind -> what a reader is told
KINDS = {
    "mistakes": "the wrong calls of which the model is most sure; of a value the largest errors",
    "uncertain": "the least certain answers",
    "random": "rows drawn by chance",
    "all": "every row",
}


@dataclass(frozen=True)
class Picked:
    """Places of rows in the subject's table, in the order in which they are shown; the kind that they are of; and how they were found, in words."""

    numbers: np.ndarray
    kind: str
    words: str


def pick(subject: Subject, target: str, kind: str, *, count: int | None = 16, seed: int = 0) -> Picked:
    """Choose rows: one a patient, but for `all`.

    Args:
        target: by whose answers. kind: of KINDS. count: at the most; None: no limit. seed: of what is drawn by chance.
    Raises:
        AskedWronglyError: mistakes where no truth is known, uncertain answers of a model that does not say how sure it is.
    """
    if kind == "mistakes":
        return _mistakes(subject, target, count)
    if kind == "uncertain":
        return _uncertain(subject, target, count)
    everybody = np.arange(len(subject.table))
    if kind == "all":
        return Picked(everybody[:count], kind, "All rows." if count is None else f"The first {count:,} rows.")
    drawn = np.random.default_rng(seed).permutation(everybody)
    return Picked(_one_a_patient(subject, drawn)[:count], kind, f"Drawn by chance (seed {seed}), one row a patient.")


def _mistakes(subject: Subject, target: str, count: int | None) -> Picked:
    found = subject.predictions
    if found[f"{target}_true"].isna().all():
        raise AskedWronglyError(
            f"--pick mistakes: no row has a known {target}, so nobody can say which answers are wrong; take --pick all, uncertain or random"
        )
    numbers = _numbers(subject, target)
    chosen = gallery.choose(found, target, subject.config, numbers, "worst", len(found))
    if not chosen["pictures"]:
        instead = _uncertain(subject, target, count)
        said = f"No row is called wrongly, so the least certain answers are shown. {instead.words}"
        return Picked(instead.numbers, instead.kind, said)
    places = {int(row): place for place, row in enumerate(found["row"])}
    picked = np.array([places[one["row"]] for one in chosen["pictures"]])
    return Picked(picked[:count], "mistakes", f"{chosen['words']} One row a patient.")


def _uncertain(subject: Subject, target: str, count: int | None) -> Picked:
    unsure, what, _ = _unsure(subject, target)
    if unsure is None:
        raise AskedWronglyError(
            f"--pick uncertain: the model does not say how sure it is of {target} (a head with `head: gaussian` does);"
            " take --pick mistakes, random or all"
        )
    order = np.argsort(-unsure, kind="stable")
    return Picked(_one_a_patient(subject, order)[:count], "uncertain", f"By {what}, one row a patient.")


def _one_a_patient(subject: Subject, order: np.ndarray) -> np.ndarray:
    return order[~subject.predictions["patient"].iloc[order].duplicated().to_numpy()]


def told(subject: Subject, target: str) -> pd.DataFrame:
    """What is told of each row of a subject.

    Returns:
        Columns `truth` (words, or None where it is unknown), `prediction` (words), `wrong` (True or False; None of a value, and where the truth
        is unknown), `error` (of a value in its unit, of classes 1 - the probability of the true one; NaN: unknown), `uncertainty` (higher is
        less sure, NaN where nothing tells) and `sure` (the same in words).
    """
    spec, found = subject.config.targets[target], subject.predictions
    truth = found[f"{target}_true"].to_numpy(np.float64)
    known = ~np.isnan(truth)
    unsure, _, caption = _unsure(subject, target)
    if spec.kind == "regression":
        value = found[target].to_numpy(np.float64)
        said = [f"{target} {one:.4g}" for one in value]
        true = [f"{target} {one:.4g}" for one in truth]
        error, wrong = np.abs(value - truth), np.full(len(found), None)
    else:
        called, probability, of_truth = _called(subject, target, np.nan_to_num(truth).astype(int))
        names = class_names(spec)
        said = [_call(target, names[c], p, names[-1], spec.kind) for c, p in zip(called, probability, strict=True)]
        true = [f"{target} = {names[int(one)]}" if one == one else "" for one in truth]
        error = np.where(known, 1 - of_truth, np.nan)
        wrong = np.where(known, called != truth, None)
    return pd.DataFrame(
        {
            "truth": np.where(known, np.array(true, object), None),
            "prediction": said,
            "wrong": wrong,
            "error": error,
            "uncertainty": np.nan if unsure is None else unsure,
            "sure": "" if unsure is None else [caption.format(abs(one)) for one in unsure],
        }
    )


def called(subject: Subject, target: str) -> np.ndarray:
    """int (n,): the class that each row is called."""
    return _called(subject, target, np.zeros(len(subject.table), int))[0]


def _called(subject: Subject, target: str, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) each: the class that a row is called, the probability that is printed with it, and that of its true class."""
    spec, found = subject.config.targets[target], subject.predictions
    if spec.kind == "multiclass":
        each = found[[f"{target}_{i}" for i in range(spec.units)]].to_numpy(np.float64)
        return each.argmax(axis=1), each.max(axis=1), each[np.arange(len(each)), truth]
    positive = found[target].to_numpy(np.float64)
    called_positive = positive >= _numbers(subject, target)["threshold"]["value"]
    return called_positive.astype(int), positive, np.where(truth == 1, positive, 1 - positive)


def _call(target: str, name: str, probability: float, positive: str, kind: str) -> str:
    of = "" if kind == "multiclass" or name == positive else f" of {positive}"
    return f"{target} = {name} (probability{of} {probability:.3f})"


def _unsure(subject: Subject, target: str):
    numbers = _numbers(subject, target)
    return gallery.uncertainty(subject.predictions, target, subject.config.targets[target], numbers)


def _numbers(subject: Subject, target: str) -> dict:
    """What `medtf.gallery` reads of a target's metrics: the threshold and the names of both classes."""
    spec = subject.config.targets[target]
    if spec.kind != "binary":
        return {}
    negative, positive = class_names(spec)
    value = subject.run.read_json("thresholds.json")["targets"][target]["value"]
    return {"threshold": {"value": value}, "negative": negative, "positive": positive}
