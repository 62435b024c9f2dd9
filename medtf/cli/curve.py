"""`medtf curve`: what pretraining is worth when labels are few."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="A label-fraction curve: what weights are worth when labels are few.")
@click.argument("config")
@click.option("--data", "root", type=UserPath(), help="Folder of the data.")
@click.option(
    "--weights",
    "sources",
    multiple=True,
    metavar="RUN|FILE|imagenet|none",
    help="What to start from; may stand several times, and the others are compared to the first.  [default: none]",
)
@click.option("--shares", default="1,5,10,25,100", show_default=True, help="Percent of the training patients.")
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each, from other seeds."
)
@click.option(
    "--probe", type=click.Choice(["linear", "knn"]), help="Probe frozen encoders in place of training: seconds."
)
@click.option(
    "--min-steps",
    "least_steps",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Epochs enough for N steps, however few the labels.  [default: the config's epochs]",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, such as train.epochs=3.")
@click.option("--allow-leaks", is_flag=True, help="Go on although patients or pictures stand in two folds.")
@click.option("-o", "--output", required=True, type=UserPath(), help="Folder to make, or to go on with.")
@click.option("--point", type=click.IntRange(0), hidden=True)  # what a training's own process is told
def command(config, root, sources, shares, seeds, probe, least_steps, overrides, allow_leaks, output, point):
    """Train CONFIG on a part of the labels and on all of them, from each start and with several seeds, and draw what that gives.

    Every training is judged on the same test fold. The data are indexed once; each training is a process of its own and an ordinary run
    folder in OUTPUT/runs. A training that is done is not done again: give the same command to go on after a stop, or with more shares,
    seeds or weights. Writes curve.json, curve.csv, curve.png and curve.html.
    """
    from medtf import config as configs

    if point is not None:
        return _one(output, point)
    from medtf.curves import Plan
    from medtf.errors import AskedWronglyError
    from medtf.starts import PROBED, TRAINED, names

    parsed = configs.load(config, overrides)
    _refuse(parsed, config, overrides)
    found = names(sources or ("none",), PROBED if probe else TRAINED)
    if probe and least_steps:
        raise AskedWronglyError(f"--min-steps {least_steps}: a probe takes no steps; leave it, or --probe, out")
    plan = Plan(tuple(found), percents(shares), seeds, least_steps, probe)
    curve = _made(parsed, root, output, plan, found, allow_leaks)
    _work(curve, probe, again=_again(config, root, sources, shares, seeds, probe, least_steps, overrides, output))
    _tell(curve)


def percents(text: str) -> tuple[float, ...]:
    """`1,5,100` -> (0.01, 0.05, 1.0), ascending.

    Raises:
        AskedWronglyError: no numbers above 0 and up to 100.
    """
    from medtf.errors import AskedWronglyError

    try:
        found = sorted({float(part) for part in text.replace("%", "").split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or not all(0 < part <= 100 for part in found):
        raise AskedWronglyError(f"--shares {text}: expected percents above 0 and up to 100, such as 1,5,10,25,100")
    return tuple(part / 100 for part in found)


def _refuse(parsed, config: str, overrides) -> None:
    from medtf.errors import AskedWronglyError

    if parsed.pretrain is not None:
        raise AskedWronglyError(
            f"{config}: is a pretraining; name a config with targets, and the pretraining with --weights"
        )
    for one in overrides:
        for key, option in (("data.labels", "--shares"), ("model.weights", "--weights")):
            if one.partition("=")[0].startswith(key) and not one.startswith("data.labels.seed="):
                raise AskedWronglyError(f"--set {one}: is what a curve varies; name it with {option}")


def _made(parsed, root, output, plan, sources, allow_leaks):
    """The curve's folder: new, or the one that is there."""
    from pathlib import Path

    from medtf import curves
    from medtf.cli import fit_folds, paths, show
    from medtf.cli.fit import refuse_early

    # the share is what is varied
    parsed = parsed.model_copy(update={"data": parsed.data.model_copy(update={"labels": _whole(parsed.data.labels)})})
    if Path(output).is_dir():
        curve = curves.Curve(output)
        curves.refuse_other(curve, parsed)
        curve = curves.planned(curve, plan, sources, root, allow_leaks=allow_leaks)
        show.say(f"{curve.folder}: {len(curve.points) - len(curve.missing())} of {len(curve.points)} points are done")
        return curve
    refuse_early(parsed, root)
    for source in {"imagenet", "none"} & set(sources.values()):
        fit_folds._refuse_model(
            parsed.model_copy(update={"model": parsed.model.model_copy(update={"weights": source})})
        )
    with paths.writing(output):
        return curves.create(
            parsed, root, output, plan, sources, allow_leaks=allow_leaks, progress=show.progress, say=show.say
        )


def _whole(labels):
    return labels.model_copy(update={"share": 1.0})


def _work(curve, probe, again: str) -> None:
    """Train, or probe, what is missing."""
    from medtf import curve_processes
    from medtf.cli import paths, show

    if not curve.missing():
        return
    with paths.writing(curve.folder, f"make room, then go on with `{again}`"):
        if not probe:
            curve_processes.train(curve, again=again, say=show.say, murmur=lambda line: click.echo(line, err=True))
            return
        show.quiet_tensorflow()
        from medtf import curve_points

        curve_points.probe_all(curve, progress=show.progress, say=show.say)


def _tell(curve) -> None:
    from medtf import curve_results
    from medtf.cli import paths, show

    with paths.writing(curve.folder, "make room and give the command again"):
        content = curve_results.judge(curve)
    for line in summary(content):
        show.say(line)
    show.say(f"curve: {curve.folder / 'curve.html'}")


def summary(content: dict) -> list[str]:
    """A table of every target, and what may be said of it."""
    from medtf.cli.compare import aligned
    from medtf.evaluate.pages.words import with_interval
    from medtf.evaluate.settings_words import heading, share

    said = [f"LEAK: {leak}" for leak in content["leaks"]]
    for name, found in content["targets"].items():
        said.append(heading(name, found))
        rows = [["labels", "patients", *content["weights"]]]
        for part in content["shares"]:
            points = {one["weights"]: one for one in found["points"] if one["share"] == part}
            first = next(iter(points.values()))
            cells = [with_interval(points[weights]["metric"]) for weights in content["weights"]]
            rows.append([share(part), f"{first['patients']:,.0f}", *cells])
        said += [*aligned(rows), found["words"]]
    return said + [f"note: {note}" for note in content["notes"]]


def _again(config, root, sources, shares, seeds, probe, least_steps, overrides, output) -> str:
    """The command as it was typed."""
    import shlex

    words = ["medtf", "curve", config, *(["--data", root] if root else [])]
    for source in sources:
        words += ["--weights", source]
    words += ["--shares", shares, "--seeds", str(seeds)]
    words += ["--probe", probe] if probe else []
    words += ["--min-steps", str(least_steps)] if least_steps else []
    for one in overrides:
        words += ["--set", one]
    return shlex.join([*words, "-o", output])


def _one(output, point: int) -> None:
    """In the process of one training."""
    from medtf.cli import fit, show
    from medtf.curves import Curve
    from medtf.fold_processes import end_with_parent

    end_with_parent()
    curve = Curve(output)
    show.quiet_tensorflow()
    from medtf import curve_points

    curve_points.train_one(curve, point, told=fit.told_by(show))
