"""Implicit shapes in millimetres, seen through one oblique slice: each voxel averages over its extent (partial volume).

A shape is a signed distance `d` in mm (negative inside) with the voxel's extent `h` in mm along the shape's normal; the
share of the voxel inside a flat surface is then clip(0.5 - d / h, 0, 1). Nothing is sampled on a 3D grid or resampled.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


def coverage(distance, extent):
    """Share in [0, 1] of a voxel that lies inside a surface at signed `distance` mm, for voxels `extent` mm thick."""
    share = distance / extent
    np.subtract(0.5, share, out=share)
    return np.clip(share, 0.0, 1.0, out=share)


def slab(distance, half_width, extent):
    """Share of a voxel inside the slab |distance| < `half_width` mm; right for slabs thinner than the voxel too."""
    share = (half_width + 0.5 * extent - np.abs(distance)) / extent
    return np.clip(share, 0.0, np.minimum(1.0, 2.0 * half_width / extent), out=share)


def blend(image, share, value) -> None:
    """Put tissue of `value` HU on `share` of every voxel of `image`, in place."""
    image += share * (value - image)


def rotation(yaw, roll, pitch) -> np.ndarray:
    """Rotation matrix, head to patient coordinates: about z, then y, then x, in degrees."""
    (cz, sz), (cy, sy), (cx, sx) = [(np.cos(a), np.sin(a)) for a in np.deg2rad([yaw, roll, pitch])]
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return about_z @ about_y @ about_x


@dataclass(frozen=True)
class Pose:
    """Where the head lies: patient = turn @ head + shift, in mm (DICOM axes: x to the left, y to the back, z up)."""

    turn: np.ndarray
    shift: np.ndarray

    def to_patient(self, points) -> np.ndarray:
        """(n, 3) points of the head in patient coordinates, mm."""
        return np.asarray(points) @ self.turn.T + self.shift


@dataclass(frozen=True)
class View:
    """A rectangle of pixels of one axial slice. A head coordinate is rows[k][:, None] + cols[k][None, :], so that plane
    waves are outer products and a crop is free."""

    pose: Pose
    level: float  # patient z of the slice, mm
    pixel: float  # mm
    thickness: float  # mm
    corner: float  # patient x and y of pixel (0, 0), mm
    box: tuple  # row start, row stop, column start, column stop
    bend: tuple | None = None  # (mm, y, z): what lies here was pushed to the left by that much, most at head y and z

    @cached_property
    def across(self) -> np.ndarray:
        """Patient x of the columns, mm."""
        return self.corner + self.pixel * np.arange(self.box[2], self.box[3])

    @cached_property
    def down(self) -> np.ndarray:
        """Patient y of the rows, mm."""
        return self.corner + self.pixel * np.arange(self.box[0], self.box[1])

    @cached_property
    def rows(self) -> np.ndarray:
        """(3, height): the rows' part of the head coordinates, mm."""
        turn, shift = self.pose.turn, self.pose.shift
        return np.outer(turn[1], self.down - shift[1]) + turn[2][:, None] * (self.level - shift[2])

    @cached_property
    def cols(self) -> np.ndarray:
        """(3, width): the columns' part of the head coordinates, mm."""
        return np.outer(self.pose.turn[0], self.across - self.pose.shift[0])

    def _axis(self, k) -> np.ndarray:
        return np.add.outer(self.rows[k].astype(np.float32), self.cols[k].astype(np.float32))

    @cached_property
    def x(self) -> np.ndarray:
        """(height, width) float32: mm to the left of the head's middle plane (which `bend` shifts)."""
        if self.bend is None:
            return self._axis(0)
        most, y, z = self.bend
        return self._axis(0) - most / (1 + ((self.y - y) / 60) ** 2 + ((self.z - z) / 45) ** 2)

    @cached_property
    def y(self) -> np.ndarray:
        """(height, width) float32: mm behind the head's centre."""
        return self._axis(1)

    @cached_property
    def z(self) -> np.ndarray:
        """(height, width) float32: mm above the head's centre."""
        return self._axis(2)

    @cached_property
    def up(self) -> np.ndarray:
        """(3,) float32: the slice's normal in head coordinates."""
        return self.pose.turn[2].astype(np.float32)

    def extent(self, cosine):
        """The voxel's extent in mm along a normal whose cosine with the slice's normal is `cosine`."""
        steep = np.clip(np.abs(cosine), 0.0, 1.0)
        return self.pixel * np.sqrt(1.0 - steep * steep) + self.thickness * steep

    def around(self, points, margin):
        """The part of this view within `margin` mm of the box around `points` (n, 3), and its slices; or None."""
        margin = margin + (abs(self.bend[0]) if self.bend else 0.0)
        placed = self.pose.to_patient(points)
        low, high = placed.min(axis=0) - margin - self.pixel, placed.max(axis=0) + margin + self.pixel
        if not low[2] - self.thickness / 2 < self.level < high[2] + self.thickness / 2:
            return None
        first, last = np.floor((low - self.corner) / self.pixel), np.ceil((high - self.corner) / self.pixel) + 1
        top, bottom = max(int(first[1]), self.box[0]), min(int(last[1]), self.box[1])
        left, right = max(int(first[0]), self.box[2]), min(int(last[0]), self.box[3])
        if top >= bottom or left >= right:
            return None
        part = replace(self, box=(top, bottom, left, right))
        row, col = self.box[0], self.box[2]
        return part, (slice(top - row, bottom - row), slice(left - col, right - col))


