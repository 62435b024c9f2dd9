"""`medtf compare`: which run is better, on the same people."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Which of several runs is better, on the same people.")
@click.argument("folders", metavar="RUN_A RUN_B [RUN_C ...]", nargs=-1, required=True, type=UserPath())
@click.option("--split", "fold", default="test", show_default=True, help="Which fold: train, valid or test.")
@click.option("--common", is_flag=True, help="Compare the people whom all runs have; others are left out and counted.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="One more number to compare, such as f1 or r2; may stand several times.",
)
@click.option("-o", "--output", type=UserPath(), help="Folder to write to [default: compare-RUN_A-RUN_B beside RUN_A].")
def command(folders, fold, common, metrics, output):
    """Compare judged runs on the same people, with paired tests.

    Writes compare.json, compare.html and compare.png. Each run must have been judged with `medtf evaluate`. Runs whose folds differ are
    refused, since one of them would have been trained on people whom the other is tested on; so are runs that were judged on other people,
    unless --common is given: T1 against TOF needs it, as not everybody has both.
    """
    from medtf import comparing
    from medtf.cli import paths, show

    with paths.writing(output or "the comparison", "make room and compare again"):
        content, folder = comparing.compare_runs(folders, fold=fold, common=common, metrics=metrics, output=output)
    for line in summary(content):
        show.say(line)
    show.say(f"report: {folder / 'compare.html'}")


def summary(content: dict) -> list[str]:
    """A table of every target, and what may be said of it."""
    from medtf.evaluate.compare import TESTS
    from medtf.evaluate.compare_words import SHORT, p_text
    from medtf.evaluate.pages.words import with_interval
    from medtf.evaluate.paired_metrics import METRICS

    said = [f"LEAK: {leak}" for leak in content["leaks"]]
    for name, found in content["targets"].items():
        left = ", ".join(f"{count:,} of {run}" for run, count in found["left_out"].items() if count)
        people = f"{found['people']:,} people of the {content['split']} fold are in all runs"
        said.append(f"{name}: {people}" + (f"; left out: {left}" if left else ""))
        labels = METRICS[found["kind"]]
        shown = next(iter(found["runs"].values()))
        rows = [["", *(labels[key].label for key in shown)]]
        rows += [[run, *(with_interval(number) for number in values.values())] for run, values in found["runs"].items()]
        said += aligned(rows)
        tests = TESTS[found["kind"]]
        # of many pairs the number that decides; the page has them all
        compared = found["compared"] if len(found["pairs"]) == 1 else found["compared"][:1]
        rows = [["difference", *(labels[key].label for key in compared), *(SHORT[test] for test in tests)]]
        for pair in found["pairs"]:
            row = [f"{with_interval(pair[key])} {p_text(pair[key]['p_holm'])}" for key in compared]
            rows.append([f"{pair['a']} - {pair['b']}", *row, *(p_text(pair[test]["p_holm"]) for test in tests)])
        said += aligned(rows)
        said.append(found["words"])
    return said + [f"note: {note}" for note in content["notes"]]


def aligned(rows: list[list[str]]) -> list[str]:
    """Cells of each column under one another."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
