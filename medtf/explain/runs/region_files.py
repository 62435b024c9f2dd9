"""A table of regions as CSV, as JSON, and as rows of a page."""

import json
from pathlib import Path

import pandas as pd

from medtf.evaluate.metrics import as_text, interval_text


def write(found: dict, folder) -> list[Path]:
    """`regions.csv` and `regions.json` of a table, each whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"regions.csv": flat(found).to_csv(index=False), "regions.json": json.dumps(found, indent=1) + "\n"}
    for name, text in texts.items():
        temporary = folder / f".{name}"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / name)
    return [folder / name for name in texts]


def flat(found: dict) -> pd.DataFrame:
    """A row a region, every number in a column of its own."""

    def spread(name, metric):
        made = {name: metric["value"], f"{name}_low": metric["low"], f"{name}_high": metric["high"]}
        return made | {f"{name}_{key}": metric[key] for key in ("p", "p_holm") if key in metric}

    rows = []
    for one in found["regions"]:
        row = {name: one[name] for name in ("index", "name", "people", "ml", "shown")}
        row |= spread("ratio", one["ratio"]) | spread("share", one["share"])
        for value, metric in one.get("groups", {}).items():
            row |= spread(f"ratio_{value}", metric)
        rows.append(row | (spread("difference", one["difference"]) if "difference" in one else {}))
    return pd.DataFrame(rows)


def rows(found: dict, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Headings and cells in words for a page; `most`: so many of the hottest regions alone."""
    group = found["group"] or {"people": {}, "difference": None}
    headings = ["region", "people", "volume (ml)", "ratio", "p (Holm)", "share of the heat"]
    headings += [f"ratio, {value} ({count})" for value, count in group["people"].items()]
    headings += [f"difference, {group['difference']}", "p (Holm)"] if group["difference"] else []
    made = []
    for one in found["regions"][:most]:
        cells = [one["name"], str(one["people"]), f"{one['ml']:.1f}", _text(one["ratio"]), _p(one["ratio"])]
        cells += [as_text(one["share"], percent=True), *(_text(metric) for metric in one.get("groups", {}).values())]
        made.append(cells + ([_text(one["difference"]), _p(one["difference"])] if "difference" in one else []))
    return headings, made


def _text(metric: dict) -> str:
    """`1.25 (1.10 to 1.41)`."""
    value = as_text(metric)
    return value if metric["low"] is None else f"{value} ({interval_text(metric)})"


def _p(metric: dict) -> str:
    p = metric["p_holm"]
    return "none" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
