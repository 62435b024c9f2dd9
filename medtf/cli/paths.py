"""Paths that a user types: `~` is the home folder, an empty one is refused, and what is to be written is looked at before the work begins."""

import errno
import os
from contextlib import contextmanager

import click

from medtf.errors import AskedWronglyError, MedtfError

# what a full or closed disk answers -> in a user's words
FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than allowed (ulimit -f)",
    errno.EROFS: "the disk is read-only",
}


class UserPath(click.Path):
    """A path in which `~` is the home folder; nothing at all, which is what an unset shell variable gives, is refused."""

    def convert(self, value, param, ctx):
        """`~/x` -> the home's x."""
        if not str(value).strip():
            self.fail("expected a path, found nothing (is a shell variable empty?)", param, ctx)
        return super().convert(os.path.expanduser(value), param, ctx)


class Jobs(click.ParamType):
    """Processes: 1, 2, ...; -1 is one for each core."""

    name = "integer"

    def convert(self, value, param, ctx):
        """A number that joblib knows."""
        if not str(value).lstrip("-").isdigit() or int(value) == 0 or int(value) < -1:
            self.fail(f"{value!r}: expected 1, 2, ... processes, or -1 for one a core", param, ctx)
        return int(value)


def output(value: str, suffix: str):
    """The path of a file to write.

    Raises:
        AskedWronglyError: another ending than `suffix`, or a folder. MedtfError: a folder that cannot be written to.
    """
    from pathlib import Path

    from medtf.runs import refuse_unwritable

    path = Path(value)
    if path.suffix != suffix:
        raise AskedWronglyError(f"-o {value}: expected a name that ends in {suffix}")
    if path.is_dir():
        raise AskedWronglyError(f"-o {value}: is a folder; expected the name of a file to write")
    refuse_unwritable(path.parent, f"-o {value}")
    return path


@contextmanager
def writing(what, left="nothing was written there"):
    """A full disk becomes one line that says what could not be written, and what is left."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise MedtfError(f"{what}: {FULL[error.errno]}; {left}") from error
