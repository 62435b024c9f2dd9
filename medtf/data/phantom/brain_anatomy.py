"""Shares of tissue in every voxel of one person's brain: intracranial space, CSF, grey matter (white is the rest)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medtf.data.phantom.brain import Person
from medtf.data.phantom.brain_space import Grid, Space, ellipsoid, join, rod
from medtf.data.phantom.geometry import coverage, slab

LOW, HIGH = (-83.0, -117.0, -86.0), (83.0, 82.0, 88.0)  # mm: no brain is beyond, in template coordinates
LATERAL = ((9, 31, 0), 2.2), ((7, 20, 9), 3.8), ((8, -2, 19), 3.4), ((13, -26, 20), 3.4), ((25, -41, 13), 4.6)
OCCIPITAL = ((25, -41, 13), 4.4), ((24, -66, 6), 0.8)
TEMPORAL = ((25, -41, 13), 3.4), ((35, -27, -9), 1.2), ((31, -10, -19), 1.6)
BEND_MM, WRINKLE_MM = 1.4, 0.5  # how far a person differs from the template in shape
NUCLEI = (  # centre and radii of grey nuclei on the right
    ((12.5, 14, 7), (4.5, 11, 8)),  # head of the caudate
    ((16, -6, 19), (3.5, 12, 4)),  # its body
    ((26, 3, 1), (6.5, 15, 10)),  # lentiform
    ((11.5, -19, 6), (9, 14, 9)),  # thalamus
    ((25, -20, -16), (5, 15, 5)),  # hippocampus
)


@dataclass
class Tissue:
    """Shares in [0, 1], (i, j, k) float32 on `grid` (true head mm); `grid` is a part of the image, at `box`."""

    grid: Grid
    box: tuple
    space: Space  # template coordinates of the voxels
    depth: np.ndarray  # mm under the brain's envelope (template mm)
    mask: np.ndarray  # intracranial
    csf: np.ndarray
    grey: np.ndarray
    ventricle: np.ndarray


@dataclass(frozen=True)
class Build:
    """What has to be measured before a person can be painted on any grid."""

    scale: float  # true mm of one template mm
    swell: tuple  # template mm by which the left and the right lateral ventricle are inflated


def fit(person: Person) -> Build:
    """Scale the envelope and inflate the ventricles until their volumes are the person's."""
    grid = _template_grid(4.0)
    inside = coverage(envelope(person, space_of(person, grid)), np.float32(4.0))
    scale = (person.intracranial_ml * 1000 / (float(inside.sum(dtype=np.float64)) * 4.0**3)) ** (1 / 3)
    grid = _template_grid(2.0, (-52, -84, -34), (52, 46, 44))
    space = space_of(person, grid)
    swell = []
    for side, volume in zip((-1, 1), person.lateral_ml, strict=True):
        distances = np.sort(_lateral(space, side), axis=None)
        voxels = volume * 1000 / scale**3 / 2.0**3
        swell.append(float(np.interp(voxels, np.arange(20000) + 0.5, distances[:20000])))
    return Build(float(scale), tuple(swell))


def _template_grid(spacing, low=LOW, high=HIGH) -> Grid:
    shape = tuple(int((b - a) / spacing) + 1 for a, b in zip(low, high, strict=True))
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = low
    return Grid(shape, affine)


def space_of(person: Person, grid: Grid) -> Space:
    """The voxels of a grid in template mm, in the shape that everybody shares: the person's own is taken out."""
    axes = []
    for k, (name, stretch) in enumerate(zip("xyz", (person.widen**-0.5, person.widen**0.5, 1.0), strict=True)):
        moved = BEND_MM * grid.field(person.waves[f"bend {name}"]) + WRINKLE_MM * grid.field(
            person.waves[f"wrinkle {name}"]
        )
        axes.append(grid.axis(k) * np.float32(stretch) + moved)
    return Space(grid, *axes)


def envelope(person: Person, space: Space) -> np.ndarray:
    """Signed distance in template mm to the inside of the skull."""
    x, y, z = space.x, space.y, space.z
    narrow = Space(space.grid, x * (1 + np.float32(0.0014) * (y + 18)), y, z)  # egg: narrower in front
    cerebrum = _vault(narrow, (0, -18, 15), (67, 85, 60))
    base = np.where(y > 0, -25.0, -25 + 0.14 * np.minimum(-y, 90)).astype(np.float32)
    base += np.float32(0.004) * x * x * np.where(y > 10, 0.6, -1)
    cerebrum = -join(-cerebrum, z - base, 14)
    for side in (-1, 1):
        cerebrum = join(cerebrum, ellipsoid(space, (side * 44, -10, -19), (23, 46, 24)), 12)
    return join(cerebrum, _hindbrain(person, space), 9)


