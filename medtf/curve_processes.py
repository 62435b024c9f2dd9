"""The trainings of a label-fraction curve, one process each, one after the other: listened to, stopped, and their failures told.

Each process is `medtf curve CONFIG -o CURVE --point K`. It ends, saved, when the process that started it is gone.
"""

import os
import queue
import subprocess
import sys
import threading

from medtf.curves import Curve
from medtf.errors import AskedWronglyError, MedtfError, StoppedError
from medtf.fold_processes import NAMES, Child, Signals, environment


def train(curve: Curve, *, again: str, say=print, murmur=print) -> list[int]:
    """Train every point that is missing; after a failure no other is begun.

    Args:
        curve: of the points.
        again: the command that goes on with it.
        say: takes a line of a point's stdout, with the point before it. murmur: the same of its stderr.
    Returns:
        the points that were trained.
    Raises:
        StoppedError: after SIGTERM or Ctrl-C, once the process has saved its state.
        MedtfError: a training failed, with the last line that it said. What is finished stays.
    """
    trained, running = [], {}
    missing = curve.missing()
    with Signals(running) as signals:
        for place, number in enumerate(missing, 1):
            if signals.number:
                break
            say(f"training {place} of {len(missing)}: {curve.points[number]}")
            code, why = _one(curve, number, running, signals, say, murmur)
            if code and not signals.number:
                done = len(curve.points) - len(curve.missing())
                stay = (
                    f". {done} of {len(curve.points)} trainings are done and stay; go on with `{again}`" if done else ""
                )
                kind = AskedWronglyError if code == 2 and not done else MedtfError
                raise kind(f"{curve.points[number]}: {why}{stay}")
            trained += [] if code else [number]
    if signals.number and curve.missing():
        name, code = NAMES[signals.number]
        raise StoppedError(f"stopped by {name}, state saved; go on with `{again}`", code)
    return trained


def _one(curve: Curve, number: int, running: dict, signals: Signals, say, murmur) -> tuple[int, str]:
    """One process from its start to its end: its code, and why where that is not 0."""
    lines: queue.Queue = queue.Queue()
    running[number] = child = Training(curve, number, lines)
    signals.pass_on()
    while True:
        _, stream, line = lines.get()
        if line is None:
            if child.closed(stream):
                del running[number]
                return child.code, child.why() if child.code else ""
        elif stream == "stdout":
            say(f"  {line}")
        elif not child.last_words(line) and not signals.number:
            murmur(f"  {line}")


class Training(Child):
    """One point's process, which speaks as a fold's does."""

    def __init__(self, curve: Curve, number: int, lines: queue.Queue):
        self.fold, self.slot, self.code, self.said, self.error = number, 0, None, "", ""
        self.open = {"stdout", "stderr"}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        # a group of its own: Ctrl-C on the terminal reaches the parent alone, which passes it on once
        more = {"text": True, "errors": "replace", "process_group": 0, "env": environment(os.environ, 0, 1)}
        self.process = subprocess.Popen(command(curve, number), **pipes, **more)
        for stream in sorted(self.open):
            threading.Thread(target=self._listen, args=(stream, lines), daemon=True).start()


def command(curve: Curve, number: int) -> list[str]:
    """What trains one point."""
    words = [sys.executable, "-m", "medtf", "curve", str(curve.folder / "config.yaml")]
    return [*words, "-o", str(curve.folder), "--point", str(number)]
