"""One pass over the cases of a run: the map of each by each method, held against the annotation, and the picture changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medtf.data.annotations import Annotations
from medtf.errors import MedtfError
from medtf.explain import layers
from medtf.explain.evidence.measures import curve, measures
from medtf.explain.evidence.null import Case as Judged
from medtf.explain.evidence.ranked import THRESHOLDS
from medtf.explain.method import Method
from medtf.explain.runs import evidence_interventions as interventions
from medtf.explain.runs import maps, picking
from medtf.explain.runs.cases import Case, cases
from medtf.explain.runs.evidence_cases import Chosen
from medtf.explain.runs.evidence_kept import Kept
from medtf.explain.runs.subject import Subject

GROUP = 16  # pictures whose maps are asked for at once; volumes go one by one


@dataclass(frozen=True)
class Subjected:
    """A run, what of it is explained, and the rows that are judged; `subject` has these rows alone, in the order of `chosen`."""

    name: str
    subject: Subject
    whole: Subject
    target: str
    layer: str | None
    chosen: Chosen
    annotations: Annotations

    def mask(self, case: Case) -> np.ndarray:
        """bool (*grid): what is marked on a case."""
        return self.annotations.mask(int(self.chosen.numbers[case.number]))


@dataclass(frozen=True)
class Outcome:
    """What one method gave of one run.

    frame: one row a case: `row`, `patient`, `number` (its place in the subject), `truth`, `answer` (probability or value), `right` (1, 0; NaN where
    that is no question), the measures, and what changed pictures gave. thresholds: (t,); dice: (n, t), overlap at each.
    kept: maps and annotations in the frame's order.
    curves: of the cases that deletion and insertion were asked of, as `curves.curves`. places: the layer and its grid; None of methods that read the
    input.
    """

    run: str
    method: Method
    frame: pd.DataFrame
    thresholds: np.ndarray
    dice: np.ndarray
    kept: Kept
    curves: list[dict]
    places: dict | None


def judged(
    of: Subjected, methods: list[Method], asked: interventions.Asked | None, folder: Path, *, progress=None
) -> list[Outcome]:
    """An outcome of each method.

    Args:
        asked: how pictures are changed; None: they are not. folder: for what is kept while the rest is computed.
        progress: called with (done, all) cases.
    Raises:
        MedtfError: files that cannot be read. AskedWronglyError: a layer that is none.
    """
    kept = {method.name: Kept(folder / f"{number}") for number, method in enumerate(methods)}
    rows: dict[str, list] = {method.name: [] for method in methods}
    dice, curves = ({method.name: [] for method in methods} for _ in range(2))
    curved = _curved(of, asked)
    for group in _groups(of.subject, progress):
        found = _heats(of, group, methods)
        for i, case in enumerate(group):
            mask, unit = of.mask(case), int(of.chosen.units[case.number])
            heats = {name: each[i] for name, each in found.items()}
            brain = np.isfinite(case.image[..., 0]) if mask.ndim == 3 else None
            mask = mask if brain is None else mask & brain
            if not mask.any():
                continue  # beside the block of the volume that the network is shown; counted by `unseen`
            changed = {}
            if asked is not None:
                changed = interventions.of_case(of.subject, case, mask, heats, asked, target=of.target, unit=unit)
            for name, heat in heats.items():
                kept[name].add(Judged(heat, mask, case.patient, brain))
                dice[name].append(curve(heat, mask, brain=brain)["dice"])
                row = (
                    {"row": case.row, "number": case.number} | measures(heat, mask, brain=brain) | changed.get(name, {})
                )
                if case.number in curved:
                    one = interventions.curve(of.subject, case, heat, target=of.target, unit=unit, seed=asked.seed)
                    curves[name].append(one)
                    row |= {area: one[area] for area in interventions.AREAS}
                rows[name].append(row)
    said = answers(of)
    if not any(rows.values()):
        raise MedtfError(
            f"{of.name}: every annotation lies outside of what the network is shown: enlarge input.size, or use patches"
        )
    return [
        Outcome(
            of.name,
            method,
            said.merge(pd.DataFrame(rows[method.name]), on="row"),
            THRESHOLDS.astype(float),
            np.array(dice[method.name]),
            kept[method.name],
            curves[method.name],
            places(of, method),
        )
        for method in methods
    ]


def answers(of: Subjected) -> pd.DataFrame:
    """`row`, `patient`, `truth`, `answer` and `right` of the judged rows."""
    subject, target = of.subject, of.target
    found, kind = subject.predictions, subject.config.targets[target].kind
    truth = found[f"{target}_true"].to_numpy(np.float64)
    if kind == "multiclass":
        answer = np.array([found[f"{target}_{unit}"].iloc[i] for i, unit in enumerate(of.chosen.units)], np.float64)
    else:
        answer = found[target].to_numpy(np.float64)
    right = np.full(len(truth), np.nan)
    if kind != "regression":
        known = ~np.isnan(truth)
        right[known] = (picking.called(subject, target) == truth)[known]
    frame = subject.table.frame
    said = {"row": frame["row"].astype(int), "patient": frame["patient"].astype(str)}
    return pd.DataFrame(said | {"truth": truth, "answer": answer, "right": right})


def places(of: Subjected, method: Method) -> dict | None:
    """{"layer", "grid"} that a method looks into."""
    if not method.of_layers:
        return None
    found = layers.find(of.subject.model, of.layer)
    return {"layer": found.path, "grid": [int(side) for side in found.grid]}


def _heats(of: Subjected, group: list[Case], methods: list[Method]) -> dict[str, list[np.ndarray]]:
    units = of.chosen.units[[case.number for case in group]]
    return {
        method.name: maps.heats(
            of.subject,
            group,
            method,
            target=of.target,
            class_index=units if getattr(method, "of_classes", True) else None,
            layer=of.layer if method.of_layers else None,
        )
        for method in methods
    }


def _groups(subject: Subject, progress) -> Iterator[list[Case]]:
    size = GROUP if subject.config.model.dimensions == 2 else 1
    group = []
    for case in cases(subject, progress=progress):
        group.append(case)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _curved(of: Subjected, asked) -> set[int]:
    """Places of the cases that deletion and insertion are asked of; the same of every run."""
    count = len(of.chosen.numbers)
    if asked is None or count <= interventions.CURVED:
        return set() if asked is None else set(range(count))
    return set(np.random.default_rng(asked.seed).permutation(count)[: interventions.CURVED].tolist())
