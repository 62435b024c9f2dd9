"""`medtf fit`: train."""

import click


@click.command()
@click.argument("config")
@click.option("--data", "root", type=click.Path(), help="Folder of the data (needed unless --resume finds it).")
@click.option("--run", "folder", type=click.Path(), help="Run folder to make [default: runs/CONFIG-DATE].")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as train.epochs=3. May be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--dry-run", is_flag=True, help="Take one batch through every stage, report included; keeps nothing.")
@click.option("--allow-leaks", is_flag=True, help="Train although patients or pictures stand in two folds.")
def command(config, root, folder, overrides, resume, dry_run, allow_leaks):
    """Train the experiment CONFIG: a shipped name (rsna_ich) or a YAML file.

    Writes a run folder with the config, the table with its folds, the history, the best model and the threshold that was chosen on
    the validation fold. Judge it with `medtf evaluate RUN`.
    """
    import time
    from pathlib import Path

    from medtf import config as configs
    from medtf import runs
    from medtf.cli import show
    from medtf.errors import AskedWronglyError

    parsed = configs.load(config, overrides)
    if resume:
        if not folder:
            raise AskedWronglyError("--resume needs --run: the folder to go on with")
        run = runs.existing(folder)
    else:
        if not root:
            raise AskedWronglyError("--data is missing: the folder of the data")
        run = runs.new(folder or f"runs/{Path(config).stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    show.quiet_tensorflow()
    if dry_run:
        from medtf.dry_run import dry_run as try_out

        try_out(parsed, root, told=_told(show), allow_leaks=allow_leaks)
        return show.say("dry run: every stage works; nothing was kept")
    from medtf import train

    run = (
        train.resume(run, root, told=_told(show))
        if resume
        else train.fit(parsed, root, run, allow_leaks=allow_leaks, told=_told(show))
    )
    show.say(f"run: {run.folder}   next: medtf evaluate {run.folder}")


def _told(show):
    import sys

    from medtf.train import Told

    return Told(say=show.say, bar=show.progress("") if sys.stderr.isatty() else None, progress=show.progress)