def ellipsoid(view: View, center, radii):
    """Signed distance (first order) and voxel extent of an ellipsoid along the head's axes, (height, width), mm."""
    parts = [
        (a - c) / r for a, c, r in zip((view.x, view.y, view.z), np.float32(center), np.float32(radii), strict=True)
    ]
    size = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2) + np.float32(1e-6)
    slopes = [p / r for p, r in zip(parts, np.float32(radii), strict=True)]
    steep = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + slopes[2] ** 2) + np.float32(1e-6)
    cosine = (slopes[0] * view.up[0] + slopes[1] * view.up[1] + slopes[2] * view.up[2]) / steep
    return (size - 1) * size / steep, view.extent(cosine)


def capsule(view: View, start, end, radius, end_radius=None):
    """Signed distance and voxel extent, mm, of a rod whose radius runs from `radius` to `end_radius`."""
    start, along = np.float32(start), np.float32(end) - np.float32(start)
    x, y, z = view.x - start[0], view.y - start[1], view.z - start[2]
    place = np.clip((x * along[0] + y * along[1] + z * along[2]) / np.dot(along, along), 0.0, 1.0)
    x, y, z = x - place * along[0], y - place * along[1], z - place * along[2]
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
    cosine = (x * view.up[0] + y * view.up[1] + z * view.up[2]) / length
    thick = np.float32(radius) + place * np.float32((radius if end_radius is None else end_radius) - radius)
    return length - thick, view.extent(cosine)


class Waves:
    """A smooth random field of mean 0 and variance 1: plane waves of about `wavelength` mm in random directions."""

    def __init__(self, rng, wavelength, count=24, spread=0.25):
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = 2 * np.pi / wavelength * rng.uniform(1 - spread, 1 + spread, size=(count, 1))
        self.vectors = directions * lengths  # (count, 3), radians a mm
        self.phases = rng.uniform(0, 2 * np.pi, size=count)
        self.steepness = float(np.sqrt(np.mean(lengths**2) / 3))  # standard deviation of one derivative, 1/mm

    def __call__(self, view: View) -> np.ndarray:
        """The field on a view, (height, width) float32: cos(a + b) = cos a cos b - sin a sin b, one product."""
        down = (self.vectors @ view.rows + self.phases[:, None]).T
        across = self.vectors @ view.cols
        left = np.concatenate([np.cos(down), -np.sin(down)], axis=1).astype(np.float32)
        right = np.concatenate([np.cos(across), np.sin(across)], axis=0).astype(np.float32)
        return (left * np.float32(np.sqrt(2 / len(self.phases)))) @ right

    def at(self, point) -> float:
        """The field at one point of the head, mm."""
        return float(np.sqrt(2 / len(self.phases)) * np.cos(self.vectors @ np.asarray(point) + self.phases).sum())
