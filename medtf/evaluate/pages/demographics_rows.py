"""The table of demographics as a page prints it: one line a number, one a level, in text."""

NONE = "–"


def rows(found: dict) -> list[dict]:
    """Lines of {label, note, indent, cells}; one cell a fold, in the order of `found["folds"]`.

    Args:
        found: as `demographics.table` gives it.
    """
    lines = [
        _line("Patients", [f"{n:,}" for n in found["patients"]]),
        _line("Examples", [f"{n:,}" for n in found["examples"]]),
    ]
    for row in found["rows"]:
        if "numbers" in row:
            lines.append(_line(row["column"], [_quartiles(n) for n in row["numbers"]], note="median (quartiles)"))
        elif "positive" in row:
            lines += _prevalence(row)
        else:
            lines.append(_line(row["column"], [""] * len(found["folds"]), note="patients (%)"))
            lines += [_line(v["level"], _shares(v["counts"], row["known"]), indent=True) for v in row["levels"]]
        if any(row["unknown"]):
            lines.append(_line("unknown", [f"{n:,}" if n else "0" for n in row["unknown"]], indent=True, quiet=True))
    return lines


def _prevalence(row: dict) -> list[dict]:
    label = f"{row['column']} = {row['positive']}"
    examples = [f["positives"] for f in row["examples"]], [f["known"] for f in row["examples"]]
    return [
        _line(label, _shares(row["levels"][0]["counts"], row["known"]), note="patients with any such example (%)"),
        _line("of the examples", _shares(*examples), indent=True),
    ]


def _line(label: str, cells: list[str], *, note: str = "", indent: bool = False, quiet: bool = False) -> dict:
    return {"label": str(label), "note": note, "indent": indent, "quiet": quiet, "cells": cells}


def _shares(counts: list[int], known: list[int]) -> list[str]:
    return [f"{c:,} ({100 * c / k:.1f})" if k else NONE for c, k in zip(counts, known, strict=True)]


def _quartiles(n: dict) -> str:
    if not n["n"]:
        return NONE
    return f"{_short(n['median'])} ({_short(n['q1'])} to {_short(n['q3'])})"


def _short(value: float) -> str:
    return f"{value:.1f}" if 10 <= abs(value) < 1000 else f"{value:.4g}"
