"""What many maps of a run say together, in front of the modules that make it: mean maps of everybody and of groups, and the table of regions."""

import re
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from medtf.data import placing
from medtf.explain.runs import region_files, regions
from medtf.explain.runs.cases import Case
from medtf.explain.runs.mean_map import MeanMap
from medtf.explain.runs.montage import montage
from medtf.explain.runs.nifti_maps import row_of, write_nifti
from medtf.explain.runs.subject import Subject

__all__ = ["Together", "montage", "spacing_of", "write_nifti"]
EVERYBODY = "all"


class Together:
    """Maps of one method go in one by one; mean maps and the table of regions come out. Works for pictures too, which have no regions.

    Args:
        subject: the run and the rows that are explained.
        labels_dir: folder of label volumes; None: no table of regions, and a volume's foreground is what is brighter than the background.
        names: sheet with the columns `index` and `name`. group: a column of the table, such as sex.
    Raises:
        AskedWronglyError, MedtfError: as `regions.RegionTable`.
    """

    def __init__(self, subject: Subject, *, labels_dir=None, names=None, group: str | None = None, seed: int = 0):
        self.subject, self.group = subject, group
        self.groups = regions.grouped(subject, group)
        self.files = file_names(group, self.groups)
        self.table = None
        if labels_dir is not None:
            self.table = regions.RegionTable(subject, labels_dir, names=names, group=group, seed=seed)
        self.means: dict[str, MeanMap] = {}

    def add(self, case: Case, heat: np.ndarray) -> None:
        """One more map, float (*case.grid) in [0, 1]."""
        where, labels = {}, None
        if self.table is not None:
            labels = self.table.add(case, heat)
            if labels is None:  # its brain is not known: among boxes of brains the box of a head would be out of place
                return
        if heat.ndim == 3:
            where = {"spacing_mm": spacing_of(self.subject, case)}
            where["inside"] = None if labels is None else labels.on_network()
        mine = self.groups[case.number]
        for name in (EVERYBODY, *([self.files[mine]] if mine else [])):
            self.means.setdefault(name, MeanMap()).add(case.image, heat, case.patient, **where)

    def write(self, folder) -> dict:
        """`mean_<group>.png`, `.nii.gz` of volumes, and with labels `regions.csv` and `regions.json`.

        Returns:
            {"means": as `MeanMap.write` of each group, "regions": as `RegionTable.result`, or None, "notes": why there is none}.
        """
        folder, found, notes = Path(folder), None, []
        if self.table is not None:
            if self.table.people:
                found = self.table.result()
                region_files.write(found, folder)
            else:  # hours of maps are not thrown away for that
                notes.append(self.table.nobody())
        means = [
            self.means[name].write(folder, name)
            for name in sorted(self.means, key=lambda n: (n != EVERYBODY, n))
            if self.means[name].count
        ]
        return {"means": means, "regions": found, "notes": notes}


def file_names(column: str | None, groups: list[str]) -> dict[str, str]:
    """{group: `sex_M`}, safe in the name of a file; two groups never share one."""
    found: dict[str, str] = {}
    for value in sorted(set(groups) - {""}):
        name = re.sub(r"[^\w.+-]+", "-", f"{column}_{value}")
        while name in found.values():
            name += "-"
        found[value] = name
    return found


def spacing_of(subject: Subject, case: Case) -> np.ndarray:
    """Millimetres between the voxels of a volume as the network is given it, float64 (3,)."""
    return voxel_sizes(placing.network_affine(row_of(subject, case), subject.config)[1])
