"""Is a map nearer to this patient's annotation than to one that is not this patient's?

Findings have their usual places, and networks learn these too: a map that always glows in the lower lungs hits many annotations there. So each
map is also judged against other people's annotations (which asks for more than the usual place) and against its own annotation shifted
elsewhere in the picture (which asks for more than chance). What the maps reach then, drawn many times, is the null distribution; p is one-sided
(Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39, for the draw that is added). Every patient weighs the same.

Two draws are made of other people's annotations. What these give is the mean over derangements, in which nobody keeps their own. The test is a
permutation test proper, in which somebody may: leaving those draws out would hold the observed pairing against a set that it cannot belong to,
and call maps of six patients significant in 9 % where 5 % is promised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import prod
from typing import NamedTuple

import numpy as np

from medtf.explain.evidence.measures import checked
from medtf.explain.evidence.moving import KEPT, Movable, onto
from medtf.explain.evidence.ranked import Ranked

DRAWS = 999
WORK = 200_000_000  # annotated pixels to sort, over all pairs of a map and an annotation: about half a minute
SHIFT_WORK = 10_000_000  # of shifted ones, which need not be so many: each draw combines one shift of every patient
BLOCK = 4_000_000  # of them at once, 32 MB
FEWEST_SHIFTS = 49
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

    observed: {measure: mean over patients}. drawn: {measure: (draws,)}, the same mean under the null, for p; empty where nothing could be drawn,
    and `reason` says why. cases, patients: that took part. notes: what a reader must know, such as a sample. apart: {measure: (draws,)}, the same
    mean where no patient keeps the own annotation, for what is expected; None: no draw of `drawn` does.
    """

    observed: dict[str, float]
    drawn: dict[str, np.ndarray]
    cases: int
    patients: int
    notes: list[str] = field(default_factory=list)
    reason: str | None = None
    apart: dict[str, np.ndarray] | None = None

    def result(self, name: str) -> dict:
        """`observed`; `expected`, the mean by other annotations, 95 % of whose draws lie from `low` to `high`; `p`, `draws`; None where undefined."""
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
        apart = drawn if self.apart is None else self.apart[name]
        low, high = np.quantile(apart, [0.025, 0.975])
        found |= {"expected": float(apart.mean()), "low": float(low), "high": float(high)}
        return found | {"p": p_value(found["observed"], drawn)}


def p_value(observed: float, drawn: np.ndarray) -> float:
    """Share of the draws (n,) that reach what was observed, which is a draw itself: (1 + reached) / (1 + n), one-sided."""
    drawn = np.asarray(drawn, dtype=np.float64)
    near = 1e-9 * max(1.0, abs(observed))  # sums in another order must not break a tie
    return float((1 + (~(drawn < observed - near)).sum()) / (1 + len(drawn)))  # NaN, if ever, counts against the map


