"""An AP radiograph of a shoulder: humerus, shoulder blade, clavicle, ribs and soft tissue, summed along the rays.

Body coordinates as in `xray_canvas`, the origin in the middle of the head of the humerus; x runs away from the chest. Cortex and
trabeculae come from `bone`; everything else - size, position, rotation, tissue, exposure - tells nothing of them.
"""

from dataclasses import dataclass

import numpy as np

from medtf.data.phantom.bone import Bones, Quality, draw_quality, trabeculae
from medtf.data.phantom.xray_canvas import Canvas, canvas, chord, cloud, rod
from medtf.data.phantom.xray_person import SHOULDER, Person, rng_of

SOFT = 0.019  # attenuation of soft tissue at 70 kV, 1/mm
HARD, SPONGY, STRENGTH = 0.036, 0.0062, 1.0
VIEWS = ("external", "internal")  # rotation of the arm


@dataclass(frozen=True)
class Shoulder:
    """What stays of a person from picture to picture."""

    person: Person
    quality: Quality
    scale: float
    head: float  # radius, mm
    shaft: float  # radius, mm
    cortex: float  # of the shaft at a T-score of -1, mm
    flesh: float  # mm of soft tissue beyond a thin person's
    acromion: float  # mm above its usual place
    lungs: float  # how far the chest reaches into the picture, mm
    anchors: bool  # screws of an old repair


@dataclass(frozen=True)
class Pose:
    """One exposure: which side, how the arm is turned, and where the beam points."""

    side: str
    view: str
    field: float
    shift: tuple
    degrees: float
    arm: float  # degrees that the arm is lifted
    shutter: dict


def draw_shoulder(seed: int, person: Person) -> Shoulder:
    """The anatomy of one person. The share of an old repair and every size are drawn without a look at the T-score."""
    rng = rng_of(seed, SHOULDER, person.number, 1)
    tall = 0.97 if person.female else 1.03
    return Shoulder(
        person=person,
        quality=draw_quality(rng, person.t_score),
        scale=float(tall * np.exp(0.06 * rng.normal())),
        head=float(24 + 1.3 * rng.normal()),
        shaft=float(11.2 + 0.8 * rng.normal()),
        cortex=float(4.6 + 0.35 * rng.normal()),
        flesh=float(np.clip(1.1 * (person.bmi - 24) + 5 * rng.normal(), -7, 30)),
        acromion=float(2.5 * rng.normal()),
        lungs=float(12 * rng.normal()),
        anchors=bool(rng.random() < 0.04),
    )


def draw_pose(rng, view: str, side: str) -> Pose:
    """The position for one exposure."""
    blades = rng.random(4) < 0.3
    return Pose(
        side=side,
        view=view,
        field=float(rng.uniform(165, 215)),
        shift=(float(22 + 9 * rng.normal()), float(-34 + 9 * rng.normal())),
        degrees=float(5 * rng.normal()),
        arm=float(6 * rng.normal()),
        shutter={
            name: float(on * rng.uniform(0.02, 0.11))
            for name, on in zip(("left", "right", "top", "bottom"), blades, strict=True)
        },
    )


def place(shoulder: Shoulder, pose: Pose, size: int) -> Canvas:
    """The detector's pixels in the body. Left shoulders have the arm on the picture's right, as they are looked at from the front."""
    right = pose.side == "R"
    shift = (-pose.shift[0] if right else pose.shift[0], pose.shift[1])
    return canvas(size, pose.field, shift=shift, degrees=pose.degrees, scale=shoulder.scale, mirror=right)


def bones_of(shoulder: Shoulder, pose: Pose, plane: Canvas) -> Bones:
    """All bones of the picture: each of them wastes as the T-score falls."""
    bones = Bones.none(plane, shoulder.quality)
    _humerus(bones, shoulder, pose)
    _blade(bones, shoulder)
    _ribs(bones, shoulder)
    return bones


def optical_depth(rng, shoulder: Shoulder, pose: Pose, plane: Canvas, bones: Bones | None = None) -> np.ndarray:
    """Optical thickness along each ray, (n, n) float32.

    Args:
        bones: of `bones_of`, where they are there already.
    """
    size = len(plane.x)
    tissue, lung = _flesh(shoulder, plane)
    tissue *= 1 + 0.05 * cloud(rng, size, 14) + 0.02 * cloud(rng, size, 30)
    bones = bones or bones_of(shoulder, pose, plane)
    pattern = trabeculae(rng, size, shoulder.quality, degrees=float(35 + 12 * rng.normal()))
    depth = np.float32(SOFT) * (tissue - 0.78 * lung)
    depth += bones.attenuation(pattern, hard=HARD, spongy=SPONGY, strength=STRENGTH)
    if shoulder.anchors:
        for x, y in ((15, -10), (17, 2), (12, -18)):
            _metal(depth, plane, (x, y), (x - 9, y + 3), 1.7)
    if rng.random() < 0.05:  # a clip or a button of a gown
        at = rng.uniform((-90, -60), (20, 110))
        _metal(depth, plane, at, at + rng.uniform(-4, 4, 2), rng.uniform(2, 4))
    return depth


