"""From a person to images: three sites with their own grids, orientations, contrast, bias field and noise."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from medtf.data.phantom import brain_vessels
from medtf.data.phantom.brain import Person, draw
from medtf.data.phantom.brain_anatomy import HIGH, LOW, Build, Tissue, fit, tissues
from medtf.data.phantom.brain_head import clothe, eyes_of
from medtf.data.phantom.brain_space import Grid
from medtf.data.phantom.geometry import Pose, Waves, rotation

T1_FOV, TOF_FOV = (180.0, 240.0, 240.0), (240.0, 240.0, 80.0)  # mm along x, y, z, as IXI's
TRUTH_MM = 2.5  # voxels on which volumes are measured
BLOOD = 1.6  # value in TOF beside white matter in T1
AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True)
class Site:
    """How one site's scanner draws. Sizes are relative to the nominal spacing, values to white matter's (T1) = 1."""

    name: str
    axes: str  # orientation of the files
    t1: tuple  # voxel along x, y, z
    tof: tuple
    csf: float
    grey: float
    tissue: float  # of TOF, where blood is BLOOD
    noise: float
    bias: float  # standard deviation of the field's logarithm
    level: float  # value of white matter
    slope: float  # scl_slope of the files


# IXI's T1 are 256x256x150 of 0.94x0.94x1.2 mm (PSR); its TOF 512x512x100 of 0.47x0.47x0.8 mm. At --spacing 1 the T1 is
# Guys' own; a TOF of twice the voxels in every direction would take the time of eight T1.
SITES = {
    "Guys": Site(
        "Guys", "PSR", (1.2, 0.9375, 0.9375), (0.9375, 0.9375, 1.2), 0.24, 0.68, 0.22, 0.030, 0.07, 620.0, 1.0
    ),
    "HH": Site("HH", "LPS", (1.2, 0.98, 0.98), (0.9, 0.9, 1.0), 0.16, 0.60, 0.16, 0.022, 0.13, 910.0, 1.0),
    "IOP": Site("IOP", "RAS", (1.0, 1.0, 1.1), (1.0, 1.0, 1.1), 0.30, 0.72, 0.25, 0.040, 0.09, 240.0, 0.125),
}
ORDER = ("Guys", "HH", "Guys", "IOP", "Guys", "HH", "Guys", "HH")  # people come in turn, in IXI's proportions


@dataclass
class Visit:
    """One person at one site; all randomness of both scans but the noise's own is drawn here."""

    person: Person
    build: Build
    site: Site
    poses: dict  # "T1", "MRA" -> Pose
    bias: dict  # -> Waves
    noise: dict  # -> SeedSequence


def draw_visit(seed: int, number: int, *, registered=False) -> Visit:
    """Person `number` of the archive; `registered`: both scans in one space, head straight."""
    streams = np.random.SeedSequence([seed, number]).spawn(4)
    anatomy, scanner = np.random.default_rng(streams[0]), np.random.default_rng(streams[1])
    person = draw(anatomy)
    poses = {}
    for kind in ("T1", "MRA"):
        if kind == "T1" or not registered:
            pose = Pose(rotation(*scanner.normal(0, (2, 2, 3))), scanner.normal(0, (2, 4, 4)))
        poses[kind] = pose
    bias = {kind: Waves(scanner, 260, 8, 0.4) for kind in poses}
    with threadpool_limits(limits=1):
        build = fit(person)
    return Visit(
        person, build, SITES[ORDER[number % len(ORDER)]], poses, bias, dict(zip(poses, streams[2:], strict=True))
    )


def grid_of(axes: str, voxel, fov, center) -> tuple:
    """Shape and affine (voxels to scanner mm, RAS+) of a grid with axes such as "PSR" around `center`."""
    shape, affine = [], np.eye(4)
    for k, letter in enumerate(axes):
        axis, sign = AXES[letter]
        shape.append(max(round(fov[axis] / voxel[axis]), 8))
        affine[:3, k] = 0
        affine[axis, k] = sign * voxel[axis]
    affine[:3, 3] = np.asarray(center) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return tuple(shape), np.round(affine, 4)


def scanner_grid(visit: Visit, kind: str, spacing: float, *, registered=False) -> tuple:
    """Shape and affine of a person's T1 or MRA; `registered`: one grid for all."""
    site = SITES["HH"] if registered else visit.site
    if kind == "T1" or registered:
        return grid_of(site.axes, spacing * np.array(site.t1), T1_FOV, visit.poses["T1"].shift * 0.7 + (0, -12, -8))
    return grid_of(site.axes, spacing * np.array(site.tof), TOF_FOV, visit.poses["MRA"].shift * 0.9 + (0, -16, -6))


def head_grid(visit: Visit, kind: str, shape, affine) -> Grid:
    """The voxels in the person's own coordinates."""
    pose = visit.poses[kind]
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = pose.turn.T, -pose.turn.T @ pose.shift
    return Grid(shape, back @ affine)


