"""What one point of a label-fraction curve is: a training and what it says of the test fold, or a probe of features that all points share."""

import pandas as pd

from medtf import judging, label_share, pipeline, predictions, probing, train
from medtf.config import Config
from medtf.curves import Curve
from medtf.data import dataset as data
from medtf.ensembling import unkept
from medtf.errors import MedtfError
from medtf.fold_processes import alone
from medtf.table import Table


def train_one(curve: Curve, number: int, *, told) -> None:
    """What a point's process does: begin its training, or go on where it was killed; then ask it about the test fold.

    Args:
        curve: of the point. number: its place in the plan.
        told: how to speak (`medtf.train.Told`).
    Raises:
        MedtfError: what `fit` raises; the point is being trained by another process.
    """
    run, root = curve.child(number), curve.run.root()
    with alone(curve, number):
        if run.folder.exists() and not run.ended():
            run = train.resume(run, root, told=told)
        elif not run.folder.exists():
            config = fitting(curve, number, told.say)
            insisted = bool(curve.run.read_json("environment.json").get("leaks"))
            train.fit(config, root, run, allow_leaks=insisted, told=told)
        config, table = unkept(run.config()), predictions.of_fold(run.table(), "test")
        found = predictions.predict(judging.load_model(run), table, root, config, pipeline.find(config.pipeline))
        judging.save(as_in_curve(curve, found, table), curve.predictions(number))


def fitting(curve: Curve, number: int, say) -> Config:
    """The config of a point with batches that its few examples fill, and epochs enough for the least steps that were asked for."""
    config, point = curve.config_of(number), curve.points[number]
    table, _ = label_share.keep(curve.run.table(), curve.labels(point), config.targets)
    training = predictions.of_fold(table, "train")
    length = data.order_of(training, config).length()
    if config.model.dimensions == 2 and length < config.train.batch_size:
        say(f"batches of {length} in place of {config.train.batch_size}: there are no more examples")
        config = _with(config, batch_size=length)
    steps = data.steps_an_epoch(training, config)
    epochs = max(config.train.epochs, -(-curve.plan.least_steps * config.train.accumulate // steps))
    if epochs > config.train.epochs and not config.train.stages:
        say(f"{epochs} epochs in place of {config.train.epochs}, for {curve.plan.least_steps} steps")
        config = _with(config, epochs=epochs)
    return config


def as_in_curve(curve: Curve, found: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Predictions with the rows of the curve's own table: a run with few labels has a shorter one.

    Raises:
        MedtfError: they are of other files.
    """
    whole = predictions.of_fold(curve.run.table(), "test").frame
    if whole["path"].tolist() != table.frame["path"].tolist():
        raise MedtfError(
            f"{curve.folder}: a run's test fold is another than the curve's: its table was changed; begin anew"
        )
    return found.assign(row=whole["row"].to_numpy())


def probe_all(curve: Curve, *, progress, say) -> None:
    """Every missing point as a probe: each encoder is asked once for features, which all shares and seeds read."""
    config, table, root = probing.plain_heads(unkept(curve.run.config())), curve.run.table(), curve.run.root()
    labels = {fold: probing.truths(predictions.of_fold(table, fold), config) for fold in ("train", "valid", "test")}
    patients = predictions.of_fold(table, "train").frame["patient"]
    for name in curve.plan.weights:
        points = [number for number in curve.missing() if curve.points[number].weights == name]
        if not points:
            continue
        source = curve.source(curve.points[points[0]])
        found = probing.of_source(config, table, root, source, progress=progress, say=say)
        for number in points:
            kept, line = label_share.keep(table, curve.labels(curve.points[number]), config.targets)
            taken = patients.isin(predictions.of_fold(kept, "train").frame["patient"]).to_numpy()
            made, _ = probing.fitted(config, table, found, labels, curve.plan.probe, taken)
            curve.child(number).folder.mkdir(parents=True, exist_ok=True)
            judging.save(made[made["fold"] == "test"].reset_index(drop=True), curve.predictions(number))
            say(f"{curve.points[number]}: {line.partition(';')[0].removeprefix('labels: ')}")


def _with(config: Config, **values) -> Config:
    return config.model_copy(update={"train": config.train.model_copy(update=values)})
