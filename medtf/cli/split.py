"""`medtf split`: give every patient a fold."""

import click

from medtf.cli.paths import UserPath

SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(short_help="Give every patient of a table a fold.")
@click.argument("table_path", metavar="TABLE", type=UserPath())
@click.option("-o", "--output", type=UserPath(), help="Where to write [default: TABLE itself].")
@click.option("--valid", default=0.1, show_default=True, type=SHARE, help="Share for validation.")
@click.option("--test", default=0.1, show_default=True, type=SHARE, help="Share for the test.")
@click.option("--folds", type=click.IntRange(2), help="K folds (0 ... K-1) instead of shares.")
@click.option(
    "--stratify", multiple=True, metavar="COLUMN", help="Balance this column over the folds. May be repeated."
)
@click.option("--column", help="Take the folds from this column of the table.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another split.")
@click.option("--force", is_flag=True, help="Split again a table that has folds.")
def command(table_path, output, valid, test, folds, stratify, column, seed, force):
    """Give every patient of TABLE a fold, balanced by patients, examples and labels; then look for leaks.

    Patients never stand in two folds. Folds that a column brings are audited just the same, and refused when they leak.
    """
    from medtf import audit, config, split, table
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError, nearest

    target = paths.output(output or table_path, ".parquet")
    found = table.load(table_path)
    columns = [name for name in found.frame if not name.startswith("read_")]
    for name in (*stratify, *((column,) if column else ())):
        if name not in columns:
            option = "--column" if name == column else "--stratify"
            raise AskedWronglyError(f"{option} {name!r} is no column of {table_path}: {nearest(name, columns)}")
    if valid + test >= 1:
        raise AskedWronglyError(f"--valid {valid:g} and --test {test:g} leave nothing to train on")
    if "fold" in found.frame and not (force or column):
        raise AskedWronglyError(f"{table_path}: has folds already; split it anew with --force")
    if column:
        found = found.with_frame(found.frame.assign(fold=split.given(found.frame[column], column)))
    else:
        wanted = config.parse(
            {"pipeline": "table", "data": {"split": {"valid": valid, "test": test, "folds": folds, "seed": seed}}}
        ).data.split
        found = split.assign(found, wanted.model_copy(update={"stratify": stratify}))
    audit.refuse_leaks(found)
    with paths.writing(target):
        table.save(found, target)
    for line in _shares(found.frame, stratify):
        show.say(line)
    if "pixels" not in found.frame:
        show.say("pixels were not compared (medtf index --pixels): copies under two patients' names would not be seen")
    show.say(f"table: {target}   next: medtf fit CONFIG --data FOLDER --set data.table={target}")


def _shares(frame, stratify) -> list[str]:
    from medtf.cli.index import listed
    from medtf.cli.show import counted
    from medtf.table import FOLDS

    names = [f for f in FOLDS if (frame["fold"] == f).any()] or sorted(frame["fold"].unique(), key=int)
    said = []
    for fold in names:
        rows = frame[frame["fold"] == fold]
        patients = counted(rows["patient"].nunique(), "patient")
        line = f"  {fold}: {counted(len(rows), 'example')} ({len(rows) / len(frame):.1%}) of {patients}"
        for name in stratify:
            line += f"   {name}: {listed(rows[name])}"
        said.append(line)
    return said
