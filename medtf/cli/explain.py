"""`medtf explain`: where the network looks."""

import click

from medtf.cli.paths import UserPath

METHOD = "grad-cam"
PICKS = ("mistakes", "uncertain", "random", "all")


@click.command(short_help="Heat maps: where a run's network looks.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.argument("files", nargs=-1, type=UserPath())
@click.option("--data", "root", type=UserPath(), help="Folder of the data, when it has moved since the training.")
@click.option("--split", "fold", help="Rows of which fold: train, valid or test.  [default: test]")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    help=f"How the maps are made; may stand several times.  [default: {METHOD}]",
)
@click.option("--target", help="Which target is explained, where the run has several.")
@click.option(
    "--class", "of_class", metavar="CLASS", help="Of a target with classes.  [default: the one that each row is called]"
)
@click.option("--layer", help="The layer to look into, by name or path.  [default: the last one that has places]")
@click.option("--against", is_flag=True, help="What speaks against the class, or for a lower value.")
@click.option("--pick", type=click.Choice(PICKS), help="Which rows are shown.  [default: mistakes; of FILES all]")
@click.option("--count", type=click.IntRange(1), help="How many at the most.  [default: 16; with --pick all no limit]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn by chance.")
@click.option(
    "--regions", type=UserPath(), help="Folder of label volumes: how hot each region is, over all people shown."
)
@click.option("--region-names", type=UserPath(), metavar="CSV", help="What the labels are called: columns index,name.")
@click.option("--group", metavar="COLUMN", help="A column of the table: the mean map of each of its groups.")
@click.option(
    "--no-trust", is_flag=True, help="Do not check whether the maps depend on what was learnt; the page says so."
)
@click.option("-o", "--output", type=UserPath(), help="Folder to make, or to make anew.  [default: RUN/explain]")
def command(folder, files, root, fold, methods, output, no_trust, **asked):
    """Draw heat maps of what a trained RUN's network looks at: for rows of a fold, or for new FILES (images, volumes, folders; then -o is needed).

    Writes explain.html with all of them, explain.json, and METHOD/row_000123.png; of volumes also .nii.gz on the grid of the image's own
    file, which opens over it in any viewer. Before anything is drawn it is checked whether the maps of a method depend on what this network
    has learnt; a method that fails is marked so at every picture. docs/explanations.md says how to read them.
    """
    from pathlib import Path

    from medtf import runs
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError

    run = runs.finished(folder)
    if files and output is None:
        raise AskedWronglyError(
            f"{files[0]}: maps of new files do not belong into the run: name a folder for them with -o"
        )
    if files and (fold or root):
        raise AskedWronglyError(
            f"{'--split' if fold else '--data'}: is of the run's own table; leave it, or the files, out"
        )
    target = Path(output or run.folder / "explain")
    show.quiet_tensorflow()
    from medtf.explain.methods import METHODS
    from medtf.explain.runs import explaining, new_files, subject, whole

    wanted = _asked(explaining.Asked, files, tuple(methods or (METHOD,)), trust=not no_trust, **asked)
    whole.refuse(target, explaining.MARK, ours=("explain.html", "rows.csv", *METHODS), kept=explaining.KEPT)
    table, excluded = None, None
    if files:
        explaining.refuse(run, wanted)
        table, root = new_files.rows(run, files, progress=show.progress)
        excluded = table.excluded
    else:
        fold = fold or "test"
        run.rows_of(fold), run.root(root)
        explaining.refuse(run, wanted)
    opened = subject.opened(
        folder,
        root=root,
        fold=fold,
        table=table,
        look=lambda model: explaining.refuse_model(run, model, wanted),
        progress=show.progress("predictions"),
    )
    with paths.writing(target, "what was there before is as it was"):
        content = explaining.explain(opened, wanted, target, fold=fold, progress=show.progress)
    for line in summary(content):
        show.say(line)
    for reason, count in [] if excluded is None else excluded["reason"].value_counts().items():
        show.say(f"left out: {count:,} x {reason}")
    show.say(f"page: {target / 'explain.html'}")


def _asked(kind, files, methods, *, pick, count, trust, regions, region_names, **more):
    from pathlib import Path

    pick = pick or ("all" if files else "mistakes")
    count = count or (None if pick == "all" else 16)
    regions, region_names = (path and Path(path) for path in (regions, region_names))
    return kind(methods, pick=pick, count=count, trust=trust, regions=regions, region_names=region_names, **more)


def summary(content: dict) -> list[str]:
    """What was explained, and a line for each method: where it looks, and whether it may be trusted."""
    from medtf.cli.compare import aligned
    from medtf.cli.show import counted

    n = content["n"]
    of = f"the {content['split']} fold" if content["split"] else "the new files"
    said = [
        f"{content['words']}: {n['shown']:,} of {counted(n['rows'], 'row')} of {of}, {counted(n['patients'], 'patient')}",
        content["picked"]["words"],
    ]
    rows = [[one["name"], one["where"], _trust(one["trust"])] for one in content["methods"]]
    return said + aligned(rows) + [f"note: {note}" for note in content["notes"]]


def _trust(verdict: dict | None) -> str:
    return "not checked" if verdict is None else verdict["words"]
