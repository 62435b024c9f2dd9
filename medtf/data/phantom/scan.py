"""One patient's scan: what they have, how they lie, and any slice of it in Hounsfield units with its true labels."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medtf.data.phantom import lesions
from medtf.data.phantom.anatomy import AIR, paint
from medtf.data.phantom.geometry import Pose, View, blend, rotation, slab
from medtf.data.phantom.head import Head

BOTTOM_MM = -48.0  # the lowest slice, from the head's centre: through orbits and petrous bones
COARSE = 8  # pixels
BLOCK = 20  # patients among whom the share with blood is exact
# Kinds in 20 patients with blood. Epidural is rarer in the archive (0.4 % of images); here it must be learnable.
DECK = (
    ("subdural",) * 4
    + ("intraparenchymal",) * 6
    + ("subarachnoid",) * 4
    + ("intraventricular",) * 3
    + ("epidural",) * 3
)
SECOND = 0.22  # of the patients with blood have a second kind


@dataclass
class Scan:
    """One patient before any pixel is painted."""

    head: Head
    pose: Pose
    lesions: dict  # kind -> lesion
    pixel: float  # mm
    thickness: float  # mm, also the distance of slices
    matrix: int
    levels: np.ndarray  # patient z of the slices, bottom to top, mm
    noise: float  # HU in the middle of the head
    kernel: float  # the reconstruction kernel's blur of the noise, standard deviation in mm
    cupping: float  # HU by which brain under the skull is too bright

    @property
    def corner(self) -> float:
        """Patient x and y of the first pixel's centre, mm."""
        return -(self.matrix - 1) / 2 * self.pixel


