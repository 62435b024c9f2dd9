"""`medtf index`: files to an example table."""

import click

from medtf.cli.paths import Jobs, UserPath


@click.command(short_help="Files to a table: what is there, what was left out.")
@click.argument("pipeline_name", metavar="PIPELINE")
@click.argument("source", type=UserPath())
@click.option("-o", "--output", required=True, type=UserPath(), help="The table to write (.parquet).")
@click.option("--root", type=UserPath(), help="Folder that a sheet's paths are relative to [default: the sheet's own].")
@click.option("--config", "config_name", help="Config whose data.columns name the sheet's columns.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as data.columns.patient='Patient ID'.",
)
@click.option("--pixels", is_flag=True, help="Also decode every image: hash it, and leave out what is implausible.")
@click.option("--jobs", default=-1, type=Jobs(), show_default="all cores", help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Send the work to a Dask cluster, such as tcp://host:8786.")
def command(pipeline_name, source, output, root, config_name, overrides, pixels, jobs, dask):
    """Read the headers of all files of SOURCE into an example table, and say what is there and what was left out.

    PIPELINE is a shipped one (chest_xray, ixi, rsna_ich, shoulder_xray, table) or a .py file; SOURCE is the archive's folder, or for `table` a
    sheet (CSV, Excel, Parquet) or any folder. Only headers are read. An index that was stopped goes on where it was when it is asked for again.
    """
    from contextlib import nullcontext
    from pathlib import Path

    from medtf import prepare, table
    from medtf.cli import paths, show
    from medtf.data.scan import forget
    from medtf.errors import AskedWronglyError, MedtfError

    target = paths.output(output, ".parquet")
    _refuse_to_lose(target)
    if not Path(source).exists():
        raise MedtfError(f"{source}: no such file or folder")
    if root and Path(source).is_dir():
        raise AskedWronglyError(f"--root {root}: is for a sheet whose paths begin elsewhere; {source} is a folder")
    if root and not Path(root).is_dir():
        raise MedtfError(f"--root {root}: no such folder")
    config = _config(pipeline_name, config_name, overrides)
    parts = target.with_name(f".{target.stem}.index")
    try:
        with paths.writing(output), _cluster(dask) if dask else nullcontext():
            found = prepare.index(config, source, root=root, jobs=jobs, parts=parts, progress=show.progress)
            if pixels:
                base = Path(root) if root else (Path(source) if Path(source).is_dir() else Path(source).parent)
                found = prepare.check_pixels(found, base, jobs=jobs, progress=show.progress)
            table.save(found, target)
    except BaseException as error:
        # finished parts of a long index that was stopped stay for the next time; a few files, or a fault, leave nothing
        if not isinstance(error, KeyboardInterrupt) or not (parts.is_dir() and any(parts.glob("*.parquet"))):
            forget(parts)
        raise
    forget(parts)
    for line in summary(found):
        show.say(line)
    beside = f"   left out, file by file: {target.with_suffix('.excluded.csv')}" if len(found.excluded) else ""
    show.say(f"table: {output}{beside}")


def _refuse_to_lose(target) -> None:
    """An index replaces an older one, but neither folds that somebody made nor a Parquet file that is not a table of medtf."""
    from medtf import table
    from medtf.errors import AskedWronglyError

    if not target.exists():
        return
    try:
        old = table.load(target)
    except Exception as error:  # whatever it is, it is not ours
        raise AskedWronglyError(f"-o {target}: is there, and is no table of medtf: choose another name") from error
    if "fold" in old.frame:
        raise AskedWronglyError(
            f"-o {target}: is there, and holds folds that would be lost: choose another name, or remove it first"
        )


def _config(pipeline_name: str, config_name: str | None, overrides):
    from medtf import config as configs

    if config_name:
        config = configs.load(config_name, overrides)
    else:
        raw = {"pipeline": pipeline_name}
        for override in overrides:
            configs.override(raw, override)
        config = configs.parse(raw, "--set")
    return config.model_copy(update={"pipeline": pipeline_name})


def summary(found) -> list[str]:
    """Images, patients, labels, transfer syntaxes, and what was left out with its reasons, as lines."""
    from medtf.cli.show import counted
    from medtf.oddities import odd_foregrounds

    frame = found.frame
    images = frame["path"].nunique()
    rows = "" if images == len(frame) else f" ({len(frame):,} rows: files of several frames give a row a frame)"
    said = [f"images: {images:,}{rows}   patients: {_count(frame, 'patient')}   series: {_count(frame, 'series')}"]
    unknown = []
    for name in [c for c in frame if c not in _NOT_LABELS and not c.startswith("read_")]:
        known = _known(frame[name])
        if not len(known):
            unknown.append(name)
        elif known.nunique() <= 10 or known.dtype.kind in "if":  # many different words are no label
            said.append(f"  {name}: {listed(frame[name])}")
    if unknown:
        said.append(f"  unknown everywhere: {', '.join(unknown)}")
    said.append("  stored as: " + "; ".join(f"{n:,} x {_stored(s)}" for s, n in frame["syntax"].value_counts().items()))
    if found.meta.get("label_file", "") is None:
        said.append(
            "  no label file: the labels are unknown, and `medtf fit` will refuse the table, unless it pretrains"
        )
    if found.meta.get("columns_left_out"):
        said.append(f"  columns left out, since they may name a person: {', '.join(found.meta['columns_left_out'])}")
    said += [f"  {note}" for note in (*found.meta.get("notes", ()), *odd_foregrounds(found))]
    if len(found.excluded):
        said.append(f"left out: {counted(len(found.excluded), 'file')}")
        said += [f"  {count:,} x {reason}" for reason, count in found.reasons().items()]
    else:
        said.append("left out: nothing")
    return said


_NOT_LABELS = {
    "path",
    "patient",
    "study",
    "series",
    "syntax",
    "pixels",
    "position",
    "modality",
    "manufacturer",
    "fold",
    "boxes",
}


def _count(frame, column: str) -> str:
    values = frame.loc[frame[column] != "", column]
    return f"{values.nunique():,}" if len(values) else "unknown"


def _known(values):
    return values[values.notna() & (values.astype(str) != "")]


def listed(values) -> str:
    """`135 x 0, 25 x 1, 3 x unknown`; of many numbers `18 to 95, mean 52.1`."""
    known = _known(values)
    missing = [f"{len(values) - len(known):,} x unknown"] if len(known) < len(values) else []
    if known.nunique() > 10 and known.dtype.kind in "if":
        return ", ".join([f"{known.min():g} to {known.max():g}, mean {known.mean():.4g}", *missing])
    counts = known.value_counts().sort_index()
    more = [f"{len(counts) - 10} other values"] if len(counts) > 10 else []
    return ", ".join([*(f"{n:,} x {_short(value)}" for value, n in counts.head(10).items()), *more, *missing])


def _stored(syntax: str) -> str:
    from pydicom.uid import UID

    return UID(syntax).name if syntax[:1].isdigit() else syntax.upper()


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cluster(address: str):
    """joblib over a Dask cluster that runs already."""
    import joblib

    from medtf.errors import MedtfError

    try:
        from distributed import Client
    except ImportError as error:
        raise MedtfError("--dask needs the extra `cluster`: pip install 'medtf[cluster]'") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise MedtfError(f"--dask {address}: no scheduler answers there (expected tcp://HOST:8786)") from error
    return joblib.parallel_config(backend="dask", client=client)
