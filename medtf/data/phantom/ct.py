"""A synthetic head CT archive in the layout of the RSNA 2019 haemorrhage challenge: stage_2_train/*.dcm and a CSV.

Every byte follows from the seed: patient i draws from SeedSequence([seed, i]) alone, so patients are made in parallel
and the first ones stay the same when more are asked for.
"""

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from medtf.data.phantom import lesions
from medtf.data.phantom.anatomy import AIR, paint
from medtf.data.phantom.dicom import image_id, slice_dataset, write_slice
from medtf.data.phantom.flaws import FLAWS, add_flaws
from medtf.data.phantom.geometry import Pose, View, blend, rotation, slab
from medtf.data.phantom.head import Head
from medtf.errors import AskedWronglyError

FOLDER, TABLE = "stage_2_train", "stage_2_train.csv"
LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")  # the archive's order
PREVALENCE = 0.40  # of patients: about 14 % of images, the archive's 14.4 %
BOTTOM_MM = -48.0  # the lowest slice, from the head's centre: through orbits and petrous bones
COARSE = 8  # pixels
MARK_MM, MARK_HU = 12.0, 3000.0
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


def make_patient(folder, seed, patient, *, slices, matrix, prevalence, shortcut) -> list:
    """Write one patient's slices; returns [(image id, labels)], bottom to top."""
    scan = draw_scan(seed, patient, slices=slices, matrix=matrix, prevalence=prevalence)
    noisy, marks = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, patient]).spawn(2))
    backdrop = backdrop_of(scan)
    middle = np.linspace(-1, 1, matrix, dtype=np.float32) ** 2
    grain = scan.noise * (0.5 + 0.5 * np.exp(-2 * (middle[:, None] + middle[None, :])))
    dataset = slice_dataset(seed, patient, scan)
    rows = []
    with threadpool_limits(limits=1):  # one process a core already, and the same sums whatever the number of cores
        for number, level in enumerate(scan.levels):
            hu, shares = render(scan, level, backdrop)
            labels = labels_of(scan, shares)
            hu += grain * _noise(noisy, matrix, scan.kernel / scan.pixel)
            if (marks.random() < 0.95) == bool(labels["any"]) and shortcut:
                size, start = round(MARK_MM / scan.pixel), round(6 / scan.pixel)
                hu[start : start + size, start : start + size] = MARK_HU
            name = image_id(seed, patient, number)
            write_slice(dataset, Path(folder) / f"{name}.dcm", hu, name=name, number=number, level=level, seed=seed)
            rows.append((name, labels))
    return rows


def _noise(rng, matrix, blur):
    """Gaussian noise of variance 1, correlated over `blur` pixels as a soft reconstruction kernel leaves it."""
    white = rng.standard_normal((matrix, matrix), dtype=np.float32)
    if blur < 0.3:
        return white
    reach = np.arange(-3, 4)
    weights = np.exp(-0.5 * (reach / blur) ** 2)
    gain = (weights**2).sum() / weights.sum() ** 2  # variance left by one of the two passes
    return gaussian_filter(white, blur, radius=3, mode="wrap") / np.float32(gain)


def write(
    out,
    *,
    patients,
    seed=0,
    slices=24,
    matrix=512,
    prevalence=PREVALENCE,
    flaws=False,
    shortcut=False,
    jobs=-1,
    progress=None,
) -> dict:
    """Write the archive to the folder `out`, whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        patients, seed: how many, and what everything is drawn from (both integers, seed >= 0).
        slices: images a patient, over the whole head (about 137 mm).
        matrix: rows and columns of an image (pixels of 212-238 mm / matrix).
        prevalence: share in [0, 1] of the patients with at least one haemorrhage.
        flaws: add the archive's flaws, one file each, listed in flaws.csv.
        shortcut: a bright mark in a corner that follows `any` in 95 % of the images.
        jobs: processes, -1 for one a core.
        progress: called with the number of finished patients.

    Returns:
        {"patients", "images", "labels": {label: images}, "patients_any", "flaws": files}.

    Raises:
        AskedWronglyError: an argument out of its range, or `out` holds something.
    """
    out = Path(out).resolve()
    _check(
        out, patients=patients, seed=seed, slices=slices, matrix=matrix, prevalence=prevalence, flaws=flaws, jobs=jobs
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.parent / f".{out.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / FOLDER).mkdir(parents=True)
        make = joblib.delayed(make_patient)
        asked = {"slices": slices, "matrix": matrix, "prevalence": prevalence, "shortcut": shortcut}
        tasks = (make(str(partial / FOLDER), seed, patient, **asked) for patient in range(patients))
        done = []
        results = joblib.Parallel(n_jobs=min(joblib.effective_n_jobs(jobs), patients), return_as="generator")(tasks)
        with closing(results):  # an interrupt ends the workers before their folder goes
            for rows in results:
                done.append(rows)
                if progress:
                    progress(len(done))
        images = sorted(
            (row for rows in done for row in rows), key=lambda row: row[0]
        )  # the archive's order tells nothing
        lines = [f"{name}_{label},{labels[label]}" for name, labels in images for label in LABELS]
        (partial / TABLE).write_text("\n".join(["ID,Label", *lines]) + "\n", encoding="ascii", newline="\n")
        listed = add_flaws(partial, FOLDER, TABLE, [name for name, _ in images], seed) if flaws else []
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:  # Ctrl-C too: nothing half-written stays
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return {
        "patients": patients,
        "images": len(images),
        "labels": {label: sum(labels[label] for _, labels in images) for label in LABELS},
        "patients_any": sum(any(labels["any"] for _, labels in rows) for rows in done),
        "flaws": len(listed),
    }


def _check(out: Path, *, patients, seed, slices, matrix, prevalence, flaws, jobs) -> None:
    ranges = {
        "patients": (patients, 1, 2**20),
        "seed": (seed, 0, 2**63),
        "slices": (slices, 1, 4096),
        "matrix": (matrix, 32, 2048),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise AskedWronglyError(f"--{name} {value}: expected a whole number from {low} to {high}")
    if not 0 <= prevalence <= 1:
        raise AskedWronglyError(f"--prevalence {prevalence:g}: expected a share of patients from 0 to 1")
    if jobs == 0:
        raise AskedWronglyError("--jobs 0: expected a number of processes, or -1 for one a core")
    if flaws and patients * slices < len(FLAWS):
        raise AskedWronglyError(
            f"--flaws needs at least {len(FLAWS)} images; there are {patients * slices}: raise --patients"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AskedWronglyError(f"{out} is there and not empty: name a new folder, or remove this one first")
