"""evaluate(run): predictions of a fold -> metrics.json, predictions.parquet, plots/ and report.html in the run folder."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf import audit, calibrating, ensembling, gallery, lineage, pipeline, predictions, reporting, rethreshold, runs
from medtf import config as configs
from medtf.config import Config
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate import judge
from medtf.evaluate.further import wanted_columns
from medtf.evaluate.subgroups import PREFIX
from medtf.faults import refuse_absent
from medtf.models import saved
from medtf.oddities import odd_foregrounds
from medtf.table import Table

MANY_PATIENTS = 30  # below this many patients an interval says little


def evaluate(
    run: runs.Run,
    *,
    root=None,
    fold: str = "test",
    allow_leaks: bool = False,
    overrides: tuple[str, ...] = (),
    progress=None,
    report_path=None,
) -> dict:
    """Judge a trained run, or an ensemble, on one fold.

    Args:
        run: with model.keras and thresholds.json.
        root: data root, when it has moved.
        fold: train, valid or test.
        allow_leaks: judge although patients or pictures stand in two folds; the report says so in red.
        overrides: `evaluate.key=value`, in place of what the run's config says.
        progress: called with (done, all).
        report_path: where the report goes (default: report.html in the run).
    Returns:
        The content of metrics.json.
    Raises:
        AskedWronglyError: an override that is none. MedtfError: an unfinished run, an empty fold, a leak.
    """
    config, table = configs.judged_as(run.config(), overrides), run.rows_of(fold)
    refuse_columns(config, table)
    # what `fit --allow-leaks` insisted on stays insisted on, and in red
    environment = run.read_json("environment.json")
    insists = allow_leaks or bool(environment.get("leaks"))
    leaks = audit.refuse_leaks(table, allow=insists) + lineage.refuse_leaks(run.folder, table, allow=insists)
    judged, root = predictions.of_fold(table, fold), run.root(root)
    refuse_absent(judged, root)
    config = with_what_is_kept(config)
    trained_on = prevalences_in_training(config, table)
    calibrating.keep_prior(run, config, trained_on)
    ask = Asking(run, config, root, fold, progress)
    chosen = run.read_json("thresholds.json")["targets"]
    found = with_covariates(ask.predictions(judged), table, config)
    valid, unseen = _validation(ask, table, found)
    metrics = judge.judge(
        found,
        config,
        chosen,
        split=fold,
        fingerprint=table.fingerprint(),
        undersampled_prevalence=trained_on if config.data.undersample.policy != "none" else {},
        valid=valid,
        why_no_valid=unseen,
        trained_on=trained_on,
        scaling=calibrating.of(run, config, valid, asked="evaluate.calibrate=" in " ".join(overrides)),
        training_means=training_means(config, table),
        warnings=warnings_of(table, fold, unseen) + environment.get("unchecked", []),
        leaks=leaks,
    )
    pictures = gallery.make(found, table, root, config, metrics, config.evaluate.gallery)
    keep(run, metrics, found, pictures, path=report_path)
    rethreshold.record_judged(run, fold)
    return metrics


def keep(run: runs.Run, metrics: dict, found: pd.DataFrame, pictures: dict, *, path=None) -> None:
    """predictions.parquet, metrics.json, plots/ and report.html of a judgement."""
    save(found, run.predictions)
    run.write_json("metrics.json", metrics)
    reporting.write(run, metrics, found, pictures=pictures, path=path)


class Asking:
    """How a run is asked for predictions: its one model, with the passes that `evaluate` wants, or the members of an ensemble."""

    def __init__(self, run: runs.Run, config: Config, root, fold: str, progress):
        self.run, self.config, self.root, self.fold, self.progress = run, config, root, fold, progress
        self.model = None
        if ensembling.is_ensemble(run):
            if config.evaluate.mc_dropout or config.evaluate.tta:
                raise AskedWronglyError(
                    f"{run.folder}: evaluate.mc_dropout and evaluate.tta are of single networks; an ensemble's spread is that of its members"
                )
        else:
            self.model = load_model(run)

    def predictions(self, table: Table, *, several: bool = True) -> pd.DataFrame:
        """Predictions for the rows of a table; `several`: with what `evaluate.mc_dropout` and `tta` add."""
        if self.model is None:
            return ensembling.predict(self.run, table, self.root, progress=self.progress, keep=several)
        spec = self.config.evaluate
        passes = {"mc_dropout": spec.mc_dropout, "tta": spec.tta} if several else {}
        module = pipeline.find(self.config.pipeline)
        return predictions.predict(self.model, table, self.root, self.config, module, progress=self.progress, **passes)


def with_what_is_kept(config: Config) -> Config:
    """Volumes from the pack that the training used where it is still there; else, and in place of memory, from their files."""
    kept = config.input.keep
    return config if kept == "none" or (kept != "memory" and Path(kept).is_file()) else ensembling.unkept(config)


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


def _validation(ask: Asking, table: Table, found: pd.DataFrame) -> tuple[pd.DataFrame | None, str | None]:
    """Predictions of the validation fold, on which lines, scalings and sets are fitted; predicted once a run.

    Returns:
        the predictions or None, and then why there are none.
    """
    kept = ask.run.folder / "valid_predictions.parquet"
    if ask.fold == "valid":
        return found, None
    validation = predictions.of_fold(table, "valid")
    if kept.is_file():
        try:
            found = pd.read_parquet(kept)
            # an ensemble's are of its members' people, and checked when it was made
            if ensembling.is_ensemble(ask.run) or _are_of(found, validation):
                return found, None
        except (OSError, ValueError):  # a cut file: predict again; pyarrow's errors are ValueErrors
            kept.unlink()
    if not len(validation):
        return None, "The run has no validation fold, so nothing is corrected, calibrated or turned into sets."
    try:
        refuse_absent(validation, ask.root)
        predicted = ask.predictions(validation, several=False)
    except MedtfError as error:
        return None, f"The validation fold could not be predicted, so nothing is corrected or recalibrated: {error}"
    save(predicted, kept)
    return predicted, None


def _are_of(found: pd.DataFrame, table: Table) -> bool:
    """Are these predictions of the very rows and patients of a table? A file of another run would fit lines and sets to other people."""
    if not {"row", "patient"} <= set(found):
        return False
    ours = table.frame.set_index("row")["patient"].sort_index()
    return ours.equals(found.set_index("row")["patient"].sort_index().astype(ours.dtype))


def training_means(config: Config, table: Table) -> dict[str, float]:
    """Mean of the training fold's true values of each regression target."""
    from medtf.data.labels import encode

    wanted = {name: target for name, target in config.targets.items() if target.kind == "regression"}
    labels = encode(predictions.of_fold(table, "train").frame, wanted) if wanted else {}
    return {name: float(np.nanmean(values)) for name, values in labels.items() if not np.isnan(values).all()}