def _rng(seed: int, *purpose: int) -> np.random.Generator:
    """A stream of its own for each purpose, apart from the patients' (whose entropy is [seed, patient])."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))


def kinds_of(seed: int, patient: int, prevalence: float) -> tuple:
    """The kinds of haemorrhage that a patient has, most often none.

    Patients with blood are spread exactly over blocks of 20, and kinds are dealt from a deck, so that small sets hold
    every kind; neither depends on how many patients there are.
    """
    block, place = divmod(patient, BLOCK)
    before, after = int(block * BLOCK * prevalence + 1e-9), int((block + 1) * BLOCK * prevalence + 1e-9)
    rank = int(_rng(seed, 1, block).permutation(BLOCK)[place])
    if rank >= after - before:
        return ()
    deal, card = divmod(before + rank, len(DECK))
    deck = _rng(seed, 2, deal).permutation(DECK)
    first = str(deck[card])
    rng = _rng(seed, 3, patient)
    if rng.random() >= SECOND:
        return (first,)
    return (first, str(rng.choice([kind for kind in sorted(lesions.KINDS) if kind != first])))


def draw_scan(seed: int, patient: int, *, slices: int, matrix: int, prevalence: float) -> Scan:
    """Everything about one patient that is random, except the noise."""
    kinds = kinds_of(seed, patient, prevalence)
    rng = np.random.default_rng(np.random.SeedSequence([seed, patient]))
    # Wide ventricles without blood must exist too, or width alone would give the answer.
    wide = "intraventricular" in kinds or rng.random() < 0.08
    head = Head.draw(rng, wide_ventricles=wide)
    turn = rotation(np.clip(rng.normal(0, 6), -15, 15), rng.normal(0, 2), np.clip(rng.normal(-2, 5), -10, 8))
    pose = Pose(turn, np.array([rng.normal(0, 4), rng.normal(0, 5), rng.normal(0, 4)]))
    drawn = {kind: lesions.KINDS[kind].draw(head, rng) for kind in kinds}
    top = pose.shift[2] + head.height + head.scalp
    bottom = pose.shift[2] + BOTTOM_MM
    thickness = (top - bottom) / slices
    return Scan(
        head=head,
        pose=pose,
        lesions=drawn,
        pixel=float(np.round(rng.uniform(212, 238) / matrix, 6)),
        thickness=float(np.round(thickness, 3)),
        matrix=matrix,
        levels=np.round(bottom + thickness * (np.arange(slices) + 0.5), 3),
        noise=rng.uniform(3, 6),
        kernel=rng.uniform(0.4, 0.6),
        cupping=rng.uniform(0, 4),
    )


def head_view(scan: Scan, level: float) -> View:
    """The part of a slice that holds the head."""
    turn, head = scan.pose.turn, scan.head
    half = np.array([head.width * (1 + head.egg), head.length, head.height])
    box = []
    for axis in (1, 0):  # rows run along y, columns along x
        reach = np.sqrt(((turn[axis] * half) ** 2).sum()) + abs(turn[axis, 2]) * 50 + head.scalp + 9
        first = (scan.pose.shift[axis] - reach - scan.corner) / scan.pixel
        last = (scan.pose.shift[axis] + reach - scan.corner) / scan.pixel
        box += [max(int(first), 0), min(int(last) + 2, scan.matrix)]
    coarse = tuple(edge // COARSE + (place % 2) for place, edge in enumerate(box))
    depth, _ = head.surface(View(scan.pose, level, COARSE * scan.pixel, scan.thickness, scan.corner, coarse))
    for place, axis in ((0, 1), (2, 0)):  # the vertex is small: look where the head is before painting all of the box
        found = np.flatnonzero((depth > -head.scalp - 9).any(axis=axis)) + coarse[place]
        if len(found):
            box[place] = max(box[place], COARSE * (int(found[0]) - 1))
            box[place + 1] = min(box[place + 1], COARSE * (int(found[-1]) + 2))
    return View(scan.pose, level, scan.pixel, scan.thickness, scan.corner, tuple(box))


def render(scan: Scan, level: float, backdrop=None):
    """One slice without noise.

    Returns:
        hu: (matrix, matrix) float32, Hounsfield units.
        shares: {kind: (matrix, matrix) float32}, the share of each voxel that is blood.
    """
    hu = np.full((scan.matrix, scan.matrix), AIR, np.float32) if backdrop is None else backdrop.copy()
    view = head_view(scan, level)
    scene = paint(scan.head, view, lesions.push_of(scan.lesions))
    if scene is None:
        return hu, {}
    found = lesions.bleed(scan.lesions, scene)
    scene.hu += scene.cranial * np.float32(scan.cupping) / (1 + (scene.depth / 5) ** 2)
    where = (slice(*view.box[:2]), slice(*view.box[2:]))
    hu[where] = np.maximum(hu[where], scene.hu)
    shares = {}
    for kind, share in found.items():
        shares[kind] = np.zeros_like(hu)
        shares[kind][where] = share
    return hu, shares


def backdrop_of(scan: Scan):
    """Air and the carbon head rest under the patient, the same in every slice; (matrix, matrix) float32, HU."""
    place = (scan.corner + scan.pixel * np.arange(scan.matrix)).astype(np.float32)
    x, y = place[None, :] - np.float32(scan.pose.shift[0]), place[:, None]
    radius = 105.0
    low = scan.pose.shift[1] + scan.head.length + scan.head.scalp + 5
    away = np.sqrt(x * x + (y - (low - radius)) ** 2)
    hu = np.full((scan.matrix, scan.matrix), AIR, np.float32)
    blend(hu, slab(away - radius, 1.3, np.float32(scan.pixel)) * (y > low - 45), np.float32(-80))
    return hu


def labels_of(scan: Scan, shares: dict) -> dict:
    """{label: 0 or 1} of one slice, from the blood that is really in it."""
    labels = {k: int(k in shares and lesions.area(shares[k], scan.pixel) >= lesions.LABEL_MM2) for k in lesions.KINDS}
    return labels | {"any": max(labels.values())}


def noise_of(rng, matrix, blur):
    """Gaussian noise of variance 1, correlated over `blur` pixels as a soft reconstruction kernel leaves it."""
    white = rng.standard_normal((matrix, matrix), dtype=np.float32)
    if blur < 0.3:
        return white
    reach = np.arange(-3, 4)
    weights = np.exp(-0.5 * (reach / blur) ** 2)
    gain = (weights**2).sum() / weights.sum() ** 2  # variance left by one of the two passes
    return gaussian_filter(white, blur, radius=3, mode="wrap") / np.float32(gain)
