"""Which answers of a fold are worth looking at: the worst mistakes and the least certain ones, as pictures for the report."""

import numpy as np
import pandas as pd
from scipy.special import entr, logit

from medtf import gallery_pictures
from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.evaluate import answers
from medtf.table import Table

MOST = 64  # pictures in all, some 30 kB each: a report is mailed
TITLES = {"worst": "The worst mistakes", "uncertain": "The least certain"}


def make(found: pd.DataFrame, table: Table, root, config: Config, metrics: dict, count: int) -> dict:
    """The gallery of a report. What cannot be read leaves it out and never ends a judgement.

    Args:
        found: predictions of the judged fold, as `predictions.predict` gives them.
        table: the run's whole table, in which `row` of a prediction is a position.
        root: data root.
        config: the run's.
        metrics: the content of metrics.json; thresholds count.
        count: pictures of each kind and target at the most; fewer where there are many targets.
    Returns:
        {"groups": [{"target", "kind" (worst or uncertain), "title", "words", "pictures": [{"row", "truth", "prediction", "uncertainty",
        "picture"}]}], "seen", "wide", "reason"}: texts, and pictures as data URIs. `seen` says what a picture shows, `wide` whether it is a
        strip, `reason` why there is no gallery, else None. Row ids are the only names in it.
    """
    empty = {"groups": [], "seen": "", "wide": False, "reason": None}
    if not count:
        return empty | {"reason": "evaluate.gallery is 0"}
    count = max(1, min(count, MOST // (len(TITLES) * max(1, len(config.targets)))))
    groups = [
        {"target": name, "kind": kind, "title": TITLES[kind]}
        | choose(found, name, config, metrics["targets"][name], kind, count)
        for name in config.targets
        for kind in TITLES
        if metrics["targets"].get(name, {}).get("n")
    ]
    rows = sorted({one["row"] for group in groups for one in group["pictures"]})
    if not rows:
        return empty | {"reason": "no example with a known label"}
    try:
        drawn = gallery_pictures.draw(table.with_frame(table.frame.iloc[rows]), root, config)
    except (MedtfError, OSError) as error:
        return empty | {"reason": f"the images could not be read: {_without_paths(error, root)}"}
    pictures = dict(zip(rows, drawn, strict=True))
    for group in groups:
        group["pictures"] = [one | {"picture": pictures[one["row"]]} for one in group["pictures"]]
    return empty | {"groups": groups, "seen": gallery_pictures.words(config), "wide": gallery_pictures.wide(config)}


def choose(found: pd.DataFrame, name: str, config: Config, numbers: dict, kind: str, count: int) -> dict:
    """The answers of one target to show, one a patient at the most: {"words", "pictures": [{"row", "truth", "prediction", "uncertainty"}]}.

    Worst: the wrong calls furthest from the truth; of a value the largest absolute errors. Least certain: by the entropy (of a value by the
    standard deviation) of an ensemble's members or of several passes; else a Gaussian head's own deviation, the entropy of the classes, or how
    near the threshold a probability is, in log odds.

    Args:
        found, config, count: as for `make`.
        name: of the target.
        numbers: its part of metrics.json.
        kind: worst or uncertain.
    """
    target = config.targets[name]
    known = found[found[f"{name}_true"].notna()].reset_index(drop=True)
    unsure, what, caption = uncertainty(known, name, target, numbers)
    if kind == "worst":
        score, words = _mistakes(known, name, target, numbers)
    else:
        score, words = (
            unsure,
            f"By {what}." if unsure is not None else "The model does not say how sure it is: see evaluate.mc_dropout.",
        )
    if score is None or not np.isfinite(score).any():
        return {"words": words, "pictures": []}
    order = np.argsort(-score, kind="stable")
    order = order[np.isfinite(score[order])]
    order = order[~known["patient"].iloc[order].duplicated().to_numpy()][:count]
    pictures = [
        {
            "row": int(known["row"].iloc[i]),
            "truth": _truth(known[f"{name}_true"].iloc[i], target, numbers),
            "prediction": _prediction(known.iloc[i], name, target, numbers),
            "uncertainty": "" if unsure is None else caption.format(abs(unsure[i])),
        }
        for i in order
    ]
    return {"words": words, "pictures": pictures}


def uncertainty(known: pd.DataFrame, name: str, target: Target, numbers: dict) -> tuple[np.ndarray | None, str, str]:
    """How unsure each answer is, higher is less sure, (n,), what that is, and how a caption tells it; None where nothing tells."""
    found = answers.telling(known, name, target)
    entropy = "entropy {:.3g} nats"
    if found:
        caption = "standard deviation {:.3g}" if target.kind == "regression" else entropy
        return known[found[0]].to_numpy(np.float64), found[1], caption
    if target.kind == "regression":
        return None, "", ""
    if target.kind == "multiclass":
        probabilities = known[[f"{name}_{i}" for i in range(target.units)]].to_numpy(np.float64)
        return entr(np.clip(probabilities, 0, 1)).sum(axis=1), "entropy of the probabilities", entropy
    at, probability = (
        np.clip(values, 1e-7, 1 - 1e-7)
        for values in (_threshold(known, name, numbers), known[name].to_numpy(np.float64))
    )
    away = np.abs(logit(probability) - logit(at))
    return -away, "distance from the threshold in log odds", "{:.3g} from the threshold in log odds"


def _threshold(known: pd.DataFrame, name: str, numbers: dict) -> np.ndarray:
    """(n,): the fold's; of a cross-validation that of the run that answered."""
    own = known.get(f"{name}_threshold")
    return np.full(len(known), numbers["threshold"]["value"]) if own is None else own.to_numpy(np.float64)


def _mistakes(known: pd.DataFrame, name: str, target: Target, numbers: dict) -> tuple[np.ndarray, str]:
    """How wrong each answer is, (n,), -inf where it is right; and what was looked for."""
    truth = known[f"{name}_true"].to_numpy(np.float64)
    if target.kind == "regression":
        return np.abs(known[name].to_numpy(np.float64) - truth), "By absolute error."
    if target.kind == "multiclass":
        probabilities = known[[f"{name}_{i}" for i in range(target.units)]].to_numpy(np.float64)
        called, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    else:
        probability = known[name].to_numpy(np.float64)
        called, sure = probability >= _threshold(known, name, numbers), np.abs(probability - truth)
    score = np.where(called == truth, -np.inf, sure)
    wrong = int(np.isfinite(score).sum())
    if not wrong:
        return score, "No example is called wrongly."
    return score, f"Of {wrong:,} wrong calls those of which the model is most sure."


def _truth(value: float, target: Target, numbers: dict) -> str:
    if target.kind == "regression":
        return f"{value:.4g}"
    if target.kind == "multiclass":
        return str(target.classes[int(value)])
    return str(numbers["positive"] if value else numbers["negative"])


def _prediction(row: pd.Series, name: str, target: Target, numbers: dict) -> str:
    if target.kind == "multiclass":
        values = row[[f"{name}_{i}" for i in range(target.units)]].to_numpy(np.float64)
        return f"{target.classes[int(values.argmax())]} ({values.max():.2f})"
    if target.kind == "regression":
        return f"{row[name]:.4g}"
    of = "" if str(numbers["positive"]) == "1" else f" for {numbers['positive']}"
    return f"{row[name]:.3f}{of}"


def _without_paths(error: Exception, root) -> str:
    """The error's words without the place of the data, which is nobody's business who reads a report."""
    said = str(error).replace(str(root), "the data root")
    return said.splitlines()[0][:200] if said else type(error).__name__
