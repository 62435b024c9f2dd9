"""Files that no table knows, as rows that a run can be asked about."""

from pathlib import Path

import numpy as np

from medtf import ensembling, predicting, prepare, runs, salt
from medtf.table import Table


def rows(run: runs.Run, files, *, progress: prepare.Progress = prepare.quiet) -> tuple[Table, Path]:
    """A table without labels of files and folders, in order of path, and the folder that its paths are relative to.

    Ids are hashed as in every table. Of a file that names nobody it is unknown who it is of, so it counts as a person of its own. What the network
    cannot take is in the table's `excluded`, with the reason.

    Raises:
        MedtfError: a path that is not there, or no file that the network can take.
    """
    root, paths = predicting.below_one_root(files)
    table = predicting.readable(ensembling.unkept(run.config()), root, paths, progress)
    frame, key = table.frame.sort_values(["path", "read_frame"], kind="stable"), salt.secret()
    for name in ("patient", "study", "series"):
        frame[name] = [salt.pseudonym(str(one), key) for one in frame[name].fillna("")]
    unnamed = [salt.pseudonym(f"file {path}", key) for path in frame["path"]]
    frame["patient"] = frame["patient"].where(frame["patient"] != "", unnamed)
    return table.with_frame(frame.assign(row=np.arange(len(frame)))), root
