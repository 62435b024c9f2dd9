"""Commands as a user types them, in a process of their own, and what may come back."""

import os
import subprocess
import sys
from pathlib import Path


def command(*words) -> list[str]:
    return [sys.executable, "-m", "medtf", *map(str, words)]


def medtf(*words, cwd=None, **environment) -> subprocess.CompletedProcess:
    """A command in a process of its own, through main()'s handling of errors."""
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=300, cwd=cwd, env={**os.environ, **environment}
    )


def refused(done: subprocess.CompletedProcess, code: int, *words: str) -> str:
    """The one line of a command that could not (1) or was asked wrongly (2)."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("medtf: ")
    assert "Traceback" not in lines[0]
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]


def names(folder) -> set[str]:
    """Everything in a folder, hidden files too."""
    return {p.name for p in Path(folder).iterdir()}
