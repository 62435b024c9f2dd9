"""compare.json, compare.html and compare.png of one comparison."""

import base64
import json
from pathlib import Path

import pandas as pd

from medtf.evaluate.compare import COMPARED, DECIDES, TESTS
from medtf.evaluate.compare_words import SHORT, p_text
from medtf.evaluate.draw import paired_plots, plots
from medtf.evaluate.pages.report import PURPOSE, template, write_whole
from medtf.evaluate.paired_metrics import METRICS


def write(folder: Path, content: dict, people: dict[str, pd.DataFrame]) -> None:
    """Write the three files, each whole or not at all.

    Args:
        folder: is there. content: of compare.json. people: {target: the table that `compare.compare` took}.
    """
    drawn = {name: paired_plots.figures(name, found, people[name]) for name, found in content["targets"].items()}
    pictures = {
        name: [{"caption": one.caption, "data": _encoded(paired_plots.alone(one))} for one in made]
        for name, made in drawn.items()
    }
    page = template("compare.html.j2").render(
        title=" against ".join(run["name"] for run in content["runs"]),
        purpose=PURPOSE,
        content=content,
        pictures=pictures,
        metrics=METRICS,
        deciding={kind: names[0] for kind, names in COMPARED.items()},
        tests={kind: [(key, SHORT[key], _of(kind, key)) for key in keys] for kind, keys in TESTS.items()},
        matrices={name: matrix(found) for name, found in content["targets"].items() if len(found["runs"]) > 2},
        p_text=p_text,
    )
    every = [one for made in drawn.values() for one in made]
    write_whole(folder / "compare.png", plots.png(paired_plots.together(every)))
    write_whole(folder / "compare.html", page.encode())
    write_whole(folder / "compare.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def matrix(found: dict) -> list[dict]:
    """Every run against every other: {"run", "cells"}, a cell {"metric", "p", "won"} seen from the row's run, None on the diagonal."""
    kind, runs = found["kind"], list(found["runs"])
    metric, test = COMPARED[kind][0], DECIDES[kind][0]
    cells = {}
    for pair in found["pairs"]:
        there = {key: pair[metric].get(key) for key in ("value", "low", "high", "reason")}
        back = dict(there)
        if there["value"] is not None:
            back["value"] = -there["value"]
        if there["low"] is not None:
            back |= {"low": -there["high"], "high": -there["low"]}
        p = pair[test]["p_holm"]
        for first, second, numbers in ((pair["a"], pair["b"], there), (pair["b"], pair["a"], back)):
            won = None if pair["better"] is None else pair["better"] == first
            cells[first, second] = {"metric": numbers, "p": p, "won": won}
    return [{"run": one, "cells": [cells.get((one, other)) for other in runs]} for one in runs]


def _of(kind: str, test: str) -> str:
    return {"delong": "of the AUCs", "mcnemar": "of right calls", "wilcoxon": "of absolute errors"}[test] + (
        ", decides" if DECIDES[kind][0] == test else ""
    )


def _encoded(figure) -> str:
    return base64.b64encode(plots.png(figure)).decode()
