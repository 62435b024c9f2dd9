"""`medtf demo`: synthetic data -> fit -> evaluate -> report, in one command."""

from collections import namedtuple

import click

# `counted`: how many of what are made. `folder`: of the training's data, below OUT/data. `first`: a training without labels
# that comes before: (config, folder of its data, overrides).
Demo = namedtuple("Demo", "what config people settings counted folder first", defaults=("{people} people", "", None))
DEMOS = {
    "ct": Demo("head CT", "ct_demo", 120, {"slices": 20, "matrix": 256}),
    "mri": Demo("brain MRI", "mri_demo", 200, {"spacing": 3.0}),
    "xray": Demo(
        "chest and shoulder radiographs",
        "shoulder_finetune",
        400,
        {"chest": 1000, "size": 128},
        counted="{chest} chests and {people} shoulders",
        folder="shoulder",
        first=("chest_mobilenet", "chest", ()),
    ),
}


@click.command(short_help="Synthetic CT, MRI or radiographs, from nothing to a report.")
@click.argument("kind", type=click.Choice(list(DEMOS)), default="ct")
@click.option(
    "--out",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder for the data and the run.",
)
@click.option(
    "--patients",
    type=click.IntRange(1),
    help="Synthetic people [default: 120 (ct), 200 (mri)], or images of shoulders [400 (xray)].",
)
@click.option("--epochs", type=int, help="Epochs [default: the config's].")
@click.option("--seed", default=0, show_default=True, help="Of the data and the training.")
def command(kind, out, patients, epochs, seed):
    """Make synthetic images, train on them, judge the model on people it has never seen, and write the report.

    ct: a haemorrhage classifier of head CT slices, about four minutes on two CPU cores. mri: age and sex from T1 volumes of
    the brain, about as long. xray: an encoder learns from chests without labels, and goes on to osteoporosis on shoulders
    with labels, about six minutes. Run it again and it starts afresh; OUT/data is made anew only when its settings changed.
    """
    import shutil
    import time
    from pathlib import Path

    from medtf import config, runs
    from medtf.cli import show
    from medtf.cli.evaluate import summary

    demo, out, start = DEMOS[kind], Path(out), time.perf_counter()
    people = patients or demo.people
    settings, steps = {"people": people, "seed": seed, **demo.settings}, 4 if demo.first else 3
    data, mark = out / "data", out / "data.txt"
    if not (mark.exists() and mark.read_text() == repr((kind, settings)) and data.is_dir()):
        show.say(f"1/{steps}  synthetic {demo.what}: {demo.counted.format(**settings)}, seed {seed}")
        mark.unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)
        _write(kind, data, settings)
        mark.write_text(repr((kind, settings)))
    else:
        show.say(f"1/{steps}  synthetic {demo.what}: {data} is there from last time")
    overrides = (f"train.seed={seed}", *((f"train.epochs={epochs}",) if epochs else ()))
    show.quiet_tensorflow()
    from medtf import judging, train
    from medtf.cli.fit import told_by

    if demo.first:
        overrides += (f"model.weights={_before(demo.first, data, out, seed, epochs)}",)
    parsed = config.load(demo.config, overrides)
    show.say(
        f"{steps - 1}/{steps}  train {parsed.model.name} at {' x '.join(map(str, parsed.input.size))}, {parsed.train.epochs} epochs:"
        " a size that two CPU cores can train"
    )
    shutil.rmtree(out / "run", ignore_errors=True)
    run = train.fit(parsed, data / demo.folder, runs.new(out / "run"), told=told_by(show))
    show.say(f"{steps}/{steps}  judge on the test fold")
    for line in summary(judging.evaluate(run)):
        show.say(line)
    show.say(f"done in {time.perf_counter() - start:.0f} s")
    show.say(f"report: {run.report.resolve()}")


def _before(first, data, out, seed: int, epochs: int | None):
    """Train the encoder that the demo starts from; returns its run's folder, which is made afresh."""
    import shutil

    from medtf import config, runs, train
    from medtf.cli import show
    from medtf.cli.fit import told_by

    name, folder, overrides = first
    parsed = config.load(name, (*overrides, f"train.seed={seed}", *((f"train.epochs={epochs}",) if epochs else ())))
    show.say(
        f"2/4  pretrain {parsed.model.name} on {folder} images without labels: {parsed.pretrain.task},"
        f" {parsed.train.epochs} epochs"
    )
    where = out / f"run-{folder}"
    shutil.rmtree(where, ignore_errors=True)
    train.fit(parsed, data / folder, runs.new(where), told=told_by(show))
    return where.resolve()


def _write(kind: str, folder, settings: dict) -> None:
    settings = dict(settings)
    if kind == "ct":
        from medtf.data.phantom import ct

        ct.write(folder, patients=settings.pop("people"), **settings)
    elif kind == "xray":
        from medtf.data.phantom import xray

        xray.write(folder, shoulder=settings.pop("people"), **settings)
    else:
        from medtf.data.phantom import mri

        mri.write(folder, **settings)
