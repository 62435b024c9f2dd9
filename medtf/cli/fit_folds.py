"""`medtf fit --folds`: every fold of a cross-validation, and what one fold's own process does."""


def as_asked(parsed, folder, folds, overrides):
    """The config with its folds; what `--folds` asks must fit what is there.

    Raises:
        AskedWronglyError: too few folds, `--set` of the same, or other folds than the folder has.
    """
    from medtf import folds as cross
    from medtf import runs
    from medtf.errors import AskedWronglyError

    if folder and runs.is_parent(folder):
        there = cross.Parent(folder).count
        if folds not in (None, there):
            raise AskedWronglyError(
                f"--folds {folds}: {folder} has {there} folds; take another --run for another split"
            )
        folds = there
    cross.refuse(folds, overrides)
    return cross.as_folds(parsed, folds)


def every(config, parsed, root, folder, *, jobs: int, resume: bool, allow_leaks: bool) -> None:
    """Train what is missing of a cross-validation, new or begun."""
    import shutil

    from medtf import fold_processes
    from medtf import folds as cross
    from medtf.cli import fit, paths, show
    from medtf.errors import StoppedError

    if resume:
        parent = cross.Parent(folder)
        if parent.run.config() != parsed:
            show.say(f"the run's own config counts ({folder}/config.yaml), which differs from {config}")
        _say_what_stands(parent, show)
    else:
        parent = _new(config, parsed, root, folder, allow_leaks)
    left = fit.left_there(parent.run, config)
    try:
        with paths.writing(parent.folder, left):
            fold_processes.train(parent, jobs=jobs, root=root, say=show.say, murmur=_murmur)
    except BaseException as error:
        begun = any(run.folder.exists() for run in parent.children())
        if not resume and not begun and not isinstance(error, (StoppedError, KeyboardInterrupt)):
            shutil.rmtree(parent.folder)  # nothing could be trained as it was asked for
            fit.forget(parent.run)
        raise
    show.say(f"{parent.count} folds: {parent.folder}   next: medtf evaluate {parent.folder}")


def one(folder, fold: int, root) -> None:
    """In the process of one fold."""
    from medtf import fold_processes
    from medtf import folds as cross
    from medtf.cli import fit, show

    fold_processes.end_with_parent()
    parent = cross.Parent(folder)
    show.quiet_tensorflow()
    fold_processes.train_one(parent, fold, root, told=fit.told_by(show))


def _new(config, parsed, root, folder, allow_leaks):
    """The folder with the table that all folds share, once nothing stands against the training."""
    from medtf import folds as cross
    from medtf import runs
    from medtf.cli import fit, paths, show

    fit.refuse_early(parsed, root)
    run = runs.new(folder or fit.dated(config))
    _refuse_model(parsed)
    try:
        with paths.writing(run.folder):
            return cross.create(parsed, root, run.folder, allow_leaks=allow_leaks, progress=show.progress, say=show.say)
    except BaseException as error:
        if not folder or not isinstance(error, KeyboardInterrupt):
            fit.forget(run)
        raise


def _refuse_model(parsed) -> None:
    """What is wrong with the network shows before the files are read.

    It is looked at in a process of its own: this one waits for the folds, and holds neither TensorFlow's memory nor a GPU meanwhile.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(_look_at_model, parsed).result()


def _look_at_model(parsed) -> None:
    from medtf.cli import show

    show.quiet_tensorflow()
    from medtf.beforehand import refuse_model

    refuse_model(parsed)


def _say_what_stands(parent, show) -> None:
    for fold, run in enumerate(parent.children()):
        state = "trained" if run.ended() else "begun" if run.folder.exists() else "not begun"
        show.say(f"fold {fold}: {state}")


def _murmur(line: str) -> None:
    import click

    click.echo(line, err=True)
