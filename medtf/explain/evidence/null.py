"""Is a map nearer to this patient's annotation than to one that is not this patient's?

Findings have their usual places, and networks learn these too: a map that always glows in the lower lungs hits many annotations there. So each
map is also judged against other people's annotations (which asks for more than the usual place) and against its own annotation shifted
elsewhere in the picture (which asks for more than chance). What the maps reach then, drawn many times, is the null distribution; p is one-sided
(Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39, for the draw that is added). Every patient weighs the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import prod
from typing import NamedTuple

import numpy as np

from medtf.explain.evidence.moving import Movable, onto
from medtf.explain.evidence.ranked import Ranked

DRAWS = 999
WORK = 400_000_000  # annotated pixels to sort, over all pairs of a map and an annotation: about half a minute
BLOCK = 4_000_000  # of them at once, 32 MB
FEW = 6  # patients, of whose derangements there are fewer (265) than draws: all are taken
DRAWN = ("pointing", "iou", "dice", "iou_mean", "dice_mean", "average_precision", "mass", "rank", "mass_over_area")
ONE_PATIENT = "other people's annotations need two patients"
NO_ROOM = "no annotation can be shifted: each fills its picture or its brain"


class Case(NamedTuple):
    """A heat map with its annotation.

    heat: float32, in [0, 1]. mask: bool, same shape, not empty. patient: id. brain: bool, same shape: the pixels that count; None: all.
    """

    heat: np.ndarray
    mask: np.ndarray
    patient: object
    brain: np.ndarray | None = None


@dataclass(frozen=True)
class Null:
    """What was observed, and what was drawn.

    observed: {measure: mean over patients}. drawn: {measure: (draws,)}, the same mean under the null; empty where nothing could be drawn, and
    `reason` says why. cases, patients: that took part. notes: what a reader must know, such as a sample.
    """

    observed: dict[str, float]
    drawn: dict[str, np.ndarray]
    cases: int
    patients: int
    notes: list[str] = field(default_factory=list)
    reason: str | None = None

    def result(self, name: str) -> dict:
        """`observed`, `expected` (mean of the draws), their middle 95 % from `low` to `high`, `p`, `draws`; None where undefined."""
        drawn = self.drawn.get(name, np.empty(0))
        found = {
            "observed": self.observed.get(name),
            "expected": None,
            "low": None,
            "high": None,
            "p": None,
            "draws": len(drawn),
        }
        if not len(drawn):
            return found | {"reason": self.reason}
        low, high = np.quantile(drawn, [0.025, 0.975])
        found |= {"expected": float(drawn.mean()), "low": float(low), "high": float(high)}
        return found | {"p": p_value(found["observed"], drawn)}


def p_value(observed: float, drawn: np.ndarray) -> float:
    """Share of the draws (n,) that reach what was observed, which is a draw itself: (1 + reached) / (1 + n), one-sided."""
    drawn = np.asarray(drawn, dtype=np.float64)
    near = 1e-9 * max(1.0, abs(observed))  # sums in another order must not break a tie
    return float((1 + (drawn >= observed - near).sum()) / (1 + len(drawn)))


def others(cases: Sequence[Case], rng: np.random.Generator, *, draws: int = DRAWS, work: int = WORK) -> Null:
    """Every map against the annotations of other patients, never of the same one.

    Each draw gives every patient another patient's annotations, no two the same one's. Annotations on another grid are moved by their relative place.

    Args:
        cases: a list, or anything with a length that gives cases by position; it is read twice, one case at a time.
        rng: draws. draws: how many; of six patients or fewer all ways there are, so that p cannot be smaller than these allow.
        work: pixels to sort at most; with more patients a sample of them is taken, and `notes` says so.
    """
    patients, annotations = _gathered(cases)
    chosen = _sample(patients, [len(positions) for _, positions in annotations], rng, work)
    kept = np.flatnonzero(np.isin(patients, chosen))
    notes = []
    if len(kept) < len(patients):
        notes.append(
            f"other people's annotations were drawn among {len(kept):,} of {len(patients):,} cases, chosen at random, to save time"
        )
    matrices = _matrices(cases, kept, [annotations[i] for i in kept])
    units = np.unique(patients[kept], return_inverse=True)[1]
    weights = _weights(units)
    observed = {name: float(np.diagonal(matrix) @ weights) for name, matrix in matrices.items()}
    if len(chosen) < 2:
        return Null(observed, {}, len(kept), len(chosen), notes, ONE_PATIENT)
    partners = _partners(units, derangements(len(chosen), draws, rng), rng)
    drawn = {name: _means(matrix[np.arange(len(kept)), partners], weights) for name, matrix in matrices.items()}
    return Null(observed, drawn, len(kept), len(chosen), notes)


def elsewhere(cases: Sequence[Case], rng: np.random.Generator, *, draws: int = DRAWS, work: int = WORK) -> Null:
    """Every map against its own annotation shifted cyclically in the picture, or in the box around the brain.

    All cases of a patient are shifted by the same share of their box, for slices of one person resemble each other.

    Args:
        cases, rng, draws: as `others`; cases are read twice. work: pixels to sort at most; beyond, a patient has fewer shifts than draws, from which
            each draw takes one.
    """
    patients = np.array([str(cases[i].patient) for i in range(len(cases))])
    names, units = np.unique(patients, return_inverse=True)
    drawn, observed, counted = [], [], 0
    total = None
    for unit in range(len(names)):
        members = [cases[i] for i in np.flatnonzero(units == unit)]
        if total is None:
            total = work // (len(cases) * max(1, int(members[0].mask.sum())))
        shares = rng.random((int(np.clip(total, 49, draws)), members[0].mask.ndim))
        found = [_moved(case, shares) for case in members]
        good = np.all([one[2] for one in found], axis=0)
        if not good.any():
            continue
        pick = _endless(np.flatnonzero(good), draws, rng)
        drawn.append({name: np.mean([one[1][name][pick] for one in found], axis=0) for name in DRAWN})
        observed.append({name: np.mean([one[0][name] for one in found]) for name in DRAWN})
        counted += len(members)
    if not drawn:
        return Null({}, {}, 0, 0, [], NO_ROOM)
    raise NotImplementedError
