"""New files and a run (or an ensemble) to a frame of predictions: nothing has to be labelled, and nothing goes missing."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import calibrating, ensembling, judging, pipeline, predictions, prepare, runs
from medtf.config import Config
from medtf.data import scan as scanning
from medtf.errors import AskedWronglyError, MedtfError
from medtf.promised import promised
from medtf.table import Table


def predict_files(
    run: runs.Run, files, *, mc_dropout: int = 0, tta: int = 0, progress: prepare.Progress = prepare.quiet
) -> tuple[pd.DataFrame, Path]:
    """One row an image or frame of `files` (files and folders), in order of path; and the folder that paths are relative to.

    Args:
        run: with model.keras and thresholds.json, or an ensemble.
        files: what to predict.
        mc_dropout, tta: passes as of `predictions.predict`; 0: none.
        progress: title -> callback (done, all).
    Returns:
        `path`, `frame`, for each target its prediction, `<t>_calibrated` where the run is calibrated, (binary) `<t>_above_threshold`
        of the prediction as it is, and how sure it is (`<t>_mc...`, `<t>_tta...`, of an ensemble `<t>_ens...`); `reason` for what was left out.
    Raises:
        MedtfError: a path that is not there, or nothing that can be predicted. AskedWronglyError: passes that cannot be made.
    """
    config, chosen = ensembling.unkept(run.config()), run.read_json("thresholds.json")["targets"]
    root, paths = below_one_root(files)
    table = readable(config, root, paths, progress)
    if ensembling.is_ensemble(run):
        if mc_dropout or tta:
            raise AskedWronglyError(
                "--mc-dropout and --tta are of single networks; the spread of an ensemble's members comes by itself"
            )
        found = ensembling.predict(run, table, root, progress=progress("predictions"))
    else:
        found = predictions.predict(
            judging.load_model(run),
            table,
            root,
            config,
            pipeline.find(config.pipeline),
            progress=progress("predictions"),
            mc_dropout=mc_dropout,
            tta=tta,
        )
    made = pd.DataFrame({"path": table.frame["path"], "frame": table.frame["read_frame"]})
    made = pd.concat([made, _columns(run, config, chosen, found)], axis=1).assign(reason="")
    whole = pd.concat([made, table.excluded], ignore_index=True).sort_values(["path", "frame"], kind="stable")
    counted = ["frame", *(name for name in whole if name.endswith("_above_threshold"))]
    # a file that was left out has no frame and no answer: whole numbers with holes
    return whole.fillna({"reason": ""}).astype(dict.fromkeys(counted, "Int64")), root


def readable(config: Config, root: Path, paths: list[str], progress: prepare.Progress) -> Table:
    """The files as a table without labels; what the model cannot take is left out, each with its reason.

    Raises:
        MedtfError: nothing is left.
    """
    frame = partial(scanning.scan, progress=progress("headers"))(root, paths)
    wants_hounsfield = config.input.windows is not None
    fits = (frame["modality"] == "CT") == wants_hounsfield
    frame.loc[(frame["excluded"] == "") & ~fits, "excluded"] = (
        "not CT, which this model was trained on" if wants_hounsfield else "CT, which this model was not trained on"
    )
    frame = frame.assign(**dict.fromkeys(config.targets, np.nan))
    table = Table(frame).leave_out(frame["excluded"])
    table = prepare.with_masks(table, root, config) if len(table) else table
    table = prepare.check_pixels(table, root, volume=config.input.volume, progress=progress) if len(table) else table
    if len(table) == 0:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in list(table.reasons().items())[:5])
        raise MedtfError(f"no file can be predicted: {reasons}")
    return table.with_frame(table.frame.drop(columns=["excluded"]))


def _columns(run: runs.Run, config: Config, chosen: dict, found: pd.DataFrame) -> pd.DataFrame:
    """The answers as a reader wants them: classes by their names, thresholds applied, spread beside."""
    columns, scaled = {}, calibrating.applied(run, config.targets, found)
    conformal = promised(run, config.targets, found)
    for name, target in config.targets.items():
        names = {name: name, f"{name}_sd": f"{name}_sd"} if target.head == "gaussian" else {name: name}
        if target.kind == "multiclass":
            names = {f"{name}_{i}": f"{name}_{value}" for i, value in enumerate(target.classes)}
        columns |= {shown: found[column] for column, shown in names.items()}
        if target.kind == "binary":
            columns[f"{name}_above_threshold"] = (found[name] >= chosen[name]["value"]).astype(int)
        columns |= scaled.get(name, {}) | conformal.get(name, {})
        for key in ("mc", "tta", "ens"):
            classes = {f"{name}_{key}_{i}": f"{name}_{key}_{value}" for i, value in enumerate(target.classes)}
            beside = [column for column in found if column == f"{name}_{key}" or column.startswith(f"{name}_{key}_")]
            columns |= {classes.get(column, column): found[column] for column in beside}
    return pd.DataFrame(columns)


def below_one_root(files) -> tuple[Path, list[str]]:
    """The files' common folder, and their paths below it."""
    found = []
    for name in files:
        path = Path(name).resolve()
        if path.is_dir():
            found += [path / p for p in scanning.files_below(path)]
        elif path.is_file():
            found.append(path)
        else:
            raise MedtfError(f"{name}: no such file or folder")
    root = Path(os.path.commonpath([p.parent for p in found]))
    return root, sorted({str(p.relative_to(root)) for p in found})
