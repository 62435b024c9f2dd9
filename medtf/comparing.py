"""compare(runs): two or more judged runs on the people that all of them predicted -> compare.json, compare.html, compare.png."""

import dataclasses
from itertools import combinations
from pathlib import Path

import pandas as pd

from medtf import runs
from medtf.config import Config, Target
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate import compare_report
from medtf.evaluate.compare import REPLICATES, compare
from medtf.evaluate.compare_words import verdict
from medtf.evaluate.intervals import LEVEL, SEED
from medtf.evaluate.predictions import of_fold, per_patient
from medtf.table import FOLDS, Table

SCHEMA = 1
FEWEST = 6  # below this the signed-rank test cannot reach 5 % whatever the errors are (2 / 2^5 = 0.06)


@dataclasses.dataclass(frozen=True)
class Side:
    """One run of a comparison: its name there, and what was read from its folder."""

    name: str
    config: Config
    table: Table
    predictions: pd.DataFrame
    leaks: list[str]


def compare_runs(folders, *, fold: str = "test", output=None, replicates: int = REPLICATES) -> tuple[dict, Path]:
    """Compare judged runs on the people they have in common.

    Args:
        folders: at least two run folders, each judged on `fold`.
        fold: train, valid or test.
        output: folder to write to; None: `compare-A-B` beside the first run.
        replicates: of the paired bootstrap.
    Returns:
        the content of compare.json (docs/metrics.md), and the folder it was written to.
    Raises:
        AskedWronglyError: fewer than two runs, the same one twice, no such fold, or targets that differ.
        MedtfError: a run that was not judged, other salts, folds that differ, or too few people in common.
    """
    if fold not in FOLDS:
        raise AskedWronglyError(f"--split {fold}: {nearest(fold, FOLDS)}")
    sides = _read([Path(folder) for folder in folders], fold)
    folder = Path(output) if output else Path(folders[0]).parent / "-".join(["compare", *(s.name for s in sides)])
    runs.refuse_unwritable(folder, f"-o {folder}")
    refuse_salts(sides)
    refuse_folds(sides, fold)
    shared, notes = shared_targets(sides)
    found, paired = {}, {}
    for name, target in shared.items():
        people, counts = common_people(sides, name, target)
        result = compare(people, [side.name for side in sides], target.kind, replicates=replicates)
        notes += _other_truths(people, sides, name, target)
        for pair in result["pairs"]:
            pair["words"] = verdict(
                name, target.kind, pair, result["runs"], people=len(people), pairs=len(result["pairs"])
            )
        found[name] = {"kind": target.kind, **counts, **result}
        paired[name] = people
    content = {
        "schema": SCHEMA,
        "split": fold,
        "runs": [_about(side) for side in sides],
        "targets": found,
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


def refuse_salts(sides: list[Side]) -> None:
    """Hashes of one person differ under two salts: nobody would be found in both."""
    salts = [side.table.meta.get("salt") for side in sides]
    for side, salt in zip(sides[1:], salts[1:], strict=True):
        if salt != salts[0]:
            raise MedtfError(
                f"{sides[0].name} and {side.name}: their tables were hashed with different salts"
                f" ({salts[0] or 'unknown'} and {salt or 'unknown'}), so the same person cannot be found in both:"
                " index both with one MEDTF_SALT"
            )


def refuse_folds(sides: list[Side], fold: str) -> None:
    """A person whom one run was judged on and the other was trained on makes the comparison unfair."""
    for a in sides:
        mine = set(a.table.frame.loc[a.table.frame["fold"] == fold, "patient"])
        for b in sides:
            theirs = b.table.frame[b.table.frame["patient"].isin(mine)]
            for other in (name for name in FOLDS if name != fold):
                count = theirs.loc[theirs["fold"] == other, "patient"].nunique()
                if count:
                    raise MedtfError(
                        f"{a.name} and {b.name}: their folds differ: {count:,} of {len(mine):,} people of the {fold} fold of {a.name}"
                        f" stand in the {other} fold of {b.name}; split all people once, and train both on that split"
                    )


def shared_targets(sides: list[Side]) -> tuple[dict[str, Target], list[str]]:
    """Targets that every run has and that can be compared, and a note for each that is left out.

    Raises:
        AskedWronglyError: none, or one that means something else in another run.
    """
    names = [name for name in sides[0].config.targets if all(name in side.config.targets for side in sides)]
    if not names:
        each = "; ".join(f"{side.name}: {', '.join(side.config.targets)}" for side in sides)
        raise AskedWronglyError(f"the runs have no target in common ({each})")
    for name in names:
        meant = [_meaning(side.config.targets[name]) for side in sides]
        for side, one in zip(sides[1:], meant[1:], strict=True):
            if one != meant[0]:
                raise AskedWronglyError(
                    f"target {name!r} differs: {meant[0]} in {sides[0].name}, {one} in {side.name}; it must mean the same"
                )
    every = dict.fromkeys(name for side in sides for name in side.config.targets)
    notes = [f"{name} is not compared: not every run has it." for name in every if name not in names]
    kinds = {name: sides[0].config.targets[name] for name in names}
    notes += [f"{name} is not compared: it has several classes." for name in names if kinds[name].kind == "multiclass"]
    shared = {name: target for name, target in kinds.items() if target.kind != "multiclass"}
    if not shared:
        raise AskedWronglyError("no target to compare: expected one with a unit, or a binary one, in every run")
    return shared, notes


def common_people(sides: list[Side], name: str, target: Target) -> tuple[pd.DataFrame, dict]:
    """One row a person whom every run predicted and whose truth is known; and who is left out.

    Returns:
        columns `patient`, `prediction_i`, `truth_i` of run i; and {"people", "left_out": {run: people whom another run lacks}}.
    """
    aggregate = sides[0].config.evaluate.aggregate
    gathered = [
        per_patient(side.predictions, name, target, aggregate)
        .set_index("patient")[[name, f"{name}_true"]]
        .set_axis([f"prediction_{i}", f"truth_{i}"], axis=1)
        for i, side in enumerate(sides)
    ]
    people = pd.concat(gathered, axis=1, join="inner").astype(float).reset_index()
    left_out = {side.name: len(one) - len(people) for side, one in zip(sides, gathered, strict=True)}
    if len(people) < FEWEST:
        each = ", ".join(f"{side.name} has {len(one):,}" for side, one in zip(sides, gathered, strict=True))
        raise MedtfError(
            f"{name}: {len(people)} people in common ({each}); expected at least {FEWEST}: a paired test of fewer cannot tell anything"
        )
    return people, {"people": len(people), "left_out": left_out}


def _read(folders: list[Path], fold: str) -> list[Side]:
    if len(folders) < 2:
        raise AskedWronglyError("compare: expected at least two run folders")
    for a, b in combinations(folders, 2):
        if a.resolve() == b.resolve():
            raise AskedWronglyError(f"{b}: the same run stands twice")
    return [_side(runs.finished(folder), name, fold) for folder, name in zip(folders, _names(folders), strict=True)]


def _side(run: runs.Run, name: str, fold: str) -> Side:
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
    return Side(name, run.config(), run.table(), of_fold(predictions, fold), list(judged.get("leaks", [])))


def _names(folders: list[Path]) -> list[str]:
    """The folders' own names; with the parent's where two are called the same."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = ["_".join(folder.resolve().parts[-2:]) for folder in folders]
    return [name if names.count(name) == 1 else f"{name}_{i + 1}" for i, name in enumerate(names)]


def _meaning(target: Target) -> str:
    """What a target means, without how it is learnt (the head)."""
    if target.kind == "binary":
        positive = "1" if target.positive is None else target.positive
        return f"binary, positive {positive}"
    return f"classes {', '.join(map(str, target.classes))}" if target.kind == "multiclass" else target.kind


def _other_truths(people: pd.DataFrame, sides: list[Side], name: str, target: Target) -> list[str]:
    """A note where runs know another truth of a person, as two scans at two ages give; a binary truth may not differ."""
    notes = []
    for i, side in enumerate(sides[1:], 1):
        count = int(((people[f"truth_{i}"] - people["truth_0"]).abs() > 1e-3).sum())
        if count and target.kind == "binary":
            raise MedtfError(
                f"{name}: {count:,} people are positive in one of {sides[0].name} and {side.name} and negative in the other: mend the tables"
            )
        if count:
            notes.append(
                f"{name}: {count:,} people have another true value in {side.name} than in {sides[0].name}; each error is against its own."
            )
    return notes


def _about(side: Side) -> dict:
    people = side.predictions["patient"].nunique()
    about = {
        "name": side.name,
        "pipeline": side.config.pipeline,
        "model": side.config.model.name,
        "people": int(people),
    }
    return about | {"fingerprint": side.table.fingerprint()}
