"""Several runs of the same targets as one: a folder like a run's, whose answer is the mean of its members'.

    config.yaml  environment.json  local.json  table.parquet  thresholds.json  valid_predictions.parquet  ensemble.json  members/NAME/

Lakshminarayanan 2017, Simple and scalable predictive uncertainty estimation using deep ensembles, arXiv 1612.01474.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import runs
from medtf import table as tables
from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.evaluate import answers
from medtf.table import Table


def is_ensemble(run: runs.Run) -> bool:
    """Was the folder made by `medtf ensemble`?"""
    return (run.folder / runs.ENSEMBLE).is_file()


def members(run: runs.Run) -> list[runs.Run]:
    """The members of an ensemble, in its own folder.

    Raises:
        MedtfError: a model is away, or not the one that was put there.
    """
    found = []
    for one in run.read_json("ensemble.json")["members"]:
        member = runs.Run(run.folder / "members" / tables.inside(run.folder / "members", one["name"]))
        if not member.model.is_file():
            raise MedtfError(f"{member.model}: is away: make the ensemble anew with `medtf ensemble`")
        if digest(member.model) != one["model"]:
            raise MedtfError(
                f"{member.model}: is not the model the ensemble was made of: make it anew with `medtf ensemble`"
            )
        found.append(member)
    return found


def refuse_trained(run: runs.Run, fold: str) -> None:
    """An ensemble is judged on people that none of its members was trained on.

    Raises:
        MedtfError: nobody, or somebody else, is in the fold.
    """
    if fold not in tables.FOLDS:
        return  # `rows_of` says what folds there are
    frame = run.table().frame
    people = set(frame.loc[frame["fold"] == fold, "patient"])
    instead = "judge it on others: medtf ensemble RUN RUN ... --table OTHER_PEOPLE.parquet -o DIR"
    if not people:
        raise MedtfError(
            f"{run.folder}: its {fold} fold is empty: the members were trained or steered by everybody between them, as the folds of a"
            f" cross-validation are; {instead}"
        )
    for member in members(run):
        theirs = member.table().frame
        count = len(people & set(theirs.loc[theirs["fold"] == "train", "patient"]))
        if count:
            raise MedtfError(
                f"{run.folder}: {member.folder.name} was trained on {count:,} of the {len(people):,} people of the {fold} fold; {instead}"
            )


def predict(run: runs.Run, table: Table, root, *, progress=None, keep: bool = False) -> pd.DataFrame:
    """Every member's answers for the rows of `table`, and their mean.

    Returns:
        as `predictions.predict`: the mean in place of one network's answer (with Gaussian heads the moments of the mixture), and
        `<t>_ens...`, see `medtf.evaluate.answers.summary`.
    Args:
        run: an ensemble.
        table: examples, with labels or without.
        root: data root.
        progress: called with (done, all) over all members.
        keep: write each member's predictions into its folder.
    Raises:
        MedtfError: a member that is away or was changed.
    """
    from medtf import judging, pipeline, predictions, prepare

    found, kinds = [], run.config().targets
    parts = members(run)
    for number, member in enumerate(parts):
        config = unkept(member.config())
        seen = prepare.with_masks(table, root, config)
        if len(seen) < len(table):
            raise MedtfError(
                f"{member.folder.name}: {len(table) - len(seen)} of {len(table)} volumes have no mask that fits"
            )
        at = None if progress is None else lambda done, all_, n=number: progress(n * all_ + done, len(parts) * all_)
        model = judging.load_model(member)
        found.append(predictions.predict(model, seen, root, config, pipeline.find(config.pipeline), progress=at))
        if keep:
            found[-1].to_parquet(member.predictions, index=False)
    return averaged(found, kinds)


def averaged(frames: list[pd.DataFrame], targets: dict[str, Target]) -> pd.DataFrame:
    """Predictions of the same rows by several networks as one frame: the mean, and `<t>_ens...`."""
    made = frames[0].copy()
    more = {}
    for name, target in targets.items():
        columns = outputs_of(name, target)
        every = np.stack([frame[columns].to_numpy(np.float64) for frame in frames])
        made[columns] = answers.mean_outputs(every, target)
        more |= answers.spread(every, name, target, "ens")
    return pd.concat([made, pd.DataFrame(more, index=made.index)], axis=1)


def outputs_of(name: str, target: Target) -> list[str]:
    """The columns of a frame of predictions that hold what the network said."""
    if target.kind == "multiclass":
        return [f"{name}_{i}" for i in range(target.units)]
    return [name, f"{name}_sd"] if target.head == "gaussian" else [name]


def unkept(config: Config) -> Config:
    """The config with volumes read from their files: those of a pack, or of the training's memory, are not these."""
    return config.model_copy(update={"input": config.input.model_copy(update={"keep": "none"})})


def digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
