"""A frontal chest radiograph, summed along the rays: lungs, heart, great vessels, diaphragm, skeleton, breasts, arms.

Body coordinates as in `xray_canvas`, the origin in the midline between the hila, for an adult of middle height. What is a
person's follows from the person, what is a picture's from the picture: follow-ups show the same body in another position.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medtf.data.phantom.bone import Bones, trabeculae
from medtf.data.phantom.xray_body import Body, Picture
from medtf.data.phantom.xray_canvas import Canvas, Profile, canvas, chord, cloud, dome, ellipse, rod
from medtf.data.phantom.xray_chest_bones import WALL, draw_shoulders, draw_trunk

SOFT, LUNG = 0.0165, 0.22  # attenuation of soft tissue at 120 kV, 1/mm, and of aerated lung as a share of it
HARD, SPONGY, STRENGTH = (
    0.021,
    0.0055,
    0.55,
)  # excess of cortical and spongy bone, 1/mm; strength of the trabecular pattern
MIDDLE = Profile((-320, -175, -160, -130, -60, 0, 60, 320), (20, 20, 18, 18, 20, 24, 26, 30))  # the mediastinum's half


@dataclass
class Chest:
    """A chest being summed up, mm along each ray."""

    body: Body
    picture: Picture
    canvas: Canvas
    side: np.ndarray  # distance from the midline, mm
    left: np.ndarray  # True left of the patient's midline, which is the picture's right
    tissue: np.ndarray  # air or not
    air: np.ndarray  # of it, aerated lung
    depth: np.ndarray  # into the lung from its outline, mm
    gas: np.ndarray  # of the air, without any tissue
    bones: Bones
    metal: np.ndarray
    vessels: np.ndarray  # of the tissue, in the place of air


def assemble(rng, body: Body, picture: Picture, size: int) -> Chest:
    """Everything of a healthy chest."""
    plane = canvas(
        size, picture.field, shift=picture.shift, degrees=picture.degrees, scale=(body.width + body.height) / 2
    )
    side = np.abs(plane.x)
    chest = Chest(
        body=body,
        picture=picture,
        canvas=plane,
        side=side,
        left=plane.x > 0,
        tissue=_outline(plane, side, body),
        air=np.zeros_like(side),
        depth=_depth(plane, side, body, picture),
        gas=np.zeros_like(side),
        bones=Bones.none(plane, body.quality),
        metal=np.zeros_like(side),
        vessels=np.zeros_like(side),
    )
    chest.air = (0.72 * np.maximum(chest.tissue - 40, 0)) * (1 - np.exp(np.minimum(-chest.depth, 0) / 13))
    _organs(rng, chest)
    draw_trunk(chest.bones, side, body)
    draw_shoulders(chest.bones, body, picture)
    return chest


def optical_depth(rng, chest: Chest) -> np.ndarray:
    """Optical thickness along each ray, (n, n) float32."""
    size = len(chest.side)
    tissue = chest.tissue * (1 + 0.025 * cloud(rng, size, 20))
    tissue -= (1 - LUNG) * chest.air + LUNG * chest.gas
    pattern = trabeculae(rng, size, chest.body.quality, degrees=60 * np.float32(rng.normal()))
    bone = chest.bones.attenuation(pattern, hard=HARD, spongy=SPONGY, strength=STRENGTH)
    return np.float32(SOFT) * tissue + bone + chest.metal


def _outline(plane: Canvas, side, body: Body) -> np.ndarray:
    """Millimetres of body along each ray: trunk, shoulders, neck and arms, blended into one another."""
    fat = body.fat
    trunk = (210 + 1.3 * fat) * dome((side * np.float32(1 / (166 + 0.8 * fat))) ** 2)
    trunk *= np.clip((plane.y + 192) * np.float32(1 / 60), 0, 1)
    parts = [trunk]
    for start, end, radius, last in (
        ((0, -330), (0, -165), 54, 56),
        ((0, -162), (176, -108), 46, 44),
        ((183, -100), (216, 130), 46, 40),
    ):
        grown = 0.35 * fat
        square, thick = rod(_mirrored(plane, side), start, end, radius + grown, last + grown)
        parts.append(chord(thick, square))
    total = sum((part * part) * (part * part) for part in parts)
    return np.sqrt(np.sqrt(total))


def _mirrored(plane: Canvas, side) -> Canvas:
    """The canvas with both sides folded onto the patient's left."""
    return Canvas(side, plane.y, plane.pixel, plane.matrix)


