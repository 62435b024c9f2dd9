"""The page of a pretraining: whether its task was learnt, what it looks like, and what it was learnt from."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtf.evaluate.draw import plots
from medtf.evaluate.metrics import as_text, interval_text
from medtf.evaluate.pages.embedding import embedded
from medtf.evaluate.pages.report import PURPOSE, cells, plain, template, write_whole

SHOWN = 4  # pictures on the page: the kept epoch, the first, and the last ones; all lie in plots/


def write(
    path: Path,
    *,
    metrics: dict,
    task: str,
    history: pd.DataFrame | None,
    pictures: Sequence[Path],
    folds: pd.DataFrame,
    facts: dict,
    config_text: str,
    environment: dict,
    title: str,
    run_name: str,
) -> Path:
    """Write the page, all at once or not at all.

    Args:
        path: the HTML file.
        metrics: `judged` of pretraining.json. task: its name.
        history: history.csv, or None. pictures: PNGs, the one of the kept epoch first, then by epoch.
        folds: counts by fold. facts: of `medtf.run_facts`.
        config_text: YAML. environment: versions and devices. title: heading. run_name: for the commands that the page proposes.
    """
    shown = [*pictures[:2], *pictures[2:][-(SHOWN - 2) :]]
    text = template("pretraining.html.j2").render(
        title=title,
        purpose=PURPOSE,
        metrics=metrics,
        task=task,
        words=words(metrics),
        curve=embedded(plots.png(plots.history(history))) if history is not None and len(history) else None,
        pictures=[{"name": caption(one.stem), "data": embedded(one.read_bytes())} for one in shown],
        folds=cells(folds),
        facts=facts,
        config_text=config_text,
        environment={key: plain(value) for key, value in environment.items()},
        run_name=run_name,
    )
    return write_whole(Path(path), text.encode())


def words(metrics: dict) -> str:
    """One sentence: was more learnt than to guess?"""
    name, baseline = metrics["measured"], metrics["baseline"]
    metric = metrics[name]
    said = f"On {metrics['n']['patients']:,} patients of the fold {metrics['split']} the {name} is {as_text(metric)} ({interval_text(metric)})."
    if baseline is None or metric.get("low") is None:
        return said
    better = metric["low"] > baseline if name != "loss" else metric["high"] < baseline
    without = "An answer that does not look at the image has" if name == "loss" else "Guessing reaches"
    verdict = "the task was learnt" if better else "no more than that was shown to be learnt"
    return (
        f"{said} {without} {baseline:.3g}: {verdict}. What the encoder is worth for a diagnosis is another question: ask `medtf probe` and"
        " `medtf curve`."
    )


def caption(stem: str) -> str:
    """`pretraining-epoch-005` in words."""
    epoch = stem.rpartition("-")[2]
    return f"After epoch {int(epoch)}" if epoch.isdigit() else "With the weights that were kept"
