"""medtf evidence: runs and annotations -> evidence.json, evidence.csv and a page that says whether the networks look where experts look."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from medtf import prepare, runs
from medtf.data.annotations import Annotations
from medtf.errors import MedtfError
from medtf.evaluate.pages import evidence_report
from medtf.explain.evidence import summary
from medtf.explain.runs import evidence_asked as asking
from medtf.explain.runs import (
    evidence_cases,
    evidence_content,
    evidence_maps,
    evidence_marks,
    evidence_pictures,
    evidence_table,
    explaining,
    trusting,
    whole,
)
from medtf.explain.runs import evidence_interventions as interventions
from medtf.explain.runs import subject as subjects
from medtf.explain.runs.evidence_asked import Asked
from medtf.explain.runs.evidence_kept import Masks
from medtf.explain.runs.evidence_maps import Outcome, Subjected


def evidence(
    opened: list[runs.Run],
    asked: Asked,
    folder,
    *,
    root=None,
    fold: str = "test",
    progress: prepare.Progress = prepare.quiet,
    say: Callable = lambda line: None,
) -> dict:
    """Hold the maps of runs against annotations, change what is annotated, and write what that gives.

    Args:
        opened: as `refuse` gives them. asked: what is wanted. folder: to make, or to replace when the new one is whole.
        root: data root, when it has moved. fold: train, valid or test. progress: title -> callback (done, all). say: told what begins.
    Returns:
        The content of evidence.json.
    Raises:
        AskedWronglyError: a layer that is none. MedtfError: runs of other tables, annotations of no row, files that are away or damaged.
    """
    tables = asking.tables(opened, fold)
    notes = [] if len(opened) == 1 else asking.same(opened, tables)
    marks, second = _marks(opened, tables, asked, root=root, notes=notes, say=say)
    entries, frames, shown, about, ceiling = [], {}, {}, [], None
    with whole.replaced(folder) as building, TemporaryDirectory(prefix="medtf-evidence-") as temporary:
        for i, (name, run) in enumerate(zip(asking.names(opened), opened, strict=True)):
            of = _subjected(name, run, marks[i], asked, root=root, fold=fold, progress=progress)
            about.append(evidence_content.about(of))
            notes += [note for note in of.chosen.notes if note not in notes]
            if second is not None and ceiling is None:
                ceiling = _ceiling(of, second, asked.seed)
            made = _entries(of, asked, Path(temporary) / f"{i}", progress=progress, say=say)
            for outcome, one in made:
                entries.append(one)
                frames[_label(outcome, several=len(opened) > 1, methods=len(made))] = outcome.frame
                shown[name, outcome.method.name] = evidence_pictures.drawn(of, outcome)
        content = evidence_content.content(entries, frames, about, asked, of, ceiling=ceiling, fold=fold, notes=notes)
        evidence_content.csv(entries, list(frames.values())).to_csv(building / "evidence.csv", index=False)
        evidence_report.write(building, content, shown, measures=evidence_content.measures())
    return content


def _marks(
    opened, tables, asked: Asked, *, root, notes: list[str], say
) -> tuple[list[Annotations], Annotations | None]:
    """The annotations on the grid of each run, and those of a second reader on that of the first run; what is to be told joins `notes`."""
    made = []
    for run, table in zip(opened, tables, strict=True):
        options = {"target": asking.question(run, asked).target, "root": root}
        for source in asked.annotations if run is opened[0] else asked.annotations[:1]:
            found, lines = evidence_marks.found(source, run, table, say=say if run is opened[0] else _quiet, **options)
            made.append(found)
            notes += [line for line in lines if line not in notes]
    second = made.pop(1) if len(asked.annotations) > 1 else None
    return made, second


def _quiet(line: str) -> None:
    """What was said of the first run need not be said of the next."""


def _entries(of: Subjected, asked: Asked, folder: Path, *, progress, say) -> list[tuple[Outcome, dict]]:
    """Of each method what it gave, and what evidence.json holds of it."""
    performance = evidence_table.performance(of.whole, of.target)
    ways = explaining.ways(of.whole.model, of.whole.config, asking.explained(asked))
    made = []
    for outcome, way in zip(_judged(of, ways, asked, folder, progress), ways, strict=True):
        say(f"{of.name}, {outcome.method.label}: {len(outcome.frame):,} cases are held against annotations")
        trust = _trust(of, way, asked, progress)
        told = {"trust": trust, "performance": performance}
        made.append(
            (outcome, evidence_table.entry(outcome, hows=asked.hows, seed=asked.seed, draws=asked.draws, **told))
        )
    return made


def _subjected(name, run, annotations, asked: Asked, *, root, fold, progress) -> Subjected:
    opened = subjects.opened(
        run.folder,
        root=root,
        fold=fold,
        progress=progress(f"{name}: predictions"),
        look=lambda model: explaining.refuse_model(run, model, asking.explained(asked)),  # before the work
    )
    question = explaining.asked_of(opened, asking.explained(asked))
    chosen = evidence_cases.choose(
        opened,
        question.target,
        annotations,
        asked.cases,
        class_index=question.class_index,
        count=asked.count,
        seed=asked.seed,
    )
    return Subjected(name, opened.at(chosen.numbers), opened, question.target, asked.layer, chosen, annotations)


def _judged(of: Subjected, ways, asked: Asked, folder: Path, progress) -> list[Outcome]:
    todo = None
    if asked.hows:
        todo = interventions.asked(of.whole, of.target, asked.hows, controls=asked.controls, seed=asked.seed)
    return evidence_maps.judged(of, [way.method for way in ways], todo, folder, progress=progress(f"{of.name}: maps"))


def _trust(of: Subjected, way, asked: Asked, progress) -> dict | None:
    """{"passed", "words", "details"}; `passed` is None where too many maps were empty to tell. None: not asked."""
    if not asked.trust:
        return None
    question = explaining.asked_of(of.whole, asking.explained(asked))
    return trusting.verdict(of.whole, way, question, new=False, seed=asked.seed, progress=progress)


def _ceiling(of: Subjected, second: Annotations, seed: int) -> dict:
    """How well both readers agree on the judged rows that both annotated.

    Raises:
        MedtfError: there is none.
    """
    rows = of.subject.table.frame["row"].to_numpy()
    numbers = {
        int(row): int(number) for row, number in zip(rows, of.chosen.numbers, strict=True) if int(number) in second
    }
    if not numbers:
        raise MedtfError(
            f"{second.source}: annotates none of the {len(rows):,} judged rows, so readers cannot be compared"
        )
    patients = dict(zip(map(int, rows), of.subject.table.frame["patient"].astype(str), strict=True))
    readers = [Masks(one.mask, numbers) for one in (of.annotations, second)]
    return summary.ceiling(readers, patients=patients, seed=seed)


def _label(outcome: Outcome, *, several: bool, methods: int) -> str:
    """What a run and method is called: by what differs."""
    if not several:
        return outcome.method.label
    return outcome.run if methods == 1 else f"{outcome.run}, {outcome.method.label}"
