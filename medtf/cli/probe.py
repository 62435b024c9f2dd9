"""`medtf probe`: what frozen encoders know of the targets."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="What a frozen encoder knows: linear and nearest-neighbour probes.")
@click.argument("config")
@click.option("--data", "root", type=UserPath(), help="Folder of the data.")
@click.option(
    "--weights",
    "sources",
    multiple=True,
    metavar="RUN|FILE|imagenet|none",
    help="Where the encoder comes from; may stand several times, and the others are compared to the first.  [default: the config's]",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(["linear", "knn"]),
    help="How the features are read; may stand several times.  [default: both]",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, such as input.size=64.")
@click.option("--allow-leaks", is_flag=True, help="Go on although patients or pictures stand in two folds.")
@click.option("-o", "--output", type=UserPath(), help="Folder to make [default: runs/probe-CONFIG-DATE].")
def command(config, root, sources, methods, overrides, allow_leaks, output):
    """Read the targets of CONFIG off the features of encoders that stay as they are.

    Every image goes through the encoder once. A linear probe (logistic or ridge regression) and a nearest-neighbour probe are fitted on the
    training fold, their strength is chosen on the validation fold, and the test fold judges. Writes probe.json, probe.csv and predictions.
    """
    from medtf import config as configs
    from medtf import runs
    from medtf.cli import paths, show
    from medtf.cli.fit import dated, refuse_early
    from medtf.errors import AskedWronglyError
    from medtf.starts import PROBED, names

    parsed = configs.load(config, overrides)
    sources = names(sources or (parsed.model.weights,), PROBED)
    refuse_early(parsed, root)
    if parsed.pretrain is not None:
        raise AskedWronglyError(
            f"{config}: is a pretraining; name a config with targets, and the pretraining with --weights"
        )
    run = runs.new(output or dated(f"probe-{config.rpartition('/')[2]}"), "-o")
    show.quiet_tensorflow()
    from medtf import probing

    with paths.writing(run.folder):
        content = probing.probe(
            parsed,
            root,
            sources,
            methods or ("linear", "knn"),
            run.folder,
            allow_leaks=allow_leaks,
            progress=show.progress,
            say=show.say,
        )
    for line in summary(content):
        show.say(line)
    show.say(f"probe: {run.folder / 'probe.json'}")


def summary(content: dict) -> list[str]:
    """A table of every target, and what may be said of it."""
    from medtf.cli.compare import aligned
    from medtf.evaluate.pages.words import with_interval
    from medtf.evaluate.settings_words import heading

    said = [f"LEAK: {leak}" for leak in content["leaks"]]
    for name, found in content["targets"].items():
        said.append(heading(name, found))
        rows = [["", *content["methods"]]]
        for weights in content["weights"]:
            each = {one["method"]: one for one in found["probes"] if one["weights"] == weights}
            cells = [
                f"{with_interval(each[m][found['metric']])}  {_chosen(each[m]['chosen'])}" for m in content["methods"]
            ]
            rows.append([weights, *cells])
        said += [*aligned(rows), *([found["words"]] if found["comparisons"] else [])]
    return said + [f"note: {note}" for note in content["notes"]]


def _chosen(chosen: dict) -> str:
    key, value = next(iter(chosen.items()))
    return f"{key} {value:g}"
