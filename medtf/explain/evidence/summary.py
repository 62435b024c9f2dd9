"""Measures over cases: means with intervals over patients, models or methods against each other, and one reader against another."""

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
from scipy import ndimage

from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import SEED, PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.paired import ALPHA, bootstrap_p, holm, signed_rank
from medtf.evaluate.statistics.patient_means import PatientMeans
from medtf.explain.evidence.measures import NAMES, chance

REPLICATES = 2000
REPLICATES_OF_A_TEST = 5000  # a p value of 0.001 needs more draws than an interval
REPLICATES_OF_A_COMPARISON = (
    400  # Holm multiplies by the comparisons, so the smallest p of the draws must stay well below 0.05
)
COMPARED = (
    "pointing",
    "dice",
    "average_precision",
    "mass",
)  # one of each kind of question: Holm charges for every further one


def over_cases(
    frame: pd.DataFrame,
    measure_names,
    *,
    seed: int = SEED,
    replicates: int = REPLICATES,
    intervals: str = "auto",
) -> dict[str, dict]:
    """Mean of each measure over patients, every patient weighing the same.

    Args:
        frame: one row a case: `row`, `patient` and a column for each measure; `area` too, for what chance gives.
        measure_names: which columns. seed, replicates, intervals: of the bootstrap, as `PatientBootstrap`.
    Returns:
        {measure: {"value", "low", "high", "method", ...}} as in metrics.json (Wilson's interval of shares, else BCa over patients), with
        `chance` where the area tells it and `cases` that have a number.
    """
    _holds(frame, measure_names, "the cases")
    bootstrap = PatientBootstrap(frame["patient"].astype(str), replicates=replicates, seed=seed, intervals=intervals)
    means = PatientMeans(bootstrap, np.arange(len(frame)))
    counted = {}
    for name in measure_names:
        values = frame[name].to_numpy(np.float64)
        there = np.isfinite(values)
        counted[name] = int(there.sum())
        share = np.isin(values[there], (0, 1)).all() and name == "pointing"  # without ties it is hit or missed
        values = np.where(there, values, 0)
        means.add(name, values == 1 if share else values, where=there, undefined="no case has a number")
    found = means.metrics()
    weights = 1 / frame.groupby("patient")["patient"].transform("size")
    for name, metric in found.items():
        metric["cases"] = counted[name]
        expected = chance(name, frame["area"]) if "area" in frame else None
        if expected is not None and len(frame):
            metric["chance"] = float(np.average(expected, weights=weights))
    return found


def compare(
    frames: dict[str, pd.DataFrame],
    measure_names=COMPARED,
    *,
    seed: int = SEED,
    replicates: int | None = None,
) -> dict:
    """Models or methods on the same cases: every pair, every measure.

    Differences are taken case by case, so that what makes a case hard for all cancels, and averaged by patient. A winner is named only where
    the paired bootstrap over patients and Wilcoxon's signed-rank test of the patients' differences (1945) both say so after Holm's correction
    over all pairs and measures: of few patients a bootstrap alone says too much.

    Args:
        frames: {name: frame as `over_cases`}, two or more, with the same patient for the same `row`.
        measure_names: what to compare; each counts in Holm's correction. seed: of the bootstrap. replicates: None: enough for so many tests.
    Returns:
        {"cases" and "patients" that all have, "left_out": {name: its cases that others lack}, "comparisons": how many tests,
        "runs": {name: {measure: metric}}, "pairs": [{"a", "b", measure: metric of a - b with "p", "p_holm", "wilcoxon", "wilcoxon_holm" and
        "better": a name or None}]}.
    Raises:
        ValueError: fewer than two frames, a row given twice, a patient that differs, or no case in common.
    """
    measure_names = tuple(measure_names)
    shared, left_out = _shared(frames, measure_names)
    names = list(shared)
    first = shared[names[0]]
    pairs = list(combinations(names, 2))
    tests = len(pairs) * len(measure_names)
    replicates = max(REPLICATES_OF_A_TEST, REPLICATES_OF_A_COMPARISON * tests) if replicates is None else replicates
    bootstrap = PatientBootstrap(first["patient"].astype(str), replicates=replicates, seed=seed)
    units = bootstrap.units()
    differences = {
        (i, name): shared[a][name].to_numpy(np.float64) - shared[b][name].to_numpy(np.float64)
        for (i, (a, b)), name in product(enumerate(pairs), measure_names)
    }
    found = _differences(differences, units, bootstrap)
    for key, p in zip(found, holm([one["p"] for one in found.values()]), strict=True):
        found[key]["p_holm"] = p
    for key, p in zip(found, holm([one["wilcoxon"] for one in found.values()]), strict=True):
        found[key]["wilcoxon_holm"] = p
    told = []
    for i, (a, b) in enumerate(pairs):
        of_pair = {name: found[i, name] | {"better": _better(found[i, name], name, a, b)} for name in measure_names}
        told.append({"a": a, "b": b} | of_pair)
    return {
        "cases": len(first),
        "patients": bootstrap.patients,
        "left_out": left_out,
        "comparisons": tests,
        "runs": {name: over_cases(frame, measure_names, seed=seed) for name, frame in shared.items()},
        "pairs": told,
    }


