"""`medtf index`: files to an example table."""

import click


@click.command()
@click.argument("pipeline_name", metavar="PIPELINE")
@click.argument("source", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The table to write (.parquet).")
@click.option(
    "--root", type=click.Path(), help="Folder that a sheet's paths are relative to [default: the sheet's own]."
)
@click.option("--config", "config_name", help="Config whose data.columns name the sheet's columns.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as data.columns.patient='Patient ID'.",
)
@click.option("--pixels", is_flag=True, help="Also decode every image: hash it, and leave out what is implausible.")
@click.option("--jobs", default=-1, show_default="all cores", help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Send the work to a Dask cluster, such as tcp://host:8786.")
def command(pipeline_name, source, output, root, config_name, overrides, pixels, jobs, dask):
    """Read the headers of all files of SOURCE into an example table, and say what is there and what was left out.

    PIPELINE is a shipped one (rsna_ich, table) or a .py file; SOURCE is the archive's folder, or for `table` a sheet (CSV, Excel,
    Parquet) or any folder. Only headers are read. A run that was stopped goes on where it was.
    """
    from contextlib import nullcontext
    from pathlib import Path

    from medtf import config as configs
    from medtf import prepare, table
    from medtf.cli import show
    from medtf.data.scan import forget
    from medtf.errors import AskedWronglyError, MedtfError

    if not output.endswith(".parquet"):
        raise AskedWronglyError(f"-o {output}: expected a name that ends in .parquet")
    if not Path(source).exists():
        raise MedtfError(f"{source}: no such file or folder")
    if config_name:
        config = configs.load(config_name, overrides)
    else:
        raw = {"pipeline": pipeline_name}
        for override in overrides:
            configs.override(raw, override)
        config = configs.parse(raw, "--set")
    config = config.model_copy(update={"pipeline": pipeline_name})
    parts = Path(output).with_name(f".{Path(output).stem}.index")
    with _cluster(dask) if dask else nullcontext():
        found = prepare.index(config, source, root=root, jobs=jobs, parts=parts, progress=show.progress)
        if pixels:
            base = Path(root) if root else (Path(source) if Path(source).is_dir() else Path(source).parent)
            found = prepare.check_pixels(found, base, jobs=jobs, progress=show.progress)
    for line in summary(found):
        show.say(line)
    table.save(found, output)
    forget(parts)
    show.say(
        f"table: {output}"
        + (f"   left out: {Path(output).with_suffix('.excluded.csv')}" if len(found.excluded) else "")
    )


def summary(found) -> list[str]:
    """Rows, images, series, patients, labels per image, transfer syntaxes, and what was left out, as lines."""
    from pydicom.uid import UID

    frame = found.frame
    said = [
        f"rows: {len(frame):,}   images: {frame['path'].nunique():,}   series: {_count(frame, 'series')}   patients: {_count(frame, 'patient')}"
    ]
    known = [c for c in frame if c not in _NOT_LABELS and not c.startswith("read_") and frame[c].nunique() <= 10]
    for name in known:
        values = frame[name].value_counts(dropna=False).sort_index()
        said.append(
            f"  {name}: "
            + ", ".join(f"{'unknown' if v != v or v == '' else _short(v)} {n:,}" for v, n in values.items())
        )
    kinds = frame["syntax"].value_counts()
    said.append("  stored as: " + ", ".join(f"{UID(s).name if s[:1].isdigit() else s} {n:,}" for s, n in kinds.items()))
    if found.meta.get("label_file", "") is None:
        said.append("  no label file: the labels are unknown, and `medtf fit` will refuse the table")
    if found.meta.get("columns_left_out"):
        said.append(f"  columns left out, since they may name a person: {', '.join(found.meta['columns_left_out'])}")
    if len(found.excluded):
        said.append(f"left out: {len(found.excluded):,} files")
        said += [f"  {count:,} x {reason}" for reason, count in found.reasons().items()]
    return said


_NOT_LABELS = {"path", "patient", "study", "series", "syntax", "pixels", "position", "modality", "manufacturer"}


def _count(frame, column: str) -> str:
    values = frame.loc[frame[column] != "", column]
    return f"{values.nunique():,}" if len(values) else "unknown"


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
    except (OSError, TimeoutError) as error:
        raise MedtfError(f"--dask {address}: no scheduler answers there") from error
    return joblib.parallel_config(backend="dask", client=client)
