"""Implicit shapes on a 3D grid of voxels: head coordinates, smooth random fields, distances in millimetres.

Head coordinates are RAS+: x to the right, y to the front, z up, the origin near the anterior commissure. A distance is
signed, negative inside; `geometry.coverage` turns it into the share of a voxel.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medtf.data.phantom.geometry import Waves


@dataclass(frozen=True)
class Grid:
    """Voxels by their affine: head mm = affine @ (i, j, k, 1)."""

    shape: tuple  # of 3
    affine: np.ndarray  # (4, 4) float64, mm

    @cached_property
    def spacing(self) -> np.ndarray:
        """(3,) mm between neighbours along the three axes."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @cached_property
    def voxel(self) -> float:
        """Edge of the cube of a voxel's volume, mm."""
        return float(np.prod(self.spacing) ** (1 / 3))

    def scaled(self, factor: float) -> "Grid":
        """The same voxels where every head coordinate is multiplied by `factor`."""
        return Grid(self.shape, np.diag([factor, factor, factor, 1.0]) @ self.affine)

    def box(self, low, high) -> tuple:
        """Three slices that hold all voxels between the corners `low` and `high` (head mm, at whatever angle)."""
        corners = np.array(np.meshgrid(*zip(low, high, strict=True), [1.0], indexing="ij")).reshape(4, -1)
        index = (np.linalg.inv(self.affine) @ corners)[:3]
        first = np.clip(np.floor(index.min(axis=1)), 0, self.shape).astype(int)
        stop = np.clip(np.ceil(index.max(axis=1)) + 1, 0, self.shape).astype(int)
        return tuple(slice(int(a), int(max(a, b))) for a, b in zip(first, stop, strict=True))

    def crop(self, box) -> "Grid":
        """The voxels of three slices as a grid of their own."""
        move = np.eye(4)
        move[:3, 3] = [s.start for s in box]
        return Grid(tuple(s.stop - s.start for s in box), self.affine @ move)

    def axis(self, k) -> np.ndarray:
        """Head coordinate k (0, 1, 2) of every voxel, float32, mm."""
        i, j, m = (self.affine[k, a] * np.arange(self.shape[a]) for a in range(3))
        return ((self.affine[k, 3] + i)[:, None, None] + j[:, None] + m).astype(np.float32)

    def field(self, waves: Waves) -> np.ndarray:
        """A random field on the grid, float32. A plane wave is a product of three vectors, so all are one product."""
        turn, start = self.affine[:3, :3], self.affine[:3, 3]
        phase = waves.vectors @ turn  # (count, 3), radians a voxel
        first, second, third = (np.arange(self.shape[a])[:, None] * phase[:, a] for a in range(3))
        flat = np.add(first[:, None], second + waves.vectors @ start + waves.phases).reshape(-1, len(waves.phases))
        left = np.concatenate([np.cos(flat), -np.sin(flat)], axis=1).astype(np.float32)
        right = np.concatenate([np.cos(third), np.sin(third)], axis=1).astype(np.float32)
        return (left @ (right.T * np.float32(np.sqrt(2 / len(waves.phases))))).reshape(self.shape)


@dataclass(frozen=True)
class Space:
    """A grid with the (deformed) head coordinates of its voxels."""

    grid: Grid
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    def around(self, points, margin):
        """The part within `margin` mm of the box around `points` (n, 3), and its slices; None where there is none."""
        points = np.asarray(points, float)
        box = self.grid.box(points.min(axis=0) - margin, points.max(axis=0) + margin)
        if any(s.start >= s.stop for s in box):
            return None
        return Space(self.grid.crop(box), self.x[box], self.y[box], self.z[box]), box


def ellipsoid(space: Space, center, radii) -> np.ndarray:
    """Signed distance in mm (first order) to an ellipsoid along the head's axes."""
    size, steep = 0.0, 0.0
    for a, c, r in zip((space.x, space.y, space.z), center, radii, strict=True):
        part = (a - np.float32(c)) * np.float32(1 / r)
        part *= part
        size = size + part
        steep = steep + part * np.float32(1 / r**2)
    size = np.sqrt(size)
    return (size - 1) * size / np.sqrt(steep + np.float32(1e-12))


def rod(space: Space, start, end, radius, last) -> np.ndarray:
    """Signed distance in mm to a rod whose radius runs from `radius` to `last`."""
    start, along = np.float32(start), np.float32(end) - np.float32(start)
    x, y, z = space.x - start[0], space.y - start[1], space.z - start[2]
    place = np.clip((x * along[0] + y * along[1] + z * along[2]) / np.dot(along, along), 0.0, 1.0)
    x -= place * along[0]
    y -= place * along[1]
    z -= place * along[2]
    return np.sqrt(x * x + y * y + z * z) - (np.float32(radius) + place * np.float32(last - radius))


def join(first, second, blend) -> np.ndarray:
    """Distance to the union of two shapes, rounded over `blend` mm where they meet."""
    near = np.maximum(np.float32(blend) - np.abs(first - second), 0)
    return np.minimum(first, second) - near * near * np.float32(0.25 / blend)
