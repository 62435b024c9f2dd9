"""Cross-validation: one table, split once, and a run a fold, each an ordinary run folder.

    config.yaml  environment.json  local.json  folds.json  table.parquet  fold-0/ ... fold-4/  predictions.parquet  metrics.json  report.html

The column `cv_fold` of the table says in which fold a patient stands. Run k tests on fold k, validates on the fold after it (the last
one's is fold 0) and learns from the others, so everybody is tested once and validated on once, each time by a model that never saw them.
"""

import tempfile
from pathlib import Path

import pandas as pd

from medtf import audit, lineage, prepare, runs, split, split_report
from medtf import config as configs
from medtf import table as tables
from medtf.errors import AskedWronglyError, MedtfError

FEWEST = 3  # one tests, one validates, and somebody has to be learnt from
SCHEMA = 1


class Parent:
    """The folder of a cross-validation that is there.

    Raises:
        AskedWronglyError: no such folder, or another kind of folder.
    """

    def __init__(self, folder):
        self.run = runs.Run(folder)
        self.folder = self.run.folder
        if not self.folder.exists():
            raise AskedWronglyError(f"{folder}: no such run folder")
        if not runs.is_parent(folder):
            raise AskedWronglyError(
                f"{folder}: no cross-validation: it has no {runs.FOLDS} (`medtf fit --folds` makes one)"
            )
        facts = self.run.read_json(runs.FOLDS)
        if not isinstance(facts.get("folds"), int) or facts["folds"] < FEWEST:
            raise MedtfError(f"{self.folder / runs.FOLDS}: damaged: expected `folds`, a number of at least {FEWEST}")
        self.count: int = facts["folds"]
        self.allow_leaks = bool(facts.get("allow_leaks"))

    def child(self, fold: int) -> runs.Run:
        """The run that tests on one fold; its folder may not be there yet."""
        return runs.Run(self.folder / f"fold-{fold}")

    def children(self) -> list[runs.Run]:
        """All runs, in the order of their folds."""
        return [self.child(fold) for fold in range(self.count)]

    def missing(self) -> list[int]:
        """Folds whose training has not ended."""
        return [k for k, run in enumerate(self.children()) if not run.ended()]

    def table(self) -> tables.Table:
        """The whole table, with `cv_fold`, and everybody in the fold `test`."""
        found = self.run.table()
        if "cv_fold" not in found.frame:
            raise MedtfError(
                f"{self.folder / 'table.parquet'}: has no column cv_fold: it is not the table that `fit --folds` wrote"
            )
        return found

    def numbered(self) -> tables.Table:
        """The whole table with the numbers of the folds in `fold`, for counts by fold."""
        found = self.table()
        return found.with_frame(found.frame.assign(fold=found.frame["cv_fold"].astype(str)))

    def table_of(self, fold: int) -> tables.Table:
        """The table as the run of one fold sees it: the same rows in the same order, with their part in `fold`."""
        found = self.table()
        part = configs.Split(folds=self.count, test_fold=fold)
        return found.with_frame(found.frame.assign(fold=split.roles(found.frame["cv_fold"].astype(str), part)))

    def config_of(self, fold: int) -> configs.Config:
        """The config of one fold's run."""
        return as_folds(self.run.config(), self.count, fold)

    def go_on(self) -> str:
        """What to type to train what is missing."""
        return f"`medtf fit {self.folder / 'config.yaml'} --run {self.folder} --resume`"


def finished(folder) -> Parent:
    """A cross-validation whose folds are all trained.

    Raises:
        AskedWronglyError: no cross-validation. MedtfError: folds are missing.
    """
    parent = Parent(folder)
    missing = parent.missing()
    if missing:
        raise MedtfError(f"{folder}: {named(missing)} not trained to the end: go on with {parent.go_on()}")
    return parent


def named(folds: list[int]) -> str:
    """`fold 1 is`, `folds 1 and 3 are`."""
    words = [str(fold) for fold in folds]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"fold {listed} is" if len(words) == 1 else f"folds {listed} are"


def as_folds(config: configs.Config, count: int, fold: int = 0) -> configs.Config:
    """A config with `data.split.folds` and `test_fold`."""
    parts = config.data.split.model_copy(update={"folds": count, "test_fold": fold})
    return config.model_copy(update={"data": config.data.model_copy(update={"split": parts})})


