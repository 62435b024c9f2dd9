"""The folds of a cross-validation, one process each: started, listened to, stopped, and their failures told.

Each process is `medtf fit PARENT/config.yaml --run PARENT --fold K`. It holds a lock for its fold as long as it lives, and ends, saved, when
the process that started it is gone: two trainings never write to one run folder.
"""

import fcntl
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from medtf import runs
from medtf.errors import AskedWronglyError, MedtfError, StoppedError
from medtf.folds import Parent, named

WATCHED = "MEDTF_ENDS_WITH_STDIN"  # set for a process whose stdin closes when its parent is gone
NAMES = {signal.SIGTERM: ("SIGTERM", 143), signal.SIGINT: ("Ctrl-C", 1)}


def train(parent: Parent, *, jobs: int = 1, root=None, say=print, murmur=print) -> list[int]:
    """Train every fold whose training has not ended, `jobs` at once; after a failure no other fold is begun.

    Args:
        parent: of the folds.
        jobs: processes at once.
        root: data root, where it has moved.
        say: takes a line of a fold's stdout, with the fold before it. murmur: the same of its stderr.
    Returns:
        the folds that were trained.
    Raises:
        StoppedError: after SIGTERM or Ctrl-C, once all processes have saved their state.
        MedtfError: a fold failed, with the last line that it said. Folds that are finished stay.
    """
    waiting, running, failed, trained = parent.missing(), {}, {}, []
    lines: queue.Queue = queue.Queue()
    with Signals(running) as signals:
        while running or (waiting and not failed and not signals.number):
            while waiting and len(running) < jobs and not failed and not signals.number:
                fold = waiting.pop(0)
                slot = min(set(range(jobs)) - {child.slot for child in running.values()})
                running[fold] = Child(parent, fold, root, lines, slot, jobs)
            signals.pass_on()
            fold, stream, line = lines.get()
            child = running[fold]
            if line is None:
                if child.closed(stream):
                    del running[fold]
                    trained += [fold] if child.code == 0 else []
                    failed |= {} if child.code == 0 else {fold: child}
            elif stream == "stdout":
                say(f"fold {fold}: {line}")
            elif not child.last_words(line) and not signals.number:
                murmur(f"fold {fold}: {line}")
    if signals.number and (waiting or failed):
        name, code = NAMES[signals.number]
        raise StoppedError(f"stopped by {name}, state saved; go on with {parent.go_on()}", code)
    if failed:
        _fail(parent, failed)
    return trained


def _fail(parent: Parent, failed: dict) -> None:
    code = max(child.code for child in failed.values())
    said = "; ".join(f"fold {fold}: {child.why()}" for fold, child in failed.items())
    done = [k for k in range(parent.count) if k not in parent.missing()]
    if done:
        said += (
            f". {named(done).capitalize()} trained and stay{'s' if len(done) == 1 else ''}; go on with {parent.go_on()}"
        )
    raise (AskedWronglyError if code == 2 and not done else MedtfError)(said)


class Child:
    """One fold's process; two threads put what it says on `lines` as (fold, stream, line), and (fold, stream, None) at the end."""

    def __init__(self, parent: Parent, fold: int, root, lines: queue.Queue, slot: int, jobs: int):
        self.fold, self.slot, self.code, self.said, self.error = fold, slot, None, "", ""
        self.open = {"stdout", "stderr"}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        # a group of its own: Ctrl-C on the terminal reaches the parent alone, which passes it on once
        self.process = subprocess.Popen(
            command(parent, fold, root),
            **pipes,
            text=True,
            errors="replace",
            process_group=0,
            env=environment(os.environ, slot, jobs),
        )
        for stream in sorted(self.open):
            threading.Thread(target=self._listen, args=(stream, lines), daemon=True).start()

    def _listen(self, stream: str, lines: queue.Queue) -> None:
        for line in getattr(self.process, stream):
            lines.put((self.fold, stream, line.rstrip("\n")))
        lines.put((self.fold, stream, None))

    def closed(self, stream: str) -> bool:
        """One stream has ended; when both have, the process is waited for."""
        self.open.discard(stream)
        if not self.open:
            self.code = self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                pipe.close()
        return not self.open

    def last_words(self, line: str) -> bool:
        """Keep a line of stderr; is it the one by which a command ends?"""
        self.said = line or self.said
        if line.startswith("medtf: "):
            self.error = line.removeprefix("medtf: ")
        return bool(self.error)

    def why(self) -> str:
        """The reason of its failure."""
        if self.error:
            return self.error
        if self.code < 0:
            number = -self.code
            name = signal.Signals(number).name if number in {s.value for s in signal.Signals} else f"signal {number}"
            hint = " (out of memory?)" if number == signal.SIGKILL else f" ({self.said})" if self.said else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with {self.code}" + (f": {self.said}" if self.said else "")


