"""Which row of the table an annotation belongs to, by the names of the two files."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from medtf.errors import MedtfError

ENDING = re.compile(r"\.(nii\.gz|nii|dcm|dicom|ima|png|jpe?g|tiff?)$", re.IGNORECASE)
# `sub1_mask`, `Subj12_T1_DLMUSE`: one more word with a letter in it; `_2` would make the second picture of somebody the first one's mask
LAST_WORD = re.compile(r"[-_.](?=[^-_.]*[A-Za-z])[^-_.]+$")


def bare(path: str) -> str:
    """A path without the ending that says its kind: `a/ID_x.dcm` -> `a/ID_x`, `sub1.nii.gz` -> `sub1`; what else holds a dot keeps it."""
    return ENDING.sub("", str(path).replace("\\", "/"))


class Names:
    """The rows of a table by the names of their files."""

    def __init__(self, paths: Iterable[str]):
        self.paths = [str(path) for path in paths]
        self.by_path, self.by_stem = defaultdict(list), defaultdict(list)
        for number, path in enumerate(self.paths):
            self.by_path[bare(path)].append(number)
            self.by_stem[PurePosixPath(bare(path)).name].append(number)

    def row_of(self, name: str) -> tuple[int, str] | None:
        """The row that a name means, and the word that was left off the name's end to find it ("" mostly); None: no row.

        The same path with another ending comes first, then the same file name, then both without the name's last word (`_mask`, `_seg`).

        Args:
            name: a path as a user gives it, relative to the folder of masks or to the data root, or a file's name alone.
        Raises:
            MedtfError: the name means several rows.
        """
        whole = bare(PurePosixPath(name.replace("\\", "/")).as_posix())
        shorter = LAST_WORD.sub("", whole)
        for asked in dict.fromkeys((whole, shorter)):
            rows = self.by_path.get(asked) or self._of_stem(PurePosixPath(asked))
            if rows:
                if len(rows) > 1:
                    raise MedtfError(self._both(name, rows))
                return rows[0], whole[len(asked) :]
        return None

    def _of_stem(self, asked: PurePosixPath) -> list[int]:
        """Rows of this file name; where there are several, those that share most folders above it with the name."""
        rows = self.by_stem.get(asked.name, [])
        if len(rows) < 2:
            return rows
        shared = [_shared(asked.parts, PurePosixPath(bare(self.paths[row])).parts) for row in rows]
        return [row for row, count in zip(rows, shared, strict=True) if count == max(shared)]

    def _both(self, name: str, rows: list[int]) -> str:
        one, other = (self.paths[row] for row in rows[:2])
        if one == other:
            return f"{name}: {one} holds several pictures (frames), and the name does not say which one is annotated"
        named = bare(one) + name[len(bare(name)) :]
        return f"{name}: belongs to {one} as well as to {other}: give it the folders of the one that is meant, such as {named}"


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many parts two paths have in common at their ends."""
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        count += 1
    return count
