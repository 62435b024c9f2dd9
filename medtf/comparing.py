"""compare(runs): two or more judged runs on the same people -> compare.json, compare.html, compare.png."""

from itertools import combinations
from pathlib import Path

import pandas as pd

from medtf import comparing_people as people_of
from medtf import runs
from medtf.comparing_people import Side
from medtf.config import Target
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate.compare import compare, enough_replicates
from medtf.evaluate.compare_words import paragraph, verdict
from medtf.evaluate.pages import compare_report
from medtf.evaluate.paired_metrics import METRICS
from medtf.evaluate.predictions import of_fold
from medtf.evaluate.statistics.intervals import LEVEL, SEED
from medtf.table import FOLDS

SCHEMA = 2


def compare_runs(
    folders,
    *,
    fold: str = "test",
    common: bool = False,
    metrics: tuple[str, ...] = (),
    output=None,
    replicates: int | None = None,
) -> tuple[dict, Path]:
    """Compare judged runs on the same people.

    Args:
        folders: at least two run folders, each judged on `fold`.
        fold: train, valid or test.
        common: compare the people whom all runs have, where they were not judged on the same ones.
        metrics: numbers to compare beside the usual ones (paired_metrics.METRICS); each is for the kinds of target that have it.
        output: folder to write to; None: `compare-A-B` beside the first run.
        replicates: of the paired bootstrap; None: 5,000, more for many runs.
    Returns:
        the content of compare.json (docs/metrics.md), and the folder it was written to.
    Raises:
        AskedWronglyError: fewer than two runs, the same one twice, no such fold or metric, or targets that differ.
        MedtfError: a run that was not judged, other salts, folds or people that differ, or too few people.
    """
    if fold not in FOLDS:
        raise AskedWronglyError(f"--split {fold}: {nearest(fold, FOLDS)}")
    sides = _read([Path(folder) for folder in folders], fold)
    folder = Path(output) if output else Path(folders[0]).parent / "-".join(["compare", *(s.name for s in sides)])
    runs.refuse_unwritable(folder, f"-o {folder}")
    people_of.refuse_salts(sides)
    people_of.refuse_folds(sides, fold)
    shared, notes = people_of.shared_targets(sides)
    refuse_metrics(metrics, shared)
    notes += _differently_judged(sides, shared)
    replicates = enough_replicates(len(sides)) if replicates is None else replicates
    found, paired = {}, {}
    for name, target in shared.items():
        people, counts, said = people_of.same_people(
            sides, name, target, sides[0].config.evaluate.aggregate, common=common
        )
        notes += said
        found[name] = {"kind": target.kind, **counts, **_compared(people, sides, name, target, metrics, replicates)}
        _say(name, found[name])
        paired[name] = people
    content = {
        "schema": SCHEMA,
        "split": fold,
        "common": common,
        "aggregate": sides[0].config.evaluate.aggregate.text,
        "runs": [_about(side) for side in sides],
        "targets": found,
        "family": _family(len(sides)),
        "intervals": {
            "method": "paired percentile bootstrap over patients",
            "replicates": replicates,
            "level": LEVEL,
            "seed": SEED,
        },
        "notes": notes,
        "leaks": [f"{side.name}: {leak}" for side in sides for leak in side.leaks],
    }
    folder.mkdir(parents=True, exist_ok=True)
    compare_report.write(folder, content, paired)
    return content, folder


def refuse_metrics(asked: tuple[str, ...], targets: dict[str, Target]) -> None:
    """A number that no target has shows before anything is computed.

    Raises:
        AskedWronglyError: the nearest of those there are.
    """
    kinds = dict.fromkeys(target.kind for target in targets.values())
    there = dict.fromkeys(metric for kind in kinds for metric in METRICS[kind])
    for name in asked:
        if name not in there:
            raise AskedWronglyError(
                f"--metric {name}: no number of a {' or '.join(kinds)} target: {nearest(name, there)}"
            )


def _compared(people: pd.DataFrame, sides: list[Side], name: str, target: Target, metrics, replicates: int) -> dict:
    extra = tuple(metric for metric in metrics if metric in METRICS[target.kind])
    names = [side.name for side in sides]
    if target.kind != "binary":
        about = {"classes": [str(label) for label in target.classes]} if target.kind == "multiclass" else {}
        return about | compare(people, names, target.kind, extra=extra, replicates=replicates)
    thresholds = {side.name: side.thresholds_of(name) for side in sides}
    about = {
        "positive": "1" if target.positive is None else str(target.positive),
        "positives": int(people["truth_0"].sum()),
        "thresholds": {run: each[0] if len(each) == 1 else each for run, each in thresholds.items()},
    }
    return about | compare(people, names, target.kind, extra=extra, replicates=replicates)