def save(frame: pd.DataFrame, path: Path) -> None:
    """A frame as Parquet, whole or not at all."""
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
        return saved.load(run.model)
    except Exception as error:  # zipfile's, h5py's and Keras's own: each means that the file is damaged
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise MedtfError(f"{run.model}: cannot be loaded (damaged, or of another Keras): {said[:200]}") from error


def prevalences_in_training(config: Config, table: Table) -> dict[str, float]:
    """Prevalence of each binary target in the stream that training saw, after undersampling."""
    from medtf.data.dataset import order_of
    from medtf.data.labels import encode
    from medtf.fitting.trainer import priors

    training = predictions.of_fold(table, "train")
    if not len(training):
        return {}
    labels = encode(training.frame, config.targets)
    found = priors(config, labels, order_of(training, config, labels).epoch(0))
    return {
        name: float(found[name][0])
        for name, target in config.targets.items()
        if target.kind == "binary" and name in found
    }


def warnings_of(table: Table, fold: str, unseen: str | None = None) -> list[str]:
    """What a reader should know before the first number."""
    said = [unseen] if unseen else []
    patients = table.frame.loc[table.frame["fold"] == fold, "patient"].nunique()
    if patients < MANY_PATIENTS:
        said.append(f"The {fold} fold holds {patients} patients: the intervals are wide, and may still be too narrow.")
    if "pixels" not in table.frame:
        said.append("The pixels were not checked for copies in two folds (medtf index --pixels): only patients were.")
    said += odd_foregrounds(table)
    if fold != "test":
        said.append(
            f"These numbers are of the {fold} fold, which the training has seen or was steered by: they flatter the model."
        )
    return said
