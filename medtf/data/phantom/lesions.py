"""The five kinds of intracranial haemorrhage, each at its own place and of its own shape.

A lesion draws its randomness once, in `draw`, and then says for any slice which share of each voxel is blood, in
`share`. Acute blood is 50-90 HU; its place tells the kinds apart: between skull and dura (epidural), under the dura
(subdural), in sulci and cisterns (subarachnoid), in the brain (intraparenchymal), in the ventricles (intraventricular).
"""

from dataclasses import dataclass

import numpy as np

from medtf.data.phantom.anatomy import Scene
from medtf.data.phantom.geometry import Waves, blend, coverage, ellipsoid
from medtf.data.phantom.head import Head

LABEL_MM2 = 30.0  # less blood than this in a slice is not labelled: a reader would not see it
SEEN = 0.33  # share of blood in a voxel from which on a reader sees it


def _blood(rng) -> float:
    """HU of acute blood; most of it 58-80."""
    return float(np.clip(rng.normal(68, 6), 56, 82))


def _direction(azimuth, lift) -> np.ndarray:
    """Unit vector in head axes; azimuth in degrees from the front over the left, lift in degrees above the horizon."""
    azimuth, lift = np.deg2rad([azimuth, lift])
    return np.array([np.cos(lift) * np.sin(azimuth), -np.cos(lift) * np.cos(azimuth), np.sin(lift)])


@dataclass
class Epidural:
    """A biconvex lens on the inner table, stopped by the sutures; mostly temporal or parietal."""

    center: np.ndarray  # on the inner table, head axes, mm
    normal: np.ndarray
    thick: float  # mm under the inner table at the centre
    wide: float  # half width along the skull, mm
    hu: float

    @classmethod
    def draw(cls, head: Head, rng):
        """At random on the vault of one side."""
        side = rng.choice([-1, 1])
        normal = _direction(side * rng.uniform(55, 125), rng.uniform(-5, 40))
        return cls(head.inside(normal, 0), normal, rng.uniform(12, 23), rng.uniform(23, 35), _blood(rng))

    @property
    def push(self) -> tuple:
        """Mass effect: (mm to the left at most, head y and z of the most), as `paint` takes it."""
        return -0.3 * self.thick * float(np.sign(self.center[0])), float(self.center[1]), float(self.center[2])

    def share(self, scene: Scene):
        """Share of blood in each voxel."""
        view = scene.view
        x, y, z = view.x - self.center[0], view.y - self.center[1], view.z - self.center[2]
        along = x * self.normal[0] + y * self.normal[1] + z * self.normal[2]
        aside = (x * x + y * y + z * z - along * along) / self.wide**2
        # Depth is measured from the table itself, so the outer side follows the skull and the inner one bulges.
        lens = scene.depth - self.thick * (1 - aside)
        return coverage(lens, np.maximum(scene.extent, 0.3 * view.thickness)) * (along > -self.wide)


@dataclass
class Subdural:
    """A crescent under the dura over a wide arc of one side; it crosses sutures, not the midline."""

    middle: np.ndarray  # unit vector, head axes
    arc: float  # half length in front and behind, as the chord of the unit circle
    level: float  # head z of the middle, mm
    tall: float  # half height, mm
    thick: float  # mm
    hu: float
    ripple: Waves

    @classmethod
    def draw(cls, head: Head, rng):
        """At random over the convexity of one side."""
        middle = _direction(rng.choice([-1, 1]) * rng.uniform(70, 105), 0)
        arc = 2 * np.sin(np.deg2rad(rng.uniform(48, 72)) / 2)
        level, tall = rng.uniform(8, 38), rng.uniform(20, 36)
        return cls(middle, float(arc), level, tall, rng.uniform(8, 16), _blood(rng), Waves(rng, 40, 16))

    @property
    def push(self) -> tuple:
        """Mass effect: (mm to the left at most, head y and z of the most), as `paint` takes it."""
        return -0.5 * self.thick * float(np.sign(self.middle[0])), 0.0, float(self.level)

    def share(self, scene: Scene):
        """Share of blood in each voxel."""
        view = scene.view
        radius = np.sqrt(view.x**2 + view.y**2) + np.float32(1e-3)
        chord = 2 - 2 * (view.x * self.middle[0] + view.y * self.middle[1]) / radius
        fade = 1 - (chord / self.arc**2) ** 1.5 - ((view.z - self.level) / self.tall) ** 2
        thick = self.thick * np.sqrt(np.maximum(fade, 0)) * (1 + 0.12 * self.ripple(view))
        own = np.sign(self.middle[0]) * view.x > 2
        return coverage(scene.depth - thick, np.maximum(scene.extent, 0.25 * view.thickness)) * (own & (fade > 0))


