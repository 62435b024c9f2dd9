"""fit(config) -> run folder. Read this file first: it is the whole way from a config to a model that was judged.

set-up -> table -> input -> model -> fit -> keep the best -> threshold on the validation fold
"""

import dataclasses
import shutil
import warnings
from collections.abc import Callable

import keras
import tensorflow as tf

from medtf import pipeline, precision, predictions, prepare, runs, split
from medtf.config import Config
from medtf.data import dataset as data
from medtf.data.labels import encode
from medtf.data.wait import stamped
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate import thresholds
from medtf.faults import reading, refuse_absent
from medtf.fitting import callbacks, trainer
from medtf.fitting.checkpoint import Checkpoint, Place, Stop, read_arrays
from medtf.models import backbones, build, transfer
from medtf.table import Table


@dataclasses.dataclass(frozen=True)
class Told:
    """How `fit` speaks: `say` takes a line, `bar` (done, all, text) draws on a terminal, `progress(title)` makes a bar of its own."""

    say: Callable[[str], None] = print
    bar: Callable[[int, int, str], None] | None = None
    progress: prepare.Progress = prepare.quiet


def fit(config: Config, root, run: runs.Run, *, allow_leaks: bool = False, told: Told | None = None) -> runs.Run:
    """Train from scratch into a new run folder.

    Args:
        config: the experiment.
        root: data root.
        run: where to (`runs.new`).
        allow_leaks: train although patients or pictures stand in two folds; the report says so in red.
        told: how to speak.
    Raises:
        MedtfError: what a user can mend, before anything is written; StoppedError after a signal, with the state saved.
    """
    told = told or Told()
    refuse_model(config)
    table, leaks = prepare.training_table(
        config, root, parts=run.parts, allow_leaks=allow_leaks, progress=told.progress, say=told.say
    )
    for line in _about_folds(table, config):
        told.say(line)
    session = Session(config, table, root, told)  # everything that can be wrong is found before the folder is made
    environment = runs.environment(**session.machine, backend=keras.backend.backend(), leaks=leaks)
    run.create(config, table, root, environment)
    prepare.scanning.forget(run.parts)
    return session.train(run)


def resume(run: runs.Run, root=None, *, told: Told | None = None) -> runs.Run:
    """Go on where a killed or stopped run was saved: the weights come out as if it had never been stopped (on a CPU, to the bit).

    Raises:
        MedtfError: the run has ended already, or its folder was changed.
    """
    told = told or Told()
    if run.model.exists() and (run.folder / "thresholds.json").exists():
        shutil.rmtree(run.checkpoint.parent, ignore_errors=True)  # a kill may have come before it could go
        raise MedtfError(f"{run.folder}: the training has ended; judge it with `medtf evaluate {run.folder}`")
    return Session(run.config(), run.table(), run.root(root), told).train(run)


