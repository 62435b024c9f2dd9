"""The arteries of one brain as points with a volume each: the circle of Willis, its trunks and their branches.

A tube is laid into voxels point by point with trilinear weights, so its volume is right on any grid, also where it is
thinner than a voxel.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from medtf.data.phantom.brain import Person
from medtf.data.phantom.brain_anatomy import BEND_MM, WRINKLE_MM, Build
from medtf.data.phantom.brain_space import Grid

STEP = 0.5  # mm between points along an artery
# Right-hand arteries: name -> (points in template mm, radius in mm at the start and at the end of an average person).
PAIRED = {
    "ICA": ([(23, -12, -88), (25, -10, -64), (22, 0, -46), (17, 10, -34), (13, 4, -27), (15, 3, -18)], 2.3, 1.9),
    "M1": ([(15, 3, -18), (24, 5, -17), (34, 4, -16), (41, 2, -12)], 1.6, 1.4),
    "M2 up": ([(41, 2, -12), (46, 6, -2), (50, 2, 10), (54, -10, 20), (57, -22, 27)], 1.1, 0.6),
    "M2 down": ([(41, 2, -12), (48, -8, -6), (54, -24, 2), (55, -42, 10), (50, -60, 14)], 1.1, 0.6),
    "A1": ([(15, 3, -18), (9, 11, -19), (3, 18, -16)], 1.2, 1.1),
    "A2": ([(3, 18, -16), (3, 33, -6), (4, 40, 10), (4, 30, 26), (4, 8, 35), (4, -18, 36)], 1.1, 0.6),
    "P": ([(1, -19, -18), (10, -20, -19), (20, -32, -15), (21, -46, -8), (16, -64, -2), (12, -84, 2)], 1.2, 0.6),
    "PCom": ([(14, 1, -20), (13, -10, -20), (11, -20, -19)], 0.6, 0.6),
    "SCA": ([(1, -21, -22), (14, -27, -24), (24, -42, -20), (28, -62, -20)], 0.8, 0.5),
    "VA": ([(14, -42, -88), (12, -40, -72), (6, -32, -58), (0, -33, -48)], 1.5, 1.4),
}
MIDDLE = {
    "BA": ([(0, -33, -48), (1, -35, -38), (0, -34, -28), (0, -20, -18)], 1.6, 1.5),
    "ACom": ([(-3, 18, -16), (0, 20, -15), (3, 18, -16)], 0.7, 0.7),
}
FEEDING = {"M2 up": 0.27, "M2 down": 0.27, "A2": 0.14, "P": 0.2, "SCA": 0.12}  # shares of the branches


def tree(person: Person) -> list:
    """All arteries: [(points (n, 3) in template mm, radii (n,) in mm)], drawn from the person's own seed."""
    rng = np.random.default_rng(person.vessel_seed)
    found, feeding = [], {name: [] for name in FEEDING}
    trunks = [(name, side, *trunk) for name, trunk in PAIRED.items() for side in (-1, 1)]
    trunks += [(name, 1, *trunk) for name, trunk in MIDDLE.items()]
    sway = {}  # one shift for every point that arteries share
    for name, side, points, radius, last in trunks:
        moved = []
        for point in points:
            key = (side * point[0], *point[1:])
            sway.setdefault(key, rng.normal(0, 1.3, 3))
            moved.append(np.array(key) + sway[key])
        line = _smooth(moved)
        width = person.calibre * rng.normal(1, 0.06)
        found.append((line, width * np.linspace(radius, last, len(line))))
        if name in feeding:
            feeding[name].append(line)
    names, shares = zip(*FEEDING.items(), strict=True)
    for _ in range(person.branches):
        parents = feeding[names[rng.choice(len(names), p=shares)]]
        parent = parents[rng.integers(2)]
        line = _branch(rng, parent[rng.integers(len(parent) // 4, len(parent))])
        width = person.calibre * rng.normal(1, 0.06) * rng.uniform(0.6, 0.9)
        found.append((line, width * np.linspace(1, 0.55, len(line))))
    return found


def _smooth(points) -> np.ndarray:
    """A curve through points (n, 3), every STEP mm."""
    points = np.asarray(points)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return CubicSpline(along, points)(np.arange(0, along[-1], STEP))


def _branch(rng, start) -> np.ndarray:
    """A winding way from a trunk outwards, then along the brain's surface."""
    center, radii = np.array([0, -18, 14.0]), np.array([66, 84, 60.0])
    way, place = [start], np.array(start)
    heading = rng.normal(size=3) * (1, 1, 0.8)
    for _ in range(rng.integers(5, 10)):
        out = (place - center) / radii
        size = np.linalg.norm(out)
        normal = out / radii
        normal /= np.linalg.norm(normal)
        heading = 0.75 * heading / np.linalg.norm(heading) + 0.45 * rng.normal(size=3)
        heading += normal * (5 * (0.93 - size) - heading @ normal)
        heading *= np.clip(1 / np.linalg.norm(heading), 0, 1)
        place = place + 9 * heading
        if abs(place[0]) < 3:  # arteries stay on their side
            place[0] = 3 * np.sign(start[0])
        way.append(place)
    return _smooth(way)


def points_of(person: Person, build: Build):
    """The arteries as points (n, 3) in true head mm with volumes (n,) in mm3."""
    rng = np.random.default_rng([person.vessel_seed, 1])
    places, volumes = [], []
    for line, radii in tree(person):
        line = _placed(person, build, line)
        count = np.maximum(np.ceil(10 * radii * radii), 3).astype(int)  # points across the lumen
        way = np.gradient(line, axis=0)
        length = np.linalg.norm(way, axis=1)
        across = np.cross(way / length[:, None], rng.normal(size=3))
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        other = np.cross(way / length[:, None], across)
        step = np.repeat(np.arange(len(line)), count)
        far, angle = np.sqrt(rng.random(len(step))) * radii[step], rng.uniform(0, 2 * np.pi, len(step))
        ring = (far * np.cos(angle))[:, None] * across[step] + (far * np.sin(angle))[:, None] * other[step]
        places.append(line[step] + ring)
        volumes.append((np.pi * radii * radii * length / count)[step])
    return np.concatenate(places), np.concatenate(volumes)


def _placed(person: Person, build: Build, line) -> np.ndarray:
    """From template to true head mm: the person's deformation backwards (one step: it is small and smooth)."""
    stretch = np.array([person.widen**0.5, person.widen**-0.5, 1.0])
    rough = line * stretch
    for _ in range(2):
        bend = [_at(person.waves[f"bend {axis}"], rough) for axis in "xyz"]
        wrinkle = [_at(person.waves[f"wrinkle {axis}"], rough) for axis in "xyz"]
        rough = (line - BEND_MM * np.stack(bend, axis=1) - WRINKLE_MM * np.stack(wrinkle, axis=1)) * stretch
    return rough * build.scale


def _at(waves, points):
    """A random field at points (n, 3)."""
    return np.sqrt(2 / len(waves.phases)) * np.cos(points @ waves.vectors.T + waves.phases).sum(axis=1)


def share(grid: Grid, places, volumes) -> np.ndarray:
    """Share of each voxel inside an artery, (i, j, k) float32; `places` (n, 3) head mm, `volumes` (n,) mm3."""
    index = places @ np.linalg.inv(grid.affine)[:3, :3].T + np.linalg.inv(grid.affine)[:3, 3]
    low = np.floor(index).astype(int)
    part = index - low
    total = np.zeros(int(np.prod(grid.shape)))
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        inside = ((at >= 0) & (at < grid.shape)).all(axis=1)
        weight = np.prod(np.where(corner, part, 1 - part), axis=1) * volumes
        total += np.bincount(np.ravel_multi_index(at[inside].T, grid.shape), weight[inside], minlength=len(total))
    return np.minimum(total.reshape(grid.shape) / np.prod(grid.spacing), 1).astype(np.float32)
