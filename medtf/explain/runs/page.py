"""explain.html: what a page of maps holds, from the content of explain.json and the pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from medtf import gallery_pictures
from medtf.config import Config
from medtf.evaluate.pages import explain_report
from medtf.explain.runs import overlays, region_files

MOST = 40  # regions on the page, the hottest


def encoded(picture: np.ndarray) -> str:
    """A picture as a small data URI."""
    return gallery_pictures.encoded(picture)


def write(folder: Path, content: dict, shown: dict[tuple[int, str], str], config: Config) -> Path:
    """Write the page, whole.

    Args:
        folder: with the pictures in it. content: of explain.json.
        shown: {(place of the case, method): picture as a data URI}. config: of the run.
    """
    labels = {method["name"]: method["label"] for method in content["methods"]}
    means = [
        {
            "method": labels[name],
            "words": one["words"],
            "group": one["name"],
            "picture": _kept(folder / name / one["files"]["picture"]),
        }
        for name, made in content["means"].items()
        for one in made
    ]
    regions = {labels[name]: _table(found) for name, found in content["regions"].items()}
    parts = {"legend": overlays.legend(), "seen": overlays.words(config), "means": means, "regions": regions}
    return explain_report.write(folder / "explain.html", content, shown, **parts)


def _kept(path: Path) -> str:
    return encoded(np.asarray(Image.open(path).convert("RGB")))


def _table(found: dict) -> dict:
    header, rows = region_files.rows(found, MOST)
    left = len(found["regions"]) - len(rows)
    notes = found["notes"] + ([f"{left} cooler regions stand in regions.csv alone"] if left else [])
    return {"header": header, "rows": rows, "words": found["words"], "notes": notes}
