"""What is explained: a finished run, the rows that are looked at, and what the network says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf import ensembling, judging, pipeline, predictions, runs
from medtf.config import Config, Target
from medtf.errors import AskedWronglyError, nearest
from medtf.explain.score import Score
from medtf.faults import refuse_absent
from medtf.models import full_precision
from medtf.table import Table


@dataclass(frozen=True)
class Subject:
    """A run and rows of one table.

    `table` has the column `row`, the ids of its rows in the run's table. `predictions` is as `predictions.predict` gives it, in the same order.
    """

    run: runs.Run
    config: Config
    model: keras.Model
    root: Path
    table: Table
    predictions: pd.DataFrame

    def target(self, name: str | None) -> str:
        """A target by name, or the only one.

        Raises:
            AskedWronglyError: no such target, or none named where there are several.
        """
        known = list(self.config.targets)
        if name is None and len(known) > 1:
            raise AskedWronglyError(f"the run has several targets: name one with --target: {', '.join(known)}")
        if name is not None and name not in known:
            raise AskedWronglyError(f"--target {name}: the run has no such target: {nearest(name, known)}")
        return name or known[0]

    def class_index(self, name: str, of: str | None) -> int | None:
        """The unit of a multi-class target by the name of its class; None: the class that each example is called.

        Raises:
            AskedWronglyError: no such class, or a class of a target that has none.
        """
        target: Target = self.config.targets[name]
        if of is None:
            return 0 if target.kind != "multiclass" else None
        if target.kind != "multiclass":
            raise AskedWronglyError(f"--class {of}: {name} has no classes; for what speaks against it take --against")
        known = [str(one) for one in target.classes]
        if of not in known:
            raise AskedWronglyError(f"--class {of}: {name} has no such class: {nearest(of, known)}")
        return known.index(of)

    def score(self, target: str, *, against: bool = False) -> Score:
        """The number that is explained."""
        return Score(self.model, target, against=against)

    def at(self, numbers) -> "Subject":
        """The same of some rows, by their places in the table."""
        numbers = np.asarray(numbers, int)
        table = self.table.with_frame(self.table.frame.iloc[numbers].reset_index(drop=True))
        found = self.predictions.iloc[numbers].reset_index(drop=True)
        return Subject(self.run, self.config, self.model, self.root, table, found)


def opened(
    folder, *, root=None, fold: str = "test", table: Table | None = None, look: Callable | None = None, progress=None
) -> Subject:
    """A finished run with predictions for the rows of a fold, or of another table.

    Args:
        folder: of the run. root: data root, when it has moved.
        fold: train, valid or test. table: rows in place of a fold's, such as new files.
        look: called with the network before it predicts, to refuse what it cannot be asked.
        progress: called with (done, all) while it predicts.
    Raises:
        AskedWronglyError: no run, a pretraining, an ensemble. MedtfError: an unfinished run, an empty fold, files that are away.
    """
    run = runs.finished(folder)
    if ensembling.is_ensemble(run):
        raise AskedWronglyError(f"{folder}: is an ensemble: explain one of its members, each of which is a run")
    config = run.config()  # a pack holds the run's volumes, not new files
    config = judging.with_what_is_kept(config) if table is None else ensembling.unkept(config)
    if table is None:
        whole = run.rows_of(fold)
        table, root = predictions.of_fold(whole, fold), run.root(root)
    if "row" not in table.frame:
        table = table.with_frame(table.frame.assign(row=np.arange(len(table))))
    table = table.with_frame(table.frame.reset_index(drop=True))
    refuse_absent(table, root)
    model = full_precision.twin(judging.load_model(run))
    if look:
        look(model)
    module = pipeline.find(config.pipeline)
    found = predictions.predict(model, table, root, config, module, progress=progress)
    return Subject(run, config, model, Path(root), table, found)
