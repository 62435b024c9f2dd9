"""A folder of results that is there whole or not at all: built beside, then put in place of the one before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medtf.errors import AskedWronglyError
from medtf.runs import refuse_unwritable


def refuse(folder, mark: str, *, ours: tuple[str, ...], kept: tuple[str, ...] = ()) -> None:
    """A folder that holds something else is not replaced.

    Args:
        mark: the file that tells a folder of this kind. ours: names that such a folder holds. kept: names that others put into it.
    Raises:
        AskedWronglyError: a file, or a folder of something else. MedtfError: it cannot be made there.
    """
    folder = Path(folder)
    if folder.is_file():
        raise AskedWronglyError(f"-o {folder}: is a file; expected a folder to make")
    there = {one.name for one in folder.iterdir()} if folder.is_dir() else set()
    if there - set(kept) and mark not in there:
        raise AskedWronglyError(f"-o {folder}: holds something else (no {mark}): name a new folder")
    foreign = sorted(there - set(kept) - set(ours) - {mark})
    if foreign:
        raise AskedWronglyError(
            f"-o {folder}: also holds {foreign[0]}, which would be lost: move it, or name a new folder"
        )
    refuse_unwritable(folder.parent, f"-o {folder}")


@contextmanager
def replaced(folder, *, kept: tuple[str, ...] = ()) -> Iterator[Path]:
    """An empty folder to fill; when all went well it takes the place of `folder`, else nothing has changed.

    Args:
        kept: names inside the old folder that go on living in the new one.
    """
    folder = Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    building, before = (folder.with_name(f".{folder.name}.{os.getpid()}{end}") for end in ("", ".before"))
    for one in (building, before):
        shutil.rmtree(one, ignore_errors=True)
    try:
        building.mkdir()
        yield building
        if folder.exists():
            os.rename(folder, before)
        try:
            for name in kept:
                if (before / name).exists():
                    os.rename(before / name, building / name)
            os.rename(building, folder)
        except BaseException:
            _back(folder, before, building, kept)
            raise
    finally:
        for one in (building, before):
            shutil.rmtree(one, ignore_errors=True)


def _back(folder: Path, before: Path, building: Path, kept: tuple[str, ...]) -> None:
    for name in kept:
        if (building / name).exists() and before.is_dir():
            os.rename(building / name, before / name)
    if before.exists() and not folder.exists():
        os.rename(before, folder)
