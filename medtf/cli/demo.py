"""`medtf demo`: synthetic data -> fit -> evaluate -> report, in one command."""

import click


@click.command(short_help="Synthetic head CT, from nothing to a report.")
@click.argument("kind", type=click.Choice(["ct"]), default="ct")
@click.option(
    "--out",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder for the data and the run.",
)
@click.option("--patients", default=120, show_default=True, help="Synthetic patients.")
@click.option("--epochs", type=int, help="Epochs [default: the config's].")
@click.option("--seed", default=0, show_default=True, help="Of the data, the split and the training.")
def command(kind, out, patients, epochs, seed):
    """Make synthetic head CT, train a haemorrhage classifier on it, judge it on patients it has never seen, and write the report.

    Takes about four minutes on two CPU cores. Run it again and it starts afresh; OUT/data is made anew only when its settings changed.
    """
    import shutil
    import time
    from pathlib import Path

    from medtf import config, runs
    from medtf.cli import show
    from medtf.cli.evaluate import summary
    from medtf.data.phantom import ct

    out, start = Path(out), time.perf_counter()
    settings = {"patients": patients, "seed": seed, "slices": 20, "matrix": 256}
    data, mark = out / "data", out / "data.txt"
    if not (mark.exists() and mark.read_text() == repr(settings) and data.is_dir()):
        show.say(f"1/3  synthetic head CT: {patients} patients, 20 slices of 256 x 256 each, seed {seed}")
        mark.unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)
        ct.write(data, **settings)
        mark.write_text(repr(settings))
    else:
        show.say(f"1/3  synthetic head CT: {data} is there from last time")
    overrides = (f"train.seed={seed}", *((f"train.epochs={epochs}",) if epochs else ()))
    parsed = config.load("ct_demo", overrides)
    show.say(
        f"2/3  train {parsed.model.name} at {parsed.input.size[0]} x {parsed.input.size[1]} pixels, {parsed.train.epochs} epochs:"
        " a size that two CPU cores can train"
    )
    show.quiet_tensorflow()
    from medtf import judging, train
    from medtf.cli.fit import _told

    shutil.rmtree(out / "run", ignore_errors=True)
    run = train.fit(parsed, data, runs.new(out / "run"), told=_told(show))
    show.say("3/3  judge on the test fold")
    for line in summary(judging.evaluate(run)):
        show.say(line)
    show.say(f"done in {time.perf_counter() - start:.0f} s")
    show.say(f"report: {run.report.resolve()}")
