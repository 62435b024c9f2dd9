"""What is asked of `medtf evidence`, and whether these runs can be asked it together: told before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path

from medtf import comparing, comparing_people, ensembling, predictions, runs
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.explain import methods
from medtf.explain.runs import evidence_cases, explaining, whole
from medtf.explain.runs import evidence_interventions as interventions
from medtf.explain.runs import subject as subjects
from medtf.table import FOLDS, Table

MARK = "evidence.json"  # what tells the folder


@dataclass(frozen=True)
class Asked:
    """What is asked: see `medtf evidence --help`. annotations: sources of `annotations.find`, one or two (the second is a second reader)."""

    annotations: tuple[str, ...]
    methods: tuple[str, ...] = ("grad-cam",)
    target: str | None = None
    of_class: str | None = None
    layer: str | None = None
    cases: str = "positives"
    hows: tuple[str, ...] = ("erase",)  # none: nothing is changed
    controls: int = 8
    draws: int = 999
    count: int | None = None
    seed: int = 0
    trust: bool = True


def refuse(folders, asked: Asked, *, fold: str, output) -> list[runs.Run]:
    """What can be told before anything is loaded; the runs.

    Raises:
        AskedWronglyError: an unknown method, kind of cases, way of changing, target or class; the same run twice; several runs and no output.
    """
    for known, name, option in ((FOLDS, fold, "--split"), (evidence_cases.KINDS, asked.cases, "--cases")):
        if name not in known:
            raise AskedWronglyError(f"{option} {name}: {nearest(name, known)}")
    if len(asked.annotations) > 2:
        raise AskedWronglyError(f"--annotations: {len(asked.annotations)} sources; expected one, or two of two readers")
    if len(set(asked.annotations)) < len(asked.annotations):
        raise AskedWronglyError(
            f"--annotations {asked.annotations[0]}: the same source stands twice; the second is a second reader's"
        )
    known = [methods.get(name) for name in asked.methods]
    if asked.layer is not None and not any(one.of_layers for one in known):
        raise AskedWronglyError(
            f"--layer {asked.layer}: {', '.join(asked.methods)} reads the input, not a layer: leave it out"
        )
    if len(folders) > 1 and output is None:
        raise AskedWronglyError("several runs: say with -o where the page goes")
    if len({Path(one).resolve() for one in folders}) < len(folders):
        raise AskedWronglyError("the same run stands twice")
    opened = [runs.finished(folder) for folder in folders]
    for folder, run in zip(folders, opened, strict=True):
        if ensembling.is_ensemble(run):
            raise AskedWronglyError(f"{folder}: is an ensemble: name its members, each of which is a run")
        question(run, asked)
    whole.refuse(destination(folders, output), MARK, ours=("evidence.html", "evidence.csv"))
    return opened


def destination(folders, output) -> Path:
    """The folder that is written: what was asked for, or `evidence` in the one run."""
    return Path(output) if output is not None else Path(folders[0]) / "evidence"


def names(opened: list[runs.Run]) -> list[str]:
    """What the runs are called."""
    return comparing.names([run.folder for run in opened])


def tables(opened: list[runs.Run], fold: str) -> list[Table]:
    """The fold's rows of every run, numbered as `subject.opened` numbers them."""
    made = []
    for run in opened:
        table = predictions.of_fold(run.rows_of(fold), fold)
        made.append(table.with_frame(table.frame.reset_index(drop=True)))
    return made


def same(opened, tables) -> list[str]:
    """Runs that are set beside each other were trained on one table and one split, and mean the same by the target.

    Raises:
        MedtfError: another table or other folds. AskedWronglyError: a target that means something else.
    """
    called = names(opened)
    sides = [
        comparing_people.Side(name, run.config(), run.table(), None, [])
        for name, run in zip(called, opened, strict=True)
    ]
    comparing_people.refuse_salts(sides)
    fold = tables[0].frame["fold"].iloc[0]
    comparing_people.refuse_folds(sides, fold)
    columns = ["row", "path", "patient"]
    for name, table in zip(called[1:], tables[1:], strict=True):
        if not table.frame[columns].reset_index(drop=True).equals(tables[0].frame[columns].reset_index(drop=True)):
            raise MedtfError(
                f"{called[0]} and {name}: their {fold} folds hold other rows ({len(tables[0]):,} and {len(table):,}): cases can be compared only"
                " between runs of one table; train both on it with data.table, or ask for one run at a time"
            )
    notes = comparing_people.shared_targets(sides)[1]
    if len({side.table.fingerprint() for side in sides}) > 1:
        notes.append(
            f"the tables of {', '.join(called)} hold the same rows of the same people but differ in other columns: are their pictures the same?"
        )
    return notes


def question(run, asked: Asked) -> explaining.Question:
    """The target and class, told from the config alone."""
    subject = subjects.Subject(run, run.config(), None, None, None, None)
    question = explaining.asked_of(subject, explained(asked))
    interventions.refuse(asked.hows, subject.config.targets, question.target)
    if asked.cases == "true-positives" and subject.config.targets[question.target].kind == "regression":
        raise AskedWronglyError(
            f"--cases true-positives: {question.target} is a number, which is not called rightly or wrongly; take all"
        )
    return question


def explained(asked: Asked) -> explaining.Asked:
    """The same question as `medtf explain` takes it."""
    return explaining.Asked(
        methods=asked.methods, target=asked.target, of_class=asked.of_class, layer=asked.layer, seed=asked.seed
    )
