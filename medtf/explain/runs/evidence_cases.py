"""Which rows of a fold a map is held against an annotation for, and what the network says of them."""

from dataclasses import dataclass

import numpy as np

from medtf.data.annotations import Annotations
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.explain.runs import picking
from medtf.explain.runs.subject import Subject

# kind -> what a reader is told; {name} is the target, or `target = class`
KINDS = {
    "positives": "every annotated row in which {name} is present",
    "true-positives": "every annotated row in which {name} is present and the model calls it so",
    "all": "every annotated row, whatever its truth",
}
NAMED = 5  # rows in a line about several


@dataclass(frozen=True)
class Chosen:
    """Places of the judged rows in the subject's table, ascending; of each the unit that is explained; how many of what there are; lines to tell."""

    numbers: np.ndarray
    units: np.ndarray
    counts: dict
    notes: list[str]


def choose(
    subject: Subject,
    target: str,
    annotations: Annotations,
    kind: str = "positives",
    *,
    class_index: int | None = None,
    count: int | None = None,
    seed: int = 0,
) -> Chosen:
    """Annotated rows of a subject, in the order of its table.

    Args:
        target: what is explained; class_index: its class, None: the one that each row is called.
        annotations: of the subject's table. kind: of KINDS; of a target without a class that is asked for, positives are all annotated rows.
        count: at the most, drawn by `seed` in an order of the rows that every run of the table shares; None: no limit.
    Raises:
        AskedWronglyError: an unknown kind, true positives of a number. MedtfError: no row is left.
    """
    if kind not in KINDS:
        raise AskedWronglyError(f"--cases {kind}: {nearest(kind, KINDS)}")
    if kind == "true-positives" and subject.config.targets[target].kind == "regression":
        raise AskedWronglyError(
            f"--cases {kind}: {target} is a number, which is not called rightly or wrongly; take all"
        )
    rows = subject.table.frame["row"].to_numpy()
    present = positive(subject, target, class_index)
    annotated = np.zeros(len(rows), bool)
    annotated[annotations.rows] = True
    wanted = annotated if kind == "all" else annotated & present
    if kind == "true-positives":
        wanted = wanted & right(subject, target)
    numbers = np.flatnonzero(wanted)
    if not len(numbers):
        raise MedtfError(_none(kind, target, annotated, present))
    if count is not None and count < len(numbers):
        order = np.random.default_rng(seed).permutation(len(rows))
        numbers = np.sort(order[wanted[order]][:count])
    patients = subject.table.frame["patient"].iloc[numbers].nunique()
    without = rows[present & ~annotated]
    counts = {
        "rows": len(rows),
        "annotated": int(annotated.sum()),
        "positive": int(present.sum()),
        "positive_annotated": int((present & annotated).sum()),
        "used": len(numbers),
        "patients": int(patients),
        "positive_without": [int(row) for row in without],
    }
    return Chosen(numbers, units(subject, target, class_index)[numbers], counts, _notes(counts, kind, wanted.sum()))


def positive(subject: Subject, target: str, class_index: int | None) -> np.ndarray:
    """bool (n,): does the row have what is explained? Of a number, and of a target of classes of which none is asked for, every row with a truth."""
    truth = subject.predictions[f"{target}_true"].to_numpy(np.float64)
    kind = subject.config.targets[target].kind
    if kind == "binary":
        return truth == 1
    return ~np.isnan(truth) if class_index is None or kind == "regression" else truth == class_index


def right(subject: Subject, target: str) -> np.ndarray:
    """bool (n,): is the row called what it is? False where its truth is unknown."""
    return picking.called(subject, target) == subject.predictions[f"{target}_true"].to_numpy(np.float64)


def units(subject: Subject, target: str, class_index: int | None) -> np.ndarray:
    """int (n,): the unit of the output that is explained; of classes of which none is asked for, the one that the row is called."""
    if class_index is None:
        return picking.called(subject, target)
    return np.full(len(subject.table), class_index)


def _none(kind: str, target: str, annotated: np.ndarray, present: np.ndarray) -> str:
    """Why there is no case, and what to do."""
    if kind == "true-positives" and (annotated & present).any():
        return (
            f"--cases true-positives: the model calls none of the {(annotated & present).sum():,} annotated positives of {target} rightly;"
            " take --cases positives"
        )
    return (
        f"{target}: none of the {annotated.sum():,} annotated rows of the fold has it ({present.sum():,} of its rows do): take the annotations of"
        " what the target means, another --split, or --cases all"
    )


def _notes(counts: dict, kind: str, wanted: int) -> list[str]:
    notes = []
    without = counts["positive_without"]
    if without:
        some = ", ".join(map(str, without[:NAMED])) + (", ..." if len(without) > NAMED else "")
        notes.append(
            f"{len(without):,} of {counts['positive']:,} positive rows have no annotation and are not judged: row {some}"
            if kind != "all"
            else f"{len(without):,} positive rows have no annotation and are not judged: row {some}"
        )
    if counts["used"] < wanted:
        notes.append(f"{counts['used']:,} of {wanted:,} cases were drawn by chance (--count)")
    return notes
