"""`medtf demo`: synthetic data -> fit -> evaluate -> report, in one command."""

from collections import namedtuple

import click

Demo = namedtuple("Demo", "what config people settings")
DEMOS = {
    "ct": Demo("head CT", "ct_demo", 120, {"slices": 20, "matrix": 256}),
    "mri": Demo("brain MRI", "mri_demo", 200, {"spacing": 3.0}),
}


@click.command(short_help="Synthetic head CT or brain MRI, from nothing to a report.")
@click.argument("kind", type=click.Choice(list(DEMOS)), default="ct")
@click.option(
    "--out",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder for the data and the run.",
)
@click.option("--patients", type=click.IntRange(1), help="Synthetic people [default: 120 (ct), 200 (mri)].")
@click.option("--epochs", type=int, help="Epochs [default: the config's].")
@click.option("--seed", default=0, show_default=True, help="Of the data and the training.")
def command(kind, out, patients, epochs, seed):
    """Make synthetic images, train on them, judge the model on people it has never seen, and write the report.

    ct: a haemorrhage classifier of head CT slices, about four minutes on two CPU cores. mri: age and sex from T1 volumes of the brain, about
    as long. Run it again and it starts afresh; OUT/data is made anew only when its settings changed.
    """
    import shutil
    import time
    from pathlib import Path

    from medtf import config, runs
    from medtf.cli import show
    from medtf.cli.evaluate import summary

    demo, out, start = DEMOS[kind], Path(out), time.perf_counter()
    people = patients or demo.people
    settings = {"people": people, "seed": seed, **demo.settings}
    data, mark = out / "data", out / "data.txt"
    if not (mark.exists() and mark.read_text() == repr((kind, settings)) and data.is_dir()):
        show.say(f"1/3  synthetic {demo.what}: {people} people, seed {seed}")
        mark.unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)
        _write(kind, data, settings)
        mark.write_text(repr((kind, settings)))
    else:
        show.say(f"1/3  synthetic {demo.what}: {data} is there from last time")
    overrides = (f"train.seed={seed}", *((f"train.epochs={epochs}",) if epochs else ()))
    parsed = config.load(demo.config, overrides)
    show.say(
        f"2/3  train {parsed.model.name} at {' x '.join(map(str, parsed.input.size))}, {parsed.train.epochs} epochs:"
        " a size that two CPU cores can train"
    )
    show.quiet_tensorflow()
    from medtf import judging, train
    from medtf.cli.fit import told_by

    shutil.rmtree(out / "run", ignore_errors=True)
    run = train.fit(parsed, data, runs.new(out / "run"), told=told_by(show))
    show.say("3/3  judge on the test fold")
    for line in summary(judging.evaluate(run)):
        show.say(line)
    show.say(f"done in {time.perf_counter() - start:.0f} s")
    show.say(f"report: {run.report.resolve()}")


def _write(kind: str, folder, settings: dict) -> None:
    settings = dict(settings)
    if kind == "ct":
        from medtf.data.phantom import ct

        ct.write(folder, patients=settings.pop("people"), **settings)
    else:
        from medtf.data.phantom import mri

        mri.write(folder, **settings)
