"""`medtf doctor`: what this machine has, what it lacks, and how to mend that."""

import sys

import click


@click.command()
def command():
    """Say what this machine has: versions, devices, precision, DICOM decoders, W&B, disk.

    Ends with 1 where something needed is missing, and names it.
    """
    from medtf import doctor
    from medtf.errors import MedtfError

    facts = doctor.examine()
    if sys.stdout.isatty():
        _table(facts)
    else:
        for section, lines in facts.items():
            for fact in lines:
                click.echo(f"{section}: {fact.name}: {fact.value}{' (MISSING)' if fact.missing else ''}")
    lacking = doctor.missing(facts)
    if lacking:
        raise MedtfError("missing: " + "; ".join(lacking))
    click.echo("Everything needed is here.")


def _table(facts):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for section, lines in facts.items():
        for row, fact in enumerate(lines):
            heading = Text(section if row == 0 else "", style="bold")
            value = Text(fact.value, style="red") if fact.missing else Text(fact.value)
            table.add_row(heading, Text(fact.name), value)
    Console(highlight=False).print(table)