class Session:
    """One training: made ready by `__init__`, which writes nothing, and done by `train`."""

    def __init__(self, config: Config, table: Table, root, told: Told):
        # === Set-up ===
        self.config, self.table, self.root, self.told = config, table, root, told
        policy, self.jit, reason = precision.choose(config.train.precision, config.train.jit)
        keras.utils.set_random_seed(config.train.seed)
        keras.config.set_dtype_policy(policy)
        self.machine = {"precision": policy, "jit": self.jit}
        told.say(reason)

        # === Input ===
        self.module = pipeline.find(config.pipeline)
        self.folds = {name: predictions.of_fold(table, name) for name in ("train", "valid")}
        for fold in self.folds.values():
            refuse_absent(fold, root)
            self.module.dataset(fold, root, config, training=False)  # says what cannot be read as the config wants
        self.labels = encode(self.folds["train"].frame, config.targets)
        steps = data.steps_an_epoch(self.folds["train"], config)
        self.place = Place(config.train.epochs, steps)
        order = data.order_of(self.folds["train"], config)

        # === Model ===
        channels = len(config.input.windows) if config.input.windows is not None else config.input.channels
        self.model = build.build(
            config.model,
            (*config.input.size, channels),
            config.targets,
            priors=trainer.priors(config, self.labels, order.epoch(0)),
            momentum=build.norm_momentum(config.model, steps * config.train.epochs),
        )
        if config.model.weights not in ("none", "imagenet"):
            matched = transfer.load(self.model, config.model.weights)
            told.say(
                f"weights from {config.model.weights}: "
                + ", ".join(f"{count} layers {what}" for what, count in matched.items())
            )
        for line in _about_norms(self.model, config, steps * config.train.epochs):
            told.say(line)
        self.trainer = trainer.make(self.model, config, self.labels, steps=steps * config.train.epochs, jit=self.jit)
        known = trainer.monitors(self.trainer)
        if config.train.monitor not in known:
            raise AskedWronglyError(f"train.monitor {config.train.monitor!r}: {nearest(config.train.monitor, known)}")
        undersampled = (
            f", {config.data.undersample.policy} undersampling" if config.data.undersample.policy != "none" else ""
        )
        told.say(
            f"{config.model.name}: {self.model.count_params():,} parameters; {order.length():,} of {len(order.rows):,} training examples an epoch"
            f"{undersampled}; {_times(config.train.epochs, 'epoch')} of"
            f" {_times(steps, 'step')} of {config.train.batch_size}"
        )

    def train(self, run: runs.Run) -> runs.Run:
        """Fit, keep the best weights, choose the threshold, write it all."""
        config, place = self.config, self.place

        # === Input of this process: read anew each epoch from where the run stands ===
        with tf.device("cpu"):
            epoch, step = tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64)
        training = self.module.dataset(self.folds["train"], self.root, config, training=True, epoch=epoch, step=step)
        training, waited = stamped(training)
        validation = self.module.dataset(self.folds["valid"], self.root, config, training=False)

        # === Callbacks; the checkpoint comes last, so that it saves what the others know ===
        history = callbacks.History(run.history)
        best = callbacks.Best(run.best, config.train.monitor, config.train.early_stopping)
        report = callbacks.Report(
            place, config.train.batch_size, config.targets, self.told.say, self.told.bar, lambda: float(waited.numpy())
        )
        seek = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda e, logs: (epoch.assign(e), step.assign(place.step if e == place.epoch else 0))
        )
        averaged = [callbacks.Averaged()] if config.train.ema else []

        # === Fit ===
        with Stop(run.folder) as stop, reading(self.table, self.root):
            checkpoint = Checkpoint(run.checkpoint, place, [history, best], config.train.checkpoint_minutes, stop)
            if run.checkpoint.exists():
                checkpoint.set_model(self.trainer)
                checkpoint.restore()
                self.told.say(f"resumed at epoch {place.epoch + 1}, step {place.step} of {place.steps}")
            stopped_early = config.train.early_stopping is not None and best.waited >= config.train.early_stopping
            while place.epoch < place.epochs and not stopped_early:
                # an epoch that was cut is finished first, by a `fit` of its own: Keras counts the steps of its first epoch for all
                rest = place.steps - place.step
                last = place.epoch + 1 if place.step else place.epochs
                self.trainer.fit(
                    training.apply(tf.data.experimental.assert_cardinality(rest)),
                    validation_data=validation,
                    initial_epoch=place.epoch,
                    epochs=last,
                    callbacks=[*averaged, seek, report, history, best, checkpoint],
                    shuffle=False,
                    verbose=0,
                )
                stopped_early = self.trainer.stop_training

        # === Keep the best epoch ===
        weights, state = read_arrays(run.best)
        for variable, value in zip(self.trainer.weights, [weights[f"w{i}"] for i in range(len(weights))], strict=True):
            variable.assign(value)
        self.told.say(
            f"best epoch by {config.train.monitor}: {state['epoch']}" + (" (stopped early)" if stopped_early else "")
        )
        save_model(self.model, run)

        # === Threshold, from the validation fold alone ===
        found = predictions.predict(self.model, self.folds["valid"], self.root, config, self.module)
        chosen = thresholds.choose(
            found, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate
        )
        speed = report.speed()
        run.write_json("environment.json", run.read_json("environment.json") | speed)
        run.write_json("thresholds.json", {"schema": runs.SCHEMA, "epoch": state["epoch"], "targets": chosen})
        shutil.rmtree(run.checkpoint.parent)  # the model is whole: three copies of its weights need not stay
        if speed["examples_per_second"]:
            self.told.say(
                f"speed: {speed['examples_per_second']:.1f} examples/s, waited for input {speed['input_wait_share']:.1%} of the time"
            )
        return run


def refuse_model(config: Config) -> None:
    """What is wrong with the backbone (too small images, weights that no network brings) shows before the files are read.

    Raises:
        MedtfError, AskedWronglyError: as `backbones.check`.
    """
    channels = len(config.input.windows) if config.input.windows is not None else config.input.channels
    weights = "imagenet" if config.model.weights == "imagenet" else None
    backbones.check(config.model.name, weights=weights, input_shape=(*config.input.size, channels))


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _about_folds(table: Table, config: Config) -> list[str]:
    """`train: 96 examples of 12 patients; any 15, subdural 4`, a line a fold."""
    said = []
    for row in split.counts(table, config.targets).to_dict("records"):
        fold, examples, patients = (row.pop(name) for name in ("fold", "examples", "patients"))
        labels = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
        said.append(f"  {fold}: {examples:,} examples of {patients:,} patients; {labels}")
    return said


def _about_norms(model: keras.Model, config: Config, steps: int) -> list[str]:
    """What a user should know of the normalisation that was chosen, before time is spent on it."""
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    group = any(isinstance(layer, keras.layers.GroupNormalization) for layer in model.layers)
    if batch and (steps < 200 or config.train.batch_size < 8):
        return [
            f"batch norm: {steps} steps of {config.train.batch_size} examples are few for its statistics; "
            "consider model.norm: group, more epochs or larger batches"
        ]
    if config.model.norm == "group" and not group:
        return [f"model.norm: group changes nothing: {config.model.name} has no batch normalisation"]
    if group and config.model.weights == "imagenet":
        return [
            "model.norm: group with ImageNet weights: scales, offsets and statistics of its batch normalisation are dropped; "
            "the convolutions were trained with them, so expect a slower start than with model.norm: batch"
        ]
    return []


def save_model(model: keras.Model, run: runs.Run) -> None:
    """model.keras, whole or not at all."""
    temporary = run.folder / f".{run.model.name}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(temporary.with_suffix(".tmp.keras"))
    temporary.with_suffix(".tmp.keras").replace(run.model)