def _vault(space: Space, center, radii) -> np.ndarray:
    """Like an ellipsoid, but squarer: exponent 2.25 (first-order distance)."""
    size, steep = 0.0, 0.0
    for a, c, r in zip((space.x, space.y, space.z), center, radii, strict=True):
        part = np.abs(a - np.float32(c)) * np.float32(1 / r)
        slope = part * np.sqrt(np.sqrt(part))
        size = size + slope * part
        steep = steep + slope * slope * np.float32(1 / r**2)
    radius = np.maximum(size, np.float32(1e-6)) ** np.float32(1 / 2.25)
    return (radius - 1) * size / (radius * np.sqrt(steep + np.float32(1e-12)))


def _hindbrain(person: Person, space: Space) -> np.ndarray:
    big = person.hindbrain
    low = rod(space, (0, -22, -20), (0, -36, -76), 15, 9)
    low = join(low, ellipsoid(space, (0, -21, -36), (17, 12, 14)), 5)
    low = join(low, ellipsoid(space, (0, -60, -31), (14, 25 * big, 22 * big)), 6)
    for side in (-1, 1):
        low = join(low, ellipsoid(space, (side * 24, -62, -34), (29 * big, 31 * big, 24 * big)), 8)
    return -join(-low, space.z + 78, 3)


def _lateral(space: Space, side) -> np.ndarray:
    """Distance to one lateral ventricle's skeleton, never over the midline (the septum)."""
    distance = None
    for chain in (LATERAL, OCCIPITAL, TEMPORAL):
        for (start, radius), (end, last) in pairwise(chain):
            one = rod(space, (side * start[0], *start[1:]), (side * end[0], *end[1:]), radius, last)
            distance = one if distance is None else join(distance, one, 3)
    return np.maximum(distance, np.float32(1.2) - side * space.x)


def tissues(person: Person, build: Build, grid: Grid, low=LOW, high=HIGH) -> Tissue:
    """Everything on a grid in true head mm, or on its part between two corners (template mm; all brain by default)."""
    scaled = grid.scaled(1 / build.scale)
    box = scaled.box(low, high)
    scaled = scaled.crop(box)
    space = space_of(person, scaled)
    extent = np.float32(scaled.voxel)
    depth = -envelope(person, space)
    mask = coverage(-depth, extent)
    hind = _hindbrain(person, space)
    csf, surface = _fluid(person, build, space, depth, hind, extent)
    behind = coverage(hind - 1.5, np.float32(3))  # cerebellum and brain stem

    thick = np.float32(person.cortex_mm / build.scale)
    grey = coverage(surface - thick, extent) * coverage(depth - 34, np.float32(6)) * (1 - behind)
    for side in (-1, 1):
        for (x, y, z), radii in NUCLEI:
            _put(grey, space, (side * x, y, z), radii, extent)
    stem = np.minimum(rod(space, (0, -20, -14), (0, -36, -80), 13.5, 9), ellipsoid(space, (0, -21, -36), (16, 12, 14)))
    leaves = np.clip(0.62 + 0.34 * scaled.field(person.waves["folia"]), 0.1, 1)
    core = coverage(np.minimum(_arbor(space, -1), _arbor(space, 1)), np.float32(7))
    hindgrey = leaves * (1 - 0.85 * core) * coverage(-stem, extent)
    grey += behind * (hindgrey - grey)

    ventricle = np.zeros_like(csf)
    for side, swell in zip((-1, 1), build.swell, strict=True):
        if found := space.around([(side * 2, -85, -32), (side * 50, 46, 44)], 8):
            part, where = found
            ventricle[where] += coverage(_lateral(part, side) - np.float32(swell), extent)
    third = np.clip(0.9 + 1.3 * person.sulci, 0.6, 3)
    for center, radii in (((0, -10, 2), (third, 15, 11)), ((0, -45, -34), (5 + 2 * person.sulci, 5, 9))):
        _put(ventricle, space, center, radii, extent)
    csf = np.maximum(csf, ventricle)
    np.minimum(csf, mask, out=csf)
    grey *= mask - csf
    return Tissue(grid.crop(box), box, space, depth, mask, csf, grey, np.minimum(ventricle, mask))


def _arbor(space: Space, side) -> np.ndarray:
    return ellipsoid(space, (side * 17, -56, -36), (17, 15, 7))


