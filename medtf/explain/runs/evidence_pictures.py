"""Cases under their heat maps with the outline of what was marked: where the map agrees best, and where least."""

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from medtf import gallery_pictures
from medtf.explain import pictures
from medtf.explain.runs.cases import cases
from medtf.explain.runs.evidence_maps import Outcome, Subjected
from medtf.explain.runs.evidence_table import DECIDES

SIDE = 256  # pixels of the shorter side of a picture at the least
COUNT = 4  # of the best, and of the worst
LINE, RIM = (255, 255, 255), (0, 0, 0)  # white between two black lines: seen on the lightest heat and on black air
ORDER = "mass"  # continuous, so that few cases tie; the hits come first


def drawn(of: Subjected, outcome: Outcome, count: int = COUNT) -> list[dict]:
    """The best and the worst cases of one run and method, one a patient.

    Returns:
        [{"kind": best or worst, "row", "measures": {name: number}, "right", "picture": data URI}], best first; none twice.
    """
    best, worst = chosen(outcome.frame, count)
    wanted = sorted([*best, *worst])
    images = {}
    for case in cases(of.subject.at(outcome.frame["number"].iloc[wanted])):
        number = wanted[case.number]
        kept = outcome.kept[number]
        images[number] = gallery_pictures.encoded(picture(np.nan_to_num(case.image), kept.heat, kept.mask))
    told = []
    for number in [*best, *worst]:
        row = outcome.frame.iloc[number]
        told.append(
            {
                "kind": "best" if number in best else "worst",
                "row": int(row["row"]),
                "measures": {name: float(row[name]) for name in (DECIDES, "dice", ORDER)},
                "right": None if pd.isna(row["right"]) else bool(row["right"]),
                "picture": images[number],
            }
        )
    return told


def chosen(frame: pd.DataFrame, count: int) -> tuple[list[int], list[int]]:
    """Places in the frame of the best and of the worst cases, one a patient; of few cases each stands on one side alone."""
    order = frame.sort_values([DECIDES, ORDER], ascending=False, kind="stable")
    one_each = order[~order["patient"].duplicated()].index.to_list()
    best = one_each[: min(count, (len(one_each) + 1) // 2)]
    backwards = order[::-1]
    backwards = backwards[~backwards["patient"].duplicated()].index
    worst = [number for number in backwards if number not in best][: min(count, len(one_each) // 2)]
    return best, worst


def picture(image: np.ndarray, heat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The plain picture and the map over it side by side, both with the outline of the annotation; uint8 (height, width, 3).

    Of a volume the three planes through the middle of the annotation's thickest slice.

    Args:
        image: float (height, width, channels) or (x, y, z, 1). heat, mask: (*grid).
    """
    if heat.ndim == 2:
        return pictures.row(list(_pair(_grey(image), heat, mask)))
    at = [int(mask.sum(axis=tuple({0, 1, 2} - {axis})).argmax()) for axis in range(3)]
    grey, pairs = pictures.shown(image)[..., 0], []
    for axis in range(3):
        cut = [np.take(one, at[axis], axis).T[::-1, ::-1] for one in (grey, heat, mask)]
        pairs.append(_pair(cut[0][..., None], *cut[1:]))
    rows = [pictures.row([pair[i] for pair in pairs]) for i in (0, 1)]
    return np.concatenate([rows[0], np.zeros((pictures.GAP, *rows[0].shape[1:]), np.uint8), rows[1]])


def _grey(image: np.ndarray) -> np.ndarray:
    """One picture of several windows: their mean; a window each would be too small to see an outline in."""
    return pictures.shown(image.mean(axis=-1, keepdims=True))


def _pair(grey: np.ndarray, heat: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plain, and under the map, each enlarged and outlined."""
    factor = max(1, -(-SIDE // min(heat.shape)))
    large = grey.repeat(factor, axis=0).repeat(factor, axis=1)
    size = heat.shape[1] * factor, heat.shape[0] * factor
    heat = np.asarray(Image.fromarray(np.asarray(heat, np.float32)).resize(size, Image.Resampling.BILINEAR))
    inside = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    return tuple(outlined(pictures.over(large, one), inside) for one in (np.zeros_like(heat), heat))


def outlined(drawn: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """A picture uint8 (height, width, 3) with a line just outside of a region bool (height, width)."""
    made, grown = drawn.copy(), inside
    wide = max(1, min(inside.shape) // 256)
    for colour in (RIM, LINE, RIM):
        larger = ndimage.binary_dilation(grown, np.ones((3, 3), bool), iterations=wide)
        made[larger & ~grown] = colour
        grown = larger
    return made
