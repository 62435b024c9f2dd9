"""A run's probabilities brought nearer to what happens, kept in calibration.json and applied by `predict`.

Scaled by what the validation fold shows (`evaluate.calibrate`), or moved from the prevalence that training saw to the one they are meant
for (`evaluate.correct_prior`). The raw ones stay beside them, and thresholds stay those of the raw ones.
"""

import numpy as np
import pandas as pd

from medtf import runs
from medtf.config import Config, Target
from medtf.errors import AskedWronglyError
from medtf.evaluate import scaling
from medtf.evaluate.predictions import columns, of_fold, sample
from medtf.evaluate.prevalence import shift

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
            found[name] = {"how": config.evaluate.calibrate, "reason": "no validation predictions to fit it on"}
            continue
        known = sample(of_fold(valid, "valid"), name, target)
        found[name] = scaling.fit(known, config.evaluate.calibrate, target.kind)
    _keep(run, how=config.evaluate.calibrate, targets=found)
    return found


def of(run: runs.Run, config: Config, valid: pd.DataFrame | None, *, asked: bool) -> dict[str, dict]:
    """What a judgement applies: fitted anew where the config (or the command, `asked`) says how, else what the run holds.

    Asked for `none`, the run is calibrated no more.
    """
    if config.evaluate.calibrate != "none":
        return fit(run, config, valid)
    if asked:
        _keep(run, how="none", targets={})
    return _kept(run)["targets"]


def keep_prior(run: runs.Run, config: Config, trained_on: dict[str, float]) -> None:
    """Keep which prevalence the first target's probabilities are moved from and to, or that they are not.

    Args:
        trained_on: {binary target: prevalence in the stream that training saw}.
    Raises:
        AskedWronglyError: `evaluate.correct_prior` without `evaluate.prevalence`, or of a target that has no prevalence.
    """
    first, found = next(iter(config.targets)), {}
    if config.evaluate.correct_prior:
        trained, wanted = trained_on.get(first), config.evaluate.prevalence
        if wanted is None:
            raise AskedWronglyError(
                "evaluate.correct_prior: to which prevalence? set evaluate.prevalence, such as 0.144"
            )
        if trained is None or not 0 < trained < 1:
            raise AskedWronglyError(f"evaluate.correct_prior: {first!r} has no prevalence in training to correct from")
        found[first] = {"trained": trained, "wanted": wanted}
    if found or (run.folder / FILE).is_file():
        _keep(run, prior=found)


def applied(run: runs.Run, targets: dict[str, Target], found: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """{target: {column: values}} of what the run's calibration.json makes of predictions; empty where it has none.

    `<t>_calibrated` (of several classes `<t>_<class>_calibrated`) by the validation fold, `<t>_at_prevalence` by the prior.
    """
    kept, made = _kept(run), {}
    for name, parameters in kept["targets"].items():
        target = targets.get(name)
        if target is None or "reason" in parameters:
            continue
        raw = found[columns(name, target)].to_numpy(np.float64)
        if target.kind == "binary":
            made[name] = {f"{name}_calibrated": scaling.apply(parameters, raw[:, 0])}
        else:
            values = np.asarray(scaling.apply(parameters, raw))
            made[name] = {f"{name}_{label}_calibrated": values[:, i] for i, label in enumerate(target.classes)}
    for name, prior in kept["prior"].items():
        moved = shift(found[name].to_numpy(np.float64), prior["trained"], prior["wanted"])
        made[name] = made.get(name, {}) | {f"{name}_at_prevalence": moved}
    return made


def _kept(run: runs.Run) -> dict:
    empty = {"schema": SCHEMA, "how": "none", "targets": {}, "prior": {}}
    return empty | (run.read_json(FILE) if (run.folder / FILE).is_file() else {})


def _keep(run: runs.Run, **parts) -> None:
    content = _kept(run) | parts
    if content["targets"] or content["prior"]:
        run.write_json(FILE, content)
    else:
        (run.folder / FILE).unlink(missing_ok=True)