def others(cases: Sequence[Case], rng: np.random.Generator, *, draws: int = DRAWS, work: int = WORK) -> Null:
    """Every map against the annotations of other patients.

    Each draw deals the patients' annotations out anew, and the first case of a patient gets the first of the other's, the last the last.
    Annotations on another grid are moved by their relative place.

    Args:
        cases: a list, or anything with a length that gives cases by position; it is read twice, one case at a time.
        rng: draws. draws: how many; of six patients or fewer all ways there are, so p is never smaller than these allow.
        work: pixels to sort at most; with more patients a sample of them is taken, and `notes` says so.
    Raises:
        ValueError: an annotation that is empty, outside the brain, or not on the grid of its map; names the case.
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
    drawn, apart = (
        {name: _means(matrix[np.arange(len(kept)), partners], weights) for name, matrix in matrices.items()}
        for partners in (_partners(units, deal(len(chosen), draws, rng)) for deal in (rearrangements, derangements))
    )
    return Null(observed, drawn, len(kept), len(chosen), notes, apart=apart)


def elsewhere(cases: Sequence[Case], rng: np.random.Generator, *, draws: int = DRAWS, work: int = SHIFT_WORK) -> Null:
    """Every map against its own annotation shifted cyclically in the picture, or in the box around the brain.

    All cases of a patient are shifted by the same share of their box, for slices of one person resemble each other.

    Args:
        cases, rng, draws: as `others`. work: pixels to sort at most; beyond, a patient has fewer shifts than there are draws, and each draw takes
            one of them.
    """
    patients, annotations = _gathered(cases)
    pixels = sum(len(positions) for _, positions in annotations)
    shifts = int(np.clip(work // max(1, pixels), FEWEST_SHIFTS, draws))
    names, units = np.unique(patients, return_inverse=True)
    observed, tried = [], []
    for unit in range(len(names)):
        found = _shifted([cases[i] for i in np.flatnonzero(units == unit)], shifts, rng)
        if found is not None:
            observed.append(found[0])
            tried.append(found[1])
    if not tried:
        return Null({}, {}, 0, 0, [], NO_ROOM)
    notes = []
    if len(tried) < len(names):
        notes.append(
            f"{len(names) - len(tried):,} of {len(names):,} patients are left out: their annotation fills the picture, or the brain"
        )
    draws = min(draws, prod(len(one["mass"]) for one in tried))
    picks = [_cycles(len(one["mass"]), draws, rng) for one in tried]
    drawn = {name: np.mean([one[name][pick] for one, pick in zip(tried, picks, strict=True)], axis=0) for name in DRAWN}
    cases_in = sum(one["cases"] for one in observed)
    return Null(
        {name: float(np.mean([one[name] for one in observed])) for name in DRAWN}, drawn, cases_in, len(tried), notes
    )


def rearrangements(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Orders (d, n) of 0 ... n - 1: all but the given one for `FEW` or less, else `draws` of them, evenly drawn."""
    if n <= FEW:
        return np.array(list(permutations(range(n))))[1:]  # the given one is the first, and p_value counts it
    return rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)


