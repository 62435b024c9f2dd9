"""evaluate(run): predictions of a fold -> metrics.json, predictions.parquet, plots/ and report.html in the run folder."""

import zipfile

import keras
import pandas as pd

from medtf import audit, pipeline, predictions, runs, split
from medtf import config as configs
from medtf.config import Config
from medtf.errors import MedtfError
from medtf.evaluate import judge, report
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
    metrics = judge.judge(
        found,
        config,
        chosen,
        split=fold,
        fingerprint=table.fingerprint(),
        undersampled_prevalence=_undersampled(config, table),
        warnings=_warnings(table, fold),
        leaks=leaks,
    )
    temporary = run.predictions.with_name(f".{run.predictions.name}")
    try:
        found.to_parquet(temporary, index=False)
        temporary.replace(run.predictions)
    finally:
        temporary.unlink(missing_ok=True)
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
