"""`medtf predict`: a trained run on new files."""

import click


@click.command()
@click.argument("folder", metavar="RUN")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The CSV to write.")
def command(folder, files, output):
    """Predict for new images: FILES may be files and folders, with or without labels.

    The CSV has one row an image (path, probability or value of each target, and whether it lies above the run's threshold). Files that
    cannot be an example stand in it too, with the reason.
    """
    from medtf import runs
    from medtf.cli import show

    run = runs.existing(folder)
    show.quiet_tensorflow()
    from medtf.predicting import predict_files

    found = predict_files(run, files, progress=show.progress)
    text = found.to_csv(index=False)
    from pathlib import Path

    Path(output).parent.mkdir(parents=True, exist_ok=True)
    runs.write_text(Path(output), text)
    predicted = found["reason"] == ""
    for reason, count in found.loc[~predicted, "reason"].value_counts().items():
        show.say(f"  left out: {count} x {reason}")
    show.say(f"predicted {int(predicted.sum()):,} images, left out {int((~predicted).sum()):,}: {output}")
