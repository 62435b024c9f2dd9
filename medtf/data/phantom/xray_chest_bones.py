"""The skeleton of a chest: ribs and spine as functions that repeat down the body, clavicles, shoulder blades and arms as hollow rods."""

import numpy as np

from medtf.data.phantom.bone import Bones
from medtf.data.phantom.xray_body import Body, Picture
from medtf.data.phantom.xray_canvas import Profile, chord, dome

# Distance of the chest's wall from the midline by height, mm.
WALL = Profile(
    (-320, -172, -164, -150, -130, -100, -60, 0, 60, 150, 320), (8, 8, 44, 66, 84, 101, 116, 129, 136, 141, 141)
)


def draw_trunk(bones: Bones, side, body: Body) -> None:
    """Ribs, as two families of curves, and the spine: functions of height that repeat, so all are drawn at once."""
    plane = bones.canvas
    wall = WALL(plane.y)
    out = np.minimum(side / np.maximum(wall, 30), 1.0)
    steep = 1 / np.sqrt(1.04 - np.minimum(out, 0.97) ** 2)  # the ray runs along a rib that turns at the wall
    inside = np.clip(wall + 3 - side, 0, 3) * np.float32(1 / 3)
    back = 62 * out * out - 24 * out
    front = 38 + 74 * (1 - out) ** 0.9 + 6 * out
    for curve, radius, cortex, ends, share in (
        (back, 6.0, 1.0, np.clip((side - 12) * 0.2, 0, 1), 0.95),
        (front, 6.8, 0.8, np.clip((out - 0.38) * 5, 0, 1), 0.7),
    ):
        number = (plane.y + 168 - curve) * np.float32(1 / body.pitch)
        nearest = np.clip(np.rint(number), 0, 11 if radius < 6.5 else 7)
        square = ((number - nearest) * np.float32(body.pitch * 0.93)) ** 2
        outer, inner = chord(radius, square), chord(radius - bones.shell(cortex), square)
        along = np.float32(share) * inside * ends * np.minimum(steep, 2.6)
        bones.cortical += along * (outer - inner)
        bones.trabecular += along * inner
    _spine(bones, side, body)


def _spine(bones: Bones, side, body: Body) -> None:
    """Vertebral bodies with their end plates, pedicles and spinous processes, and discs between them."""
    height = body.pitch * 1.02
    number = bones.canvas.y * np.float32(1 / height)
    level = (number - np.rint(number)) * np.float32(height)  # mm from the middle of a vertebra
    column = np.clip(17.5 - side, 0, 2) * 0.5
    bodies = np.clip(0.42 * height - np.abs(level), 0, 1.5) * np.float32(1 / 1.5)
    plate = np.exp(-(((np.abs(level) - 0.40 * height) * np.float32(1 / 1.1)) ** 2))
    pedicle = np.exp(-(((np.sqrt((side - 11) ** 2 + (level + 3) ** 2) - 3.6) * np.float32(1 / 1.1)) ** 2))
    spinous = dome((bones.canvas.x * np.float32(1 / 3.4)) ** 2 + ((level - 6) * np.float32(1 / 7)) ** 2)
    bones.trabecular += column * (6 + 24 * bodies)
    bones.cortical += column * np.float32(body.quality.cortex) * (6 * plate + 5 * pedicle) + 5 * spinous


def draw_shoulders(bones: Bones, body: Body, picture: Picture) -> None:
    """Clavicles, shoulder blades and the heads of the humeri in the upper corners."""
    for sign in (-1, 1):
        lift, blade = body.clavicle, picture.blades
        inner = 15 + sign * picture.turn  # rotation brings one clavicle nearer to the midline than the other

        def at(*points, sign=sign):
            return [(sign * x, y) for x, y in points]

        bones.tube(
            at((inner, -112), (48, -121 - 0.3 * lift), (96, -136 - lift), (138, -143 - lift), (170, -139 - lift)),
            6.0,
            1.8,
        )
        bones.tube(
            at((102 + blade, -118), (140 + blade, -134), (176, -142 - 0.7 * lift)), 5.0, 1.2
        )  # spine to acromion
        bones.tube(at((160 + blade / 3, -98), (146 + 0.7 * blade, -55), (124 + blade, 12)), 4.0, 1.6)  # lateral border
        bones.tube(at((100 + blade, -112), (106 + blade, -55), (124 + blade, 12)), 2.4, 1.0)  # medial border
        bones.tube(at((160 + blade / 3, -122), (160 + blade / 3, -98)), 7.0, 1.3)  # socket
        bones.add([(*at((128 + blade, -105), (124 + blade, -25)), 24.0, 8.0, 0.5, 0.4)], depth=0.10)
        head, neck, shaft = at((181, -114), (189, -84), (208, 70))
        bones.add(
            [
                (head, head, 23.5, 23.5, 1.2, 1.2),
                (*at((190, -112), (192, -96)), 15.0, 13.0, 1.2, 1.5),
                (head, neck, 20.0, 12.0, 1.2, 2.6),
                (neck, shaft, 12.0, 11.0, 3.2, 4.8),
            ]
        )
