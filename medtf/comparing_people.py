"""Whether runs may be set against each other: the same salt, the same folds, targets that mean the same, the same people with the same truths."""

import dataclasses

import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate.predictions import columns, per_patient, sample
from medtf.schema_evaluate import Aggregate
from medtf.table import FOLDS, Table

FEWEST = 6  # below this the signed-rank test cannot reach 5 % whatever the errors are (2 / 2^5 = 0.06)


@dataclasses.dataclass(frozen=True)
class Side:
    """One run of a comparison, or a cross-validation: its name there, and what was read from its folder.

    thresholds: {binary target: {"value", ..., "per_patient"}} of the run, or of each fold's run of a cross-validation.
    """

    name: str
    config: Config
    table: Table
    predictions: pd.DataFrame
    leaks: list[str]
    thresholds: tuple[dict, ...] = ({},)

    def thresholds_of(self, target: str) -> list[float | None]:
        """The threshold that patients are called by, of each fold's run in turn; None: none is stored."""
        stored = [one.get(target, {}) for one in self.thresholds]
        return [one.get("per_patient", one).get("value") for one in stored]


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
    """Targets that every run has, and a note for each that is left out.

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
    return {name: sides[0].config.targets[name] for name in names}, notes


def same_people(
    sides: list[Side], name: str, target: Target, aggregate: Aggregate, *, common: bool
) -> tuple[pd.DataFrame, dict, list[str]]:
    """One row a person whom every run predicted and whose truth is known.

    Args:
        aggregate: how several examples of a person become one answer, in all runs.
        common: take the people whom all runs have, and of numbers with a unit each run's own truth (a second scan is of another age);
            False: the runs must have predicted the same people, each from as many examples, with the same truths.
    Returns:
        columns `patient`, `truth_i`, `prediction_i` (`prediction_i_0`, ... of classes) and `threshold_i` of run i; {"people", "left_out":
        {run: people whom another run lacks}}; notes.
    Raises:
        MedtfError: other people, other numbers of examples or other truths without `common`; another class; fewer than six people.
    """
    gathered = [_gathered(side, i, name, target, aggregate) for i, side in enumerate(sides)]
    people = pd.concat(gathered, axis=1, join="inner").reset_index()
    left_out = {side.name: len(one) - len(people) for side, one in zip(sides, gathered, strict=True)}
    each = ", ".join(f"{side.name} has {len(one):,}" for side, one in zip(sides, gathered, strict=True))
    if not common and any(left_out.values()):
        raise MedtfError(
            f"{name}: the runs were not judged on the same people ({each}, {len(people):,} are in all):"
            " judge all on the same table, or compare the people in common with --common"
        )
    if len(people) < FEWEST:
        raise MedtfError(
            f"{name}: {len(people)} people in common ({each}); expected at least {FEWEST}: a paired test of fewer cannot tell anything"
        )
    notes = []
    for i, side in enumerate(sides[1:], 1):
        if not common:
            _refuse_other_examples(people, sides[0], side, i, name)
        notes += _other_truths(people, sides[0], side, i, name, target, common)
    examples = [f"examples_{i}" for i in range(len(sides))]
    return people.drop(columns=examples), {"people": len(people), "left_out": left_out}, notes


def _gathered(side: Side, i: int, name: str, target: Target, aggregate: Aggregate) -> pd.DataFrame:
    """Indexed by patient: `prediction_i`, `truth_i`, `examples_i`."""
    try:
        sample(side.predictions, name, target)  # refuses numbers that are no predictions or no labels
    except MedtfError as error:
        raise MedtfError(f"{side.name}: {error}") from error
    predicted, label = columns(name, target), f"{name}_true"
    found = per_patient(side.predictions, name, target, aggregate).set_index("patient")
    suffixes = [""] if len(predicted) == 1 else [f"_{k}" for k in range(len(predicted))]
    renamed = dict(zip(predicted, [f"prediction_{i}{suffix}" for suffix in suffixes], strict=True))
    known = side.predictions[side.predictions[label].notna()]
    found = found[[*predicted, label]].rename(columns=renamed | {label: f"truth_{i}"}).astype(float)
    people = known.groupby("patient")
    if target.kind == "binary":
        own = np.array(side.thresholds_of(name), dtype=float)
        fold = (
            people["cv_fold"].first().reindex(found.index).to_numpy(int) if len(own) > 1 else np.zeros(len(found), int)
        )
        found[f"threshold_{i}"] = own[fold]
    return found.assign(**{f"examples_{i}": people.size().reindex(found.index).to_numpy()})


def _refuse_other_examples(people: pd.DataFrame, first: Side, side: Side, i: int, name: str) -> None:
    differ = people["examples_0"] != people[f"examples_{i}"]
    if differ.any():
        raise MedtfError(
            f"{name}: {int(differ.sum()):,} people have another number of examples in {side.name} than in {first.name}"
            f" ({people[f'examples_{i}'].sum():,} and {people['examples_0'].sum():,} in all): judge both on the same table, or compare"
            " people whatever they were judged from with --common"
        )


def _other_truths(people, first: Side, side: Side, i: int, name: str, target: Target, common: bool) -> list[str]:
    """A note where runs may know another truth of a person, as two scans at two ages give; a class may not differ."""
    differ = ~np.isclose(people[f"truth_{i}"], people["truth_0"], rtol=1e-5)
    count = int(differ.sum())
    if not count:
        return []
    if common and target.kind == "regression":
        return [
            f"{name}: {count:,} people have another true value in {side.name} than in {first.name}; each error is against its own."
        ]
    whose = people["patient"].to_numpy()[np.argmax(differ)]
    rows = [int(one.predictions.loc[one.predictions["patient"] == whose, "row"].iloc[0]) for one in (first, side)]
    way = ", or compare each error against its own with --common" if target.kind == "regression" else ""
    raise MedtfError(
        f"{name}: {count:,} of {len(people):,} people have another true value in {side.name} than in {first.name}"
        f" (first: row {rows[0]} of {first.name}, row {rows[1]} of {side.name}): mend the tables{way}"
    )


def _meaning(target: Target) -> str:
    """What a target means, without how it is learnt (the head)."""
    if target.kind == "binary":
        positive = "1" if target.positive is None else target.positive
        return f"binary, positive {positive}"
    return f"classes {', '.join(map(str, target.classes))}" if target.kind == "multiclass" else target.kind
