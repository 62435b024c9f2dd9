"""What many maps say together: the mean map of everybody or of each group, and how hot each region of the anatomy is."""

from pathlib import Path

from medtf import runs
from medtf.errors import AskedWronglyError, nearest
from medtf.explain.runs.subject import Subject
from medtf.explain.runs.volumes import Together


def wanted(asked) -> bool:
    """Is anything asked of the maps together?"""
    return asked.regions is not None or asked.group is not None


def together(subject: Subject, asked) -> Together | None:
    """What the maps of one method are put into, one by one; None where nothing is asked of it."""
    if not wanted(asked):
        return None
    return Together(subject, labels_dir=asked.regions, names=asked.region_names, group=asked.group, seed=asked.seed)


def refuse(run: runs.Run, asked) -> None:
    """A group that is no column, regions of pictures.

    Raises:
        AskedWronglyError: see above.
    """
    if asked.regions is not None and run.config().model.dimensions != 3:
        raise AskedWronglyError("--regions: is for volumes; of pictures `medtf evidence` judges maps against masks")
    if asked.region_names is not None and asked.regions is None:
        raise AskedWronglyError("--region-names: is for --regions, which is not given")
    if asked.regions is not None and not Path(asked.regions).is_dir():
        raise AskedWronglyError(f"--regions {asked.regions}: no such folder of label volumes")
    if asked.group is not None:
        there = [name for name in run.table().frame if not name.startswith("read_")]
        if asked.group not in there:
            raise AskedWronglyError(
                f"--group {asked.group}: no column of the run's table: {nearest(asked.group, there)}"
            )


def notes(asked, shown: int, rows: int) -> list[str]:
    """Of whom the mean maps and regions are, where that is not everybody."""
    if not wanted(asked) or shown == rows:
        return []
    return [
        f"Mean maps and regions are those of the {shown:,} rows shown ({asked.pick}), not of all {rows:,}: --pick all takes everybody."
    ]
