"""What skull-stripping takes away: bone, scalp, face and eyes, around a brain that is painted already."""

import numpy as np

from medtf.data.phantom.brain import Person
from medtf.data.phantom.brain_anatomy import Tissue
from medtf.data.phantom.brain_space import ellipsoid, join, rod
from medtf.data.phantom.geometry import blend, coverage

EYE, EYE_MM, ORBIT_MM = (31, 60, -35), 12.0, 17.0
# Values beside white matter's 1 in T1, and beside blood's 1 in TOF (fat is short of suppressed, the rest is dark).
T1 = {"bone": 0.10, "marrow": 0.42, "fat": 1.15, "muscle": 0.45, "skin": 0.55, "eye": 0.18, "air": 0.02}
TOF = {"bone": 0.05, "marrow": 0.12, "fat": 0.34, "muscle": 0.20, "skin": 0.24, "eye": 0.10, "air": 0.01}


def clothe(values, person: Person, tissue: Tissue, *, tof=False) -> None:
    """Paint everything outside the brain into `values`, in place."""
    look, space = TOF if tof else T1, tissue.space
    extent = np.float32(tissue.grid.voxel)
    wave = space.grid.field(person.waves["skull"])
    out = -tissue.depth  # mm outside the brain's envelope
    cranium = out - (7.0 + 0.9 * wave)
    face = join(ellipsoid(space, (0, 34, -66), (54, 52, 62)), ellipsoid(space, (0, 84, -62), (13, 20, 17)), 16)
    neck = rod(space, (0, -34, -60), (0, -46, -190), 56, 54)
    skin = join(join(cranium - 6.5, face, 24), neck, 24)
    head = np.full_like(values, look["muscle"])
    blend(head, coverage(0.9 - wave, np.float32(0.5)), np.float32(look["fat"]))
    blend(head, coverage(-skin - 6, extent), np.float32(look["fat"]))
    blend(head, coverage(-skin - 2.2, extent), np.float32(look["skin"]))
    for center, radii in (((0, 62, -46), (13, 17, 22)), ((0, 40, -82), (17, 26, 9)), ((0, 2, -90), (10, 9, 26))):
        blend(head, coverage(ellipsoid(space, center, radii), extent + 1), np.float32(look["air"]))
    for side in (-1, 1):
        center = (side * EYE[0], *EYE[1:])
        blend(head, coverage(ellipsoid(space, center, (ORBIT_MM,) * 3), extent), np.float32(look["fat"]))
        blend(head, coverage(ellipsoid(space, center, (EYE_MM,) * 3), extent), np.float32(look["eye"]))
    blend(head, coverage(cranium, extent), np.float32(look["bone"]))
    blend(head, coverage(np.abs(out - 4.0) - 1.6, extent), np.float32(look["marrow"]))
    blend(head, coverage(skin, extent) * -1 + 1, np.float32(look["air"]))
    values += (1 - tissue.mask) * head


def eyes_of(values, tissue: Tissue):
    """Paint eyeballs in their fat into `values`, in place; without values, say where they are (bool)."""
    found = np.zeros(tissue.mask.shape, bool)
    for side in (-1, 1):
        center = (side * EYE[0], *EYE[1:])
        fat = ellipsoid(tissue.space, center, (ORBIT_MM,) * 3)
        share = coverage(fat, np.float32(tissue.grid.voxel)) * (1 - tissue.mask)
        found |= share >= 0.5
        if values is not None:
            eye = coverage(fat + (ORBIT_MM - EYE_MM), np.float32(tissue.grid.voxel))
            blend(values, share, T1["fat"] + eye * np.float32(T1["eye"] - T1["fat"]))
    return found
