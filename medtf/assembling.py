"""Finished runs to an ensemble's folder: what is refused, who may be judged, and the threshold of the mean."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import ensembling, lineage, runs
from medtf import table as tables
from medtf.config import Config
from medtf.ensemble_checks import KEY, refuse_known, refuse_tables, refuse_targets
from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate import thresholds
from medtf.table import Table

SCHEMA = 1
# of a member's folder; local.json stays where it is: it names places of one machine
KEPT = ("config.yaml", "environment.json", "table.parquet", "thresholds.json", "calibration.json", "model.keras")
PREDICTED = "valid_predictions.parquet"


def make(folders, output, *, table=None, root=None) -> tuple[runs.Run, list[str]]:
    """Make an ensemble; no image is read.

    A person's fold is `train` where any member was trained on him, else `valid` where any was steered by him, else `test`. The folds of a
    cross-validation train on each other's test people: their ensemble can be judged on people of another table alone.

    Args:
        folders: at least two run folders; that of a cross-validation stands for its runs.
        output: the folder to make.
        table: path of an example table of other people, all of whom become the test fold; None: the members' own.
        root: data root; None: where the first member has its data.
    Returns:
        the ensemble, and lines to say.
    Raises:
        AskedWronglyError: fewer than two runs, one twice, targets or masks that differ. MedtfError: other salts, tables of other images,
            people or pictures of `table` that a member knows, or no validation predictions.
    """
    run = runs.new(output, "-o")
    if root is not None and not Path(root).is_dir():
        raise AskedWronglyError(f"--data {root}: no such folder")
    parts = _read([Path(folder) for folder in folders])
    names, configs, own = _names(parts), [part.config() for part in parts], [part.table() for part in parts]
    refuse_targets(names, configs)
    refuse_tables(names, own)
    judged = (
        _of_members(own)
        if table is None
        else _of_others(tables.load(table), names, own, [lineage.seen(part.folder) for part in parts], configs[0])
    )
    valid = _validation(parts, own, configs[0])
    config = _config(configs[0])
    environments = [part.read_json("environment.json") for part in parts]
    about = {key: environments[0].get(key) for key in ("precision", "jit", "backend")}
    leaks = [
        f"{name}: {one}" for name, told in zip(names, environments, strict=True) for one in told.get("leaks") or ()
    ]
    about["unchecked"] = [
        f"{name}: {one}" for name, told in zip(names, environments, strict=True) for one in told.get("unchecked") or ()
    ]
    digests = [ensembling.digest(part.model) for part in parts]
    if len(set(digests)) < len(digests):
        twice = [name for name, one in zip(names, digests, strict=True) if digests.count(one) > 1]
        raise AskedWronglyError(
            f"{twice[0]} and {twice[1]} hold the same model: copies never disagree, so they would look certain; train with other seeds"
        )
    building = runs.Run(run.folder.with_name(f".{run.folder.name}.{os.getpid()}"))
    try:
        building.create(config, judged, root or _root(parts[0]), runs.environment(**about, leaks=leaks))
        shutil.rmtree(building.checkpoint.parent)
        _keep(building, names, parts)
        valid.to_parquet(building.folder / PREDICTED, index=False)
        chosen = thresholds.choose(
            valid, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate
        )
        building.write_json("thresholds.json", {"schema": runs.SCHEMA, "epoch": None, "targets": chosen})
        content = [{"name": name, "model": one} for name, one in zip(names, digests, strict=True)]
        building.write_json("ensemble.json", {"schema": SCHEMA, "members": content})
        os.rename(building.folder, run.folder)
    finally:
        shutil.rmtree(building.folder, ignore_errors=True)
    return run, _said(judged, valid, len(parts))


def _read(folders: list[Path]) -> list[runs.Run]:
    folders = [one for folder in folders for one in _folds(folder)]
    if len(folders) < 2:
        raise AskedWronglyError("ensemble: expected at least two run folders")
    resolved = [folder.resolve() for folder in folders]
    for number, folder in enumerate(folders):
        if resolved[number] in resolved[:number]:
            raise AskedWronglyError(f"{folder}: the same run stands twice")
        if (folder / "ensemble.json").is_file():
            raise AskedWronglyError(f"{folder}: is an ensemble itself; name its members")
    return [runs.finished(folder) for folder in folders]


def _folds(folder: Path) -> list[Path]:
    """The folder itself; of a cross-validation those of its runs."""
    if not runs.is_parent(folder):
        return [folder]
    from medtf import folds

    return [run.folder for run in folds.finished(folder).children()]


def _names(parts: list[runs.Run]) -> list[str]:
    """The folders' own names; with the parent's, and a number at last, where two are called the same."""
    paths = [part.folder.resolve() for part in parts]
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = ["_".join(path.parts[-2:]) for path in paths]
    return [name if names.count(name) == 1 else f"{name}_{number + 1}" for number, name in enumerate(names)]


def _of_members(own: list[Table]) -> Table:
    """The first member's table, its folds those of the ensemble; what folds a cross-validation had is another matter."""
    people = {fold: set() for fold in tables.FOLDS}
    for table in own:
        for fold, patients in table.frame.groupby("fold")["patient"]:
            people.setdefault(fold, set()).update(patients)
    patients = own[0].frame["patient"]
    fold = np.where(patients.isin(people["train"]), "train", np.where(patients.isin(people["valid"]), "valid", "test"))
    frame = own[0].frame.drop(columns="cv_fold", errors="ignore")
    return own[0].with_frame(frame.assign(fold=pd.Series(fold, frame.index, dtype="str")))


