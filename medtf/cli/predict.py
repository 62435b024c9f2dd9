"""`medtf predict`: a trained run on new files."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="A trained run on new files.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.argument("files", nargs=-1, required=True, type=UserPath())
@click.option("-o", "--output", required=True, type=UserPath(), help="The CSV to write.")
def command(folder, files, output):
    """Predict for new images: FILES may be files and folders, with or without labels.

    The CSV has one row an image (path, probability or value of each target, and whether it lies above the run's threshold). Files that
    cannot be an example stand in it too, with the reason.
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

    found, root = predict_files(run, files, progress=show.progress)
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
