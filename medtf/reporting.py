"""report.html of a run, from what lies in its folder: nothing is predicted, no image is read, neither TensorFlow nor Keras is imported."""

import json
from pathlib import Path

import pandas as pd

from medtf import config as configs
from medtf import run_facts, runs, split
from medtf.data.labels import encode
from medtf.errors import AskedWronglyError, MedtfError
from medtf.evaluate.judge import SCHEMA
from medtf.evaluate.pages import demographics, model_card, report
from medtf.table import Table


def again(run: runs.Run, *, path: Path | None = None) -> Path:
    """Write the report of a judged run anew.

    Args:
        run: with metrics.json and predictions.parquet, as `medtf evaluate` left them.
        path: where to; None: report.html in the run.

    Raises:
        AskedWronglyError: the run was not judged. MedtfError: it was judged by another medtf, or a file is damaged.
    """
    return write(run, judged(run), predictions(run), path=path)


def write(
    run: runs.Run, metrics: dict, found: pd.DataFrame, *, pictures: dict | None = None, path: Path | None = None
) -> Path:
    """The report of a judgement.

    Args:
        run: gives config, environment, table, history and what is known of the model.
        metrics: of metrics.json. found: the predictions that were judged.
        pictures: of `medtf.gallery.make`, kept in the run (gallery.json); None: the kept one, where it is of this judgement.
        path: where to; None: report.html in the run. The figures go to plots/ in the run.
    """
    judgement = {"split": metrics["split"], "fingerprint": metrics["fingerprint"]}
    if pictures is not None:
        run.write_json("gallery.json", {"schema": 1, **judgement, **pictures})
    kept = if_there(run, "gallery.json")
    pictures = kept if judgement.items() <= kept.items() else None
    config, table = judged_by(run.config(), metrics), by_fold(run.table())
    environment, history = run.read_json("environment.json"), history_of(run)
    people = demographics.table(
        table.frame, config.targets, encode(table.frame, config.targets), more=config.evaluate.subgroups or ()
    )
    return report.write_report(
        path or run.report,
        metrics=metrics,
        predictions=found,
        config_text=configs.dump(config),
        environment=environment,
        folds=split.counts(table, config.targets),
        history=history,
        excluded=_excluded(table),
        selected=table.meta.get("selected"),
        labelled=table.meta.get("labels"),
        people=people,
        facts=run_facts.facts(
            config,
            environment,
            model=if_there(run, "model.json"),
            history=history,
            best_epoch=if_there(run, "thresholds.json").get("epoch"),
        ),
        card=model_card.sections(metrics, config, people),
        gallery=pictures,
        title=f"{run.folder.absolute().name}: {config.model.name} on {config.pipeline}",
        plots_folder=run.plots,
    )


def judged_by(config: configs.Config, metrics: dict) -> configs.Config:
    """The config of the run with the section `evaluate` that the judgement really used (`medtf evaluate --set`)."""
    if "settings" not in metrics:
        return config
    return config.model_copy(update={"evaluate": configs.Evaluate.model_validate(metrics["settings"])})


def by_fold(table: Table) -> Table:
    """The table of a cross-validation, where everybody is tested once, with the folds `fold 0`, `fold 1`, ...; others as they are."""
    if "cv_fold" not in table.frame:
        return table
    return table.with_frame(table.frame.assign(fold="fold " + table.frame["cv_fold"].astype(str)))


def judged(run: runs.Run) -> dict:
    """The content of metrics.json.

    Raises:
        AskedWronglyError: there is none. MedtfError: of another schema than this medtf writes, or damaged.
    """
    if not (run.folder / "metrics.json").is_file():
        raise AskedWronglyError(
            f"{run.folder}: not judged yet (no metrics.json): `medtf evaluate {run.folder}` does it"
        )
    metrics = run.read_json("metrics.json")
    needed = {"split", "n", "targets", "per_patient", "intervals", "fingerprint"}
    found = metrics.get("schema")
    if isinstance(found, int) and found > SCHEMA:
        raise MedtfError(f"{run.folder / 'metrics.json'}: schema {found}, this medtf reads {SCHEMA}: update medtf")
    if found != SCHEMA:
        raise MedtfError(
            f"{run.folder / 'metrics.json'}: schema {found}, this medtf reports {SCHEMA}: judge the run again with"
            f" `medtf evaluate {run.folder}`"
        )
    if not needed <= metrics.keys():
        raise MedtfError(
            f"{run.folder / 'metrics.json'}: damaged: no {', '.join(sorted(needed - metrics.keys()))}; judge the run again with"
            f" `medtf evaluate {run.folder}`"
        )
    return metrics


def predictions(run: runs.Run) -> pd.DataFrame:
    """What was judged, for the curves.

    Raises:
        MedtfError: the file is away or damaged.
    """
    try:
        return pd.read_parquet(run.predictions)
    except FileNotFoundError:
        raise MedtfError(f"{run.predictions}: away: `medtf evaluate {run.folder}` predicts again") from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{run.predictions}: damaged: `medtf evaluate {run.folder}` predicts again") from error


def _excluded(table: Table) -> pd.DataFrame:
    return pd.DataFrame(list((table.meta.get("excluded") or {}).items()), columns=["reason", "count"])


def history_of(run: runs.Run) -> pd.DataFrame | None:
    """history.csv, or None where it is away or damaged: the report can do without."""
    try:
        return pd.read_csv(run.history)
    except (OSError, ValueError):  # pandas' own errors are ValueErrors
        return None


def if_there(run: runs.Run, name: str) -> dict:
    """A JSON file that a report can do without."""
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
