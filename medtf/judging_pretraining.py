"""evaluate(run) of a pretraining: how well its task is solved on a fold, with intervals over patients, and a page that shows it.

A task solved is no diagnosis made: what the encoder is worth shows in `medtf probe` and `medtf curve`. This says whether it learned at all, and
whether it learned more than to guess.
"""

import keras
import numpy as np
import pandas as pd

from medtf import audit, lineage, pipeline, predictions, pretraining, reporting_pretraining, runs
from medtf.errors import AskedWronglyError
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.statistics.patient_means import PatientMeans
from medtf.faults import reading, refuse_absent
from medtf.pretrain.task import Task
from medtf.table import Table


def evaluate(
    run: runs.Run, *, root=None, fold: str = "test", allow_leaks: bool = False, overrides=(), progress=None
) -> dict:
    """Judge the task of a pretraining on one fold.

    Args:
        run: with task.npz. root: data root, when it has moved. fold: train, valid or test.
        allow_leaks: judge although patients or pictures stand in two folds.
        overrides: refused; there is nothing that `evaluate` could be told here.
        progress: called with (done, all).
    Returns:
        What now stands under `judged` in pretraining.json: {"split", "n", "baseline", "loss": metric, "<score>": metric}; each metric is the
        mean over patients of the mean over their images, with its interval.
    Raises:
        AskedWronglyError: overrides, or no such fold. MedtfError: an unfinished run, a leak, a file that is away.
    """
    if overrides:
        raise AskedWronglyError(f"--set {overrides[0]}: {run.folder} is a pretraining; its task is judged as it is")
    config, table = run.config(), run.rows_of(fold)
    insists = allow_leaks or bool(run.read_json("environment.json").get("leaks"))
    leaks = audit.refuse_leaks(table, allow=insists) + lineage.refuse_leaks(run.folder, table, allow=insists)
    judged, root = predictions.of_fold(table, fold), run.root(root)
    refuse_absent(judged, root)
    task = pretraining.restored(run)
    with reading(judged, root):
        batches = pipeline.find(config.pipeline).dataset(judged, root, config, training=False)
        found = solved(task, batches, judged, progress)
    temporary = run.predictions.with_name(f".{run.predictions.name}")
    found.to_parquet(temporary, index=False)
    temporary.replace(run.predictions)
    metrics = measured(task, found, fold) | {"leaks": leaks, "fingerprint": table.fingerprint()}
    run.write_json(runs.PRETRAINING, run.read_json(runs.PRETRAINING) | {"judged": metrics})
    reporting_pretraining.write(run)
    return metrics


def solved(task: Task, batches, table: Table, progress=None) -> pd.DataFrame:
    """Columns `row`, `patient`, `fold`, `loss`, a column a score, `baseline` where it depends on the image; one row an example, in order."""
    parts: list[dict] = []
    done = 0
    for images, _, _ in batches:
        given = np.asarray(images)
        outcome = task(given, training=False)
        found = {"loss": task.example_losses(outcome), **task.example_scores(outcome)}
        if (blind := task.example_baselines(outcome)) is not None:
            found["baseline"] = blind
        parts.append({name: keras.ops.convert_to_numpy(values).astype(np.float32) for name, values in found.items()})
        done += len(given)
        if progress:
            progress(done, len(table))
    frame = table.frame[["row", "patient", "fold"]].reset_index(drop=True)
    return frame.assign(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def measured(task: Task, found: pd.DataFrame, fold: str) -> dict:
    """The means of `solved`, every patient weighing the same."""
    means = PatientMeans(PatientBootstrap(found["patient"]), np.arange(len(found)))
    for name in ("loss", *task.score_names):
        values = found[name].to_numpy(np.float64)
        # a score that is right or wrong is a share
        means.add(name, values.astype(bool) if name != "loss" and np.isin(values, (0, 1)).all() else values)
    return {
        "split": fold,
        "n": {"examples": len(found), "patients": int(found["patient"].nunique())},
        "measured": task.score_names[0] if task.score_names else "loss",
        "baseline": float(found.groupby("patient")["baseline"].mean().mean())
        if "baseline" in found
        else task.baseline(),
        **means.metrics(),
    }


def summary(metrics: dict, task: str) -> list[str]:
    """What `medtf evaluate` prints."""
    from medtf.evaluate.metrics import interval_text

    n = metrics["n"]
    lines = [f"{metrics['split']} fold: {n['examples']:,} images of {n['patients']:,} patients; task: {task}"]
    lines += [f"LEAK: {leak}" for leak in metrics["leaks"]]
    for name in dict.fromkeys([metrics["measured"], "loss"]):
        guessing = metrics["baseline"] if name == metrics["measured"] else None
        beside = "" if guessing is None else f"; without looking {guessing:.3g}"
        lines.append(f"  {name} {metrics[name]['value']:.3f} {interval_text(metrics[name])}{beside}")
    return lines
