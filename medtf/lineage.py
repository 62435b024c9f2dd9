"""Whom the weights of a run have seen: the leak audit over two tables, and over a chain of trainings.

A run that begins with the weights of another knows, through them, the pictures that the other was trained on. Whoever stands in its test
fold may not be among them, or the test flatters. So a run keeps whom its weights had seen (`seen.parquet`, hashes alone), and a run that
begins with it adds its own training and validation fold: the chain is known although folders are gone.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medtf import runs
from medtf.errors import LeakError, MedtfError
from medtf.table import Table

SEEN = "seen.parquet"
COLUMNS = ("patient", "pixels", "fold", "run", "salt")
# fold that must be new to the weights -> folds of the training before that it may not meet. Early stopping and thresholds read the
# validation fold, so that who validated twice is no worse off; the test fold may have been neither trained on nor steered by.
NEW = {"test": ("train", "valid"), "valid": ("train",)}
NAMES = {"test": "test", "valid": "validation"}
SHOWN = 5  # patients or pictures that are listed; the rest is counted


@dataclass(frozen=True)
class Past:
    """What the weights that a run begins with have seen.

    seen: frame with `COLUMNS`; empty for fresh weights. leaks: a sentence for each leak that the user insists on.
    unchecked: a sentence for each thing that cannot be known.
    """

    seen: pd.DataFrame
    leaks: list[str]
    unchecked: list[str]

    def write(self, folder) -> None:
        """Keep it beside the table of the run that begins; nothing where nothing was seen."""
        if len(self.seen):
            self.seen.to_parquet(Path(folder) / SEEN, index=False)


def audited(weights: str, table: Table, *, allow: bool = False) -> Past:
    """Whom `model.weights` has seen, once it is sure that nobody of the table's test and validation folds is among them.

    Args:
        weights: `model.weights` of the config.
        table: with folds; of a run that begins.
        allow: go on with a leak.
    Raises:
        LeakError: lists the patients and pictures. MedtfError: the run that the weights are from is damaged.
    """
    if weights in ("none", "imagenet"):
        return Past(_empty(), [], [])
    folder = Path(weights) if Path(weights).is_dir() else Path(weights).parent
    if not all((folder / name).is_file() for name in ("config.yaml", "table.parquet")):
        return Past(
            _empty(),
            [],
            [f"weights from {weights}: no table lies beside them, so whom they have seen cannot be checked"],
        )
    before = seen(folder)
    unchecked = [*_unchecked_before(folder), *unlike(before, table)]
    return Past(before, _refused(leaks(before, table), allow), unchecked)


def refuse_leaks(folder, table: Table, *, allow: bool = False) -> list[str]:
    """The leaks of a run that stands, between whom its weights had seen and its own table; none without `seen.parquet`.

    Raises:
        LeakError: there are some, and the user does not insist. MedtfError: a damaged file.
    """
    return _refused(leaks(_read(Path(folder) / SEEN), table), allow)


def seen(folder) -> pd.DataFrame:
    """Whom a finished run has seen: its training and validation folds, and whom its own first weights had seen.

    A patient of its test fold was not seen.

    Returns:
        frame (patient, pixels, fold, run, salt), each row once; `pixels` is empty where pictures were not hashed.
    Raises:
        MedtfError: a table without folds, a damaged file.
    """
    folder = Path(folder)
    table = runs.Run(folder).table()
    rows = table.frame[table.frame["fold"].isin(["train", "valid"])]
    own = pd.DataFrame({"patient": rows["patient"].astype(str), "fold": rows["fold"].astype(str)})
    own["pixels"] = rows["pixels"].astype(str) if "pixels" in rows else ""
    own["run"], own["salt"] = folder.resolve().name, str(table.meta.get("salt") or "")
    return pd.concat([_read(folder / SEEN), own[list(COLUMNS)]], ignore_index=True).drop_duplicates(ignore_index=True)


def leaks(before: pd.DataFrame, table: Table) -> list[str]:
    """One sentence for each run before, fold, and kind of leak; an empty list where everybody is new.

    Patients are compared where both were hashed with one salt, pictures always; a picture of a patient who is told already is not told again.
    """
    frame, salt = table.frame, str(table.meta.get("salt") or "")
    found = []
    for run in before["run"].unique():
        for fold, not_in in NEW.items():
            theirs = before[(before["run"] == run) & before["fold"].isin(not_in)]
            ours = frame[frame["fold"] == fold]
            known = ours["patient"].isin(set(theirs.loc[theirs["salt"] == salt, "patient"]))
            found += _told(run, fold, ours[known], "patient", "patients")
            if "pixels" in ours:
                rest = ours[~known & (ours["pixels"] != "")]
                copies = rest[rest["pixels"].isin(set(theirs["pixels"]))]
                found += _told(run, fold, copies, "pixels", "pictures")
    return found


def unlike(before: pd.DataFrame, table: Table) -> list[str]:
    """What cannot be compared, since a salt is another, or pictures were not hashed."""
    salt = str(table.meta.get("salt") or "")
    others = list(before.loc[before["salt"] != salt, "run"].unique())
    said = []
    if others:
        said.append(
            f"{', '.join(others)} and this table were hashed with different salts, so whether one patient stands in both cannot be checked:"
            " index both with one MEDTF_SALT"
        )
    bare = [run for run, part in before.groupby("run") if (part["pixels"] == "").all()]
    if "pixels" not in table.frame or bare:
        said.append(
            "pictures were not hashed in both tables (medtf index --pixels): copies under other patients cannot be found"
        )
    return said


def _told(run: str, fold: str, rows: pd.DataFrame, column: str, many: str) -> list[str]:
    first = rows.drop_duplicates(column)
    if not len(first):
        return []
    listed = [
        f"{value[:8]} (row {row}: {path})"
        for value, row, path in zip(first[column], first.index, first["path"], strict=True)
    ]
    more = f" and {len(first) - SHOWN} more" if len(first) > SHOWN else ""
    what = many if len(first) > 1 else many.removesuffix("s")
    return [
        f"the training of {run} saw {len(first)} {what} of the {NAMES[fold]} fold: {', '.join(listed[:SHOWN])}{more}"
    ]


def _refused(found: list[str], allow: bool) -> list[str]:
    if found and not allow:
        raise LeakError(
            "the weights leak: "
            + "; ".join(found)
            + ". Train on that run's own table and folds (data.table: RUN/table.parquet), name one table with folds in both, pretrain without"
            " these patients, or insist with --allow-leaks. Are they different people with equal numbers, such as 1, 2, 3 of two archives?"
            " Give the ids of one a prefix"
        )
    return found


def _unchecked_before(folder: Path) -> list[str]:
    """What could not be known when the other run began cannot be known now."""
    return list(runs.Run(folder).read_json("environment.json").get("unchecked", []))


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS})


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return _empty()
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{path}: damaged: {str(error).splitlines()[0]}; copy it again") from error
    absent = [name for name in COLUMNS if name not in found]
    if absent:
        raise MedtfError(f"{path}: damaged: it has no column {absent[0]}; copy it again")
    return found[list(COLUMNS)]
