"""How commands speak: lines on stdout, bars on a terminal, a line every few seconds elsewhere."""

import os
import sys
import time

import click


def say(line: str) -> None:
    """One line; a reader that has gone (`| head`) does not end hours of work."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `1,200 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def progress(title: str):
    """A callback (done, all) that draws a bar on a terminal, and prints a line every ten seconds elsewhere."""
    if sys.stderr.isatty():
        return _Bar(title)
    return _Lines(title)


class _Lines:
    def __init__(self, title: str):
        self.title, self.last = title, time.monotonic()

    def __call__(self, done: int, total: int, text: str = "") -> None:
        if time.monotonic() - self.last > 10 and done < total:
            self.last = time.monotonic()
            click.echo(f"{self.title or text}: {done:,} of {total:,}", err=True)


class _Bar:
    def __init__(self, title: str):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(title, total=None)
        self.title = title

    def __call__(self, done: int, total: int, text: str = "") -> None:
        if not self.bar.live.is_started and done < total:
            self.bar.start()
        self.bar.update(self.task, completed=done, total=total, description=text or self.title)
        if done >= total:
            self.bar.stop()


def quiet_tensorflow() -> None:
    """Import TensorFlow and Keras without their chatter."""
    from medtf.quiet import quiet

    with quiet():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
