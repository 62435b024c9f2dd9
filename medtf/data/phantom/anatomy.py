"""Any slice of a head without lesions, in Hounsfield units at 120 kV, painted from the outside to the inside."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from medtf.data.phantom.geometry import View, blend, capsule, coverage, ellipsoid, slab
from medtf.data.phantom.head import Head

AIR, SKIN, FAT, MUSCLE, TABLE, DIPLOE = -1000.0, 25.0, -95.0, 52.0, 1300.0, 620.0
CSF, FALX = 7.0, 50.0
RIBBON_MM = 3.6  # cortical thickness, a little more than life so that it survives 5 mm slices


@dataclass
class Scene:
    """One slice being painted; distances in mm (negative inside) on the view."""

    view: View
    hu: np.ndarray  # (height, width) float32
    depth: np.ndarray  # under the skull's inner table
    extent: np.ndarray  # the voxel along the skull's normal
    cranial: np.ndarray  # share of the voxel inside the cranial cavity
    fluid: np.ndarray | None = None  # distance to CSF outside the ventricles
    ventricle: np.ndarray | None = None  # share inside the ventricles


def paint(head: Head, view: View, push=None) -> Scene | None:
    """The head on a view that holds it: brain inside skull inside scalp, in HU; None where the slice misses the head.

    `push` (mm to the left, head y, head z) is the midline shift of a mass: falx, ventricles and deep nuclei move by
    that much at (y, z) and less away from it.
    """
    depth, extent = head.surface(view)
    if depth.max() < -12:
        return None
    thick = head.skull * (1 + np.float32(0.13) * head.waves["skull"](view))
    hu = _shell(head, view, depth, extent, thick)
    depth -= thick
    scene = Scene(view, hu, depth, extent, coverage(-depth, extent))
    if depth.max() < 0:
        return scene
    if view.level - view.pose.shift[2] < 20:
        _base(head, scene)
    brain = _brain(head, scene, replace(view, bend=push))
    blend(scene.hu, scene.cranial, brain)
    return scene


def _shell(head: Head, view: View, depth, extent, thick):
    """Air, skin, fat, temporal muscle and the skull's three layers; all inside of it is still inner table."""
    hu = np.full(depth.shape, AIR, np.float32)
    near = ((np.abs(view.x) - 66) / 24) ** 2 + ((view.y + 22) / 26) ** 2 + ((view.z + 18) / 30) ** 2
    muscle = 0.8 + 9 / (1 + near * near)
    scalp = head.scalp + 0.6 * muscle
    marrow = DIPLOE + 110 * head.waves["marrow"](view) - TABLE
    layers = (
        (-scalp, SKIN - AIR),
        (2.0 - scalp, FAT - SKIN),
        (-muscle, MUSCLE - FAT),
        (np.float32(0), TABLE - MUSCLE),
        (np.float32(1.8), marrow),
        (thick - 1.8, -marrow),
    )
    for at, step in layers:
        hu += coverage(at - depth, extent) * step
    return hu


def _base(head: Head, scene: Scene) -> None:
    """Below the skull base: a plate of bone, then orbits, sinuses and soft tissue; the cranial cavity ends there."""
    view = scene.view
    slope = np.clip((view.y + 48) / 30, 0, 1) * 20 + np.clip((view.y - 6) / 22, 0, 1) * 24
    roofs = np.clip(1 - ((np.abs(view.x) - 28) / 21) ** 2 - ((view.y + 58) / 28) ** 2, 0, 1)  # of the two orbits
    floor = view.z + 24 + slope - 9 * roofs + 1.2 * head.waves["depth"](view)  # mm above the base, front to back
    extent = np.float32(view.extent(0.75))
    inside = scene.cranial
    face = np.where(head.waves["face"](view) > 0.3, np.float32(-60), np.float32(45))
    cells = np.maximum(np.abs(view.x) - 15, -view.y - 72)
    blend(
        face,
        coverage(np.maximum(cells, view.y + 28), np.float32(3)),
        np.where(head.waves["cells"](view) > 0.8, 90, -850),
    )
    for side in (-1, 1):
        for radii, value in (((17, 19, 17), -80.0), ((12, 12, 12), 12.0)):
            if found := view.around([(side * 31, -58, -42)], 20):
                part, where = found
                blend(face[where], coverage(*ellipsoid(part, (side * 31, -58, -42), radii)), value)
    blend(scene.hu, inside * coverage(floor + 3, extent), face)
    scene.cranial = inside * coverage(-floor, extent)


def _brain(head: Head, scene: Scene, view: View):
    """HU inside the skull, everywhere on the view (the cranial share cuts it out); `view` is the scene's, pushed."""
    low = view.level - view.pose.shift[2] < 25
    scene.fluid = _fluid(head, scene, view, low)
    coarse = np.float32(0.65 * view.pixel + 0.22 * view.thickness)
    brain = np.float32(head.white) + head.waves["tissue"](view)
    cortex = coverage(scene.fluid - RIBBON_MM, coarse) * coverage(scene.depth - 34, np.float32(8))
    blend(brain, cortex, np.float32(head.grey))
    for side in (-1, 1):
        for center, radii in (((10, 9, 7), (8, 13, 8)), ((24, -4, 5), (6, 14, 10)), ((13, -26, 11), (4.5, 9, 9))):
            _place(brain, view, (side * center[0], *center[1:]), radii, head.grey - 0.5)
    if low:
        _hindbrain(head, scene, brain)
    width = np.clip(2 * (0.7 + head.atrophy) / coarse, 0, 1)
    blend(brain, np.minimum(coverage(scene.fluid, coarse), width), CSF)
    _midline(head, view, brain)
    scene.ventricle = _ventricles(head, view)
    blend(brain, scene.ventricle, CSF)
    for center, radius, value in head.stones:
        _place(brain, view, center, (radius,) * 3, value)
    return brain


