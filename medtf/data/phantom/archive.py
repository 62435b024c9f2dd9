"""What every phantom does: make people in parallel, in a folder that comes to stand whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import joblib


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `out` (absent or empty) at the end; after an error or Ctrl-C nothing is left."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.parent / f".{out.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def made(tasks: Iterable, count: int, jobs: int, progress: Callable[[int], None] | None) -> list:
    """Results of `count` joblib tasks in their order; `progress` is told how many are there."""
    found = []
    results = joblib.Parallel(n_jobs=min(joblib.effective_n_jobs(jobs), count), return_as="generator")(tasks)
    with closing(results):  # an interrupt ends the workers before their folder goes
        for result in results:
            found.append(result)
            if progress:
                progress(len(found))
    return found
