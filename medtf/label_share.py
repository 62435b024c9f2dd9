"""A share of the labels: the training fold keeps some of its patients, everybody else's fold stays whole (`data.labels`).

How well a network learns from few labels is asked by training on a share of them. Patients are put into one order by the seed; a share is
the beginning of it, so a smaller share lies within a larger one, and what more labels bring is not mixed up with other patients.
"""

import math

import numpy as np
import pandas as pd

from medtf import split_strata
from medtf.config import Labels, Target
from medtf.data.labels import encode
from medtf.errors import MedtfError
from medtf.table import Table, is_empty


def keep(table: Table, labels: Labels, targets: dict[str, Target]) -> tuple[Table, str]:
    """The table with a share of its training patients, and the line that says so.

    Args:
        table: with `patient` and `fold` (train, valid, test).
        labels: share in (0, 1] of the patients, and the seed of their order.
        targets: each class of a binary or multiclass one that the training fold has keeps a patient; the first of these is stratified.
    Returns:
        the table, whose `meta` has `labels` ({share, seed, patients, of, examples, dropped}); the line.
    Raises:
        MedtfError: nobody in the training fold.
    """
    frame = table.frame
    training = (frame["fold"] == "train").to_numpy()
    if not training.any():
        raise MedtfError("data.labels: the table has no train fold to take a share of")
    patients, needed = order(frame[training], labels.seed, targets)
    asked = max(1, math.floor(labels.share * len(patients) + 0.5))
    taken = patients[: max(asked, needed)]
    kept = ~training | frame["patient"].isin(taken).to_numpy()
    examples, percent = int((kept & training).sum()), f"{100 * labels.share:.3g} %"
    told = {"share": labels.share, "seed": labels.seed, "patients": len(taken), "of": len(patients)}
    told |= {"examples": examples, "dropped": int((~kept).sum())}
    line = f"labels: {len(taken):,} of {len(patients):,} training patients ({percent}), {examples:,} examples"
    if needed > asked:
        line += f" ({asked:,} would leave a class without a patient)"
    return table.with_frame(frame[kept], labels=told), line + "; validation and test folds stay whole"


def order(frame: pd.DataFrame, seed: int, targets: dict[str, Target]) -> tuple[np.ndarray, int]:
    """All patients in the order in which shares take them, and how many of the first are needed for every class to have one.

    Within each value of the first classification target patients are shuffled and spread evenly over the whole, so that every beginning of
    the order has the mix of all; then those by whom a class first comes in are moved to the front.

    Args:
        frame: rows of the training fold.
        seed: of the shuffles.
        targets: as for `keep`.
    """
    codes, patients = pd.factorize(frame["patient"], sort=True)
    classified = {name: target for name, target in targets.items() if target.kind != "regression"}
    has = _classes(frame, codes, classified)
    known = [name for name in classified if not is_empty(frame[name]).all()]
    strata = split_strata.words(frame, codes, known[:1])
    stratum = pd.factorize(strata.iloc[:, 0], sort=True)[0] if known else np.zeros(len(patients), int)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(patients))
    place = np.empty(len(patients))
    for one in np.unique(stratum):
        members = shuffled[stratum[shuffled] == one]
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    ordered = np.argsort(place, kind="stable")
    first = _who_brings_a_class(has[ordered])
    ordered = np.concatenate([ordered[first], np.delete(ordered, first)])
    return np.asarray(patients)[ordered], len(first)


def _classes(frame: pd.DataFrame, codes: np.ndarray, targets: dict[str, Target]) -> np.ndarray:
    """(patients, classes of all targets) bool: has a patient an example of the class?"""
    has = [np.zeros((codes.max() + 1, 0), bool)]
    for values in encode(frame, targets).values():
        known = ~np.isnan(values).any(axis=1)
        of = np.concatenate([values == 0, values == 1], axis=1) if values.shape[1] == 1 else values == 1
        found = np.zeros((codes.max() + 1, of.shape[1]), bool)
        np.logical_or.at(found, codes[known], of[known])
        has.append(found)
    return np.concatenate(has, axis=1)


def _who_brings_a_class(has: np.ndarray) -> np.ndarray:
    """Places of those, in order, by whom a class comes in that nobody before them had."""
    before = np.cumsum(has, axis=0) - has > 0
    return np.flatnonzero((has & ~before).any(axis=1))
