"""A run's probabilities brought nearer to what happens: fitted on its validation predictions, kept in calibration.json, applied by `predict`."""

import pandas as pd

from medtf import runs
from medtf.config import Config
from medtf.evaluate import scaling
from medtf.evaluate.predictions import of_fold, sample

FILE = "calibration.json"
SCHEMA = 1


def fit(run: runs.Run, config: Config, valid: pd.DataFrame | None) -> dict[str, dict]:
    """Fit what `evaluate.calibrate` names and keep it in the run.

    Args:
        run: to keep it in.
        config: `targets`, and `evaluate.calibrate` other than none.
        valid: predictions of the validation fold; None: there are none.
    Returns:
        {binary or multiclass target: its parameters (`medtf.evaluate.scaling`), or {"reason": ...} where nothing could be fitted}.
    """
    found = {}
    for name, target in config.targets.items():
        if target.kind == "regression":
            continue  # recalibrated by a line, beside its raw numbers, without being asked
        if valid is None or not len(valid):
            found[name] = {"reason": "no validation predictions to fit it on"}
            continue
        known = sample(of_fold(valid, "valid"), name, target)
        found[name] = scaling.fit(known, config.evaluate.calibrate, target.kind)
    run.write_json(FILE, {"schema": SCHEMA, "how": config.evaluate.calibrate, "targets": found})
    return found


def of(run: runs.Run, config: Config, valid: pd.DataFrame | None, *, asked: bool) -> dict[str, dict]:
    """What a judgement applies: fitted anew where the config (or the command, `asked`) says how, else what the run holds.

    Asked for `none`, the run is calibrated no more.
    """
    if config.evaluate.calibrate != "none":
        return fit(run, config, valid)
    if asked:
        (run.folder / FILE).unlink(missing_ok=True)
    return kept(run)


def kept(run: runs.Run) -> dict[str, dict]:
    """What `fit` kept in the run; empty where it is not calibrated."""
    return run.read_json(FILE)["targets"] if (run.folder / FILE).is_file() else {}
