"""`medtf split`: give every patient a fold."""

import click


@click.command()
@click.argument("table_path", metavar="TABLE", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Where to write [default: TABLE itself].")
@click.option("--valid", default=0.1, show_default=True, help="Share for validation.")
@click.option("--test", default=0.1, show_default=True, help="Share for the test.")
@click.option("--folds", type=int, help="K folds (0 ... K-1) instead of shares.")
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
    from medtf.cli import show
    from medtf.errors import AskedWronglyError, nearest

    found = table.load(table_path)
    if "fold" in found.frame and not (force or column):
        raise AskedWronglyError(f"{table_path}: has folds already; split it anew with --force")
    if column:
        if column not in found.frame:
            raise AskedWronglyError(f"--column {column!r}: {nearest(column, found.frame.columns)}")
        found = found.with_frame(found.frame.assign(fold=split.given(found.frame[column], column)))
    else:
        wanted = config.parse(
            {"pipeline": "table", "data": {"split": {"valid": valid, "test": test, "folds": folds, "seed": seed}}}
        ).data.split
        found = split.assign(found, wanted.model_copy(update={"stratify": stratify}))
    audit.refuse_leaks(found)
    for line in _shares(found.frame, stratify):
        show.say(line)
    if "pixels" not in found.frame:
        show.say("pixels were not compared (medtf index --pixels): copies under two patients' names would not be seen")
    show.say(f"table: {table.save(found, output or table_path)}")


def _shares(frame, stratify) -> list[str]:
    said = []
    for fold, rows in frame.groupby("fold", sort=True):
        line = (
            f"  {fold}: {len(rows):,} examples ({len(rows) / len(frame):.1%}) of {rows['patient'].nunique():,} patients"
        )
        for name in stratify:
            shares = rows[name].value_counts(normalize=True).sort_index()
            line += f"   {name}: " + ", ".join(
                f"{value} {share:.1%}" for value, share in shares.items() if len(shares) <= 8
            )
        said.append(line)
    return said