def ceiling(
    readers: list[dict], *, patients: dict | None = None, seed: int = SEED, replicates: int = REPLICATES
) -> dict:
    """How well readers agree with each other: more can hardly be asked of a map.

    Every reader's annotation is held against every other's, both ways, then averaged over the case. `iou` and `dice` are of the two
    annotations as they are drawn, with no matching of areas. `pointing`: whether the middle of the thickest part of one (the pixel farthest
    from its border; of several the share) lies inside the other. A case that one reader left empty counts as 0, for there they disagree; one
    that all left empty has nothing to compare.

    Args:
        readers: two or more {row: bool mask}; a row that is absent was not read. patients: {row: patient}; None: each row its own.
    Returns:
        {"iou", "dice", "pointing": metric; "cases" that two readers share, "readers", "one_empty": cases that some reader left empty}.
    Raises:
        ValueError: fewer than two readers, masks of different shapes, or no case in common.
    """
    if len(readers) < 2:
        raise ValueError("a comparison of readers needs two of them: there is one set of annotations")
    rows = []
    for row in sorted(set().union(*readers), key=str):
        masks = [np.asarray(reader[row], bool) for reader in readers if row in reader]
        if len(masks) > 1 and any(mask.any() for mask in masks):
            if len({mask.shape for mask in masks}) > 1:
                raise ValueError(f"row {row}: the readers' annotations are {[mask.shape for mask in masks]}, not alike")
            empty = not all(mask.any() for mask in masks)
            patient = row if patients is None else patients[row]
            rows.append({"row": row, "patient": str(patient), "empty": empty} | _agreement(masks))
    if not rows:
        raise ValueError("no case was annotated by two readers")
    frame = pd.DataFrame(rows)
    found = over_cases(frame, ("iou", "dice", "pointing"), seed=seed, replicates=replicates)
    return found | {"cases": len(frame), "readers": len(readers), "one_empty": int(frame["empty"].sum())}


def _agreement(masks: list[np.ndarray]) -> dict[str, float]:
    """Means over all ordered pairs of one case's annotations, of which one may be empty."""
    found = []
    for a, b in permutations(masks, 2):
        if not a.any() and not b.any():
            continue
        both = (a & b).sum()
        sizes = a.sum() + b.sum()
        # who marked nothing points nowhere: a miss
        pointing = b[deepest(a)].mean() if a.any() else 0.0
        found.append({"iou": both / (sizes - both), "dice": 2 * both / sizes, "pointing": pointing})
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def deepest(mask: np.ndarray) -> np.ndarray:
    """Bool, same shape: the pixels of an annotation that lie farthest from its border (several where they tie)."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[(slice(1, -1),) * mask.ndim]
    return depth == depth.max()


def _shared(frames: dict[str, pd.DataFrame], measure_names) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """The frames, cut to the cases in which all have every number, in one order; and how many of each are left out."""
    if len(frames) < 2:
        raise ValueError(f"a comparison needs two or more, there is {', '.join(frames) or 'none'}")
    indexed, rows = {}, None
    for name, frame in frames.items():
        _holds(frame, measure_names, name)
        if frame["row"].duplicated().any():
            raise ValueError(f"{name}: row {frame['row'][frame['row'].duplicated()].iloc[0]} stands twice")
        indexed[name] = frame.dropna(subset=list(measure_names)).set_index("row")
        rows = indexed[name].index if rows is None else rows.intersection(indexed[name].index)
    if not len(rows):
        raise ValueError(f"{', '.join(frames)} have no case in common: nothing can be compared")
    shared = {name: frame.loc[rows].reset_index().sort_values(["patient", "row"]) for name, frame in indexed.items()}
    patients = {tuple(frame["patient"].astype(str)) for frame in shared.values()}
    if len(patients) > 1:
        raise ValueError(f"{', '.join(frames)}: the same row is another patient's; were they made from one table?")
    return shared, {name: len(frame) - len(rows) for name, frame in frames.items()}


def _differences(differences: dict, units: np.ndarray, bootstrap: PatientBootstrap) -> dict[tuple, dict]:
    """A metric for each (n,) column of differences, with both tests, from the same draws of the patients."""
    counts = np.bincount(units)[:, None]
    means = by_unit(np.column_stack(list(differences.values())), units) / counts  # (patients, columns)
    drawn = bootstrap.replicate(
        lambda weights: {key: weights @ means[:, i] / weights.sum(axis=1) for i, key in enumerate(differences)},
        by_patient=True,
    )
    found = {}
    for i, key in enumerate(differences):
        draws = drawn.get(key)
        if draws is not None:  # the interval that the bootstrap's p agrees with
            draws = Draws(draws.replicates, draws.left_out, "percentile", draws.level)
        found[key] = measured(means[:, i].mean(), draws, why_not=bootstrap.why_not())
        tested = signed_rank(means[:, i], np.zeros(len(means)))["wilcoxon"]
        found[key] |= {"p": None if draws is None else bootstrap_p(draws), "wilcoxon": tested["p"]}
        found[key]["larger"] = {"a": "b", "b": "a"}.get(
            tested["favours"]
        )  # signed_rank takes the smaller for the better
    return found


def _better(difference: dict, name: str, a: str, b: str) -> str | None:
    ps = difference["p_holm"], difference["wilcoxon_holm"]
    if any(p is None or p >= ALPHA for p in ps) or not difference["value"] or NAMES[name].more is None:
        return None
    larger = "a" if difference["value"] > 0 else "b"
    if difference["larger"] != larger:  # the tests disagree
        return None
    return a if (larger == "a") == NAMES[name].more else b


def _holds(frame: pd.DataFrame, measure_names, whose: str) -> None:
    absent = [name for name in ("row", "patient", *measure_names) if name not in frame]
    if absent:
        raise ValueError(f"{whose}: no column {', '.join(absent)}; there is {', '.join(map(str, frame.columns))}")
