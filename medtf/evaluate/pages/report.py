"""One self-contained HTML file that tells what was judged, on whom, how well, and how sure that is."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from medtf.evaluate.draw import plots
from medtf.evaluate.draw.figures import figures
from medtf.evaluate.metrics import DEFINITIONS, MAIN, PER_CLASS, as_text, interval_text
from medtf.evaluate.pages import demographics_rows, methods, words
from medtf.evaluate.pages.embedding import embedded
from medtf.evaluate.pages.flow import flow
from medtf.evaluate.pages.model_card import PURPOSE
from medtf.evaluate.regression import ERRORS

# beginning of a figure's name -> the part of a target's section that shows it; all others stand at the top of it
SECTIONS = {
    "by_": "groups",
    "decision_": "decision",
    "predictive_values_": "predictive",
    "reliability_": "calibration",
    "conformal_": "conformal",
    "risk_coverage_": "selective",
    "folds_": "folds",
}
INTERVALS = {
    "auto": "each number by the method of its own where it has one, else by the BCa bootstrap over patients",
    "bca": "the BCa bootstrap over patients",
    "percentile": "the percentile bootstrap over patients",
}
AGGREGATES = {
    "max": "the largest of its examples'",
    "mean": "the mean of its examples'",
    "top": "the mean of the {} highest of its examples'",
    "noisy_or": "1 - the product of (1 - p) over its examples (noisy-or)",
}


def write_report(
    path: str | Path,
    *,
    metrics: dict,
    predictions: pd.DataFrame,
    config_text: str,
    environment: dict,
    folds: pd.DataFrame,
    history: pd.DataFrame | None = None,
    excluded: pd.DataFrame | None = None,
    warnings: Sequence[str] | None = None,
    leaks: Sequence[str] | None = None,
    title: str = "medtf report",
    plots_folder: str | Path | None = None,
    selected: dict | None = None,
    labelled: dict | None = None,
    people: dict | None = None,
    facts: dict | None = None,
    card: dict | None = None,
    gallery: dict | None = None,
) -> Path:
    """Write the report, all at once or not at all.

    Args:
        path: the HTML file; its folder must exist.
        metrics: the content of metrics.json (`judge`).
        predictions: what was judged, for the curves; no more than row ids and hashed patients are read.
        config_text: the resolved config as YAML.
        environment: {name: value} of versions and devices.
        folds: counts by fold, one row a fold, printed as it is (fold, examples, patients, positives of each target).
        history: history.csv of the training, or None.
        excluded: what was left out, columns `reason` and `count`, or None.
        warnings, leaks: lines for the top, leaks in red; None: those that stand in `metrics`.
        title: heading of the report.
        plots_folder: also write every figure there as <kind>_<target>.png.
        selected: {"dropped": examples, "by": {column: values}} where the config took only some rows of the table.
        labelled: {"dropped": examples, "patients", "of"} where it took a share of the training patients.
        people: as `demographics.table` gives them. facts: {heading: [(what, value)]} of the model.
        card: {heading: sentences} as `model_card.sections` gives them.
        gallery: pictures as `medtf.gallery.make` gives them.

    Returns:
        the path.
    """
    pictures = _pictures(metrics, predictions, history, plots_folder)
    text = template("report.html.j2", methods.marks(metrics)).render(
        title=title,
        purpose=PURPOSE,
        metrics=metrics,
        main=MAIN,
        definitions=DEFINITIONS,
        per_class=PER_CLASS,
        corrected_keys=ERRORS,
        one_example_a_patient=metrics["n"]["examples"] == metrics["n"]["patients"],
        pictures=pictures,
        folds=cells(folds),
        flow=flow(folds, excluded, metrics, selected, labelled),
        people=people and people | {"lines": demographics_rows.rows(people)},
        facts=facts,
        card=card,
        gallery=gallery,
        methods=methods.explained(metrics),
        intervals=INTERVALS.get(metrics["intervals"]["method"], metrics["intervals"]["method"]),
        aggregate=_aggregate(metrics["per_patient"]["aggregate"]),
        config_text=config_text,
        environment={key: plain(value) for key, value in environment.items()},
        warnings=list(metrics.get("warnings", ()) if warnings is None else warnings),
        leaks=list(metrics.get("leaks", ()) if leaks is None else leaks),
    )
    return write_whole(Path(path), text.encode())


def _pictures(metrics, predictions, history, folder) -> list[dict]:
    made = []
    for name, target, caption, figure in figures(metrics, predictions, history):
        content = plots.png(figure)
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            write_whole(Path(folder) / f"{name}.png", content)
        section = next((part for start, part in SECTIONS.items() if name.startswith(start)), "main")
        made.append({"name": name, "target": target, "section": section, "caption": caption, "data": embedded(content)})
    return made


def template(name: str, marks: dict[str, str] | None = None) -> jinja2.Template:
    """A page of this folder, with the filters that print numbers.

    Args:
        marks: {method: letter} to put behind intervals, or None.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names of targets, classes and columns come from untrusted tables
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": as_text,
        "interval": lambda metric, percent=False: _marked(metric, percent, marks or {}),
        "mark": lambda metric: _mark(metric, marks or {}),
        "summary": _summary,
        "thousands": lambda n: f"{n:,}",
        "with_interval": words.with_interval,
        "words": words.in_words,
        "regression_words": words.of_regression,
        "matching_words": words.of_matching,
        "sd_words": words.of_sd,
    }
    return environment.get_template(name)


def _marked(metric: dict, percent: bool, marks: dict[str, str]) -> Markup:
    """The interval, or why there is none, and the letter of its method."""
    return escape(interval_text(metric, percent)) + _mark(metric, marks)


def _mark(metric: dict, marks: dict[str, str]) -> Markup:
    """The letter of an interval's method, as a link to its explanation."""
    letter = marks.get(metric.get("method", ""))
    if letter is None or metric.get("low") is None:
        return Markup("")
    return Markup('<a class="mark" href="#method-{0}">{0}</a>').format(letter)


def _summary(numbers: dict, name: str = "") -> str:
    """A target's numbers in a sentence or two; empty where there is nothing to say."""
    if not numbers.get("n"):
        return ""
    if numbers["kind"] == "binary":
        return words.in_words(numbers, name)
    return {"multiclass": words.of_multiclass, "regression": words.of_regression}[numbers["kind"]](numbers)


def _aggregate(rule: str) -> str:
    """`max` or `top 3` in words; an unknown rule as it is."""
    name, _, count = rule.partition(" ")
    return AGGREGATES.get(name, rule).format(count)


def cells(table: pd.DataFrame) -> dict:
    """Header and rows as text, whole numbers with their thousands apart; an index with a name becomes a column."""
    if table.index.name is not None:
        table = table.reset_index()
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    return {"header": [str(column) for column in table.columns], "rows": rows, "numeric": numeric}


def _cell(value) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    return f"{int(value):,}" if isinstance(value, (int, float)) or hasattr(value, "__index__") else str(value)


def plain(value) -> str:
    """A value of environment.json as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def write_whole(path: Path, content: bytes) -> Path:
    """Write beside the file, then put it in its place: a killed run leaves the old file or none, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files that only the owner may read; a report is made to be handed on, as far as the user's umask
        # allows
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
