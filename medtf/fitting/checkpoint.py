"""Exact resume: everything that the next step depends on, in one file that is replaced whole.

Stock callbacks leave out what makes a resumed run differ: the states of random layers, raw weights beside their moving average, partial
metrics of the epoch, the callbacks' own state, and the place in the order of examples. All of it is here, as plain arrays (no pickle).
"""

import json
import os
import re
import time
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from medtf.errors import MedtfError, StoppedError


class Checkpoint(keras.callbacks.Callback):
    """Save every few minutes and at each epoch's end; stop, saved, when asked to.

    Args:
        path: the file.
        place: {"epoch", "step"} of the run, kept up to date here; a data set that is iterated anew starts there.
        stateful: callbacks with `get_state() -> dict` and `set_state(dict)`, whose state is kept too.
        minutes: at most this much work is lost to a kill.
        stop: object with `reason` (None, or a StoppedError to raise once the state is saved).
    """

    def __init__(self, path: Path, place: "Place", stateful: list, minutes: float, stop):
        super().__init__()
        self.path, self.place, self.stateful, self.seconds, self.stop = path, place, stateful, 60 * minutes, stop
        self.metrics_to_restore: list[np.ndarray] | None = None
        self.saved_at = time.monotonic()

    def on_train_begin(self, logs=None):
        """Other callbacks reset themselves here: give them, and the model, the state that was saved."""
        if self.path.exists():
            self.restore()

    def on_epoch_begin(self, epoch, logs=None):
        """Keras has just set the metrics to zero; a resumed epoch goes on counting."""
        if self.metrics_to_restore is not None:
            for variable, value in zip(self.model.metrics_variables, self.metrics_to_restore, strict=True):
                variable.assign(value)
            self.metrics_to_restore = None

    def on_train_batch_end(self, batch, logs=None):
        """Count the step; save when it is time or when the run was told to stop."""
        self.place.step += 1
        if self.stop.reason is None and time.monotonic() - self.saved_at < self.seconds:
            return
        if self.place.step < self.place.steps:  # the last step of an epoch is saved with the epoch
            self.save()
            if self.stop.reason is not None:
                raise self.stop.reason

    def on_epoch_end(self, epoch, logs=None):
        """The epoch is whole: the next begins at step 0, with metrics at zero."""
        self.place.epoch, self.place.step = epoch + 1, 0
        self.save()
        if self.stop.reason is not None and self.place.epoch < self.place.epochs:
            raise self.stop.reason

    def save(self) -> None:
        """Write the state beside the old one, then put it in its place."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        state = {
            "place": self.place.state(),
            "callbacks": [c.get_state() for c in self.stateful],
            "names": _names(self._variables()),
        }
        arrays = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._variables())}
        if self.place.step:
            arrays |= {f"m{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self.model.metrics_variables)}
        write_arrays(self.path, arrays, state)
        self.saved_at = time.monotonic()

    def restore(self) -> None:
        """Put everything back.

        Raises:
            MedtfError: the file is of another model, or damaged.
        """
        arrays, state = read_arrays(self.path)
        variables = self._variables()
        if _names(variables) != state["names"] or state["place"]["steps"] != self.place.steps:
            raise MedtfError(
                f"{self.path}: the checkpoint is of another training than config.yaml describes; was the run folder changed by hand?"
            )
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"v{i}"])
        self.place.set_state(state["place"])
        for callback, kept in zip(self.stateful, state["callbacks"], strict=True):
            callback.set_state(kept)
        counted = [arrays[name] for name in arrays if name.startswith("m")]
        self.metrics_to_restore = counted if self.place.step else None
        self.saved_at = time.monotonic()

    def _variables(self) -> list:
        """Raw weights, statistics, states of random layers, optimizer (with the moving average of the weights)."""
        return [*self.model.variables, *self.model.optimizer.variables]


def _names(variables) -> list[str]:
    """Paths and shapes; without Keras's running numbers, which a second training of one process counts on."""
    return [f"{re.sub(r'_[0-9]+(?=/|$)', '', v.path)} {tuple(v.shape)}" for v in variables]


class Place:
    """Where a training stands: epoch, and step inside it, of so many each; a later stage begins with `first`."""

    def __init__(self, epochs: int, steps: int, first: int = 0):
        self.epochs, self.steps = epochs, steps
        self.epoch, self.step = first, 0

    def state(self) -> dict:
        """As plain data."""
        return {"epoch": self.epoch, "step": self.step, "steps": self.steps}

    def set_state(self, state: dict) -> None:
        """Back from plain data."""
        self.epoch, self.step = state["epoch"], state["step"]


def write_arrays(path: Path, arrays: dict[str, np.ndarray], state: dict) -> None:
    """One .npz, whole or not at all; `state` is JSON inside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """What `write_arrays` wrote.

    Raises:
        MedtfError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop("state").tobytes())
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise MedtfError(f"{path}: the checkpoint cannot be read ({error}); remove it to start the run anew") from error
    return arrays, state


class Stop:
    """Turns SIGTERM and Ctrl-C into a wish that the checkpoint grants after the running step."""

    def __init__(self, run_folder):
        self.run_folder = run_folder
        self.reason: StoppedError | None = None

    def __enter__(self):
        import signal

        def ask(number, frame):
            if self.reason is not None and number == signal.SIGINT:
                raise KeyboardInterrupt  # a second Ctrl-C does not wait
            name, code = ("SIGTERM", 143) if number == signal.SIGTERM else ("Ctrl-C", 1)
            self.reason = StoppedError(
                f"stopped by {name}, state saved; go on with"
                f" `medtf fit {self.run_folder}/config.yaml --run {self.run_folder} --resume`",
                code,
            )

        self.before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_):
        import signal

        for number, handler in self.before.items():
            signal.signal(number, handler)
