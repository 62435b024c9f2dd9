"""Performance and evidence, model by model: every number of evidence.json about one run and method."""

import numpy as np
import pandas as pd

from medtf.evaluate.binary import judge_binary
from medtf.evaluate.metrics import DEFINITIONS, MAIN
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.statistics.intervals import PatientBootstrap, by_unit, measured
from medtf.evaluate.statistics.paired import bootstrap_p
from medtf.explain.evidence import null, summary
from medtf.explain.evidence.measures import NAMES
from medtf.explain.runs import evidence_interventions as interventions
from medtf.explain.runs.evidence_maps import Outcome
from medtf.explain.runs.subject import Subject

TOLD = tuple(
    name for name in NAMES if name not in ("area", "empty_map", "distance")
)  # measures with a mean that says something
SHOWN = ("pointing", "dice", "mass", "average_precision")  # one of each kind of question, in the table of all
DECIDES = "pointing"  # chosen beforehand: of several measures one comes out by chance more easily
CALLS = ("right", "wrong")


def performance(subject: Subject, target: str) -> dict:
    """The number that a target is known by, on every row of the fold whose truth is known, as `medtf evaluate` makes it.

    Returns:
        {"metric": key, "label", "value": metric, "rows": how many, "floor": the number of a guess, or None}
    """
    config, spec, found = subject.config, subject.config.targets[target], subject.predictions
    found = found.sort_values("row").reset_index(drop=True)
    known = sample(found, target, spec)
    draws = {"replicates": config.evaluate.replicates, "intervals": config.evaluate.intervals}
    bootstrap = PatientBootstrap(found["patient"], **draws)
    floor = None
    if not len(known.truth):
        numbers = {MAIN[spec.kind]: measured(None, None, undefined=f"no row has a known {target}")}
    elif spec.kind == "binary":
        threshold = subject.run.read_json("thresholds.json")["targets"][target]["value"]
        numbers, floor = judge_binary(known, threshold, bootstrap, {"data": None})[0], 0.5
    elif spec.kind == "multiclass":
        numbers = judge_multiclass(known, [str(one) for one in spec.classes], bootstrap)
        floor = float(np.bincount(known.truth.astype(int)).max() / len(known.truth))
    else:
        numbers = judge_regression(known, bootstrap)
        floor = numbers["mean_absolute_error_of_median"]["value"]
    metric = MAIN[spec.kind]
    told = {"metric": metric, "label": DEFINITIONS[spec.kind][metric][0], "value": numbers[metric]}
    return told | {"rows": len(known.truth), "floor": floor, "less_is_better": spec.kind == "regression"}


def entry(outcome: Outcome, *, hows, seed: int, draws: int, trust: dict | None, performance: dict) -> dict:
    """One row of the table, and all that stands behind it.

    Args:
        hows: ways in which pictures were changed. draws: of each null. trust: of `trusting`, None: not asked.
        performance: as the function of this name gives it.
    """
    frame, method = outcome.frame, outcome.method
    generator = np.random.default_rng(seed)
    others = null.others(outcome.kept, generator, draws=draws)
    shifted = null.elsewhere(outcome.kept, generator, draws=draws)
    found = {
        "run": outcome.run,
        "method": method.name,
        "label": method.label,
        "paper": method.paper,
        "places": outcome.places,
        "cases": len(frame),
        "patients": int(frame["patient"].nunique()),
        "empty_maps": int(frame["empty_map"].sum()),
        "area": summary.over_cases(frame, ("area",), seed=seed)["area"],
        "performance": performance,
        "measures": summary.over_cases(frame, TOLD, seed=seed),
        "others": {name: others.result(name) for name in TOLD},
        "shifted": {name: shifted.result(name) for name in TOLD},
        "notes": [*others.notes, *shifted.notes],
        "by_call": by_call(frame, seed=seed),
        "trust": trust,
        "interventions": interventions.summarised(frame, hows, seed=seed) if hows else {},
        "curves": curves(outcome, seed=seed),
        "thresholds": {"threshold": outcome.thresholds.tolist(), "dice": by_patient(frame, outcome.dice).tolist()},
        "drawn": {"others": histogram(others, DECIDES), "shifted": histogram(shifted, DECIDES)},
    }
    return found


def by_call(frame: pd.DataFrame, *, seed: int) -> dict | None:
    """Cases that the model calls rightly, and those that it does not: the measures of each, and their difference.

    Returns:
        {"right", "wrong": {"cases", "patients", measure: metric}, "difference": {measure: metric with p}}; None where calls are no question, or
        all cases are of one kind.
    """
    parts = {call: frame[frame["right"] == value] for call, value in zip(CALLS, (1, 0), strict=True)}
    if any(part.empty for part in parts.values()):
        return None
    found = {
        call: {"cases": len(part), "patients": int(part["patient"].nunique())}
        | summary.over_cases(part, SHOWN, seed=seed)
        for call, part in parts.items()
    }
    return found | {"difference": _differences(frame[frame["right"].notna()], seed)}


def _differences(frame: pd.DataFrame, seed: int) -> dict[str, dict]:
    """Right less wrong, of means over patients, whole patients drawn: a patient may have cases of both kinds."""
    bootstrap = PatientBootstrap(frame["patient"], replicates=summary.REPLICATES_OF_A_TEST, seed=seed)
    units = bootstrap.units()
    values = frame[list(SHOWN)].to_numpy(np.float64)
    sides = []
    for value in (1, 0):
        of = (frame["right"] == value).to_numpy(np.float64)[:, None]
        counts = by_unit(of, units)
        means = np.divide(
            by_unit(values * of, units), counts, out=np.zeros((len(counts), len(SHOWN))), where=counts > 0
        )
        sides.append((means, (counts[:, 0] > 0).astype(np.float64)))

    def statistic(weights):
        one, other = ((weights @ means) / (weights @ there)[:, None] for means, there in sides)
        return {name: (one - other)[:, i] for i, name in enumerate(SHOWN)}

    point = statistic(np.ones((1, bootstrap.patients)))
    draws = bootstrap.replicate(statistic, by_patient=True)
    found = {}
    for name in SHOWN:
        found[name] = measured(float(point[name][0]), draws.get(name), why_not=bootstrap.why_not())
        found[name]["p"] = None if name not in draws else bootstrap_p(draws[name])
    return found


def curves(outcome: Outcome, *, seed: int) -> dict | None:
    """Deletion and insertion over cases: {"cases", "shares", "deletion", ...: mean (steps + 1,), areas: metric}; None where they were not asked."""
    if not outcome.curves:
        return None
    frame = outcome.frame.dropna(subset=[interventions.AREAS[0]])
    found = {"cases": len(frame), "shares": outcome.curves[0]["shares"]}
    for name in ("deletion", "insertion", "deletion_random", "insertion_random"):
        found[name] = by_patient(frame, np.array([one[name] for one in outcome.curves])).tolist()
    return found | summary.over_cases(frame, interventions.AREAS, seed=seed)


def by_patient(frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Mean (t,) over patients of values (n, t) of the frame's rows."""
    weights = 1 / frame.groupby("patient")["patient"].transform("size").to_numpy(np.float64)
    return np.average(values, axis=0, weights=weights)


def histogram(found: null.Null, name: str, bins: int = 30) -> dict | None:
    """How often the draws of a null gave what: {"edges": (bins + 1,), "counts": (bins,)}; None where there are none."""
    drawn = found.drawn.get(name, np.empty(0))
    if not len(drawn):
        return None
    counts, edges = np.histogram(drawn, bins=bins, range=(min(0.0, drawn.min()), max(1.0, drawn.max())))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
