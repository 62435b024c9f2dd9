"""evidence.json and evidence.html: do the networks look where experts look, and do their answers hang on it?"""

import base64
import json
from pathlib import Path

from medtf.evaluate.compare_words import p_text
from medtf.evaluate.draw import evidence_plots
from medtf.evaluate.draw.drawing import png
from medtf.evaluate.pages.report import PURPOSE, template, write_whole

DECIDES = "pointing"
SHOWN = ("pointing", "dice", "mass", "average_precision")
CALLED = {"others": "other people's annotations", "shifted": "the same annotation elsewhere"}


def write(folder: Path, content: dict, shown: dict[tuple[str, str], list[dict]], *, measures: dict) -> None:
    """Write both files, each whole or not at all.

    Args:
        folder: is there. content: of evidence.json.
        shown: {(run, method): pictures}, each {"kind", "row", "measures", "right", "picture": data URI}.
        measures: {key: (label, meaning, paper)}.
    """
    page = template("evidence.html.j2").render(
        title=title(content),
        purpose=PURPOSE,
        content=content,
        shown={f"{run}/{method}": pictures for (run, method), pictures in shown.items()},
        pictures=figures(content, measures),
        measures=measures,
        table=SHOWN,
        decides=DECIDES,
        called=CALLED,
        p_text=p_text,
        several=len(content["entries"]) > 1,
    )
    write_whole(folder / "evidence.html", page.encode())
    write_whole(folder / "evidence.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def title(content: dict) -> str:
    """`Evidence: any, run-a against run-b`."""
    of = f" = {content['class']}" if content["class"] else ""
    return f"Evidence: {content['target']}{of}, {' against '.join(run['name'] for run in content['runs'])}"


def figures(content: dict, measures: dict) -> dict[str, list[dict]]:
    """Pictures of all entries together (`all`), and of each by its name: {"caption", "data"}."""
    entries, label = content["entries"], measures[DECIDES][0]
    made = {"all": [], **{one["name"]: [] for one in entries}}

    def add(where, caption, figure):
        made[where].append({"caption": caption, "data": base64.b64encode(png(figure)).decode()})

    if len(content["runs"]) > 1:
        caption = "Right, and for the experts' reason, is at the better end of the performance and high up. Lines are intervals over people."
        add("all", caption, evidence_plots.scatter(entries, DECIDES, label))
    caption = "How far a reader who cuts the map at a share of its maximum finds the annotation."
    add("all", caption, evidence_plots.thresholds(entries))
    if any(found["annotated"]["value"] is not None for one in entries for found in one["interventions"].values()):
        caption = "How much the score falls when a place is changed, with intervals over people. Blue should lie to the right of grey."
        add("all", caption, evidence_plots.effects(entries, content["unit"]))
    for one in entries:
        if any(one["drawn"].values()):
            caption = "What was observed, and what annotations of other people, or shifted ones, would have given."
            add(one["name"], caption, evidence_plots.null(one, DECIDES, label))
        if one["curves"]:
            caption = f"{one['curves']['cases']:,} cases. Of a good map orange falls faster than its dotted line, and blue rises faster."
            answer = "Probability" if content["kind"] == "binary" else content["unit"]
            add(one["name"], caption, evidence_plots.curves(one, answer))
    return made
