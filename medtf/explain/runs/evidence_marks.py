"""Annotations of a fold's rows, and what of them is told: on the terminal with names of files, on a page without."""

from collections.abc import Callable

from medtf import runs
from medtf.data import annotations as annotating
from medtf.data.annotation_names import Names
from medtf.data.annotation_parts import SUCH_AS
from medtf.data.annotations import Annotations
from medtf.table import Table


def found(
    source: str, run: runs.Run, table: Table, *, target: str, root=None, say: Callable = lambda line: None
) -> tuple[Annotations, list[str]]:
    """The annotations of the rows of a fold, and lines about them that name no file.

    Args:
        source: as `annotations.find` takes it. run: whose config says the grid. table: rows of one of its folds.
        target: what is explained. say: told the lines that name files.
    Raises:
        AskedWronglyError, MedtfError: as `annotations.find`.
    """
    made = annotating.find(source, table.frame, run.root(root), run.config(), target=target)
    theirs = [note for note in made.notes if not _names(note, made.unmatched)]
    for note in theirs:
        say(f"note: annotations: {note}")
    notes = [f"annotations: {note.partition(SUCH_AS)[0]}" for note in theirs if not _names(note, made.empty)]
    if made.empty:
        notes.append(f"annotations: {len(made.empty):,} are empty and count as none")
    strangers = _strangers(made.unmatched, run)
    if strangers:
        say(f"note: annotations of no row of the run's table: {len(strangers):,}, such as {strangers[0]}")
        notes.append(f"annotations: {len(strangers):,} belong to no row of the run's table")
    return made, notes


def _names(note: str, files: list[str]) -> bool:
    return bool(files) and files[0] in note


def _strangers(unmatched: list[str], run: runs.Run) -> list[str]:
    """What belongs to no row of any fold."""
    if not unmatched:
        return []
    known = Names(run.table().frame["path"])
    return [name for name in unmatched if known.row_of(name) is None]