def command(parent: Parent, fold: int, root=None) -> list[str]:
    """What trains one fold."""
    words = [sys.executable, "-m", "medtf", "fit", str(parent.folder / "config.yaml")]
    return [*words, "--run", str(parent.folder), "--fold", str(fold), *(["--data", str(root)] if root else [])]


def environment(given, slot: int, jobs: int) -> dict:
    """A fold's environment: several at once share the GPUs in turn, and none takes a whole GPU's memory at its start."""
    found = {**given, WATCHED: "1", "PYTHONUNBUFFERED": "1"}
    devices = [word for word in given.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
    if jobs > 1:
        found.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        found.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        if len(devices) > 1:
            found["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    return found


class Signals:
    """SIGTERM and Ctrl-C, passed on to every running fold, each of which saves its state and ends."""

    def __init__(self, running: dict):
        self.running, self.number, self.told = running, None, set()

    def __enter__(self):
        self.before = {number: signal.signal(number, self._ask) for number in NAMES}
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        again = self.number is not None and number == signal.SIGINT  # a second Ctrl-C does not wait
        self.number = self.number or signal.Signals(number)
        if again:
            self.told.clear()
        self.pass_on()

    def pass_on(self) -> None:
        """To each process once, also to one that was just being started when the signal came."""
        for fold, child in list(self.running.items()) if self.number else ():
            if fold not in self.told:
                self.told.add(fold)
                child.process.send_signal(self.number)


@contextmanager
def alone(parent: Parent, fold: int):
    """The lock of one fold; the system frees it when the process ends, however it ends.

    Raises:
        MedtfError: another process trains this fold.
    """
    with open(parent.folder / ".lock", "a+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, fold)
        except (BlockingIOError, PermissionError) as error:
            raise MedtfError(
                f"{parent.child(fold).folder}: another process is training it; wait until it has ended, or stop it"
            ) from error
        yield


def end_with_parent() -> None:
    """In a fold's process: when the process that started it is gone, stop as after SIGTERM, with the state saved."""
    if os.environ.pop(WATCHED, None) is None:
        return

    def watch():
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def train_one(parent: Parent, fold: int, root=None, *, told) -> runs.Run:
    """What a fold's process does: begin its run, or go on where it was killed.

    Args:
        parent: of the folds. fold: from 0.
        root: data root, where it has moved.
        told: how to speak (`medtf.train.Told`).
    Raises:
        AskedWronglyError: no such fold. MedtfError: what `fit` raises; the fold is trained, or is being trained.
    """
    import keras

    from medtf import lineage, stages, train
    from medtf.beforehand import about_folds, refuse_model, refuse_volumes

    if not 0 <= fold < parent.count:
        raise AskedWronglyError(f"--fold {fold}: {parent.folder} has folds 0 to {parent.count - 1}")
    run = parent.child(fold)
    with alone(parent, fold):
        if run.folder.exists():
            return train.resume(run, root, told=told)
        config, table, root = parent.config_of(fold), parent.table_of(fold), parent.run.root(root)
        refuse_model(config)
        kept = parent.run.read_json("environment.json").get("leaks", [])
        allow = parent.run.read_json(runs.FOLDS)["allow_leaks"]
        past = lineage.audited(config.model.weights, table, allow=allow)
        for line in [*about_folds(table, config), *past.unchecked]:
            told.say(line)
        for stage in stages.of(config):
            refuse_volumes(table, stage.config)
        session = train.Session(config, table, root, told)
        environment = runs.environment(**session.machine, backend=keras.backend.backend())
        environment |= {"leaks": kept + past.leaks, "unchecked": past.unchecked}
        run.create(config, table, root, environment, beside=past.write)
        return train.through(session, run)
