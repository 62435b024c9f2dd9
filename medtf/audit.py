"""The leak audit: no patient, and no picture, may stand in two folds. It runs in every `fit` and `evaluate`."""

from itertools import combinations

import pandas as pd

from medtf.errors import LeakError
from medtf.table import FOLDS, Table

SHOWN = 5  # leaks listed a pair of folds; the rest is counted


def leaks(table: Table) -> list[str]:
    """One sentence for each pair of folds and kind of leak; an empty list is a clean split."""
    frame = table.frame
    found = _shared(frame, "patient", "patient", "patients")
    if "pixels" in frame:
        found += _shared(frame[frame["pixels"] != ""], "pixels", "picture", "pictures")
    return found


def refuse_leaks(table: Table, *, allow: bool = False) -> list[str]:
    """The leaks, when the user insists on going on; else an error that lists them.

    Raises:
        LeakError: a patient, or identical pixels, in two folds.
    """
    found = leaks(table)
    if found and not allow:
        raise LeakError(
            "the split leaks: "
            + "; ".join(found)
            + ". Split again by patient (`medtf split`), remove the copies, or insist with --allow-leaks"
        )
    return found


def _shared(frame: pd.DataFrame, column: str, one: str, many: str) -> list[str]:
    found = []
    names = [f for f in FOLDS if (frame["fold"] == f).any()] or sorted(frame["fold"].unique())
    members = {fold: set(frame.loc[frame["fold"] == fold, column]) for fold in names}
    for a, b in combinations(names, 2):
        both = members[a] & members[b]
        if not both:
            continue
        listed = []
        for value in sorted(both)[:SHOWN]:
            rows = frame.index[(frame[column] == value) & frame["fold"].isin([a, b])]
            # each fold shows one of its rows, so that the pair can be looked at
            ids = [int(rows[(frame.loc[rows, "fold"] == fold).to_numpy()][0]) for fold in (a, b)]
            listed.append(
                f"{value[:8]} (rows {ids[0]} and {ids[1]}: {frame.loc[ids[0], 'path']}, {frame.loc[ids[1], 'path']})"
            )
        more = f" and {len(both) - SHOWN} more" if len(both) > SHOWN else ""
        found.append(f"{len(both)} {one if len(both) == 1 else many} in both {a} and {b}: {', '.join(listed)}{more}")
    return found