def refuse(count: int, overrides=()) -> None:
    """What stands against so many folds, before anything is read.

    Raises:
        AskedWronglyError: too few, or `--set data.split.folds` or `test_fold` beside `--folds`.
    """
    if count < FEWEST:
        raise AskedWronglyError(
            f"--folds {count}: expected at least {FEWEST}: one fold tests, one validates, and the others are learnt from"
        )
    for one in overrides:
        if one.partition("=")[0] in ("data.split.test_fold", "data.split.folds"):
            raise AskedWronglyError(f"--set {one}: --folds trains every fold in its turn; leave one of the two out")


def create(
    config: configs.Config, root, folder, *, allow_leaks: bool = False, progress=prepare.quiet, say=print
) -> Parent:
    """Index and check the data once, give every patient a fold, and make the folder, or leave nothing.

    Args:
        config: with `data.split.folds`.
        root: data root. folder: where to.
        allow_leaks: go on although patients or pictures stand in two folds.
    Raises:
        AskedWronglyError: the folder exists, or the table's own folds are others. MedtfError: what is wrong with the data.
    """
    run = runs.new(folder)
    table, leaks = fold_table(config, root, parts=run.parts, allow_leaks=allow_leaks, progress=progress, say=say)
    count = config.data.split.folds
    facts = {"schema": SCHEMA, "folds": count, "allow_leaks": allow_leaks}
    # each patient is tested once: nobody at all may have been seen (a fold of a numbered table knows no better)
    leaks += lineage.audited(config.model.weights, table, allow=allow_leaks).leaks
    run.create(config, table, root, runs.environment(leaks=leaks), folds=facts)
    prepare.scanning.forget(run.parts)
    return Parent(folder)


def fold_table(config: configs.Config, root, *, parts: Path, allow_leaks: bool, progress, say):
    """The table with `cv_fold` (whole numbers), and the leaks between any two folds that the user insists on."""
    if config.data.labels.share < 1:
        raise AskedWronglyError(
            f"data.labels.share {config.data.labels.share:g}: goes with one split into train, valid and test, not with --folds;"
            " leave one of the two out (`medtf curve` varies the share)"
        )
    count = config.data.split.folds
    found = prepare.found_table(config, root, parts=parts, progress=progress)
    if "fold" in found.frame:
        _refuse_other_folds(found, count)
    else:
        found = split.assign(found, config.data.split, config.targets)
    found = found.with_frame(found.frame.assign(cv_fold=found.frame["fold"].astype(int)))
    _refuse_empty(split.select(found, config.data.select), count)
    # `training_table` selects rows, finds masks and decodes the pixels; it reads its table from a file
    with tempfile.TemporaryDirectory(prefix="medtf-folds-") as beside:
        path = tables.save(found, Path(beside) / "table.parquet")
        once = config.data.model_copy(update={"table": str(path), "split": configs.Split(folds=count)})
        found, _ = prepare.training_table(
            config.model_copy(update={"data": once}), root, allow_leaks=True, progress=progress, say=say
        )
    numbered = found.with_frame(found.frame.assign(fold=found.frame["cv_fold"].astype(str)))
    leaks = audit.refuse_leaks(numbered, allow=allow_leaks)
    _refuse_empty(found, count)
    for line in _described(numbered, config):
        say(line)
    return found.with_frame(found.frame.assign(fold=pd.Series("test", index=found.frame.index, dtype="str"))), leaks


def _described(numbered: tables.Table, config: configs.Config) -> list[str]:
    """`fold 0: 96 examples of 12 patients; any 15`, a line a fold; and how well strata are kept, where they were asked for."""
    said = []
    for row in split.counts(numbered, config.targets).to_dict("records"):
        fold, examples, patients = (row.pop(name) for name in ("fold", "examples", "patients"))
        labels = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
        said.append(f"  fold {fold}: {examples:,} examples of {patients:,} patients; {labels}")
    return said + (split_report.describe(numbered) if config.data.split.stratify else [])


def _refuse_empty(found: tables.Table, count: int) -> None:
    for fold in range(count):
        if not (found.frame["cv_fold"] == fold).any():
            raise MedtfError(f"fold {fold} holds nobody: take fewer --folds, or another data.split.seed")


def _refuse_other_folds(found: tables.Table, count: int) -> None:
    there = set(found.frame["fold"].astype(str))
    if there == {str(k) for k in range(count)}:
        return
    listed = ", ".join(sorted(there, key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else word)))
    raise AskedWronglyError(
        f"--folds {count}: the table has folds of its own ({listed}); expected 0 to {count - 1}, or a table without folds"
        f" (`medtf split TABLE --folds {count} --force` splits it anew)"
    )
