"""Callbacks with a state that survives a kill: history, best weights, early stopping, and what the user sees meanwhile."""

import math
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.fitting.checkpoint import write_arrays


def _better(monitor: str, scores=()) -> int:
    """+1 where more is better, -1 where less is; of the scores of a proxy task more is."""
    return 1 if monitor.endswith(("auc", "accuracy", "r2")) or monitor.removeprefix("val_") in scores else -1


class History(keras.callbacks.Callback):
    """history.csv, one row an epoch, rewritten whole; refuses to go on when the loss is no number."""

    def __init__(self, path: Path, rows=()):
        super().__init__()
        self.path, self.rows = path, list(rows)  # of the stages before

    def on_epoch_end(self, epoch, logs=None):
        """Add the epoch's row."""
        logs = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(logs.get("loss", 0.0)):
            raise MedtfError(
                f"the loss is {logs['loss']} in epoch {epoch + 1}: lower train.learning_rate, or set train.precision: float32"
            )
        self.rows.append({"epoch": epoch + 1, **logs})
        temporary = self.path.with_name(f".{self.path.name}")
        pd.DataFrame(self.rows).to_csv(temporary, index=False)
        temporary.replace(self.path)

    def get_state(self) -> dict:
        """All rows so far."""
        return {"rows": self.rows}

    def set_state(self, state: dict) -> None:
        """Go on after these rows."""
        self.rows = list(state["rows"])


class Best(keras.callbacks.Callback):
    """Keeps the weights of the best epoch by `monitor`, and stops when it has not come for `patience` epochs."""

    def __init__(self, path: Path, monitor: str, patience: int | None, scores=()):
        super().__init__()
        self.path, self.monitor, self.patience, self.scores = path, monitor, patience, scores
        self.best, self.epoch, self.waited = None, None, 0

    def on_epoch_end(self, epoch, logs=None):
        """Compare; write the weights where the epoch is the best so far."""
        logs = logs or {}
        if self.monitor not in logs:
            raise AskedWronglyError(f"train.monitor {self.monitor!r}: {nearest(self.monitor, logs)}")
        value = float(logs[self.monitor])
        if self.best is None or _better(self.monitor, self.scores) * (value - self.best) > 0:
            self.best, self.epoch, self.waited = value, epoch + 1, 0
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            write_arrays(
                self.path, {f"w{i}": w for i, w in enumerate(weights_to_keep(self.model))}, {"epoch": epoch + 1}
            )
        else:
            self.waited += 1
            if self.patience is not None and self.waited >= self.patience:
                self.model.stop_training = True

    def get_state(self) -> dict:
        """Best value, its epoch, and how long it is ago."""
        return {"best": self.best, "epoch": self.epoch, "waited": self.waited}

    def set_state(self, state: dict) -> None:
        """Back."""
        self.best, self.epoch, self.waited = state["best"], state["epoch"], state["waited"]


def kept(trainer) -> list:
    """The trainer's weights, but for the share that a mixing layer has drawn: a stage before or after may not mix."""
    return [weight for weight in trainer.weights if weight.path.rpartition("/")[2] != "share"]


def weights_to_keep(trainer) -> list[np.ndarray]:
    """The weights of `kept`, with the moving average in place of the raw ones where there is one."""
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    averages = {}
    if optimizer.use_ema:
        averages = {
            id(v): a
            for v, a in zip(trainer.trainable_variables, optimizer._model_variables_moving_average, strict=True)
        }
    return [keras.ops.convert_to_numpy(averages.get(id(w), w)) for w in kept(trainer)]


class Averaged(keras.callbacks.Callback):
    """Validate with the moving average of the weights, and put the raw ones back."""

    def on_test_begin(self, logs=None):
        """Swap in."""
        self.raw = [keras.ops.convert_to_numpy(w) for w in kept(self.model)]
        for weight, value in zip(kept(self.model), weights_to_keep(self.model), strict=True):
            weight.assign(value)

    def on_test_end(self, logs=None):
        """Swap out."""
        for weight, value in zip(kept(self.model), self.raw, strict=True):
            weight.assign(value)


def _shown(name: str, value: float) -> str:
    """Three digits; Keras gives an AUC of exactly 0 to a fold that holds one class."""
    return "undefined" if name.endswith("auc") and value == 0 else f"{value:.3f}"


class Report(keras.callbacks.Callback):
    """Tell where the training stands: a bar on a terminal, one line an epoch everywhere; measure its speed.

    Args:
        place: where the training stands.
        batch_size: examples a step.
        targets: names, of targets or of a task's scores, the most important first.
        say: takes a line.
        bar: takes (steps done, steps in all, text) on a terminal; None elsewhere.
        waited: returns the seconds spent waiting for input so far.
    """

    def __init__(self, place, batch_size: int, targets, say, bar, waited):
        super().__init__()
        self.place, self.batch_size, self.targets = place, batch_size, list(targets)
        self.say, self.bar, self.waited = say, bar, waited
        self.seconds = self.waiting = 0.0
        self.examples = 0
        self.first_step = True

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.begun = self.stepped = time.perf_counter()
        self.waited_before = self.waited()

    def on_train_batch_end(self, batch, logs=None):
        """Count examples and seconds; the very first step compiles and is left out."""
        now = time.perf_counter()
        if self.first_step:
            self.first_step = False
            self.say(f"first step (builds the graph): {now - self.stepped:.0f} s")
        else:
            self.examples += self.batch_size
            self.seconds += now - self.stepped
            self.waiting += self.waited() - self.waited_before
        self.stepped, self.waited_before = now, self.waited()
        if self.bar:
            done = self.place.epoch * self.place.steps + self.place.step + 1  # the checkpoint counts it after us
            self.bar(done, self.place.epochs * self.place.steps, f"epoch {self.place.epoch + 1}/{self.place.epochs}")

    def on_epoch_end(self, epoch, logs=None):
        """One line."""
        logs = logs or {}
        judged = [
            n
            for target in self.targets
            for n in logs
            if f"{n}_".startswith(f"val_{target}_") and not n.endswith("_loss")
        ]
        numbers = "  ".join(f"{n} {_shown(n, float(logs[n]))}" for n in ["loss", "val_loss", *judged[:4]] if n in logs)
        self.say(f"epoch {epoch + 1}/{self.place.epochs}  {time.perf_counter() - self.begun:.0f} s  {numbers}")

    def speed(self) -> dict:
        """{"examples_per_second", "input_wait_share"} over all steps but the first."""
        if not self.seconds:
            return {"examples_per_second": None, "input_wait_share": None}
        return {
            "examples_per_second": self.examples / self.seconds,
            "input_wait_share": min(1.0, self.waiting / self.seconds),
        }
