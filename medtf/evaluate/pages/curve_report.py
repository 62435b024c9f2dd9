"""curve.json, curve.csv, curve.png and curve.html of one label-fraction curve."""

import base64
import json
from pathlib import Path

from medtf.evaluate import label_curve
from medtf.evaluate.compare_words import p_text
from medtf.evaluate.draw import curve_plots
from medtf.evaluate.draw.drawing import png
from medtf.evaluate.pages.report import PURPOSE, template, write_whole
from medtf.evaluate.settings_words import share, verdict_of


def write(folder: Path, content: dict, title: str) -> None:
    """Write the four files, each whole or not at all.

    Args:
        folder: is there. content: of curve.json. title: of the page.
    """
    targets, starts = content["targets"], content["weights"]
    pictures = {name: base64.b64encode(png(curve_plots.draw(targets, starts, only=name))).decode() for name in targets}
    page = template("curve.html.j2").render(
        title=title,
        purpose=PURPOSE,
        content=content,
        pictures=pictures,
        tables={name: table(found, starts) for name, found in targets.items()},
        share=share,
        p_text=p_text,
    )
    write_whole(folder / "curve.png", png(curve_plots.draw(targets, starts)))
    write_whole(folder / "curve.csv", label_curve.rows(targets).to_csv(index=False).encode())
    write_whole(folder / "curve.html", page.encode())
    write_whole(folder / "curve.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def table(found: dict, starts: list[str]) -> list[dict]:
    """A row a share: {"share", "patients", "examples", "cells"}; a cell has the number and, but for the first start, its difference and verdict."""
    made = []
    for part in sorted({point["share"] for point in found["points"]}):
        points = {point["weights"]: point for point in found["points"] if point["share"] == part}
        against = {one["weights"]: one for one in found["comparisons"] if one["share"] == part}
        cells = []
        for name in starts:
            one = against.get(name)
            cells.append(
                {
                    "metric": points[name]["metric"],
                    "difference": one,
                    "verdict": verdict_of(one, found["kind"]) if one else None,
                }
            )
        first = points[starts[0]]
        made.append({"share": part, "patients": first["patients"], "examples": first["examples"], "cells": cells})
    return made