@dataclass
class Intraparenchymal:
    """A lumpy clot in the basal ganglia, the thalamus or a lobe, with a dark rim of oedema."""

    center: np.ndarray  # head axes, mm
    radii: np.ndarray  # mm
    hu: float
    rim: float  # oedema, mm
    lumps: Waves

    @classmethod
    def draw(cls, head: Head, rng):
        """At random, deep in half of the patients."""
        side = rng.choice([-1, 1])
        if rng.random() < 0.5:
            center = np.array([side * rng.uniform(18, 30), rng.uniform(-12, 14), rng.uniform(0, 18)])
            size = rng.uniform(11, 21)
        else:
            center = head.inside(_direction(side * rng.uniform(25, 155), rng.uniform(5, 60)), rng.uniform(22, 34))
            size = rng.uniform(11, 24)
        radii = size * rng.uniform(0.8, 1.2, size=3)
        return cls(center, radii, _blood(rng), rng.uniform(3, 8), Waves(rng, 24, 24))

    @property
    def push(self) -> tuple:
        """Mass effect: (mm to the left at most, head y and z of the most), as `paint` takes it."""
        mm = 0.35 * max(float(min(self.radii)) - 10, 0)
        return -mm * float(np.sign(self.center[0])), float(self.center[1]), float(self.center[2])

    def share(self, scene: Scene):
        """Share of blood in each voxel; paints the oedema."""
        share = np.zeros(scene.hu.shape, np.float32)
        if found := scene.view.around([self.center], 1.4 * max(self.radii) + self.rim):
            part, where = found
            distance, extent = ellipsoid(part, self.center, self.radii)
            distance += 2.2 * self.lumps(part)
            tissue = scene.cranial[where] * (1 - scene.ventricle[where])
            blend(scene.hu[where], 0.85 * tissue * coverage(distance - self.rim, extent + 2), np.float32(20))
            share[where] = coverage(distance, extent) * tissue
        return share


@dataclass
class Intraventricular:
    """Blood that sinks to the back of the ventricles of a patient who lies on it, with a level towards the CSF."""

    level: float  # patient y in front of which there is CSF, mm from the head's centre
    side: int  # -1 or 1: one side only; 0: both
    cast: float  # mm by which the level stands further forward on the fuller side
    hu: float

    @classmethod
    def draw(cls, head: Head, rng):
        """At random; the head's ventricles should be wide."""
        side = int(rng.choice([-1, 0, 0, 1]))
        return cls(rng.uniform(2, 24), side, rng.uniform(0, 35), _blood(rng))

    def share(self, scene: Scene):
        """Share of blood in each voxel."""
        view = scene.view
        fuller = np.clip(view.x * (self.side or 1) / 4 + 0.5, 0, 1)
        level = self.level - self.cast * fuller
        behind = coverage(level - (view.down - view.pose.shift[1])[:, None], np.float32(2))
        if self.side:
            behind = behind * fuller
        return scene.ventricle * behind * scene.cranial


@dataclass
class Subarachnoid:
    """Blood in the sulci, fissures and cisterns of one region, which it widens."""

    center: np.ndarray  # head axes, mm
    radii: np.ndarray
    swell: float  # mm by which a sulcus is wider on each side
    hu: float

    @classmethod
    def draw(cls, head: Head, rng):
        """In the basal cisterns and Sylvian fissures (aneurysm) or over one convexity (injury)."""
        side = rng.choice([-1, 1])
        if rng.random() < 0.45:
            center = np.array([side * rng.uniform(8, 22), rng.uniform(-22, -8), rng.uniform(-18, -6)])
            radii = np.array([rng.uniform(38, 52), rng.uniform(34, 46), rng.uniform(22, 30)])
        else:
            center = head.inside(_direction(side * rng.uniform(40, 140), rng.uniform(5, 50)), 8)
            radii = rng.uniform(25, 38) * rng.uniform(0.85, 1.15, size=3)
        return cls(center, radii, rng.uniform(1.3, 2.6), _blood(rng))

    def share(self, scene: Scene):
        """Share of blood in each voxel."""
        share = np.zeros(scene.hu.shape, np.float32)
        if found := scene.view.around([self.center], max(self.radii)):
            part, where = found
            region = coverage(ellipsoid(part, self.center, self.radii)[0], np.float32(8))
            extent = np.float32(0.65 * part.pixel + 0.22 * part.thickness)
            cracks = coverage(scene.fluid[where] - self.swell, extent)
            share[where] = region * cracks * scene.cranial[where] * (1 - scene.ventricle[where])
        return share


KINDS = {
    "epidural": Epidural,
    "intraparenchymal": Intraparenchymal,
    "intraventricular": Intraventricular,
    "subarachnoid": Subarachnoid,
    "subdural": Subdural,
}


def push_of(lesions: dict) -> tuple | None:
    """The strongest mass effect among lesions ({kind: lesion}), for `paint`; None where nothing pushes."""
    pushes = [lesion.push for lesion in lesions.values() if hasattr(lesion, "push")]
    return max(pushes, key=lambda push: abs(push[0]), default=None)


def bleed(lesions: dict, scene: Scene) -> dict:
    """Paint lesions ({kind: lesion}) into a scene; returns each kind's share of blood in every voxel.

    Extra-axial blood is painted last, since it lies over the brain's surface and displaces it.
    """
    shares = {}
    if scene.fluid is None:
        return shares
    for kind in ("intraparenchymal", "intraventricular", "subarachnoid", "subdural", "epidural"):
        if kind in lesions:
            share = lesions[kind].share(scene) * scene.cranial
            blend(scene.hu, share, np.float32(lesions[kind].hu))
            shares[kind] = share
    return shares


def area(share, pixel) -> float:
    """Blood in a slice, mm^2, of voxels at least a third full: thinner smears cannot be seen."""
    return float(share[share > SEEN].sum()) * pixel * pixel
