"""evaluate(run): predictions of a fold -> metrics.json, predictions.parquet, plots/ and report.html in the run folder."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf import audit, pipeline, predictions, runs, split
from medtf import config as configs
from medtf.config import Config
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate import judge, report
from medtf.evaluate.further import wanted_columns
from medtf.evaluate.subgroups import PREFIX
from medtf.faults import refuse_absent
from medtf.table import Table

MANY_PATIENTS = 30  # below this many patients an interval says little


def evaluate(
    run: runs.Run, *, root=None, fold: str = "test", allow_leaks: bool = False, progress=None, report_path=None
) -> dict:
    """Judge a trained run on one fold.

    Args:
        run: with model.keras and thresholds.json.
        root: data root, when it has moved.
        fold: train, valid or test.
        allow_leaks: judge although patients or pictures stand in two folds; the report says so in red.
        progress: called with (done, all).
        report_path: where the report goes (default: report.html in the run).
    Returns:
        The content of metrics.json.
    Raises:
        MedtfError: an unfinished run, an empty fold, a leak.
    """
    config, table = run.config(), run.rows_of(fold)
    refuse_columns(config, table)
    # what `fit --allow-leaks` insisted on stays insisted on, and in red
    leaks = audit.refuse_leaks(table, allow=allow_leaks or bool(run.read_json("environment.json").get("leaks")))
    judged, root = predictions.of_fold(table, fold), run.root(root)
    refuse_absent(judged, root)
    model = load_model(run)
    chosen = run.read_json("thresholds.json")["targets"]
    found = predictions.predict(
        model,
        judged,
        root,
        config,
        pipeline.find(config.pipeline),
        progress=progress,
    )
    found = with_covariates(found, table, config)
    valid, unseen = _validation(run, config, table, model, root, found, fold, progress)
    metrics = judge.judge(
        found,
        config,
        chosen,
        split=fold,
        fingerprint=table.fingerprint(),
        undersampled_prevalence=_undersampled(config, table),
        valid=valid,
        training_means=_training_means(config, table),
        warnings=[*_warnings(table, fold), *unseen],
        leaks=leaks,
    )
    _save(found, run.predictions)
    run.write_json("metrics.json", metrics)
    excluded = pd.DataFrame(list((table.meta.get("excluded") or {}).items()), columns=["reason", "count"])
    report.write_report(
        report_path or run.report,
        metrics=metrics,
        predictions=found,
        config_text=configs.dump(config),
        environment=run.read_json("environment.json"),
        folds=split.counts(table, config.targets),
        history=_history(run),
        excluded=excluded,
        title=f"{run.folder.name}: {config.model.name} on {config.pipeline}",
        plots_folder=run.plots,
    )
    return metrics


def refuse_columns(config: Config, table: Table) -> None:
    """Columns that the config names and the table lacks show before the model is loaded.

    Raises:
        AskedWronglyError: the key, and the nearest column there is.
    """
    asked = {"subgroups": config.evaluate.subgroups or ()}
    if config.evaluate.match_on not in ("auto", "none"):
        asked["match_on"] = (config.evaluate.match_on,)
    for key, columns in asked.items():
        for column in columns:
            if column not in table.frame:
                there = [name for name in table.frame if not name.startswith("read_")]
                raise AskedWronglyError(
                    f"evaluate.{key}: {column!r} is no column of the run's table: {nearest(column, there)}"
                )


def with_covariates(found: pd.DataFrame, table: Table, config: Config) -> pd.DataFrame:
    """Predictions with `covariate_<column>` for sex, site, age, head size (or what the config asks for), joined by row id."""
    columns = wanted_columns(config, table.frame.columns)
    rows = found["row"].to_numpy()
    return found.assign(**{PREFIX + name: table.frame[name].to_numpy()[rows] for name in columns})


def _validation(run, config, table, model, root, found, fold, progress) -> tuple[pd.DataFrame | None, list[str]]:
    """Predictions of the validation fold, for the lines that correct a regression target; predicted once a run.

    Returns:
        the predictions or None, and a line for the report where the validation files are away.
    """
    kept = run.folder / "valid_predictions.parquet"
    if not any(target.kind == "regression" for target in config.targets.values()):
        return None, []
    if fold == "valid":
        return found, []
    if kept.is_file():
        try:
            return pd.read_parquet(kept), []
        except (OSError, ValueError):  # a cut file: predict again; pyarrow's errors are ValueErrors
            kept.unlink()
    validation = predictions.of_fold(table, "valid")
    if not len(validation):
        return None, []
    try:
        refuse_absent(validation, root)
        predicted = predictions.predict(
            model, validation, root, config, pipeline.find(config.pipeline), progress=progress
        )
    except MedtfError as error:
        return None, [f"The validation fold could not be predicted, so nothing is corrected or recalibrated: {error}"]
    _save(predicted, kept)
    return predicted, []


def _training_means(config: Config, table: Table) -> dict[str, float]:
    """Mean of the training fold's true values of each regression target."""
    from medtf.data.labels import encode

    wanted = {name: target for name, target in config.targets.items() if target.kind == "regression"}
    labels = encode(predictions.of_fold(table, "train").frame, wanted) if wanted else {}
    return {name: float(np.nanmean(values)) for name, values in labels.items() if not np.isnan(values).all()}


