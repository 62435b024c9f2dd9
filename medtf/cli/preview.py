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
@click.option(
    "--augment",
    type=click.Choice(["each"]),
    help="Instead: each random change alone, at three strengths, on one example.",
)
def command(config, root, output, overrides, count, augmented, augment):
    """Draw a contact sheet of what the network will see: a row an example, a column a channel (of volumes a plane), with its labels.

    Reads CONFIG and the data as `medtf fit` would, up to the first batch; positives and negatives of the first target take turns.
    """
    from medtf import config as configs
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError

    if augment and augmented:
        raise AskedWronglyError("--augment each and --augmented draw two different sheets: give one of them")
    target = paths.output(output, ".png")
    parsed = configs.load(config, overrides)
    show.quiet_tensorflow()
    from medtf import prepare, preview, split

    table = prepare.found_table(parsed, root, progress=show.progress)
    table = prepare.with_masks(split.select(table, parsed.data.select), root, parsed, show.say)
    prepare.say_intensities(table, root, parsed, show.say)
    with paths.writing(output):
        target.parent.mkdir(parents=True, exist_ok=True)
        if augment:
            kinds = preview.draw_each(parsed, table, root, target)
            show.say(f"preview: {output}   {show.counted(kinds, 'random change')}, each alone at three strengths")
            return
        shown = preview.draw(parsed, table, root, target, count=count, augmented=augmented)
    how = "as in a training step" if augmented else "as in evaluation"
    show.say(f"preview: {output}   {show.counted(shown, 'example')} of {len(table):,}, {how}")
