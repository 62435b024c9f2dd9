"""How well one heat map agrees with one annotation.

Three kinds of question. Where is the hottest place (pointing)? Are the hottest pixels the annotated ones (overlap at the annotation's own
area, average precision, which depend on the order of the pixels alone)? How much of the map lies inside (mass), and what does a reader see who
cuts it at a fixed share of its maximum (overlap over thresholds)? Large annotations are hit by chance, so each stands beside what chance gives.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from medtf.explain.evidence.ranked import THRESHOLDS, Ranked

FEW = 64  # tied hottest pixels, beyond which one distance map is faster than a distance to each


class Measure(NamedTuple):
    """What a reader calls it, whether more is better (None: neither), what it means, and where it comes from."""

    label: str
    more: bool | None
    meaning: str
    paper: str


NAMES: dict[str, Measure] = {
    "pointing": Measure(
        "pointing game",
        True,
        "Whether the hottest pixel lies inside the annotation; of several equally hot ones, the share that does.",
        "Zhang 2018, Int J Comput Vis 126:1084",
    ),
    "iou": Measure(
        "IoU at matched area",
        True,
        "Intersection over union of the annotation and as many of the hottest pixels as it has.",
        "Jaccard 1912, New Phytol 11:37",
    ),
    "dice": Measure(
        "Dice at matched area",
        True,
        "Overlap of the annotation and as many of the hottest pixels as it has; both sets being equally large, it equals rank accuracy.",
        "Dice 1945, Ecology 26:297",
    ),
    "iou_mean": Measure(
        "IoU over thresholds",
        True,
        "Intersection over union with the pixels at or above 0.1, 0.2, ... 0.9 of the maximum, mean of the nine.",
        "Saporta 2022, Nat Mach Intell 4:867, for IoU of thresholded maps",
    ),
    "dice_mean": Measure(
        "Dice over thresholds",
        True,
        "Dice with the pixels at or above 0.1, 0.2, ... 0.9 of the maximum, mean of the nine.",
        "Dice 1945, Ecology 26:297",
    ),
    "average_precision": Measure(
        "average precision",
        True,
        "Area under the precision-recall curve of annotated pixels, called from the hottest down.",
        "Arun 2021, Radiol Artif Intell 3:e200267",
    ),
    "mass": Measure(
        "relevance mass",
        True,
        "Share of the map's sum that lies inside the annotation.",
        "Arras 2022, Inf Fusion 81:14",
    ),
    "rank": Measure(
        "rank accuracy",
        True,
        "Share of the hottest pixels, as many as the annotation has, that lie inside it.",
        "Arras 2022, Inf Fusion 81:14",
    ),
    "area": Measure("annotated area", None, "Share of the pixels that are annotated.", ""),
    "mass_over_area": Measure(
        "mass over area",
        True,
        "Relevance mass divided by the annotated area: how many times hotter it is inside than on average.",
        "Kohlbrenner 2020, IJCNN, arXiv 1910.09840",
    ),
    "empty_map": Measure(
        "empty map", None, "1 where the map is 0 everywhere; it is then judged as a constant one.", ""
    ),
    "distance": Measure(
        "distance, mm",
        False,
        "Way from the hottest pixel to the nearest annotated one, 0 inside; of several equally hot ones, the mean.",
        "",
    ),
}
# what a map is expected to reach that knows nothing, from the annotated area; over thresholds it depends on the map
CHANCE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pointing": lambda area: area,
    "iou": lambda area: area / (2 - area),
    "dice": lambda area: area,
    "average_precision": lambda area: area,
    "mass": lambda area: area,
    "rank": lambda area: area,
    "mass_over_area": lambda area: 1 + 0 * area,
}
# of these it is the mean over all shifts of any map; a map with hot and cold places reaches more by chance than a constant one does
OF_A_CONSTANT_MAP = ("iou", "average_precision")


def measures(
    heat: np.ndarray, mask: np.ndarray, *, brain: np.ndarray | None = None, spacing: tuple[float, ...] | None = None
) -> dict[str, float]:
    """Every measure of one map against one annotation.

    Args:
        heat: float32 of rank 2 or more, in [0, 1]. mask: bool, same shape, the annotation.
        brain: bool, same shape: only pixels in it count; None: all. spacing: mm between pixels along each axis; adds `distance`.
    Returns:
        {key of NAMES: float}. Where pixels tie at the cut of the matched area, Dice and IoU are the mean over all ways to break the tie.
    Raises:
        ValueError: empty annotation, shapes that differ, values outside [0, 1].
    """
    heat, mask = checked(heat, mask, brain)
    ranked = Ranked(heat, brain)
    found = ranked.against(np.flatnonzero(mask), [int(mask.sum())])
    found = {name: float(values[0]) for name, values in found.items()} | {"empty_map": float(ranked.empty)}
    if spacing is not None:
        if len(spacing) != heat.ndim:
            raise ValueError(f"spacing {tuple(spacing)}: expected one for each of {heat.ndim} axes")
        found["distance"] = _distance(ranked, mask, spacing)
    return {name: found[name] for name in NAMES if name in found}


def curve(heat: np.ndarray, mask: np.ndarray, thresholds=THRESHOLDS, *, brain: np.ndarray | None = None) -> dict:
    """Overlap of the annotation and the pixels at or above each threshold, for a plot.

    Args:
        heat, mask, brain: as `measures`. thresholds: (t,) in [0, 1].
    Returns:
        {"threshold": (t,), "iou": (t,), "dice": (t,)}, float64; 0 where no pixel reaches the threshold.
    """
    heat, mask = checked(heat, mask, brain)
    ranked = Ranked(heat, brain)
    inside = np.sort(ranked.values[np.flatnonzero(mask)])
    thresholds = np.asarray(thresholds, dtype=np.float32)
    hits = len(inside) - np.searchsorted(inside, thresholds, side="left")
    called = ranked.hotter(thresholds, or_equal=True) + len(inside)
    return {"threshold": thresholds.astype(np.float64), "iou": hits / (called - hits), "dice": 2 * hits / called}


def chance(name: str, area) -> np.ndarray | None:
    """What a map that knows nothing reaches at this annotated area (share, or array of them); None where the area does not tell.

    Of `OF_A_CONSTANT_MAP` it is the least that chance gives: null.elsewhere says what it gives these very maps.
    """
    return CHANCE[name](np.asarray(area, dtype=np.float64)) if name in CHANCE else None


def checked(heat, mask, brain=None) -> tuple[np.ndarray, np.ndarray]:
    """The map, and the annotation as far as it counts.

    Raises:
        ValueError: shapes that differ, another type than bool, nothing annotated, or nothing of it inside `brain`.
    """
    heat, mask = np.asarray(heat), np.asarray(mask)
    if heat.shape != mask.shape:
        raise ValueError(f"the heat map is {heat.shape}, the annotation {mask.shape}: expected equal shapes")
    if mask.dtype != bool:
        raise ValueError(f"the annotation is {mask.dtype}: expected bool, True inside")
    if not mask.any():
        raise ValueError("the annotation is empty: there is nothing to compare the heat map with")
    if brain is not None and np.shape(brain) == mask.shape:  # another shape is told by Ranked
        mask = mask & np.asarray(brain, dtype=bool)
        if not mask.any():
            raise ValueError("the annotation lies outside the brain: none of its pixels counts")
    return heat, mask


def _distance(ranked: Ranked, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    hottest = ranked.values == ranked.sorted[-1]
    if ranked.counted is not None:
        hottest &= ranked.counted
    if hottest.sum() > FEW:
        return float(ndimage.distance_transform_edt(~mask, sampling=spacing).ravel()[hottest].mean())
    inside = np.argwhere(mask) * np.asarray(spacing)
    places = np.column_stack(np.unravel_index(np.flatnonzero(hottest), mask.shape)) * np.asarray(spacing)
    return float(np.mean([np.sqrt(((inside - place) ** 2).sum(axis=1).min()) for place in places]))
