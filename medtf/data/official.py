"""Folds where an archive brings a test set of its own: the test is its, the validation fold is drawn by patient from the rest."""

import pandas as pd

from medtf import split
from medtf.config import Split
from medtf.table import Table


def folds(table: Table, is_test: pd.Series, settings: Split, *, even: tuple[str, ...], named: str) -> Table:
    """The table with `fold`, or as it is where the config asks for folds that the archive's test set has no place in.

    The balance is over the columns of `even` (or `data.split.stratify`), never over what is being learnt: a pretraining without targets
    and the training after it have the same folds.

    Args:
        table: any rows.
        is_test: (rows,) bool, in the table's order.
        settings: `data.split`; `test` is not used.
        even: columns that the validation fold gets its share of.
        named: where the test set comes from, for the note.
    """
    notes = list(table.meta.get("notes", ()))
    if settings.folds or settings.leave_out:
        asked = f"{settings.folds} folds" if settings.folds else "leave_out"
        return table.with_frame(table.frame, notes=[*notes, f"data.split asks for {asked}: {named} is not used"])
    is_test = is_test.to_numpy(bool)
    fold = pd.Series("test", index=table.frame.index, dtype="str")
    rest = settings.model_copy(update={"test": 0.0})
    if not is_test.all():
        drawn = split.assign(table.with_frame(table.frame[~is_test]), rest, dict.fromkeys(even))
        fold[~is_test] = drawn.frame["fold"].to_numpy()
    notes.append(
        f"test fold: {is_test.sum():,} images by {named}; train and valid are drawn by patient from the others"
    )
    return table.with_frame(table.frame.assign(fold=fold), split=rest.model_dump(mode="json"), notes=notes)
