"""Label volumes beside a run's volumes: found by name, read, and laid over a heat map through the world that both headers name."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medtf.data import nifti, nifti_beside, placing
from medtf.data.annotation_names import Names
from medtf.data.pixels import Rows
from medtf.data.scan import files_below
from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain.runs.cases import Case
from medtf.explain.runs.nifti_maps import row_of
from medtf.explain.runs.subject import Subject

REGIONS = 1_000  # at most in one volume: FreeSurfer and MUSE have some hundred; an image read by mistake has thousands
SHOWN = 3  # names in a line about several


class Labels(NamedTuple):
    """The labelled voxels of one volume: `values` int64 (n,) over 0, `places` float64 (n, 3) in voxels of the network's grid (0: the centre
    of the first one), `voxel_ml` the millilitres of one. `shape` is the network's grid."""

    values: np.ndarray
    places: np.ndarray
    voxel_ml: float
    shape: tuple[int, int, int]

    def at(self, values: np.ndarray) -> np.ndarray:
        """Numbers (x, y, z) of the network's grid at the labelled voxels, linear between centres: float64 (n,)."""
        from scipy.ndimage import map_coordinates

        return map_coordinates(np.asarray(values, np.float64), self.places.T, order=1, mode="nearest")

    def inside(self, there: np.ndarray) -> np.ndarray:
        """Bool (n,): does a labelled voxel's centre lie in a voxel of the network's grid that is `there`, bool (x, y, z)?"""
        nearest = np.rint(self.places).astype(np.int64)
        within = ((nearest >= 0) & (nearest < self.shape)).all(axis=1)
        return within & there[tuple(np.clip(nearest, 0, np.array(self.shape) - 1).T)]

    def on_network(self) -> np.ndarray:
        """Bool (*shape): voxels of the network's grid that hold the centre of a labelled one; the brain, of labels of a brain."""
        nearest = np.rint(self.places).astype(np.int64)
        within = ((nearest >= 0) & (nearest < self.shape)).all(axis=1)
        found = np.zeros(self.shape, bool)
        found[tuple(nearest[within].T)] = True
        return found


