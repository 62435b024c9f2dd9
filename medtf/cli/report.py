"""`medtf report`: the report of a judged run, anew."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Write the report of a judged run anew, or print it as a PDF.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.option("--pdf", is_flag=True, help="Also print it to report.pdf, with Chromium or Chrome where one is found.")
def command(folder, pdf):
    """Write report.html of a judged RUN from what lies in its folder, and with --pdf report.pdf beside it.

    Nothing is predicted and no image is read: the data may be away. A run that was judged by an older medtf is refused; judge it again
    with `medtf evaluate RUN`. MEDTF_BROWSER names the browser to print with.
    """
    from medtf import reporting, reporting_pretraining, runs
    from medtf.cli import paths, show

    run = runs.Run(folder) if runs.is_parent(folder) else runs.existing(folder)
    runs.refuse_unwritable(run.folder, folder)
    with paths.writing(run.folder, "make room and write it again"):
        page = (reporting_pretraining.write if runs.is_pretraining(folder) else reporting.again)(run)
        show.say(f"report: {page}")
        if pdf:
            from medtf import printing

            show.say(f"pdf: {printing.pdf(page, page.with_suffix('.pdf'))}")
