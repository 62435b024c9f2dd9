"""`medtf fit`: train."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Train.")
@click.argument("config")
@click.option("--data", "root", type=UserPath(), help="Folder of the data (needed unless --resume finds it).")
@click.option("--run", "folder", type=UserPath(), help="Run folder to make [default: runs/CONFIG-DATE].")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as train.epochs=3. May be repeated.",
)
@click.option("--folds", type=int, help="Cross-validation: a run a fold, each in a process of its own.")
@click.option("--jobs", type=click.IntRange(1), help="Folds trained at once, with --folds.  [default: 1]")
@click.option("--fold", type=click.IntRange(0), hidden=True)  # what a fold's own process is told
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed, by the run's own config.")
@click.option("--dry-run", is_flag=True, help="Take one batch through every stage, report included; keeps nothing.")
@click.option("--allow-leaks", is_flag=True, help="Train although patients or pictures stand in two folds.")
def command(config, root, folder, overrides, folds, jobs, fold, resume, dry_run, allow_leaks):
    """Train the experiment CONFIG: a shipped name (rsna_ich) or a YAML file.

    Writes a run folder with the config, the table with its folds, the history, the best model and the threshold that was chosen on
    the validation fold. Judge it with `medtf evaluate RUN`. A CONFIG with `pretrain` in place of targets learns from images alone; its encoder
    begins other trainings: --set model.weights=RUN.

    With --folds 5 everybody is tested once, each by a model that never saw them: the data are indexed once, patients come into five
    folds, and RUN holds the runs fold-0 to fold-4, which `medtf evaluate RUN` judges together. --resume then skips the folds that are
    trained, goes on with one that was killed, and begins those that are missing.
    """
    from medtf import config as configs
    from medtf import runs
    from medtf.cli import fit_folds, paths, show
    from medtf.errors import AskedWronglyError

    parsed = configs.load(config, overrides)
    if fold is not None:
        return fit_folds.one(folder, fold, root)
    several = folds is not None or (folder and runs.is_parent(folder))
    if jobs is not None and not several:
        raise AskedWronglyError(f"--jobs {jobs}: goes with --folds: a single run is a single process")
    if several and parsed.pretrain:
        raise AskedWronglyError(
            "--folds: a pretraining is one training; for a cross-validation of what follows it, pretrain once for each fold"
            " (--set data.split.folds=5 --set data.split.test_fold=K), so that no fold's patients were seen"
        )
    if several:
        parsed = fit_folds.as_asked(parsed, folder, folds, overrides)
    if resume:
        _refuse_with_resume(folder, overrides, dry_run)
    if several and not dry_run:
        return fit_folds.every(config, parsed, root, folder, jobs=jobs or 1, resume=resume, allow_leaks=allow_leaks)
    if resume:
        run = runs.unfinished(folder)
        if run.config() != parsed:
            show.say(f"the run's own config counts ({run.folder / 'config.yaml'}), which differs from {config}")
    else:
        refuse_early(parsed, root)
        run = None if dry_run else runs.new(folder or dated(config))
    show.quiet_tensorflow()
    if dry_run:
        from medtf.dry_run import dry_run as try_out

        try_out(parsed, root, told=told_by(show), allow_leaks=allow_leaks)
        return show.say("dry run: every stage works; nothing was kept")
    from medtf import train

    try:
        with paths.writing(run.folder, left_there(run, config)):
            if resume:
                train.resume(run, root, told=told_by(show))
            else:
                train.fit(parsed, root, run, allow_leaks=allow_leaks, told=told_by(show))
    except BaseException as error:
        # what an index has done so far serves the same command again; nobody finds it under a dated name, or after a fault
        if not folder or not isinstance(error, KeyboardInterrupt):
            forget(run)
        raise
    show.say(f"run: {run.folder}   next: medtf evaluate {run.folder}")


def dated(config: str) -> str:
    """The default run folder."""
    import time
    from pathlib import Path

    return f"runs/{Path(config).stem}-{time.strftime('%Y%m%d-%H%M%S')}"


def _refuse_with_resume(folder, overrides, dry_run) -> None:
    from medtf.errors import AskedWronglyError

    if not folder:
        raise AskedWronglyError("--resume needs --run: the folder to go on with")
    if overrides:
        raise AskedWronglyError(f"--set {overrides[0]}: a resumed run keeps its config; begin a new run to change it")
    if dry_run:
        raise AskedWronglyError("--dry-run and --resume exclude each other")


def refuse_early(parsed, root) -> None:
    """What can be known without TensorFlow, which takes seconds to import."""
    from pathlib import Path

    from medtf import pipeline
    from medtf.errors import AskedWronglyError, MedtfError

    if not root:
        raise AskedWronglyError("--data is missing: the folder of the data")
    if not Path(root).is_dir():
        what = "is a file; expected the folder of the data" if Path(root).is_file() else "no such folder"
        raise MedtfError(f"--data {root}: {what}")
    pipeline.find(parsed.pipeline)


def left_there(run, config: str) -> str:
    """What a full disk leaves, said when it happens."""

    class Left:
        def __str__(self):
            if run.folder.exists():
                return f"make room, then go on with `medtf fit {config} --run {run.folder} --resume`"
            return "nothing was left there"

    return Left()


def forget(run) -> None:
    """Remove what an index that `fit` made itself has left beside the run."""
    import contextlib
    import shutil

    shutil.rmtree(run.parts, ignore_errors=True)
    if run.folder.parent.name == "runs":
        with contextlib.suppress(OSError):  # only where it is empty
            run.folder.parent.rmdir()


def told_by(show):
    """How a training speaks on the command line."""
    import sys

    from medtf.train import Told

    return Told(say=show.say, bar=show.progress("") if sys.stderr.isatty() else None, progress=show.progress)
