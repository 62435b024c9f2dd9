"""`medtf ensemble`: several runs as one."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Several runs as one: the mean of what they say.")
@click.argument("folders", metavar="RUN RUN [RUN ...]", nargs=-1, required=True, type=UserPath())
@click.option("-o", "--output", required=True, type=UserPath(), help="The folder to make.")
@click.option("--table", type=UserPath(), help="A table of other people, to judge the ensemble on.")
@click.option("--data", "root", type=UserPath(), help="Folder of the data [default: where the first run has them].")
def command(folders, output, table, root):
    """Make an ensemble of trained runs with equal targets, such as seeds of one config: a folder to evaluate and to predict with.

    Its answer is the mean of theirs; how far they differ tells how sure it is. The threshold is chosen anew, on the mean of their validation
    predictions. It is judged on people that no member was trained on; the folds of a cross-validation leave nobody, and need --table.
    """
    from medtf import assembling
    from medtf.cli import paths, show

    with paths.writing(output):
        run, said = assembling.make(folders, output, table=table, root=root)
    for line in said:
        show.say(line)
    show.say(f"ensemble: {run.folder}   judge it with `medtf evaluate {output}`")
