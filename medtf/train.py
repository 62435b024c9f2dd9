"""fit(config) -> run folder. Read this file first: it is the whole way from a config to a model that was judged.

set-up -> table -> input -> model -> fit -> keep the best; what is learnt stands in `supervised.py` and `pretraining.py`
"""

import dataclasses
import shutil
from collections.abc import Callable

import keras
import tensorflow as tf

from medtf import lineage, pipeline, precision, predictions, prepare, runs, stages
from medtf.beforehand import about_folds, keep_volumes, refuse_model, refuse_volumes, times
from medtf.config import Config
from medtf.data import dataset as data
from medtf.data import keeping
from medtf.data.wait import stamped
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.explain.runs import watching
from medtf.faults import reading, refuse_absent
from medtf.fitting import callbacks, trainer
from medtf.fitting.checkpoint import Checkpoint, Place, Stop, read_arrays, write_arrays
from medtf.pretraining import Pretraining
from medtf.supervised import Supervised
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
    past = lineage.audited(config.model.weights, table, allow=allow_leaks)
    for line in [*about_folds(table, config), *past.unchecked]:
        told.say(line)
    for stage in stages.of(config):
        refuse_volumes(table, stage.config)
    session = Session(config, table, root, told)  # everything that can be wrong is found before the folder is made
    environment = runs.environment(**session.machine, backend=keras.backend.backend())
    environment |= {"leaks": leaks + past.leaks, "unchecked": past.unchecked}
    run.create(config, table, root, environment, beside=past.write)
    prepare.scanning.forget(run.parts)
    return through(session, run)


def resume(run: runs.Run, root=None, *, told: Told | None = None) -> runs.Run:
    """Go on where a killed or stopped run was saved: the weights come out as if it had never been stopped (on a CPU, to the bit).

    Raises:
        MedtfError: the run has ended already, or its folder was changed.
    """
    told = told or Told()
    if run.ended():
        shutil.rmtree(run.checkpoint.parent, ignore_errors=True)  # a kill may have come before it could go
        raise MedtfError(f"{run.folder}: the training has ended; judge it with `medtf evaluate {run.folder}`")
    carried = read_arrays(run.carried) if run.carried.exists() else None
    fresh = not (carried or run.checkpoint.exists())  # killed before the first checkpoint
    if fresh:  # the run that it begins with may have been trained anew meanwhile
        insists = bool(run.read_json("environment.json").get("leaks"))
        lineage.audited(run.config().model.weights, run.table(), allow=insists).write(run.folder)
    return through(Session(run.config(), run.table(), run.root(root), told, carried=carried, fresh=fresh), run)


def through(session: "Session", run: runs.Run) -> runs.Run:
    """Every stage of a training, and what is written at the end."""
    while True:
        session.train(run)
        if session.stage.last:
            return session.finish(run)
        session = session.next(run)


