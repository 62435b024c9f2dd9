"""What TensorFlow's reader raises while it reads a table's files, in words that name the file; and a look before the work begins."""

import re
from contextlib import contextmanager
from pathlib import Path

from medtf.errors import MedtfError

LOOKED_FOR = 1_000  # files whose presence is looked at beforehand: a network disk answers some thousand times a second


def refuse_absent(table, root) -> None:
    """Look for files of the table, spread over its rows: a wrong `--data` shows before any work is done.

    Raises:
        MedtfError: files that are not there, with their count and the first.
    """
    paths = table.frame["path"].drop_duplicates()
    looked = paths.iloc[:: max(1, len(paths) // LOOKED_FOR)]
    absent = [path for path in looked if not (Path(root) / path).is_file()]
    if absent:
        raise MedtfError(
            f"{len(absent)} of {len(looked)} files of the table are not below the data root {root}, such as {absent[0]}:"
            " give their folder with --data, or bring them back"
        )


@contextmanager
def reading(table, root):
    """An error of TensorFlow's graph becomes a MedtfError that names the file, where a file is to blame."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tensorflow"):
            raise
        said = str(getattr(error, "message", error)).splitlines()[0]
        if type(error).__name__ == "ResourceExhaustedError":
            raise MedtfError(f"out of memory: lower train.batch_size or input.size ({said[:120]})") from error
        blamed = _blamed(table, root)
        # the reader's own words: a path, and what is wrong
        refused = re.search(r"assertion failed: \[(.+?)\] \[(.+)\]", said)
        if refused and not blamed:
            raise MedtfError(f"{Path(root) / refused[1]}: {refused[2]}") from error
        raise MedtfError(blamed or f"reading the images failed: {said[:300]}") from error


def _blamed(table, root) -> str:
    """The first file that is away, shorter than the table says, or not to be decoded; an empty string when all are well."""
    from medtf.data.pixels import check

    for row in table.frame.itertuples(index=False):
        path = Path(root) / row.path
        if not path.is_file():
            return f"{path}: no such file, though the table names it: bring it back, or index the data anew"
        # a .nii.gz is smaller than its voxels
        if row.read_kind != "nifti_gz" and path.stat().st_size < row.read_offset + row.read_length:
            return (
                f"{path}: has changed since it was indexed (it is shorter now): bring it back, or index the data anew"
            )
    for row in table.frame.to_dict("records"):
        reason = check(root, row)[1]
        if reason:
            return f"{Path(root) / row['path']}: {reason}"
    return ""