def _say(name: str, found: dict) -> None:
    """Put the sentences into a target of compare.json."""
    for pair in found["pairs"]:
        pair["words"] = verdict(
            name, found["kind"], pair, found["runs"], people=found["people"], pairs=len(found["pairs"])
        )
    found["words"] = paragraph(name, found)


def _family(count: int) -> dict:
    """What Holm's correction is over."""
    pairs = count * (count - 1) // 2
    if pairs == 1:
        return {"pairs": 1, "words": "One pair: p_holm is p."}
    return {
        "pairs": pairs,
        "words": f"p_holm is adjusted over the {pairs} pairs of runs, for each number and each test of each target by itself.",
    }


def _differently_judged(sides: list[Side], targets: dict[str, Target]) -> list[str]:
    """Notes where the runs' configs judge in other ways: one way is taken for all."""
    first, notes = sides[0], []
    kinds = {target.kind for target in targets.values()}
    taken = first.config.evaluate.aggregate.text
    several = any(side.predictions["patient"].duplicated().any() for side in sides)
    for side in sides:
        judged = side.config.evaluate
        if judged.aggregate.text != taken and several and "binary" in kinds:
            notes.append(
                f"A person's examples are gathered by {taken}, as {first.name} does; {side.name} was judged by {judged.aggregate.text},"
                " and its threshold was chosen on that."
            )
    for side in sides:
        if len(side.thresholds) > 1:
            notes.append(
                f"{side.name} is a cross-validation: {len(side.thresholds)} models answered, each for people it never saw; their answers are pooled."
            )
    corrected = [side.name for side in sides if _corrected(side)]
    if corrected and kinds - {"regression"}:
        notes.append(f"{', '.join(corrected)}: judged on corrected probabilities too; here the raw ones are compared.")
    return notes


def _corrected(side: Side) -> bool:
    return side.config.evaluate.calibrate != "none" or side.config.evaluate.correct_prior


def _read(folders: list[Path], fold: str) -> list[Side]:
    if len(folders) < 2:
        raise AskedWronglyError("compare: expected at least two run folders")
    for a, b in combinations(folders, 2):
        if a.resolve() == b.resolve():
            raise AskedWronglyError(f"{b}: the same run stands twice")
    return [_side(folder, name, fold) for folder, name in zip(folders, names(folders), strict=True)]


def _side(folder: Path, name: str, fold: str) -> Side:
    run, children = _finished(folder)
    ask = f"judge it with `medtf evaluate {run.folder}{'' if fold == 'test' else f' --split {fold}'}` first"
    if not run.predictions.is_file() or not (run.folder / "metrics.json").is_file():
        raise MedtfError(f"{run.folder}: no predictions yet: {ask}")
    try:
        predictions = pd.read_parquet(run.predictions)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{run.predictions}: damaged: not a Parquet file; {ask}") from error
    judged = run.read_json("metrics.json")
    if judged.get("split") != fold:
        raise MedtfError(f"{run.folder}: its predictions are of the {judged.get('split')} fold: {ask}")
    thresholds = tuple(child.read_json("thresholds.json").get("targets", {}) for child in children)
    leaks = list(judged.get("leaks", []))
    return Side(name, run.config(), run.table(), of_fold(predictions, fold), leaks, thresholds)


def _finished(folder: Path) -> tuple[runs.Run, list[runs.Run]]:
    """The run, and those that predicted for it: itself, or of a cross-validation the run of each fold."""
    if not runs.is_parent(folder):
        run = runs.finished(folder)
        return run, [run]
    from medtf import folds  # brings the whole of training along

    parent = folds.finished(folder)
    return parent.run, parent.children()


def names(folders: list[Path]) -> list[str]:
    """The folders' own names; with the parent's where two are called the same."""
    own = [folder.resolve().name for folder in folders]
    if len(set(own)) < len(own):
        own = ["_".join(folder.resolve().parts[-2:]) for folder in folders]
    return [name if own.count(name) == 1 else f"{name}_{i + 1}" for i, name in enumerate(own)]


def _about(side: Side) -> dict:
    people = side.predictions["patient"].nunique()
    about = {
        "name": side.name,
        "pipeline": side.config.pipeline,
        "model": side.config.model.name,
        "people": int(people),
    }
    return about | {"fingerprint": side.table.fingerprint()}
