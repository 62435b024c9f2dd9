"""One person's head before it is cut into slices: its sizes, its random fields and its surface.

Head coordinates in mm: x to the left, y to the back, z up, origin near the third ventricle. Sizes follow adult anatomy.
"""

from dataclasses import dataclass, field

import numpy as np

from medtf.data.phantom.geometry import View, Waves

GREY, WHITE = 37.0, 28.5  # HU at 120 kV


@dataclass
class Head:
    """One person: sizes in mm, all randomness drawn here."""

    width: float  # half width of the skull's outside
    length: float
    height: float  # centre to vertex
    egg: float  # how much wider behind than in front
    scalp: float
    skull: float
    atrophy: float  # 0 young .. 1 old: wide sulci and ventricles
    ventricles: float  # scale of the ventricles' radii
    white: float
    grey: float
    stones: list = field(default_factory=list)  # calcifications: (centre, radius mm, HU)
    waves: dict = field(default_factory=dict)

    @classmethod
    def draw(cls, rng, *, wide_ventricles=False):
        """A person at random; `wide_ventricles` is the hydrocephalus that blood in them brings."""
        atrophy = float(rng.beta(1.3, 1.6))
        ventricles = (0.8 + 0.65 * atrophy) * rng.uniform(0.9, 1.15)
        if wide_ventricles:
            ventricles = max(ventricles, 1.15) + rng.uniform(0.15, 0.45)
        size = rng.uniform(0.94, 1.05)
        head = cls(
            width=72 * size * rng.uniform(0.97, 1.04),
            length=90 * size * rng.uniform(0.96, 1.04),
            height=84 * size * rng.uniform(0.97, 1.04),
            egg=rng.uniform(0.02, 0.08),
            scalp=rng.uniform(3.5, 6.5),
            skull=rng.uniform(5.5, 8.5),
            atrophy=atrophy,
            ventricles=float(ventricles),
            white=WHITE + rng.uniform(-1.5, 1.5),
            grey=GREY + rng.uniform(-1.5, 1.5),
        )
        head.waves = {
            "skull": Waves(rng, 75, 8),
            "marrow": Waves(rng, 11, 12),
            "sulci": Waves(rng, 26, 28),
            "depth": Waves(rng, 45, 8),
            "tissue": Waves(rng, 14, 12),
            "folia": Waves(rng, 9, 12),
            "cells": Waves(rng, 6, 20),
            "face": Waves(rng, 24, 12),
        }
        head.stones = _draw_stones(rng)
        return head

    def surface(self, view: View):
        """Depth in mm under the skull's outside (negative in the scalp) and the voxel's extent along its normal, mm."""
        widen = 1 + np.float32(self.egg / self.length) * view.y
        across = view.x / (np.float32(self.width) * widen)
        along = view.y / np.float32(self.length)
        # Above, a vault squarer than an ellipsoid; below, a column that hardly narrows.
        tall = np.where(view.z > 0, np.float32(self.height), np.float32(2.1 * self.height))
        high = view.z / tall
        rise = high * high
        level = np.sqrt(across * across + along * along + rise * (0.4 + 0.6 * rise)) + np.float32(1e-3)
        slope_x = across / (np.float32(self.width) * widen)
        slope_y = along / np.float32(self.length)
        slope_z = high * (0.4 + 1.2 * rise) / tall
        steep = np.sqrt(slope_x**2 + slope_y**2 + slope_z**2) + np.float32(1e-6)
        cosine = (slope_x * view.up[0] + slope_y * view.up[1] + slope_z * view.up[2]) / steep
        return (1 - level) * level / steep, view.extent(cosine)

    def inside(self, direction, depth):
        """The point `depth` mm under the inner table, from the head's centre along `direction` (unit, head axes)."""
        x, y, z = (float(v) for v in direction)
        low, high = 10.0, 140.0
        for _ in range(30):  # the surface is star-shaped about the centre, so bisection finds it
            middle = (low + high) / 2
            px, py, pz = x * middle, y * middle, z * middle
            rise = (pz / (self.height if pz > 0 else 2.1 * self.height)) ** 2
            flat = (px / (self.width * (1 + self.egg * py / self.length))) ** 2 + (py / self.length) ** 2
            low, high = (middle, high) if flat + rise * (0.4 + 0.6 * rise) < 1 else (low, middle)
        return np.array([x, y, z]) * (low - self.skull - depth)


def _draw_stones(rng) -> list:
    """Calcifications that most adults have: bright as blood or brighter, and no haemorrhage."""
    stones = []
    if rng.random() < 0.55:
        stones.append(((rng.uniform(-1, 1), 24, 4), rng.uniform(1.5, 2.8), rng.uniform(110, 230)))  # pineal gland
    if rng.random() < 0.45:
        for side in (-1, 1):  # choroid plexus in the atria
            stones.append(
                ((side * rng.uniform(23, 27), rng.uniform(31, 37), 9), rng.uniform(2, 3.5), rng.uniform(90, 220))
            )
    if rng.random() < 0.10:
        for side in (-1, 1):  # basal ganglia of the old
            stones.append(((side * 20, -2, rng.uniform(2, 7)), rng.uniform(2, 3), rng.uniform(80, 120)))
    if rng.random() < 0.12:
        stones.append(((0, rng.uniform(-45, -30), rng.uniform(35, 55)), rng.uniform(1.5, 2.5), rng.uniform(150, 300)))
    return stones