def derangements(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """As `rearrangements`, of those orders in which nothing stays in its place."""
    found = np.empty((0, n), int)
    while len(found) < draws:  # a share of 1 / e is
        orders = rearrangements(n, 3 * draws, rng)
        found = np.concatenate([found, orders[(orders != np.arange(n)).all(axis=1)]])
        if n <= FEW:
            return found  # all there are
    return found[:draws]


def _gathered(cases: Sequence[Case]) -> tuple[np.ndarray, list[tuple[tuple[int, ...], np.ndarray]]]:
    """Patients (n,) as text, and of each annotation the grid and the positions that count."""
    patients, annotations = [], []
    for i in range(len(cases)):
        case = cases[i]
        try:
            mask = checked(case.heat, case.mask, case.brain)[1]
        except ValueError as error:
            raise ValueError(f"case {i} (patient {case.patient}): {error}") from None
        patients.append(str(case.patient))
        annotations.append((mask.shape, np.flatnonzero(mask)))
    return np.array(patients), annotations


def _sample(patients: np.ndarray, sizes: list[int], rng: np.random.Generator, work: int) -> np.ndarray:
    """As many patients, in random order, as the work allows: pairs of cases times annotated pixels."""
    names, units = np.unique(patients, return_inverse=True)
    order = rng.permutation(len(names))
    pixels, cases = np.bincount(units, weights=sizes), np.bincount(units)
    allowed = int((np.cumsum(cases[order]) * np.cumsum(pixels[order]) <= work).sum())
    return names[order[: max(2, allowed)]]


def _matrices(cases, kept: np.ndarray, annotations: list) -> dict[str, np.ndarray]:
    """{measure: (n, n)}: of map i against annotation j; NaN where less than half of it lies in i's brain."""
    rows, on_grid = {name: [] for name in DRAWN}, {}
    for i in kept:
        case = cases[int(i)]
        grid = case.mask.shape
        if grid not in on_grid:  # several grids are the exception: one is kept
            on_grid = {grid: [onto(positions, shape, grid) for shape, positions in annotations]}
        for name, values in _in_brain(Ranked(case.heat, case.brain), on_grid[grid]).items():
            rows[name].append(values)
    return {name: np.array(values) for name, values in rows.items()}


def _in_brain(ranked: Ranked, annotations: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """As `_judged`; a smaller annotation is hit less, so what is cut off by the brain is made good in proportion."""
    found = _judged(ranked, annotations)
    if ranked.counted is None:
        return found
    share = np.array([ranked.counted[positions].mean() for positions in annotations])
    share[share < KEPT] = np.nan
    return {name: values / (share / share if name == "mass_over_area" else share) for name, values in found.items()}


def _judged(ranked: Ranked, annotations: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """{measure: (m,)} of one map against annotations, blocks of them at once."""
    sizes = np.array([len(positions) for positions in annotations])
    blocks = np.cumsum(sizes) // BLOCK
    parts = []
    for block in np.unique(blocks):
        chosen = np.flatnonzero(blocks == block)
        parts.append(ranked.against(np.concatenate([annotations[j] for j in chosen]), sizes[chosen]))
    return {name: np.concatenate([part[name] for part in parts]) for name in DRAWN}


def _partners(units: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """(draws, n) whose annotation each case gets: one of its patient's partner, at the same share of the way through the partner's cases."""
    counts = np.bincount(units)
    by_unit = np.argsort(units, kind="stable")
    starts = np.cumsum(counts) - counts
    within = np.empty(len(units), int)
    within[by_unit] = np.arange(len(units)) - np.repeat(starts, counts)
    partner = orders[:, units]
    return by_unit[starts[partner] + within * counts[partner] // counts[units]]


def _weights(units: np.ndarray) -> np.ndarray:
    """(n,) of each case, so that every patient weighs the same; their sum is 1."""
    counts = np.bincount(units)
    return 1 / (len(counts) * counts[units])


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means (draws,) of (draws, n); pairs that cannot be judged are left out."""
    there = ~np.isnan(values)
    return np.where(there, values, 0) @ weights / (there @ weights)


def _shifted(cases: list[Case], shifts: int, rng: np.random.Generator) -> tuple[dict, dict] | None:
    """One patient's means over their cases: observed, with the number of `cases`, and after each good shift; None where no shift is good.

    What a shift carries out of the brain would make the annotation smaller, and a smaller one is hit less. So the same pixels are taken from the
    annotation where it is, and the difference of these two, equally large, is what the shift makes.
    """
    shares = rng.random((shifts, cases[0].mask.ndim))
    moved = []
    for case in cases:
        movable = Movable(case.mask, case.brain)
        moved.append(movable.positions((shares * movable.box).astype(int)))
    good = np.flatnonzero(np.all([fine for _, _, fine in moved], axis=0))
    if not len(good):
        return None
    observed, drawn = [], []
    for case, (positions, counts, _) in zip(cases, moved, strict=True):
        ranked = Ranked(case.heat, case.brain)
        own = np.flatnonzero(case.mask if case.brain is None else case.mask & case.brain)
        here, there = _judged(ranked, [own]), _judged(ranked, [positions[i, counts[i]] for i in good])
        if not counts[good].all():
            cut = _judged(ranked, [own[counts[i]] for i in good])
            there = {name: here[name] - (cut[name] - there[name]) for name in DRAWN}
        observed.append(here)
        drawn.append(there)
    of_each = {name: float(np.mean([one[name] for one in observed])) for name in DRAWN} | {"cases": len(cases)}
    return of_each, {name: np.mean([one[name] for one in drawn], axis=0) for name in DRAWN}


def _cycles(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws,) of 0 ... n - 1 at random, each once before one comes twice."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-draws // n))])[:draws]
