"""`medtf preview`: what the network will see."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="A picture of what the network will see.")
@click.argument("config")
@click.option("--data", "root", required=True, type=UserPath(), help="Folder of the data.")
@click.option(
    "-o", "--output", default="preview.png", show_default=True, type=UserPath(), help="The picture to write (.png)."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as input.size=128. May be repeated.",
)
@click.option("-n", "count", default=6, show_default=True, type=click.IntRange(1, 24), help="Examples.")
@click.option("--augmented", is_flag=True, help="As a training step sees them: window jitter and augmentation.")
def command(config, root, output, overrides, count, augmented):
    """Draw a contact sheet of what the network will see: a row an example, a column a channel, with its labels.

    Reads CONFIG and the data as `medtf fit` would, up to the first batch; positives and negatives of the first target take turns.
    """
    from medtf import config as configs
    from medtf.cli import paths, show

    target = paths.output(output, ".png")
    parsed = configs.load(config, overrides)
    show.quiet_tensorflow()
    from medtf import prepare, preview

    table = prepare.found_table(parsed, root, progress=show.progress)
    with paths.writing(output):
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = preview.draw(parsed, table, root, target, count=count, augmented=augmented)
    how = "as in a training step" if augmented else "as in evaluation"
    show.say(f"preview: {output}   {show.counted(shown, 'example')} of {len(table):,}, {how}")