class Session:
    """One training, or one stage of it: made ready by `__init__`, which writes nothing, done by `train`, ended by `finish` or `next`.

    Args:
        config: the whole experiment.
        table: with folds.
        root: data root.
        told: how to speak.
        carried: weights and state that the stage before left behind.
        fresh: the weights begin as `model.weights` says; else a checkpoint holds them.
    """

    def __init__(self, config: Config, table: Table, root, told: Told, *, carried=None, fresh: bool = True):
        # === Set-up ===
        self.whole, self.table, self.root, self.told = config, table, root, told
        weights, state = carried or ({}, {"stage": 0, "rows": []})
        self.stage, self.rows = stages.of(config)[state["stage"]], state["rows"]
        self.config = config = self.stage.config
        policy, self.jit, reason = precision.choose(config.train.precision, config.train.jit)
        keras.utils.set_random_seed(config.train.seed)
        keras.config.set_dtype_policy(policy)
        self.machine = {"precision": policy, "jit": self.jit}
        told.say(reason)

        # === Input ===
        self.module = pipeline.find(config.pipeline)
        self.folds = {name: predictions.of_fold(table, name) for name in ("train", "valid")}
        keep_volumes(table, root, config, told)
        for fold in self.folds.values():
            refuse_absent(fold, root)
            self.module.dataset(fold, root, config, training=False)  # says what cannot be read as the config wants
        steps = data.steps_an_epoch(self.folds["train"], config)
        if steps * config.train.epochs < config.train.accumulate:
            raise AskedWronglyError(
                f"train.accumulate: {config.train.accumulate} batches to an update, and this training has {steps * config.train.epochs}:"
                " nothing would be learnt; lower it"
            )
        first = self.stage.first_epoch
        self.place = Place(first + config.train.epochs, steps, first)
        order = data.order_of(self.folds["train"], config)

        # === Model ===
        goal = Pretraining if config.pretrain else Supervised
        self.goal = goal(
            config, self.folds, order, steps=steps * config.train.epochs, jit=self.jit, say=told.say, fresh=fresh
        )
        self.model, self.trainer = self.goal.model, self.goal.trainer
        _assign(self.trainer, weights)
        known = trainer.monitors(self.trainer)
        if config.train.monitor not in known:
            raise AskedWronglyError(f"train.monitor {config.train.monitor!r}: {nearest(config.train.monitor, known)}")
        undersampled = f", {config.data.undersample.policy} draws" if config.data.undersample.policy != "none" else ""
        if line := self.stage.line(self.whole):
            told.say(line)
        told.say(
            f"{config.model.name}: {self.model.count_params():,} parameters; {order.length():,} of {len(order.rows):,} training examples an epoch"
            f"{undersampled}; {times(config.train.epochs, 'epoch')} of"
            f" {times(steps, 'step')} of {config.train.batch_size}"
        )

    def train(self, run: runs.Run) -> None:
        """Fit: history and checkpoints go to the run folder as the epochs pass."""
        config, place = self.config, self.place
        path = run.checkpoint_of(self.stage.number)

        # === Input of this process: read anew each epoch from where the run stands ===
        with tf.device("cpu"):
            epoch, step = tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64)
        training = self.module.dataset(self.folds["train"], self.root, config, training=True, epoch=epoch, step=step)
        training, waited = stamped(training)
        validation = self.module.dataset(self.folds["valid"], self.root, config, training=False)

        # === Callbacks; the checkpoint comes last, so that it saves what the others know ===
        self.history = history = callbacks.History(run.history, self.rows)
        scores = self.goal.told if config.pretrain else ()
        best = callbacks.Best(run.best, config.train.monitor, config.train.early_stopping, scores)
        self.report = report = callbacks.Report(
            place, config.train.batch_size, self.goal.told, self.told.say, self.told.bar, lambda: float(waited.numpy())
        )
        seek = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda e, logs: (epoch.assign(e), step.assign(place.step if e == place.epoch else 0))
        )
        averaged = [callbacks.Averaged()] if config.train.ema else []
        drawn = self.goal.callbacks(run, validation)
        if config.explain.every:
            drawn.append(
                watching.callback(self.model, config, self.folds["valid"], self.root, run.folder, say=self.told.say)
            )

        # === Fit ===
        with Stop(run.folder) as stop, reading(self.table, self.root):
            checkpoint = Checkpoint(path, place, [history, best], config.train.checkpoint_minutes, stop)
            if path.exists():
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
                    callbacks=[*averaged, seek, report, history, best, *drawn, checkpoint],
                    shuffle=False,
                    verbose=0,
                )
                stopped_early = self.trainer.stop_training
        self.ended = " (stopped early)" if stopped_early else ""

    def next(self, run: runs.Run) -> "Session":
        """The stage after this one, with this one's weights; a kill from here on resumes there."""
        state = {"stage": self.stage.number + 1, "rows": self.history.rows}
        kept = {f"w{i}": w for i, w in enumerate(callbacks.weights_to_keep(self.trainer))}
        write_arrays(run.carried, kept, state)
        run.best.unlink(missing_ok=True)
        run.checkpoint_of(self.stage.number).unlink(missing_ok=True)
        keeping.forget()  # a stage may want other voxels; it fills the memory anew
        return Session(self.whole, self.table, self.root, self.told, carried=(kept, state), fresh=False)

    def finish(self, run: runs.Run) -> runs.Run:
        """Keep the best weights and write it all."""
        config = self.config
        weights, state = read_arrays(run.best)
        _assign(self.trainer, weights)
        self.told.say(f"best epoch by {config.train.monitor}: {state['epoch']}{self.ended}")
        # what ends a training for good (thresholds.json, or pretraining.json) is written last
        speed = self.report.speed()
        run.write_json("environment.json", run.read_json("environment.json") | speed)
        self.goal.finish(run, self.root, self.module, state["epoch"])
        keeping.forget()
        shutil.rmtree(run.checkpoint.parent)  # the model is whole: three copies of its weights need not stay
        if speed["examples_per_second"]:
            self.told.say(
                f"speed: {speed['examples_per_second']:.1f} examples/s, waited for input {speed['input_wait_share']:.1%} of the time"
            )
        return run


def _assign(trainer, weights: dict) -> None:
    """Weights as `write_arrays` kept them, in their order; none change nothing."""
    if weights:
        for variable, value in zip(
            callbacks.kept(trainer), [weights[f"w{i}"] for i in range(len(weights))], strict=True
        ):
            variable.assign(value)