def render(visit: Visit, kind: str, shape, affine, *, skull=False, eyes=False, registered=False):
    """One scan: (values (i, j, k) float32 in the site's units without negative ones, mask (i, j, k) uint8); see `render_parts`."""
    return render_parts(visit, kind, shape, affine, skull=skull, eyes=eyes, registered=registered)[:2]


def render_parts(visit: Visit, kind: str, shape, affine, *, skull=False, eyes=False, registered=False):
    """One scan: values (i, j, k) float32 in the site's units without negative ones, masks (i, j, k) uint8 of brain and of ventricles.

    `eyes` leaves the eyeballs where skull-stripping has taken the rest. A registered TOF is zero beyond its slab.
    """
    grid = head_grid(visit, kind, shape, affine)
    margin = 45 if skull or eyes else 0
    low, high = np.array(LOW) - margin, np.array(HIGH) + margin
    tissue = tissues(visit.person, visit.build, grid, low - (0, 0, margin), high)
    site, rng = visit.site, np.random.default_rng(visit.noise[kind])
    if kind == "T1":
        values = site.csf * tissue.csf + site.grey * tissue.grey + (tissue.mask - tissue.csf - tissue.grey)
    else:
        values = site.tissue * (0.9 + 0.06 * tissue.grid.field(visit.person.waves["tissue"])) * tissue.mask
    if skull:
        clothe(values, visit.person, tissue, tof=kind != "T1")
    elif eyes:
        eyes_of(values, tissue)
    if kind != "T1":
        blood = brain_vessels.share(tissue.grid, *brain_vessels.points_of(visit.person, visit.build))
        rise = np.clip((tissue.space.z + 50) / 90, 0, 1.2)  # blood is saturated on its way up
        values += blood * (BLOOD * (1 - 0.3 * rise) - values) * (1 if skull else tissue.mask)
    values *= np.exp(np.float32(site.bias) * tissue.grid.field(visit.bias[kind]))
    whole = np.zeros(shape, np.float32)
    whole[tissue.box] = values
    mask = np.zeros(shape, np.uint8)
    mask[tissue.box] = tissue.mask >= 0.5
    keep = mask > 0
    if eyes:
        keep[tissue.box] |= eyes_of(None, tissue)
    if registered and kind != "T1":
        slab = np.zeros(shape, bool)
        slab[tissue.box] = np.abs(tissue.space.z + 2) < TOF_FOV[2] / 2
        keep &= slab
    ventricles = np.zeros(shape, np.uint8)
    ventricles[tissue.box] = tissue.ventricle >= 0.5
    return _rician(whole, None if skull else keep, site, rng) * np.float32(site.level), mask, ventricles


def _rician(values, keep, site: Site, rng):
    """The magnitude of a signal with complex noise; zero where `keep` is not."""
    if keep is None:
        first, second = (np.float32(site.noise) * rng.standard_normal(values.shape, dtype=np.float32) for _ in range(2))
        return np.hypot(values + first, second)
    inside = values[keep]
    first, second = (np.float32(site.noise) * rng.standard_normal(inside.shape, dtype=np.float32) for _ in range(2))
    out = np.zeros_like(values)
    out[keep] = np.hypot(inside + first, second)
    return out


def truth(visit: Visit) -> dict:
    """Volumes in ml, measured on voxels of 2.5 mm in the head's own axes, and what they follow from."""
    low, high = np.array(LOW) * visit.build.scale, np.array(HIGH) * visit.build.scale
    affine = np.diag([TRUTH_MM] * 3 + [1.0])
    affine[:3, 3] = low
    tissue: Tissue = tissues(visit.person, visit.build, Grid(tuple(((high - low) / TRUTH_MM).astype(int)), affine))
    ml = TRUTH_MM**3 / 1000

    def volume(shares):
        return round(float(shares.sum(dtype=np.float64)) * ml, 2)

    person = visit.person
    _, volumes = brain_vessels.points_of(person, visit.build)
    return {
        "age": person.age,
        "sex": "F" if person.female else "M",
        "site": visit.site.name,
        "intracranial_ml": volume(tissue.mask),
        "brain_ml": volume(tissue.mask - tissue.csf),
        "grey_ml": volume(tissue.grey),
        "white_ml": volume(tissue.mask - tissue.csf - tissue.grey),
        "csf_ml": volume(tissue.csf),
        "ventricle_ml": volume(tissue.ventricle),
        "lateral_left_ml": round(person.lateral_ml[0], 2),
        "lateral_right_ml": round(person.lateral_ml[1], 2),
        "cortex_mm": round(person.cortex_mm, 3),
        "sulci": round(person.sulci, 3),
        "vessel_ml": round(float(volumes.sum()) / 1000, 3),
        "vessel_calibre": round(person.calibre, 3),
        "vessel_branches": person.branches,
    }