def _of_others(table: Table, names: list[str], own: list[Table], seen: list, config: Config) -> Table:
    """A table of other people as one test fold."""
    absent = [name for name in config.targets if name not in table.frame]
    if absent:
        raise AskedWronglyError(
            f"--table: has no column {absent[0]!r}, which the ensemble predicts: index it with the runs' config"
        )
    refuse_known(table, names, own, seen)
    return table.with_frame(table.frame.assign(fold=pd.Series("test", table.frame.index, dtype="str")))


def _validation(parts: list[runs.Run], own: list[Table], config: Config) -> pd.DataFrame:
    """Each image of any member's validation fold, by the mean of those members who have it there: none was trained on it."""
    at = {tuple(key): row for row, key in enumerate(own[0].frame[KEY].to_numpy())}
    frames = []
    for part, table in zip(parts, own, strict=True):
        try:
            found = pd.read_parquet(part.folder / PREDICTED)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise MedtfError(
                f"{part.folder / PREDICTED}: away or damaged: train the run anew, or leave it out"
            ) from error
        keys = table.frame[KEY].to_numpy()[found["row"].to_numpy()]
        found = found.assign(row=[at[tuple(key)] for key in keys])
        frames.append(found.set_index(found["row"].to_numpy()))
    rows = sorted(set().union(*(frame.index for frame in frames)))
    who = np.stack([pd.Index(rows).isin(frame.index) for frame in frames], axis=1)
    made = []
    for pattern in np.unique(who, axis=0):
        wanted = np.array(rows)[(who == pattern).all(axis=1)]
        chosen = [frame.loc[wanted] for frame, there in zip(frames, pattern, strict=True) if there]
        made.append(ensembling.averaged(chosen, config.targets).assign(members=len(chosen)))
    if not made:
        return frames[0].assign(members=0)
    return pd.concat(made).sort_values("row").reset_index(drop=True).assign(fold="valid")


def _config(config: Config) -> Config:
    """The first member's, without passes of single networks: the members' spread takes their place."""
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"mc_dropout": 0, "tta": 0})})


def _root(part: runs.Run) -> str:
    return part.read_json("local.json").get("data", "") if (part.folder / "local.json").is_file() else ""


def _keep(run: runs.Run, names: list[str], parts: list[runs.Run]) -> None:
    """The members' files into the ensemble's folder, as hard links where the disk allows: it is whole without the runs."""
    for name, part in zip(names, parts, strict=True):
        folder = run.folder / "members" / name
        folder.mkdir(parents=True)
        for file in KEPT:
            if not (part.folder / file).is_file():
                continue
            try:
                os.link(part.folder / file, folder / file)
            except OSError:  # another disk, or one without links
                shutil.copy2(part.folder / file, folder / file)


def _said(judged: Table, valid: pd.DataFrame, count: int) -> list[str]:
    people = judged.frame.groupby("fold")["patient"].nunique()
    said = [f"{count} members; test fold: {people.get('test', 0):,} people that no member was trained on or steered by"]
    if not people.get("test", 0):
        said.append(
            "nobody is left to judge it on: the members were trained or steered by everybody between them. Give other people with"
            " --table, or use it with `medtf predict`"
        )
    fewest, most = int(valid["members"].min()) if len(valid) else 0, int(valid["members"].max()) if len(valid) else 0
    if len(valid) and fewest < count:
        by = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        said.append(
            f"thresholds: from {len(valid):,} validation images, each by the {by} of {count} members that were not trained on it:"
            " the mean of all varies less"
        )
    return said