def _metal(depth, plane: Canvas, start, end, radius) -> None:
    if found := plane.around([start, end], radius):
        part, box = found
        square, thick = rod(part, start, end, radius)
        depth[box] += 0.55 * chord(thick, square)


def _flesh(shoulder: Shoulder, plane: Canvas):
    """Millimetres of body along each ray, and of lung in it."""
    flesh, total = shoulder.flesh, 0.0
    for start, end, radius, last in (
        ((-2, 6), (18, 190), 50, 41),  # deltoid and arm
        ((-4, 2), (-120, -66), 50, 48),  # up to the neck
        ((-60, 8), (-92, 70), 52, 56),  # muscles of the shoulder blade
        ((-60, 44), (-82, 210), 42, 40),  # the folds of the armpit
        ((-178, 74), (-168, 260), 112, 110),  # chest
    ):
        square, thick = rod(plane, start, end, radius + flesh, last + flesh)
        part = chord(thick, square) * np.float32(0.78 if radius > 100 else 1)
        total = total + part * part * part
    body = np.cbrt(total)
    within = np.clip((_wall(shoulder, plane.y) - plane.x) * np.float32(1 / 30), 0, 1)
    return body, 0.8 * body * np.sqrt(within)


def _wall(shoulder: Shoulder, y):
    """Where the lung ends beside the arm, mm: it rounds off to the apex."""
    return -88 + shoulder.lungs - 0.0045 * np.maximum(95 - y, 0) ** 2


def _humerus(bones: Bones, shoulder: Shoulder, pose: Pose) -> None:
    """One hollow bone: head, tubercles as the rotation shows them, neck, and a shaft whose cortex thickens downwards."""
    head, shaft, cortex = shoulder.head, shoulder.shaft, shoulder.cortex
    lift = np.deg2rad(pose.arm)

    def arm(x, y):
        return (x * np.cos(lift) + y * np.sin(lift), y * np.cos(lift) - x * np.sin(lift))

    outside = pose.view == "external"
    great = arm(14, -5) if outside else arm(7, -1)
    small = arm(4, 6) if outside else arm(-11, 9)
    neck, upper, middle, low = arm(7, 18), arm(9, 44), arm(12, 85), arm(16, 230)
    bones.add(
        [
            ((0, 0), (0, 0), head, head, 1.1, 1.1),
            (great, arm(13, 10), 13.5, 12.0, 1.2, 1.4),
            ((0, 0), neck, head - 2, head - 6, 1.1, 1.3),
            (neck, upper, head - 6, shaft + 1.5, 1.3, 0.62 * cortex),
            (upper, middle, shaft + 1.5, shaft, 0.62 * cortex, cortex),
            (middle, low, shaft, shaft - 0.4, cortex, cortex),
        ]
    )
    bones.add([(small, arm(small[0], small[1] + 9), 6.5, 5.5, 0.9, 0.9)], depth=0.35)


def _blade(bones: Bones, shoulder: Shoulder) -> None:
    """Socket, neck, borders, spine, acromion and coracoid of the shoulder blade, and the clavicle."""
    gap = -shoulder.head - 4.5
    up = gap - 5.5 - shoulder.acromion
    bones.add([((gap - 1, -13), (gap - 3, 17), 5.0, 4.5, 1.0, 1.0)], depth=1.9)
    bones.add([((gap - 4, 2), (-66, 12), 14.0, 9.0, 1.0, 0.8)], depth=0.8)
    bones.tube([(gap - 6, 16), (-58, 62), (-88, 128)], 4.4, 1.7)
    bones.add([((-72, 8), (-88, 96), 26.0, 10.0, 0.5, 0.4)], depth=0.09)
    bones.tube([(-118, -12), (-126, 60), (-88, 128)], 2.6, 1.0)
    bones.tube([(-116, -14), (-72, -20), (-30, up + 3), (2, up), (16, up + 8)], 5.2, 1.3, depth=1.1)
    bones.tube([(-44, -10), (-36, -20), (-22, -17), (-15, -9)], 5.8, 1.2)
    bones.tube([(-190, -44), (-130, -62), (-70, -56), (-22, up - 3), (-6, up - 1)], 6.2, 1.9)


def _ribs(bones: Bones, shoulder: Shoulder) -> None:
    """The few ribs at the picture's inner edge."""
    for number in range(6):
        y = -16 + 25 * number
        edge = float(_wall(shoulder, y + 10))
        bones.tube(
            [(edge - 110, y - 18), (edge - 60, y - 14), (edge - 16, y + 2), (edge - 2, y + 20), (edge - 20, y + 34)],
            5.2,
            1.1,
            depth=0.7,
        )