class LabelVolumes:
    """The label volumes of a folder, by the rows of a subject.

    Attributes:
        files: {number of the row in the subject's table: file below the folder}.
        notes: lines about what had to be decided, for the user.

    Args:
        subject: the run and its rows. folder: of .nii and .nii.gz, named as the images, such as `Subj12_T1_DLMUSE.nii.gz` of `Subj12_T1.nii.gz`.
    Raises:
        MedtfError: no label volumes, none that belongs to a row, two of one row, or one that is no volume or has an unknown place.
    """

    def __init__(self, subject: Subject, folder):
        self.subject, self.folder = subject, Path(folder)
        files = [Path(name).as_posix() for name in files_below(self.folder)]
        hidden = [name for name in files if name.split("/")[-1].startswith(".")]
        files = [name for name in files if name.lower().endswith((".nii", ".nii.gz")) and name not in hidden]
        if not files:
            raise MedtfError(f"{folder}: no label volumes: expected .nii.gz files, named as the images")
        names, self.files, others = Names(subject.table.frame["path"]), {}, []
        for file in files:
            hit = names.row_of(file)
            if hit is None:
                others.append(file)
            elif hit[0] in self.files:
                raise MedtfError(
                    f"{folder}: {self.files[hit[0]]} and {file} are both of {names.paths[hit[0]]}: name the folder of one kind of labels"
                )
            else:
                self.files[hit[0]] = file
        if not self.files:
            raise MedtfError(
                f"{folder}: none of its {len(files):,} label volumes belongs to one of the {len(names.paths):,} volumes: found"
                f" {_some(others)}; expected names as those of the images, such as {names.paths[0]}, with one more word or none"
            )
        self.notes, self._found = [], {}
        rows = Rows(subject.table.frame)
        for number, file in self.files.items():  # headers now: what cannot work is said before maps are made
            described = nifti_beside.described(self.folder, file, what="volume of labels")
            self._found[number] = described, self._affine(file, described, rows[number])

    def __contains__(self, case: Case) -> bool:
        return case.number in self.files

    def of(self, case: Case) -> Labels | None:
        """The labelled voxels of a case; None where it has no label volume, or an empty one, which is then told in `notes`.

        Raises:
            MedtfError: a volume that cannot be read, that holds other than whole numbers, or lies beside its image.
        """
        if case not in self:
            return None
        row, file = row_of(self.subject, case), self.files[case.number]
        described, affine = self._found[case.number]
        values = self._values(file, described)
        within = np.argwhere(values > 0)
        shape, wanted = placing.network_affine(row, self.subject.config)
        if not len(within):
            self._note(f"row {case.row}: nothing is labelled in its label volume: left out of the table of regions")
            return None
        there = np.linalg.inv(wanted) @ affine
        places = within @ there[:3, :3].T + there[:3, 3]
        found = Labels(
            values[tuple(within.T)], places, float(abs(np.linalg.det(affine[:3, :3])) / 1000), tuple(map(int, shape))
        )
        if not found.inside(np.ones(found.shape, bool)).any():
            raise MedtfError(
                f"{self.folder / file}: lies outside of its image {row['path']}: expected the same world space: write both with their affines"
            )
        return found

    def _affine(self, file: str, labels: dict, row: dict) -> np.ndarray:
        """Voxel of the turned label volume -> mm of the image's world; where a header says no place, both must have one shape."""
        of_labels, of_image = (
            nifti_beside.unplaced(nifti_beside.header_of(root, one))
            for root, one in ((self.folder, labels), (self.subject.root, row))
        )
        if not of_labels and not of_image:
            return nifti.parse(labels).affine
        shapes = [one["read_shape"].split()[:3] for one in (labels, row)]
        which = f"{self.folder / file}" if of_labels else row["path"]
        if shapes[0] != shapes[1]:
            raise MedtfError(
                f"{which}: no affine (qform_code and sform_code are 0), and {self.folder / file} has {' x '.join(shapes[0])} voxels, its image"
                f" {row['path']} {' x '.join(shapes[1])}: where they meet is unknown; save it with its affine, or both on one grid"
            )
        whose = "label volumes say" if of_labels else "images say"
        self._note(f"{whose} no affine, but have one shape with what belongs to them: taken to lie on one grid")
        # the file's own axes are one another's: turn the labels as the image is turned
        labels["read_affine"] = row["read_affine"]
        return nifti.parse(labels).affine

    def _values(self, file: str, described: dict) -> np.ndarray:
        """int64 (x, y, z) in RAS+."""
        values = nifti_beside.values(self.folder, described)
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise MedtfError(
                f"{self.folder / file}: holds other than whole numbers: expected a volume of labels, not an image"
            )
        values = values.astype(np.int64)
        count = len(np.unique(values[values > 0]))
        if count > REGIONS:
            raise MedtfError(
                f"{self.folder / file}: {count:,} different values: expected a volume of labels, not an image"
            )
        return values

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def names_of(path) -> dict[int, str]:
    """Names of regions from a sheet with the columns `index` and `name`.

    Raises:
        AskedWronglyError: no such file, other columns, an index that is no whole number above 0 or stands twice.
    """
    try:
        sheet = pd.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python", encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AskedWronglyError(
            f"{path}: no such file: expected a sheet of region names, with the columns index and name"
        ) from error
    except (OSError, ValueError) as error:
        raise AskedWronglyError(f"{path}: cannot be read as a sheet: {str(error).splitlines()[0]}") from error
    columns = {str(name).strip().lower(): name for name in sheet}
    if not {"index", "name"} <= set(columns):
        raise AskedWronglyError(f"{path}: columns {', '.join(map(str, sheet))}: expected index and name")
    found: dict[int, str] = {}
    for line, (index, name) in enumerate(zip(sheet[columns["index"]], sheet[columns["name"]], strict=True), start=2):
        index = index.strip()
        if not index.isdigit():
            raise AskedWronglyError(
                f"{path}: line {line}: index {index!r}: expected a whole number, as in the label volumes"
            )
        if int(index) in found:
            raise AskedWronglyError(f"{path}: line {line}: index {index} stands twice")
        found[int(index)] = name.strip() or f"region {index}"
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
