"""New files and a run to a frame of predictions: nothing has to be labelled, and nothing goes missing."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import judging, pipeline, predictions, prepare, runs
from medtf.data import scan as scanning
from medtf.errors import MedtfError
from medtf.table import Table


def predict_files(run: runs.Run, files, *, progress: prepare.Progress = prepare.quiet) -> tuple[pd.DataFrame, Path]:
    """One row an image or frame of `files` (files and folders), in order of path; and the folder that paths are relative to.

    Returns:
        `path`, `frame`, for each target its prediction and (binary) `<t>_above_threshold`, and `reason` for what was left out.
    Raises:
        MedtfError: a path that is not there, or nothing that can be predicted.
    """
    config, chosen = run.config(), run.read_json("thresholds.json")["targets"]
    root, paths = _below_one_root(files)
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
    unlabelled = table.with_frame(table.frame.drop(columns=["excluded"]))
    model = judging.load_model(run)
    found = predictions.predict(
        model, unlabelled, root, config, pipeline.find(config.pipeline), progress=progress("predictions")
    )
    made = pd.DataFrame({"path": table.frame["path"], "frame": table.frame["read_frame"]})
    for name, target in config.targets.items():
        if target.kind == "multiclass":
            for i, value in enumerate(target.classes):
                made[f"{name}_{value}"] = found[f"{name}_{i}"]
        else:
            made[name] = found[name]
        if target.kind == "binary":
            made[f"{name}_above_threshold"] = (found[name] >= chosen[name]["value"]).astype(int)
    made["reason"] = ""
    whole = pd.concat([made, table.excluded], ignore_index=True).sort_values(["path", "frame"], kind="stable")
    counted = ["frame", *(name for name in whole if name.endswith("_above_threshold"))]
    # a file that was left out has no frame and no answer: whole numbers with holes
    return whole.fillna({"reason": ""}).astype(dict.fromkeys(counted, "Int64")), root


def _below_one_root(files) -> tuple[Path, list[str]]:
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