def _place(image, view: View, center, radii, value) -> None:
    """Blend an ellipsoid of one HU value into an image of the view."""
    if found := view.around([center], max(radii)):
        part, where = found
        blend(image[where], coverage(*ellipsoid(part, center, radii)), np.float32(value))


def _fluid(head: Head, scene: Scene, view: View, low):
    """Signed distance in mm to the CSF of sulci, fissures, cisterns and the layer under the skull."""
    waves = head.waves
    reach = 15 + 4 * waves["depth"](view)  # how deep the sulci go
    opening = (0.9 + 1.1 * head.atrophy) * (1 - scene.depth / reach) - 0.4 * np.maximum(scene.depth - reach, 0)
    fluid = np.abs(waves["sulci"](view)) / np.float32(1.35 * waves["sulci"].steepness) - opening
    np.minimum(fluid, scene.depth - (0.8 + 1.6 * head.atrophy), out=fluid)
    wide = 1.2 + 1.6 * head.atrophy
    rods = []
    for s in (-1, 1):
        rods += [
            ((s * 37, -20, -6), (s * 60, -2, 2), wide, wide),
            ((s * 38, -16, -4), (s * 38, 12, 10), 0.8 * wide, 0.6),
        ]
    if low:
        rods += [
            ((0, -14, -24), (0, -6, -24), 8, 8),
            ((-9, 26, -6), (9, 26, -6), 3.5, 3.5),
            ((0, 8, -20), (0, 14, -44), 15.5, 14),
        ]
        rods += [((s * 6, -10, -24), (s * 28, -22, -20), 4.0, 2.5) for s in (-1, 1)]
    for start, end, radius, last in rods:
        if found := view.around([start, end], max(radius, last) + 5):
            part, where = found
            fluid[where] = np.minimum(fluid[where], capsule(part, start, end, radius, last)[0])
    if low and (found := view.around([(0, 8, -16), (0, 16, -60)], 16)):
        part, where = found  # the brain stem stands in its cistern
        fluid[where] = np.maximum(fluid[where], -capsule(part, (0, 7, -14), (0, 16, -60), 13, 11)[0])
    return fluid


def _hindbrain(head: Head, scene: Scene, brain) -> None:
    """Cerebellum with its folia, fourth ventricle, tentorium and the petrous bones."""
    view = scene.view
    tent = view.z - (4 - 0.42 * np.abs(view.x) - 0.25 * np.abs(view.y - 28))  # mm above the tentorium
    behind = coverage(np.maximum(tent, 6 + 0.35 * np.abs(view.x) - view.y), np.float32(4))
    blend(brain, behind, 33 + 1.4 * head.waves["folia"](view))
    scene.fluid += behind * np.maximum(4 - scene.fluid, 0) * (scene.depth > 3)  # no sulci of the cerebrum there
    _place(brain, view, (0, 30, -36), (7 * head.ventricles**0.5, 5, 8), CSF)
    back = coverage(18 - view.y, np.float32(3)) * coverage(np.abs(view.x) - 50, np.float32(8))
    blend(brain, back * slab(tent * 0.9, 0.8, np.float32(view.extent(0.85))), FALX)
    for side in (-1, 1):
        start, end = (side * 62, 20, -40), (side * 13, -6, -37)
        if found := view.around([start, end], 11):
            part, where = found
            distance, extent = capsule(part, start, end, 11, 5)
            bone = np.where(head.waves["cells"](part) > 0.7 + (distance > -2), np.float32(-400), np.float32(1250))
            blend(brain[where], coverage(distance, extent), bone)


def _midline(head: Head, view: View, brain) -> None:
    """The falx in the interhemispheric fissure, except where the corpus callosum and the thalami join the halves."""
    if not (found := view.around([(0, -95, -25), (0, 95, 90)], 6)):
        return
    part, where = found
    core = (np.sqrt(((part.y - 6) / 47) ** 2 + ((part.z - 2) / 33) ** 2) - 1) * 38
    beyond = coverage(np.maximum(-core, -part.z - 12 - np.abs(part.y) * 0.1), np.float32(3))
    side = part.x + 0.8 * head.waves["depth"](part)
    extent = np.float32(part.extent(part.up[0]))
    blend(brain[where], beyond * slab(side, 1.0 + 0.9 * head.atrophy, extent), CSF)
    blend(brain[where], beyond * slab(side, 0.85, extent), FALX)


def _ventricles(head: Head, view: View):
    """Share of each voxel inside the lateral and third ventricles."""
    share = np.zeros(view.x.shape, np.float32)
    scale = head.ventricles
    chain = [((5 + 5 * scale, -36, 8), 3.2), ((2 + 5 * scale, -10, 20), 4.8), ((8 + 5 * scale, 18, 21), 5.2)]
    chain += [((20 + 5 * scale, 33, 9), 6.8), ((18 + 4 * scale, 52, 5), 3.0)]
    rods = [*pairwise(chain), (chain[3], ((32, 2, -16), 1.6))]
    for side in (-1, 1):
        for (start, radius), (end, last) in rods:
            start, end = (side * start[0], *start[1:]), (side * end[0], *end[1:])
            if found := view.around([start, end], scale * max(radius, last)):
                part, where = found
                np.maximum(
                    share[where], coverage(*capsule(part, start, end, scale * radius, scale * last)), out=share[where]
                )
    third = ((0, 3, 2), (2.2 * scale**1.5, 14, 11))
    if found := view.around([third[0]], 16):
        part, where = found
        np.maximum(share[where], coverage(*ellipsoid(part, *third)), out=share[where])
    return share
