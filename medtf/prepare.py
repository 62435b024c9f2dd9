"""From files (or a table) to a table with folds that may be trained on: index, pixel pass, split, leak audit."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from medtf import audit, label_share, pipeline, split, split_report, table
from medtf.config import Config
from medtf.data import scan as scanning
from medtf.errors import AskedWronglyError, MedtfError
from medtf.oddities import odd_foregrounds

Progress = Callable[[str], Callable[[int, int], None] | None]


def quiet(_title: str) -> None:
    """No progress."""


def index(
    config: Config, source, *, root=None, jobs: int = -1, parts: Path | None = None, progress: Progress = quiet
) -> table.Table:
    """The example table of `source`, by the config's pipeline.

    Raises:
        MedtfError: nothing there that can be an example; else what the pipeline raises.
    """
    scan = partial(scanning.scan, jobs=jobs, parts=parts, progress=progress("headers"))
    more = {"root": root} if root is not None else {}
    found = pipeline.find(config.pipeline).examples(source, config, scan=scan, **more)
    if not isinstance(found, table.Table):
        raise MedtfError(
            f"pipeline {config.pipeline!r}: examples() gave {type(found).__name__}, expected a medtf.table.Table"
        )
    if len(found) == 0:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in list(found.reasons().items())[:5])
        raise MedtfError(f"{source}: no file can be an example: {reasons}")
    return found


def check_pixels(
    found: table.Table, root, *, volume: int | None = None, jobs: int = -1, progress: Progress = quiet
) -> table.Table:
    """Decode every image once: a column `pixels` with their hash, and what is implausible left out with its reason.

    Volumes also get `foreground_ml`: millilitres of brain (with masks) or of foreground, a proxy of head size.

    Args:
        volume: which one of 4D files (`input.volume`).
    """
    import joblib

    from medtf.data.pixels import Rows, examine

    rows, volumes = Rows(found.frame), found.frame["read_kind"].str.startswith("nifti").any()
    if not len(rows):
        return found.with_frame(found.frame.assign(pixels=pd.Series(dtype="str")))
    report, results = progress("pixels"), []
    # few pictures: starting processes costs more than decoding them; a volume takes as long as a hundred slices
    few = len(rows) < (20 if volumes else 200)
    batch = "auto" if few or volumes else 32
    pool = joblib.Parallel(n_jobs=1 if few else jobs, return_as="generator", batch_size=batch)
    for number, result in enumerate(pool(joblib.delayed(examine)(str(root), row, volume) for row in rows), start=1):
        results.append(result)
        if report:
            report(number, len(rows))
    hashes, reasons, sizes = zip(*results, strict=True)
    columns = {"pixels": pd.Series(hashes, dtype="str")}
    if volumes:
        columns["foreground_ml"] = pd.Series(sizes, dtype="float64")
    return found.with_frame(found.frame.assign(**columns)).leave_out(pd.Series(reasons, dtype="str"))


def found_table(
    config: Config, root, *, parts: Path | None = None, jobs: int = -1, progress: Progress = quiet
) -> table.Table:
    """The table that the config names, or else an index of the data root; with a label for each target somewhere.

    Raises:
        MedtfError: no root, no targets, no labels; else what the index raises.
    """
    if not Path(root).is_dir():
        raise MedtfError(f"data root {root}: no such folder")
    if not config.targets and config.pretrain is None:
        raise AskedWronglyError(
            "targets: the config names nothing to learn (a task without labels is named by `pretrain`)"
        )
    if config.data.table:
        found = table.load(config.data.table)
    else:
        found = index(config, _source(config, root), parts=parts, jobs=jobs, progress=progress)
    for name in config.targets:
        if name in found.frame and table.is_empty(found.frame[name]).all():
            raise MedtfError(f"target {name!r}: no example has a label; is the label file beside the images?")
    return found


def training_table(
    config: Config,
    root,
    *,
    parts: Path | None = None,
    allow_leaks: bool = False,
    jobs: int = -1,
    progress: Progress = quiet,
    say=lambda line: None,
) -> tuple[table.Table, list[str]]:
    """The table that `fit` trains on, with `fold` in {train, valid, test}, and the leaks the user insists on.

    Args:
        config: `pipeline`, `targets`, `data` count.
        root: data root.
        parts: where an index of the root keeps its finished parts.
        allow_leaks: go on with a split that leaks.
        jobs: processes.
        progress: makes a progress callback for a stage's title.
        say: told each notable thing, in one line.
    Raises:
        MedtfError: what is wrong with root, table, split; LeakError among them.
    """
    found = found_table(config, root, parts=parts, jobs=jobs, progress=progress)
    say(
        f"table: {len(found):,} examples of {found.frame['patient'].nunique():,} patients, {len(found.excluded):,} files left out"
    )
    for note in found.meta.get("notes", ()):
        say(note)
    if "fold" not in found.frame:
        found = split.assign(found, config.data.split, config.targets)
    found = found.with_frame(found.frame.assign(fold=split.roles(found.frame["fold"], config.data.split)))
    # after the split, which is so the same for whatever is selected, and before the pixels are read
    everything, found = len(found), split.select(found, config.data.select)
    if config.data.select:  # for the report's account of who was left out
        by = {
            key: [str(one) for one in (value if isinstance(value, (list, tuple)) else [value])]
            for key, value in config.data.select.items()
        }
        found = found.with_frame(found.frame, selected={"dropped": everything - len(found), "by": by})
    found = with_masks(found, root, config, say)
    say_intensities(found, root, config, say)
    if config.data.select:
        say(f"selected {', '.join(f'{k} {v}' for k, v in config.data.select.items())}: {len(found):,} examples")
    found = _checked(found, root, config, jobs, progress, say)
    for line in odd_foregrounds(found):
        say(f"note: {line}")
    if config.data.split.stratify or config.data.split.uniform or config.data.split.leave_out:
        for line in split_report.describe(found):
            say(line)
    leaks = audit.refuse_leaks(found, allow=allow_leaks)
    for fold in ("train", "valid"):
        if not (found.frame["fold"] == fold).any():
            raise MedtfError(f"the table has no {fold} fold: split it with `medtf split`, or set data.split")
    if config.data.labels.share < 1:
        found, line = label_share.keep(found, config.data.labels, config.targets)
        say(line)
    return found, leaks


def with_masks(found: table.Table, root, config: Config, say=lambda line: None) -> table.Table:
    """The table with the brain masks that `input.mask` names; volumes without a fitting one are left out, each with its reason.

    Raises:
        MedtfError: no volume has a mask that fits.
    """
    if config.input.mask is None or "read_mask_path" in found.frame:
        return found
    from medtf.data import masks

    frame, reasons = masks.attach(found.frame, root, config.input.mask)
    masked = found.with_frame(frame).leave_out(reasons)
    if len(masked) == 0:
        raise MedtfError(f"input.mask {config.input.mask!r}: no volume has a mask that fits: {reasons.iloc[0]}")
    gone = len(found) - len(masked)
    say(
        f"masks: {len(masked):,} fit their volumes"
        + (f", {gone:,} left out, such as: {reasons[reasons != ''].iloc[0]}" if gone else "")
    )
    return masked


def say_intensities(found: table.Table, root, config: Config, say) -> None:
    """Tell how many radiographs have no window of their own, where `input.intensity` asks for it, and whether 16-bit PNGs are nearly black.

    Raises:
        MedtfError: a table that is too old to tell.
    """
    from medtf.data import raster_range, voi

    for note in (
        voi.about(found.frame, config.input.intensity),
        raster_range.about(found.frame, root, config.input.raster),
    ):
        if note:
            say(f"note: {note}")


def _source(config: Config, root):
    """What a pipeline indexes when no table is given: the root, or for `table` the one sheet that lies in it."""
    if config.pipeline != "table":
        return root
    sheets = [p for p in sorted(Path(root).iterdir()) if p.suffix.lower() in (".csv", ".tsv", ".xlsx", ".xls")]
    if len(sheets) != 1:
        raise MedtfError(
            f"{root}: expected one sheet (.csv, .xlsx, ...) beside the images, found {len(sheets)};"
            " make the table with `medtf index table SHEET` and set data.table"
        )
    return sheets[0]


def _checked(found: table.Table, root, config: Config, jobs: int, progress: Progress, say) -> table.Table:
    """The pixel pass, where it has not been done and is cheap enough; else what it would cost, measured."""
    if "pixels" in found.frame:
        return found
    if len(found) <= config.data.check_pixels_up_to:
        checked = check_pixels(found, root, volume=config.input.volume, jobs=jobs, progress=progress)
        gone = len(found) - len(checked)
        say(
            f"pixels: all decoded and hashed, {gone} implausible and left out"
            if gone
            else "pixels: all decoded and hashed, all plausible"
        )
        return checked
    sample = found.with_frame(found.frame.sample(min(200, len(found)), random_state=0))
    start = time.perf_counter()
    check_pixels(sample, root, volume=config.input.volume, jobs=1)
    minutes = (time.perf_counter() - start) / len(sample) * len(found) / 60
    say(
        f"pixels: not checked for copies and garbage: {len(found):,} images, about {minutes:.0f} minutes on one core; "
        "do it once with `medtf index ... --pixels`, or raise data.check_pixels_up_to"
    )
    return found
