"""What can be wrong in a chest: names of the NIH archive, what each does to air and tissue, and the box around it.

Tissue and fluid take the place of air; a pneumothorax leaves air without tissue. A box is that of the pixels which a finding changed, so
what is labelled can be seen, and what cannot be seen is not labelled.
"""

from collections.abc import Callable

import numpy as np

from medtf.data.phantom.xray_canvas import chord, cloud, dome, ellipse, rod
from medtf.data.phantom.xray_chest import Chest, fill, heart_of
from medtf.data.phantom.xray_chest_bones import WALL

NONE = "No Finding"
SEEN_MM = 4.0  # of tissue in the place of air; below this a pixel counts as not changed


def nodule(rng, chest: Chest):
    """A ball up to 3 cm wide."""
    return _ball(rng, chest, rng.uniform(6, 14))


def mass(rng, chest: Chest):
    """A ball of more than 3 cm, as the Fleischner Society tells masses from nodules."""
    return _ball(rng, chest, rng.uniform(16, 34))


def effusion(rng, chest: Chest):
    """Fluid at the bottom of one side or both; its surface climbs the wall as a meniscus."""
    sides = (rng.random() < 0.5,) if rng.random() < 0.75 else (True, False)
    bottom = max(chest.body.domes) - chest.picture.inspiration + 40
    cover = np.zeros_like(chest.air)
    for left in sides:
        out = chest.side * np.float32(1 / 136)
        surface = bottom - rng.uniform(22, 95) - 34 * out**4 + 12
        wet = np.clip((chest.canvas.y - surface) * np.float32(1 / 7), 0, 1)
        np.maximum(cover, wet * (chest.left == left), out=cover)
    return _replaced(chest, cover * chest.air)


def pneumothorax(rng, chest: Chest):
    """A rim of air without vessels around a lung that has come off the wall, widest at the apex, behind a thin line."""
    left = rng.random() < 0.5
    down = chest.canvas.y * np.float32(1 / chest.body.height * chest.body.width)
    width = rng.uniform(14, 40) * np.clip((90 - down) * np.float32(1 / 170), 0, 1)
    within = WALL(down) - chest.side - width  # mm into the lung from where it has shrunk to
    half = (chest.left == left) & (chest.depth > 0)
    rim = (within < 0) & half
    line = np.exp(-((within * np.float32(1 / 1.6)) ** 2)) * half * (width > 4)
    chest.air += rim * chest.vessels
    chest.gas[rim] = 0.98 * chest.air[rim]
    fill(chest, 7 * line)
    return _box(rim & (chest.air > 25))


def consolidation(rng, chest: Chest):
    """A dense patch with soft edges."""
    return _patch(rng, chest, radii=rng.uniform(22, 42, 2), share=rng.uniform(0.55, 0.8), rough=0.35)


def infiltration(rng, chest: Chest):
    """A wide, thin and uneven patch."""
    return _patch(rng, chest, radii=rng.uniform(32, 58, 2), share=rng.uniform(0.25, 0.42), rough=0.7)


def cardiomegaly(rng, chest: Chest):
    """A heart that was drawn large with the body; nothing is left to do but the box."""
    return _box(ellipse(chest.canvas, *heart_of(chest)) < 1)


# label of the archive: what adds it, and the share of pictures that have it (None: people are drawn with it)
FINDINGS: dict[str, tuple[Callable, float | None]] = {
    "Cardiomegaly": (cardiomegaly, None),
    "Effusion": (effusion, 0.10),
    "Infiltration": (infiltration, 0.12),
    "Consolidation": (consolidation, 0.06),
    "Mass": (mass, 0.05),
    "Nodule": (nodule, 0.07),
    "Pneumothorax": (pneumothorax, 0.05),
}


def add_findings(rng, chest: Chest) -> dict:
    """Draw what this picture has and paint it; returns {label: (column, row, columns, rows)} in pixels."""
    drawn = rng.random(len(FINDINGS))
    found = {}
    for (label, (paint, share)), luck in zip(FINDINGS.items(), drawn, strict=True):
        if (chest.body.cardiomegaly if share is None else luck < share) and (box := paint(rng, chest)):
            found[label] = box
    return found


def add_hardware(rng, chest: Chest) -> None:
    """What no label tells of: leads on the sick, now and then a pacemaker."""
    if chest.picture.view == "AP" and rng.random() < 0.5:
        for _ in range(int(rng.integers(2, 5))):
            ends = rng.uniform((-150, -150), (150, 150), (2, 2))
            square, thick = rod(chest.canvas, *ends, 1.1)
            chest.metal += 0.25 * chord(thick, square)
    if rng.random() < 0.0012 * max(chest.body.person.age - 50, 0):
        case = ellipse(chest.canvas, (100 + 8 * rng.normal(), -88 + 8 * rng.normal()), (21, 19))
        chest.metal += 1.6 * (case < 1)
        square, thick = rod(chest.canvas, (88, -100), (20, 40), 1.3)
        chest.metal += 0.5 * chord(thick, square)


def _ball(rng, chest: Chest, radius: float):
    places = np.flatnonzero((chest.depth > 0.7 * radius) & (chest.air > 50))
    if not len(places):
        return None
    at = places[rng.integers(len(places))]
    center = (float(chest.canvas.x.flat[at]), float(chest.canvas.y.flat[at]))
    radii = radius * rng.uniform(0.85, 1.15, 2)
    shape = dome(ellipse(chest.canvas, center, radii, float(rng.uniform(0, 180))))
    return _replaced(chest, 2.2 * radius * shape)


def _patch(rng, chest: Chest, *, radii, share, rough):
    places = np.flatnonzero((chest.depth > 18) & (chest.air > 50))
    if not len(places):
        return None
    at = places[rng.integers(len(places))]
    center = (float(chest.canvas.x.flat[at]), float(chest.canvas.y.flat[at]))
    soft = np.exp(-1.1 * ellipse(chest.canvas, center, radii, float(rng.uniform(0, 180))) ** 2)
    uneven = np.clip(1 + rough * cloud(rng, len(chest.air), 22), 0, 1.6)
    one_side = chest.left == chest.left.flat[at]
    return _replaced(chest, share * soft * uneven * one_side * chest.air, seen=0.3 * share)


def _replaced(chest: Chest, length, *, seen=None):
    """Put `length` mm of tissue in the place of air; the box of what changed (by more than `seen` of the air there)."""
    length = np.minimum(length, chest.air)
    changed = length > (SEEN_MM if seen is None else np.maximum(seen * chest.air, SEEN_MM))
    fill(chest, length)
    return _box(changed)


def _box(mask):
    """(column, row, columns, rows) of the pixels of a mask; None where it is empty or a sliver of no height or width."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    least = max(len(mask) // 64, 2)
    if len(rows) < least or len(columns) < least:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)
