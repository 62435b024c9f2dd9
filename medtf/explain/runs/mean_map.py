"""The mean map of a group in one grid, over the group's mean picture.

Pictures share the network's grid already. Volumes do not: nothing here registers brains, but every volume is moved and stretched along its axes
until the box of its foreground is the box of the common grid. That brings ventricles near ventricles, and no gyrus onto a gyrus.
"""

from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np

from medtf.explain import pictures
from medtf.explain.runs.anatomy import foreground, shown
from medtf.explain.runs.montage import montage
from medtf.explain.runs.nifti_maps import described, linear, save

INNER = (0.01, 0.99)  # of the foreground along an axis: specks of noise far from the head do not move the box
MARGIN = 0.1  # of the box, around it on each side
PIXELS = 256  # a picture's shorter side at the least, enlarged by a whole number
WORDS = (
    "Mean of the heat maps of {n} volumes of {people} people. Volumes are not registered to each other: each is moved and stretched along its"
    " own axes so that the box of its {foreground} (the middle 98 % along each axis) fills the same box; read it as a rough place. Colours"
    " run from 0 to the mean map's own maximum, {top:.2f}; the NIfTI file holds the means themselves, its origin is the middle of the box, its"
    " voxels have the size of the mean person's."
)
OF_PICTURES = (
    "Mean of the heat maps of {n} pictures of {people} people, on the network's grid as it is: nothing aligns one picture with another."
    " Colours run from 0 to the mean map's own maximum, {top:.2f}."
)


class Box(NamedTuple):
    """Where a foreground lies in its grid: `low` and `high` (3,), counted in voxels from the first one's outer face."""

    low: np.ndarray
    high: np.ndarray


class MeanMap:
    """Maps and pictures of a group go in one by one; memory is that of one of each.

    Volumes and pictures are not mixed; all volumes come with a foreground of one kind.
    """

    def __init__(self):
        self.count, self.left_out, self.labelled = 0, 0, False
        self.people: set[str] = set()
        self._sums = self._extent = self._inner = None

    def add(self, image: np.ndarray, heat: np.ndarray, patient: str, *, spacing_mm=None, inside=None) -> bool:
        """One more; False where a volume has no foreground, so that it has no place in the common grid.

        Args:
            image: float (height, width, channels), or (x, y, z, 1) in RAS+ with NaN where the network was shown nothing.
            heat: float (height, width) or (x, y, z) in [0, 1]. patient: whose it is.
            spacing_mm: (3,) of a volume. inside: bool (x, y, z), its foreground; None: see `anatomy.foreground`.
        """
        if heat.ndim == 2:
            parts = [image, heat[..., None], np.ones((*heat.shape, 1))]
        else:
            self.labelled = inside is not None
            box = box_of(foreground(image) if inside is None else inside)
            if box is None:
                self.left_out += 1
                return False
            parts = self._common(image, heat, np.asarray(spacing_mm, float), box)
        stacked = np.concatenate([np.asarray(part, np.float64) for part in parts], axis=-1)
        self._sums = stacked if self._sums is None else self._sums + stacked
        self.count += 1
        self.people.add(patient)
        return True

    @property
    def image(self) -> np.ndarray:
        """The mean picture: float (*grid, channels)."""
        return self._sums[..., :-2] / self.count

    @property
    def heat(self) -> np.ndarray:
        """The mean map, float32 (*grid); of each place over those whose network was shown it, 0 where none was."""
        heat, seen = self._sums[..., -2], self._sums[..., -1]
        return np.divide(heat, seen, out=np.zeros_like(heat), where=seen > 0.5).astype(np.float32)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Of the common grid's voxels: the mean person's box over as many voxels."""
        return self._extent / self.count / self._inner

    def words(self) -> str:
        """How it was made and what it shows, for whoever looks at it."""
        numbers = {"n": f"{self.count:,}", "people": f"{len(self.people):,}", "top": self.heat.max(initial=0)}
        if self._inner is None:
            return OF_PICTURES.format(**numbers)
        said = WORDS.format(**numbers, foreground="labelled voxels" if self.labelled else "foreground")
        return said + (f" Left out for want of a foreground: {self.left_out}." if self.left_out else "")

    def write(self, folder, name: str) -> dict:
        """`mean_<name>.png`, and of volumes `mean_<name>.nii.gz`, each whole or not at all.

        Returns:
            {"name", "volumes" or "pictures", "people", "files": {"picture", "nifti"}, "words"}.
        """
        folder, heat = Path(folder), self.heat
        files = {"picture": f"mean_{name}.png"}
        hot = heat / heat.max() if heat.any() else heat
        if self._inner is None:
            picture = _enlarged(pictures.overlay(self.image, hot))
        else:
            picture = montage(self.image, hot, self.spacing_mm)
            files["nifti"] = f"mean_{name}.nii.gz"
            save(self._nifti(heat), folder / files["nifti"])
        pictures.save(picture, folder / files["picture"])
        of = "pictures" if self._inner is None else "volumes"
        return {"name": name, of: self.count, "people": len(self.people), "files": files, "words": self.words()}

    def _common(self, image, heat, spacing, box: Box) -> list[np.ndarray]:
        """Image, heat and what was shown, in the common grid; the first volume says how many voxels that has."""
        extent = (box.high - box.low) * spacing
        if self._inner is None:
            self._inner, self._extent = np.maximum(1.0, np.round(extent / spacing)), np.zeros(3)
        self._extent = self._extent + extent
        seen = np.isfinite(image[..., 0])
        axes = [
            _stretch(n, *ends, inner)
            for n, ends, inner in zip(seen.shape, zip(*box, strict=True), self._inner, strict=True)
        ]
        # the picture of all that was shown, the heat only of what was: between the two it fades with its own weight
        return [_along(part, axes)[..., None] for part in (shown(image), np.where(seen, heat, 0), seen)]

    def _nifti(self, heat: np.ndarray):
        affine = np.diag([*self.spacing_mm, 1.0])
        affine[:3, 3] = -self.spacing_mm * (np.array(heat.shape) - 1) / 2
        made = nibabel.Nifti1Image(heat, affine)
        described(made.header)
        made.header["descrip"] = b"medtf mean heat map, common box, not registered; research use only"
        made.header.set_xyzt_units("mm")
        return made


def box_of(inside: np.ndarray) -> Box | None:
    """The box of a foreground, bool (x, y, z), by the middle 98 % of its voxels along each axis; None where it has none."""
    if not inside.any():
        return None
    ends = []
    for axis in range(3):
        counts = np.count_nonzero(inside, axis=tuple(i for i in range(3) if i != axis))
        faces = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
        ends.append(np.interp(INNER, faces, np.arange(len(faces))))
    low, high = np.array(ends).T
    return Box(low, high)


def _stretch(n: int, low: float, high: float, inner: float) -> np.ndarray:
    """Float64 (m, n): linear interpolation of n voxels at the m centres of the common grid's, whose inner part is [low, high]; rows of what
    lies beyond the volume are 0."""
    count = round(inner * (1 + 2 * MARGIN))
    step = (high - low) / inner
    place = (low + high) / 2 + (np.arange(count) + 0.5 - count / 2) * step  # from the outer face of the first voxel
    within = (place >= 0) & (place <= n)
    return linear(n, place) * within[:, None]


def _along(values: np.ndarray, axes: list[np.ndarray]) -> np.ndarray:
    for axis, matrix in enumerate(axes):
        values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
    return values


def _enlarged(picture: np.ndarray) -> np.ndarray:
    factor = -(-PIXELS // min(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
