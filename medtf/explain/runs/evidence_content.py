"""The content of evidence.json and of evidence.csv."""

import pandas as pd

from medtf.evaluate.statistics.intervals import LEVEL
from medtf.explain.evidence.measures import NAMES
from medtf.explain.runs import evidence_cases, evidence_table, evidence_words
from medtf.explain.runs.evidence_asked import Asked
from medtf.explain.runs.evidence_maps import Subjected

SCHEMA = 1


def content(
    entries: list[dict],
    frames: dict[str, pd.DataFrame],
    runs: list[dict],
    asked: Asked,
    of: Subjected,
    *,
    ceiling: dict | None,
    fold: str,
    notes: list[str],
) -> dict:
    """evidence.json: what stands in every entry is said in words, and what is tested several times is adjusted.

    Args:
        entries: of `evidence_table.entry`, one for each run and method. frames: {name: cases of each}, in the same order.
        runs: of `about`. of: any of the runs. ceiling: of `summary.ceiling`, None: one reader. notes: lines to carry.
    """
    for one, label in zip(entries, frames, strict=True):
        one["name"] = label
    evidence_words.adjust(entries)
    spec = of.whole.config.targets[of.target]
    unit = evidence_words.unit_of(spec.kind, of.target)
    for one in entries:
        one["unit"] = unit
        one["looks"], one["hangs"] = evidence_words.looks(one), evidence_words.hangs(one)
        one["finding"] = evidence_words.finding(one)
        one["words"] = evidence_words.sentences(one, unit=unit, ceiling=ceiling)
        notes += [f"{one['name']}: {note}" if len(entries) > 1 else note for note in one.pop("notes")]
    compared = evidence_words.compared(frames, seed=asked.seed) if len(entries) > 1 else None
    return {
        "schema": SCHEMA,
        "split": fold,
        "target": of.target,
        "kind": spec.kind,
        "class": asked.of_class,
        "unit": unit,
        "cases": {"asked": asked.cases, "words": evidence_cases.KINDS[asked.cases].format(name=of.target)},
        "runs": runs,
        "entries": entries,
        "compared": compared,
        "ceiling": ceiling,
        "hows": list(asked.hows),
        "settings": {
            "controls": asked.controls,
            "draws": asked.draws,
            "count": asked.count,
            "seed": asked.seed,
            "level": LEVEL,
        },
        "notes": notes,
    }


def about(of: Subjected) -> dict:
    """What is told of a run; no path."""
    run = of.whole.run
    return {
        "name": of.name,
        "model": of.whole.config.model.name,
        "pipeline": of.whole.config.pipeline,
        "fingerprint": run.table().fingerprint(),
        "counts": of.chosen.counts,
    }


def csv(entries: list[dict], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One row a run, method and case."""
    made = []
    for one, frame in zip(entries, frames, strict=True):
        named = frame.drop(columns="number")
        named.insert(0, "method", one["method"])
        named.insert(0, "run", one["run"])
        made.append(named)
    return pd.concat(made, ignore_index=True)


def measures() -> dict:
    """{key: (label, what it means, paper)} of the measures that a page tells."""
    return {name: (NAMES[name].label, NAMES[name].meaning, NAMES[name].paper) for name in evidence_table.TOLD}