def _depth(plane: Canvas, side, body: Body, picture: Picture) -> np.ndarray:
    """Distance in mm into the lung from its outline, negative outside."""
    down, across = np.float32(1 / body.height * body.width), side
    right, left = (np.float32(dome_at - picture.inspiration) for dome_at in body.domes)
    top = np.where(plane.x > 0, left, right)
    floor = top + 52 * ((across - 62) * np.float32(1 / 74)) ** 2 - plane.y * down
    depth = np.minimum(WALL(plane.y * down) - across, across - MIDDLE(plane.y * down))
    return np.minimum(depth, 1.2 * floor)


def heart_of(chest: Chest):
    """Centre, semi-axes (mm) and turn (degrees) of the heart."""
    body, picture = chest.body, chest.picture
    size = body.heart * picture.heart
    base = body.domes[1] - picture.inspiration
    return (20 + 1.0 * picture.turn + 10 * (size - 1), base - 46 * size + 12), (66 * size, 51 * size), 33.0


def fill(chest: Chest, length) -> None:
    """Put tissue in the place of `length` mm of air."""
    np.maximum(chest.air - length, 0, out=chest.air)
    np.minimum(chest.gas, chest.air, out=chest.gas)


def _organs(rng, chest: Chest) -> None:
    """Heart, aorta, trachea, vessels, breasts and the stomach's bubble."""
    body, picture, plane = chest.body, chest.picture, chest.canvas
    center, radii, degrees = heart_of(chest)
    fill(chest, 170 * dome(ellipse(plane, center, radii, degrees)))
    front = picture.turn
    for start, end, radius, last in (
        ((26 + front, -72), (28, 60), body.knob, body.knob * 0.85),  # descending aorta and arch
        ((-13 + front, -84), (-18 + front, 10), 13, 21),  # caval vein and right atrium
        ((30 + front, -38), (36 + front, -20), 15, 15),  # pulmonary trunk
    ):
        square, thick = rod(plane, start, end, radius, last)
        fill(chest, 2.5 * chord(thick, square))
    chest.vessels = np.minimum(_vessels(chest), chest.air)
    fill(chest, chest.vessels)
    windpipe = np.zeros_like(chest.air)
    for start, end, radius in (((0, -240), (2, -66), 8.5), ((2, -66), (-30, -38), 6.5), ((2, -66), (38, -34), 6)):
        square, thick = rod(plane, start, end, radius)
        np.maximum(windpipe, chord(thick, square), out=windpipe)
    chest.tissue -= 1.3 * windpipe
    if body.breast:
        for sign in (-1, 1):
            place = (sign * 84, 56 + 0.6 * body.breast)
            shape = dome(ellipse(plane, place, (62, 56 + 0.5 * body.breast)))
            chest.tissue += np.float32(body.breast) * shape * np.clip((plane.y - place[1] + 55) * 0.014, 0, 1)
    if rng.random() < 0.7:
        bubble = (58 + 8 * rng.normal(), body.domes[1] - picture.inspiration + 26 + 5 * rng.normal())
        chest.tissue -= rng.uniform(20, 70) * dome(ellipse(plane, bubble, (rng.uniform(14, 30), rng.uniform(8, 17))))


def _vessels(chest: Chest) -> np.ndarray:
    """Millimetres of vessels that branch from both hila: thick ones near them, fine ones outside."""
    rng = np.random.default_rng(chest.body.tree)
    branches, steps = 64, 44
    sign = np.where(np.arange(branches) % 2, 1, -1)
    angle = rng.uniform(-1.45, 1.35, branches)[:, None] + 0.09 * rng.normal(size=(branches, steps)).cumsum(axis=1)
    step = 2.6 * rng.uniform(0.6, 1.05, branches)[:, None]
    x = sign[:, None] * (32 + (step * np.cos(angle)).cumsum(axis=1)) + 0.5 * chest.picture.turn
    y = -12 + (step * np.sin(angle) * 1.15).cumsum(axis=1) + 9 * rng.normal(size=branches)[:, None]
    taper = np.linspace(1, 0.12, steps)[None] * rng.uniform(0.5, 1, branches)[:, None]
    size, pixel = len(chest.side), chest.canvas.pixel
    total = np.zeros((size, size), np.float32)
    places = np.rint(chest.canvas.columns_rows(np.stack([x, y], axis=-1))).astype(int)
    inside = ((places >= 0) & (places < size)).all(axis=1)
    flat = places[:, 1] * size + places[:, 0]
    for width, length in (
        (2.6, np.maximum(taper - 0.45, 0) * 26),
        (1.1, taper * 11),
    ):  # mm: of the vessel, of its depth
        weight = np.where(inside, (length * step * width / pixel**2).ravel(), 0)
        drops = np.bincount(np.where(inside, flat, 0), weight, minlength=size * size).reshape(size, size)
        total += ndimage.gaussian_filter(drops.astype(np.float32), max(width / pixel, 0.5), truncate=2.5)
    return 1.5 * total
