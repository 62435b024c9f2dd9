"""How much an answer hangs on a region: changed there, changed elsewhere, changed where the map is hottest.

A picture with a hole is not like any the network was trained on, so part of every change comes of the hole. Equal holes elsewhere say how
large that part is: what the annotation has beyond it is its own.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.statistics.paired import bootstrap_p, holm, signed_rank
from medtf.evaluate.statistics.patient_means import PatientMeans
from medtf.explain.intervention import regions
from medtf.explain.intervention.change import changed

CONTROLS = 8
PLACES = ("annotated", "elsewhere", "hottest")
# name of a difference -> (what, less what)
DIFFERENCES = {"annotated_more": ("annotated", "elsewhere"), "hottest_more": ("hottest", "annotated")}


def effects(
    ask: Callable,
    image: np.ndarray,
    mask: np.ndarray,
    heat: np.ndarray | None = None,
    *,
    how: str = "erase",
    controls: int = CONTROLS,
    seed: int = 0,
    donor: np.ndarray | None = None,
) -> dict:
    """One case: the score less the score of the changed picture; above 0 where the region spoke for the answer.

    Args:
        ask: images (n, *spatial, channels) -> scores (n,), logits or values in a unit.
        image: float32 (*spatial, channels). mask: bool (*spatial), the annotation.
        heat: of the map whose hottest place outside the annotation is changed too; None: none is.
        how: a key of `change.HOW`. controls: equal regions elsewhere. donor: for `transplant`.
        seed: of the places.
    Returns:
        `score`, `annotated`, `elsewhere` (mean of the controls), `elsewhere_sd`, `controls` (how many there was room for), `hottest`;
        NaN where there was no room.
    """
    others = regions.elsewhere(mask, controls, seed=seed, image=image, inside=regions.foreground(image))
    hot = None if heat is None else regions.hottest(heat, mask)
    masks = [mask, *others, *([] if hot is None else [hot])]
    pictures = np.stack([image, *(changed(image, one, how, donor=donor) for one in masks)])
    scores = np.asarray(ask(pictures), np.float64)
    drops = scores[0] - scores[1:]
    away = drops[1 : 1 + len(others)]
    return {
        "score": float(scores[0]),
        "annotated": float(drops[0]),
        "elsewhere": float(away.mean()) if len(away) else np.nan,
        "elsewhere_sd": float(away.std(ddof=1)) if len(away) > 1 else np.nan,
        "controls": len(away),
        "hottest": np.nan if hot is None else float(drops[-1]),
    }


def summarised(frame: pd.DataFrame, *, replicates: int = 2000, seed: int = 0) -> dict:
    """Over cases, every patient weighing the same.

    Args:
        frame: `patient` and the columns of `effects`.
    Returns:
        {place or difference: metric}, a metric being {"value", "low", "high", ...} with `n` and `patients`; differences have `p` (Wilcoxon's
        signed ranks of patients' means) and `p_bootstrap` besides. A difference counts the cases that have both.
    """
    found = {name: _mean(frame, frame[name], replicates, seed)[0] for name in PLACES}
    for name, (more, less) in DIFFERENCES.items():
        difference = frame[more] - frame[less]
        found[name], draws = _mean(frame, difference, replicates, seed)
        patients = difference.groupby(frame["patient"]).mean().dropna().to_numpy()
        if len(patients) > 1:
            found[name]["p"] = signed_rank(patients, np.zeros_like(patients))["wilcoxon"]["p"]
            found[name]["p_bootstrap"] = None if draws is None else bootstrap_p(draws)
    return found


def adjusted(summaries: list[dict]) -> None:
    """Put `p_holm` beside every p of several summaries (ways, methods, models)."""
    for name in DIFFERENCES:
        tested = [one[name] for one in summaries if "p" in one[name]]
        for metric, p in zip(tested, holm([metric["p"] for metric in tested]), strict=True):
            metric["p_holm"] = p


def _mean(frame: pd.DataFrame, values: pd.Series, replicates: int, seed: int):
    """(metric, draws): the mean over patients, with its interval."""
    known = values.notna().to_numpy()
    patients = frame["patient"].to_numpy()[known]
    if not known.any():
        return {"value": None, "reason": "no case has it", "n": 0, "patients": 0}, None
    bootstrap = PatientBootstrap(patients, replicates=replicates, seed=seed)
    means = PatientMeans(bootstrap, np.arange(len(patients)))
    numbers = values.to_numpy(np.float64)[known]
    means.add("mean", numbers)
    metric = means.metrics()["mean"] | {"n": len(patients), "patients": bootstrap.patients}
    units = bootstrap.units()
    sizes = np.bincount(units)
    own = np.bincount(units, numbers) / sizes

    def statistic(weights):
        return {"mean": weights @ own / weights.sum(axis=1)}

    draws = bootstrap.replicate(statistic, by_patient=True)
    return metric, draws.get("mean")
