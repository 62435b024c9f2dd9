"""compare.json, compare.html and compare.png of one comparison."""

import base64
import json
from pathlib import Path

import pandas as pd

from medtf.evaluate import paired_plots, plots
from medtf.evaluate.compare import COMPARED, METRICS
from medtf.evaluate.compare_words import p_text
from medtf.evaluate.report import PURPOSE, template, write_whole


def write(folder: Path, content: dict, people: dict[str, pd.DataFrame]) -> None:
    """Write the three files, each whole or not at all.

    Args:
        folder: is there. content: of compare.json. people: {target: the table that `compare.compare` took}.
    """
    drawn = {name: paired_plots.figures(name, found, people[name]) for name, found in content["targets"].items()}
    pictures = {
        name: [{"caption": caption, "data": _encoded(paired_plots.alone(draw))} for caption, draw in made]
        for name, made in drawn.items()
    }
    page = template("compare.html.j2").render(
        title=" against ".join(run["name"] for run in content["runs"]),
        purpose=PURPOSE,
        content=content,
        pictures=pictures,
        metrics=METRICS,
        compared=COMPARED,
        p_text=p_text,
    )
    write_whole(folder / "compare.png", plots.png(paired_plots.together([d for m in drawn.values() for _, d in m])))
    write_whole(folder / "compare.html", page.encode())
    write_whole(folder / "compare.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _encoded(figure) -> str:
    return base64.b64encode(plots.png(figure)).decode()
