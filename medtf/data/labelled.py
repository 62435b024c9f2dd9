"""An archive's label files, read, and put beside the headers of its images."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from medtf.errors import MedtfError
from medtf.salt import pseudonym, secret

TWICE = "stands twice: another file has the same name"


@dataclass(frozen=True)
class Labels:
    """What the label files of one archive say.

    Args:
        frame: one row an image, by key; `patient` and `study` as the archive writes them, all else as it enters the table.
        keys: paths of files (rows,) -> their keys; None where a name is not the archive's.
        listed: the label files' names, for messages.
        even: the targets, which the validation fold gets its share of.
        is_test: by key: is the image of the archive's own test set? None: it has none.
        test_list: where that test set comes from.
        notes: lines about what was odd.
    """

    frame: pd.DataFrame
    keys: Callable[[pd.Series], pd.Index]
    listed: str
    even: tuple[str, ...]
    is_test: pd.Series | None = None
    test_list: str = ""
    notes: list[str] = field(default_factory=list)

    def absent(self, root, files: list[str]) -> list[str]:
        """A note on labelled images that are not among the files: people download parts of large archives.

        Raises:
            MedtfError: none of them is there.
        """
        labelled = self.frame.index
        gone = labelled.difference(self.keys(pd.Series(files, dtype="str")).dropna())
        if len(gone) == len(labelled):
            raise MedtfError(
                f"{root}: none of the {len(labelled):,} images of {self.listed} is there, such as {gone[0]}: unpack the images beside it"
            )
        if not len(gone):
            return []
        count = f"{len(gone):,} of {len(labelled):,} images of {self.listed}"
        return [f"{count} are not there, such as {gone[0]}: the others are used"]

    def join(self, headers: pd.DataFrame) -> pd.DataFrame:
        """The headers with what is said of each image, and `official` where there is a test set; patients and studies are hashed."""
        frame, key, salt = headers.copy(), self.keys(headers["path"]), secret()
        leave_out(frame, ~key.isin(self.frame.index), f"no row in {self.listed}")
        good = (frame["excluded"] == "").to_numpy()
        leave_out(frame, good & pd.Series(key, dtype=object).where(good).duplicated().to_numpy(), TWICE)
        for name in self.frame:
            values = self.frame[name].reindex(key).reset_index(drop=True)
            if name in ("patient", "study"):
                values = values.fillna("").map({one: pseudonym(one, salt) for one in {"", *self.frame[name]}})
            frame[name] = values if pd.api.types.is_numeric_dtype(values) else values.fillna("").astype("str")
        if self.is_test is not None:
            leave_out(
                frame, ~key.isin(self.is_test.index), f"neither in {self.test_list} nor in the list of the others"
            )
            frame["official"] = key.isin(self.is_test.index[self.is_test])
        return frame


def leave_out(frame: pd.DataFrame, which, reason) -> None:
    """Give the rows a reason in `excluded`, in place, where they have none yet.

    Args:
        frame: has `excluded`.
        which: (rows,) bool, or True for all.
        reason: one text, or (rows,) texts, empty where the row stays.
    """
    frame["excluded"] = frame["excluded"].mask((frame["excluded"] == "") & which, reason)
