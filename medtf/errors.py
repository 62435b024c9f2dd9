"""Errors that a user can mend: one line that names the file, tag or key, what was expected, and what to do."""

import difflib


class MedtfError(Exception):
    """The work could not be done (exit 1)."""

    exit_code = 1


class AskedWronglyError(MedtfError):
    """The command, a config key or an argument is wrong (exit 2)."""

    exit_code = 2


class LeakError(MedtfError):
    """A patient, or the same pixels, stand in two folds (exit 1)."""


class StoppedError(MedtfError):
    """Training was stopped by a signal after its state was saved (SIGTERM: exit 143; Ctrl-C: exit 1)."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def nearest(word: str, known) -> str:
    """`did you mean 'x'?` for the nearest of `known`, or the list of what there is."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "there is " + ", ".join(sorted(known))