def _save(frame: pd.DataFrame, path: Path) -> None:
    temporary = path.with_name(f".{path.name}")
    try:
        frame.to_parquet(temporary, index=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_model(run: runs.Run) -> keras.Model:
    """The best model of a run.

    Raises:
        MedtfError: the training has not ended, or the file is damaged.
    """
    if not run.model.exists():
        raise MedtfError(
            f"{run.folder}: no model.keras yet; finish the training with `medtf fit CONFIG --run {run.folder} --resume`"
        )
    if not zipfile.is_zipfile(run.model):  # Keras would say that there is no such file
        raise MedtfError(f"{run.model}: damaged: no whole .keras file; copy it again, or train again")
    try:
        return keras.saving.load_model(run.model, compile=False)
    except Exception as error:  # zipfile's, h5py's and Keras's own: each means that the file is damaged
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise MedtfError(f"{run.model}: cannot be loaded (damaged, or of another Keras): {said[:200]}") from error


def _history(run: runs.Run) -> pd.DataFrame | None:
    """history.csv, or None where it is away or damaged: the report can do without."""
    try:
        return pd.read_csv(run.history)
    except (OSError, ValueError):  # pandas' own errors are ValueErrors
        return None


def _undersampled(config: Config, table: Table) -> dict[str, float]:
    """Prevalence of each binary target in the stream that training saw, where undersampling changed it."""
    if config.data.undersample.policy == "none":
        return {}
    from medtf.data.dataset import order_of
    from medtf.data.labels import encode
    from medtf.fitting.trainer import priors

    training = predictions.of_fold(table, "train")
    labels = encode(training.frame, config.targets)
    found = priors(config, labels, order_of(training, config, labels).epoch(0))
    return {
        name: float(found[name][0])
        for name, target in config.targets.items()
        if target.kind == "binary" and name in found
    }


def _warnings(table: Table, fold: str) -> list[str]:
    said = []
    patients = table.frame.loc[table.frame["fold"] == fold, "patient"].nunique()
    if patients < MANY_PATIENTS:
        said.append(f"The {fold} fold holds {patients} patients: the intervals are wide, and may still be too narrow.")
    if "pixels" not in table.frame:
        said.append("The pixels were not checked for copies in two folds (medtf index --pixels): only patients were.")
    if fold != "test":
        said.append(
            f"These numbers are of the {fold} fold, which the training has seen or was steered by: they flatter the model."
        )
    return said
