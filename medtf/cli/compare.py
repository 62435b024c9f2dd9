"""`medtf compare`: which run is better, on the same people."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Which of several runs is better, on the same people.")
@click.argument("folders", metavar="RUN_A RUN_B [RUN_C ...]", nargs=-1, required=True, type=UserPath())
@click.option("--split", "fold", default="test", show_default=True, help="Which fold: train, valid or test.")
@click.option("-o", "--output", type=UserPath(), help="Folder to write to [default: compare-RUN_A-RUN_B beside RUN_A].")
def command(folders, fold, output):
    """Compare judged runs on the people that all of them predicted, with paired tests.

    Writes compare.json, compare.html and compare.png. Each run must have been judged with `medtf evaluate`; runs whose folds differ are
    refused, since one of them would have been trained on people whom the other is tested on. People whom only one run has are left out.
    """
    from medtf import comparing
    from medtf.cli import paths, show

    with paths.writing(output or "the comparison", "make room and compare again"):
        content, folder = comparing.compare_runs(folders, fold=fold, output=output)
    for line in summary(content):
        show.say(line)
    show.say(f"report: {folder / 'compare.html'}")


def summary(content: dict) -> list[str]:
    """A table of every target, and what may be said of each pair."""
    from medtf.evaluate.compare import COMPARED, METRICS
    from medtf.evaluate.compare_words import p_text
    from medtf.evaluate.words import with_interval

    said = [f"LEAK: {leak}" for leak in content["leaks"]]
    for name, found in content["targets"].items():
        left = ", ".join(f"{count:,} of {run}" for run, count in found["left_out"].items() if count)
        people = f"{found['people']:,} people of the {content['split']} fold are in all runs"
        said.append(f"{name}: {people}" + (f"; left out: {left}" if left else ""))
        labels = METRICS[found["kind"]]
        rows = [["", *(label for label, _ in labels.values())]]
        rows += [[run, *(with_interval(values[key]) for key in labels)] for run, values in found["runs"].items()]
        said += aligned(rows)
        compared = COMPARED[found["kind"]]
        wilcoxon = ["Wilcoxon"] if found["kind"] == "regression" else []
        rows = [["difference", *(labels[key][0] for key in compared), *wilcoxon]]
        for pair in found["pairs"]:
            row = [f"{with_interval(pair[key])} {p_text(pair[key]['p_holm'])}" for key in compared]
            tested = [p_text(pair["wilcoxon"]["p_holm"])] if wilcoxon else []
            rows.append([f"{pair['a']} - {pair['b']}", *row, *tested])
        said += aligned(rows)
        said += [pair["words"] for pair in found["pairs"]]
    return said + [f"note: {note}" for note in content["notes"]]


def aligned(rows: list[list[str]]) -> list[str]:
    """Cells of each column under one another."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
