"""`medtf predict`: a trained run on new files."""

import click

from medtf.cli.paths import UserPath


class Passes(click.ParamType):
    """How many passes: 0 is none, one would have no spread."""

    name = "integer"

    def convert(self, value, param, ctx):
        """0, 2, 3, ..."""
        if not str(value).isdigit() or int(value) == 1:
            self.fail(f"{value!r}: expected 2 or more passes, or 0 for none; 20 is usual", param, ctx)
        return int(value)


PASSES = Passes()


@click.command(short_help="A trained run on new files.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.argument("files", nargs=-1, required=True, type=UserPath())
@click.option("-o", "--output", required=True, type=UserPath(), help="The CSV to write.")
@click.option(
    "--mc-dropout", type=PASSES, default=0, help="Passes with dropout left on, for their spread; 20 is usual."
)
@click.option(
    "--tta", type=PASSES, default=0, help="Passes over images changed by the run's `augment`, for their spread."
)
def command(folder, files, output, mc_dropout, tta):
    """Predict for new images: FILES may be files and folders, with or without labels. RUN may be an ensemble.

    The CSV has one row an image (path, probability or value of each target, and whether it lies above the run's threshold). Files that
    cannot be an example stand in it too, with the reason. With passes it also tells how far they differ; a run that was
    judged adds conformal intervals (_low, _high) and sets of classes (_set), a calibrated one its probabilities (docs/metrics.md).
    """
    from pathlib import Path

    from medtf import runs
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError, MedtfError

    run = runs.finished(folder)
    target = paths.output(output, ".csv")
    if target.exists() and not target.read_bytes()[:11].startswith(b"path,frame,"):
        raise AskedWronglyError(f"-o {output}: is there, and holds no predictions: choose another name")
    for name in files:
        if not Path(name).exists():
            raise MedtfError(f"{name}: no such file or folder")
    show.quiet_tensorflow()
    from medtf.predicting import predict_files

    found, root = predict_files(run, files, mc_dropout=mc_dropout, tta=tta, progress=show.progress)
    with paths.writing(output):
        target.parent.mkdir(parents=True, exist_ok=True)
        runs.write_text(target, found.to_csv(index=False))
    predicted = found["reason"] == ""
    left_out = found.loc[~predicted, "reason"]
    say = f"predicted: {show.counted(int(predicted.sum()), 'image')}"
    show.say(say + (f"   left out: {show.counted(len(left_out), 'file')}" if len(left_out) else "   left out: nothing"))
    for reason, count in left_out.value_counts().items():
        show.say(f"  {count:,} x {reason}")
    show.say(f"predictions: {output}   paths in it are below {root}")