def _put(shares, space: Space, center, radii, extent) -> None:
    """Raise shares to those of an ellipsoid."""
    if found := space.around([center], max(radii) + 8):
        part, where = found
        np.maximum(shares[where], coverage(ellipsoid(part, center, radii), extent), out=shares[where])


def _fluid(person: Person, build: Build, space: Space, depth, hind, extent):
    """Share of CSF outside the ventricles, and distance in mm to the brain's (folded) surface."""
    open_mm = np.float32((0.32 + 0.7 * person.sulci) / build.scale)
    gap = np.float32((1.0 + 1.5 * person.sulci) / build.scale)  # of the layer under the skull
    reach = np.float32(20 + 3 * person.sulci) + 5 * space.grid.field(person.waves["depth"])
    fold = _folds(person, space, (depth > -3) & (depth < reach + 8) & (hind > -4))
    open_here = np.maximum(open_mm * (1.25 - depth / reach), 0.05)
    fold += np.maximum(depth - reach, 0)  # the bottom of the sulcus
    fold += 12 * coverage(hind - 2, np.float32(4))  # the cerebellum has leaves instead
    fluid = slab(fold, open_here, extent)
    surface = np.minimum(fold - open_here, depth - gap)
    np.maximum(fluid, coverage(depth - gap, extent), out=fluid)

    # The fissure between the hemispheres, but for the corpus callosum and what lies under it.
    core = ellipsoid(space, (0, -10, 2), (40, 44, 25))
    bridge = np.minimum(core, np.maximum(np.abs(space.y + 20) - 22, space.z - 20))
    middle = np.abs(space.x) + np.maximum(2 - bridge, 0) + 9 * coverage(hind, np.float32(3))
    half = np.float32(0.5) + open_mm
    np.maximum(fluid, slab(middle, half, extent), out=fluid)
    np.minimum(surface, middle - half, out=surface)

    wide = 1.0 + 1.8 * max(person.sulci, 0)
    rods = [((s * 36, 12, -10), (s * 64, -6, 2), wide, wide) for s in (-1, 1)]  # Sylvian fissures
    rods += [((s * 60, 0, -2), (s * 54, -36, 18), wide, wide * 0.6) for s in (-1, 1)]
    rods += [((s * 38, 16, -6), (s * 38, -14, 8), wide, 0.8) for s in (-1, 1)]  # over the insula
    rods += [((0, 4, -22), (0, -8, -24), 8, 7), ((-10, -36, -6), (10, -36, -6), 3.5, 3.5)]  # cisterns
    rods += [((s * 4, -4, -22), (s * 24, 8, -20), 4.0, 2.0) for s in (-1, 1)]
    for start, end, radius, last in rods:
        if found := space.around([start, end], max(radius, last) + 14):
            part, where = found
            distance = rod(part, start, end, radius, last)
            np.maximum(fluid[where], coverage(distance, extent), out=fluid[where])
            np.minimum(surface[where], distance, out=surface[where])
    # Between cerebrum and cerebellum, and around the brain stem: the tentorium's cleft.
    np.maximum(fluid, slab(hind - np.float32(1.8), np.float32(1.0), extent), out=fluid)
    return fluid, surface


def _folds(person: Person, space: Space, near) -> np.ndarray:
    """Distance in mm to the middle of the nearest sulcus, only where `near` (bool): zeros of a random field that hardly changes with depth."""
    waves = person.waves["sulci"]
    x, y, z = space.x[near], space.y[near] + 18, space.z[near] - 10
    far = np.sqrt((x / 68) ** 2 + (y / 87) ** 2 + (z / 68) ** 2) + np.float32(0.05)
    lift = 0.3 + 0.7 / far  # towards the surface, so that sulci stand on it
    value, slopes = np.zeros_like(x), [np.zeros_like(x) for _ in range(3)]
    points = [x * lift, y * lift, z * lift]
    for vector, phase in zip(waves.vectors.astype(np.float32), waves.phases.astype(np.float32), strict=True):
        angle = points[0] * vector[0] + points[1] * vector[1] + points[2] * vector[2] + phase
        value += np.cos(angle)
        sine = np.sin(angle)
        for slope, part in zip(slopes, vector, strict=True):
            slope += sine * part
    steep = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + slopes[2] ** 2)
    usual = np.float32(waves.steepness * np.sqrt(len(waves.phases) / 2))
    distance = np.full(near.shape, np.float32(99))
    distance[near] = np.abs(value) / (np.sqrt(steep * steep + (0.5 * usual) ** 2) * lift)
    return distance
