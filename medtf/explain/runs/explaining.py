"""Rows of a run -> a heat map of each by each method: pictures, NIfTI files, explain.json and a page, in a folder that is whole or not there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medtf import prepare, runs
from medtf.errors import AskedWronglyError
from medtf.evaluate.predictions import class_names
from medtf.explain import layers, methods, pictures
from medtf.explain.method import Method
from medtf.explain.runs import explain_notes, groups, maps, overlays, page, picking, trusting, whole
from medtf.explain.runs.cases import Case, cases
from medtf.explain.runs.subject import Subject
from medtf.explain.score import Score

SCHEMA = 1
MARK = "explain.json"  # what tells the folder
KEPT = ("training",)  # what `fit` puts into it while it trains
NOWHERE = {False: "empty, nothing in this picture has this effect", True: "the same everywhere, it points to no place"}
AT_ONCE = 32  # pictures that are read before they are explained; volumes go one by one


@dataclass(frozen=True)
class Asked:
    """What is asked of a run: see `medtf explain --help`. `regions` and `region_names`: paths; `group`: a column of the table."""

    methods: tuple[str, ...] = ("grad-cam",)
    target: str | None = None
    of_class: str | None = None
    layer: str | None = None
    against: bool = False
    pick: str = "mistakes"
    count: int | None = 16
    seed: int = 0
    trust: bool = True
    regions: Path | None = None
    region_names: Path | None = None
    group: str | None = None


@dataclass(frozen=True)
class Way:
    """One method on this network: an instance, and the layer that it looks into (None: it reads the input)."""

    method: Method
    found: layers.Found | None

    def grid(self) -> str:
        """`8 x 8 places of mixed10`, or where else it looks."""
        if self.found is None:
            return "every pixel of the input"
        return f"{' x '.join(map(str, self.found.grid))} places of layer {self.found.path}"


@dataclass(frozen=True)
class Question:
    """What the maps are maps of: a target, its unit (None: the class that each row is called), and in words."""

    target: str
    class_index: int | None
    of_class: str | None
    against: bool
    words: str


@dataclass
class Drawn:
    """What was made of the picked rows: `records` for explain.json, `shown` ({(place, method): data URI})."""

    records: list[dict]
    shown: dict = field(default_factory=dict)


def refuse(run: runs.Run, asked: Asked) -> None:
    """What can be told from the config alone, before anything is loaded.

    Raises:
        AskedWronglyError: an unknown method, target or class; a group or regions that this run cannot have.
    """
    subject = Subject(run, run.config(), None, None, None, None)
    asked_of(subject, asked)
    known = [methods.get(name) for name in asked.methods]
    if asked.layer is not None and not any(one.of_layers for one in known):
        raise AskedWronglyError(
            f"--layer {asked.layer}: {', '.join(asked.methods)} reads the input, not a layer: leave it out"
        )
    groups.refuse(run, asked)


def asked_of(subject: Subject, asked: Asked) -> Question:
    """The target and class that are explained."""
    target = subject.target(asked.target)
    index, spec = subject.class_index(target, asked.of_class), subject.config.targets[target]
    speaks = "against" if asked.against else "for"
    if spec.kind == "regression":
        words = f"what makes {target} {'lower' if asked.against else 'higher'}"
    elif spec.kind == "binary":
        words = f"what speaks {speaks} {target} = {class_names(spec)[1]}"
    elif asked.of_class is None:
        words = f"what speaks {speaks} the {target} that each is called"
    else:
        words = f"what speaks {speaks} {target} = {asked.of_class}"
    return Question(target, index, asked.of_class, asked.against, words)


def ways(model, config, asked: Asked) -> list[Way]:
    """The methods, with their layers.

    Raises:
        AskedWronglyError: a layer that is none.
    """
    size = min(config.train.batch_size, AT_ONCE)  # what fitted the memory in training
    made = [methods.get(name)(batch_size=size) for name in dict.fromkeys(asked.methods)]
    on_the_way = Score(model, asked.target).tensor
    return [Way(one, layers.find(model, asked.layer, to=on_the_way) if one.of_layers else None) for one in made]


def refuse_model(run: runs.Run, model, asked: Asked) -> None:
    """What can be told from the network, before it predicts: a layer that is none, a method that this network cannot be asked by.

    Raises:
        AskedWronglyError: see above.
    """
    config = run.config()
    question = asked_of(Subject(run, config, model, None, None, None), asked)
    for one in ways(model, config, asked):
        one.method.prepared(model, Score(model, question.target, against=asked.against), asked.layer)


def explain(
    subject: Subject, asked: Asked, folder, *, fold: str | None, progress: prepare.Progress = prepare.quiet
) -> dict:
    """Pick, check, explain, draw and write.

    Args:
        subject: as `subject.opened` gives it, of a fold or of new files. asked: what is wanted.
        folder: to make, or to replace when the new one is whole. fold: of the rows; None: new files.
        progress: title -> callback (done, all).
    Returns:
        The content of explain.json.
    Raises:
        AskedWronglyError: rows or a layer that cannot be had. MedtfError: files that are away or damaged.
    """
    question, way = asked_of(subject, asked), ways(subject.model, subject.config, asked)
    picked = picking.pick(subject, question.target, asked.pick, count=asked.count, seed=asked.seed)
    chosen = subject.at(picked.numbers)
    verdicts = {}
    for one in way if asked.trust else ():
        verdicts[one.method.name] = trusting.verdict(
            subject, one, question, new=fold is None, seed=asked.seed, progress=progress
        )
    with whole.replaced(folder, kept=KEPT) as building:
        together = {one.method.name: groups.together(chosen, asked) for one in way if groups.wanted(asked)}
        drawn = draw(chosen, way, question, building, together=together, progress=progress)
        of_all = {name: one.write(building / name) for name, one in together.items()}
        content = {
            "schema": SCHEMA,
            "run": subject.run.folder.absolute().name,
            "model": subject.config.model.name,
            "fingerprint": subject.run.table().fingerprint(),
            "split": fold,
            "target": question.target,
            "class": question.of_class,
            "against": question.against,
            "words": question.words,
            "picked": {"asked": asked.pick, "kind": picked.kind, "seed": asked.seed, "words": picked.words},
            "n": {
                "rows": len(subject.table),
                "shown": len(chosen.table),
                "patients": chosen.table.frame["patient"].nunique(),
            },
            "methods": [_method(one, verdicts.get(one.method.name)) for one in way],
            "cases": drawn.records,
            "volumes": subject.config.model.dimensions == 3,
            "means": {name: one["means"] for name, one in of_all.items()},
            "regions": {name: one["regions"] for name, one in of_all.items() if one["regions"]},
            "notes": [
                *explain_notes.coarse(way, subject.config),
                *explain_notes.empty(drawn.records, question),
                *groups.notes(asked, len(chosen.table), len(subject.table)),
                *(f"{name}: {note}" for name, one in of_all.items() for note in one["notes"]),
            ],
        }
        page.write(building, content, drawn.shown, subject.config)
        if fold is None:  # which file each row is: the only place where names stand
            chosen.table.frame[["row", "path", "read_frame"]].to_csv(building / "rows.csv", index=False)
        runs.write_text(building / MARK, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return content


def draw(
    subject: Subject, way: list[Way], question: Question, folder: Path, *, together: dict, progress=prepare.quiet
) -> Drawn:
    """Maps of every row by every method as files below `folder`.

    Args:
        subject: of the picked rows alone. together: {method: what its maps are put into}.
    """
    classes = _classes(subject, question)
    records = picking.told(subject, question.target).to_dict("records")
    frame = subject.table.frame
    drawn = Drawn([_record(records[i], frame.iloc[i]) for i in range(len(frame))])
    size = 1 if subject.config.model.dimensions == 3 else AT_ONCE
    for group in _groups(cases(subject, progress=progress("maps")), size):
        of = None if classes is None else classes[[case.number for case in group]]
        for one in way:
            layer = None if one.found is None else one.found.path
            found = maps.heats(
                subject,
                group,
                one.method,
                target=question.target,
                class_index=of,
                layer=layer,
                against=question.against,
            )
            for case, heat in zip(group, found, strict=True):
                _write(subject, case, heat, one.method.name, folder, drawn)
                if one.method.name in together:
                    together[one.method.name].add(case, heat)
    return drawn


def _write(subject: Subject, case: Case, heat: np.ndarray, method: str, folder: Path, drawn: Drawn) -> None:
    name, record = f"{method}/row_{case.row:06d}", drawn.records[case.number]
    picture = overlays.picture(subject, case, heat)
    pictures.save(picture, folder / f"{name}.png")
    record["files"][method] = {"picture": f"{name}.png"}
    if heat.ndim == 3:
        from medtf.explain.runs.nifti_maps import write_nifti

        write_nifti(subject, case, heat, folder / f"{name}.nii.gz")
        record["files"][method]["nifti"] = f"{name}.nii.gz"
    if heat.max() == heat.min():
        record["nowhere"][method] = NOWHERE[bool(heat.any())]
    drawn.shown[case.number, method] = page.encoded(picture)


def _classes(subject: Subject, question: Question) -> np.ndarray | None:
    """The unit that is explained of each row; None: there is one."""
    if question.class_index is not None:
        return np.full(len(subject.table), question.class_index)
    return picking.called(subject, question.target)


def _record(told: dict, row) -> dict:
    numbers = {key: None if told[key] != told[key] else float(told[key]) for key in ("error", "uncertainty")}
    wrong = None if told["wrong"] is None else bool(told["wrong"])
    return {
        "row": int(row["row"]),
        "patient": str(row["patient"]),
        **{key: told[key] for key in ("truth", "prediction", "sure")},
        "wrong": wrong,
        **numbers,
        "files": {},
        "nowhere": {},
    }


def _method(one: Way, verdict) -> dict:
    method = one.method
    return {
        "name": method.name,
        "label": method.label,
        "paper": method.paper,
        "words": getattr(method, "words", ""),
        "layer": one.found and one.found.path,
        "grid": one.found and list(one.found.grid),
        "where": one.grid(),
        "trust": verdict,
    }


def _groups(found: Iterator[Case], size: int) -> Iterator[list[Case]]:
    held = []
    for case in found:
        held.append(case)
        if len(held) >= size:
            yield held
            held = []
    if held:
        yield held
