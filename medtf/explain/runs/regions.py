"""Where the heat of a group lies, region by region: label volumes of each person (MUSE, FreeSurfer, any other) under that person's heat map."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from medtf.data import placing
from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.evaluate.statistics.paired import ALPHA
from medtf.explain.runs import region_numbers as numbers
from medtf.explain.runs.cases import Case
from medtf.explain.runs.nifti_maps import row_of
from medtf.explain.runs.region_labels import Labels, LabelVolumes, names_of
from medtf.explain.runs.subject import Subject

SCHEMA = 1
MOSTLY = 0.5  # share of the heat
GROUPS = 6  # at most: a column with more values is a measurement, and no group
WORDS = (
    "The ratio is the mean heat inside a region over the mean heat of all labelled voxels of the same person: 1 where the region is as hot as the"
    " rest. The share is what part of all the person's heat lies in it; large regions have more. Means over people with 95 % intervals (bootstrap"
    " over people); p by changing signs against a ratio of 1, and of a difference by giving the groups away anew, both by Holm's correction"
    " of all regions. A ratio says where the answer is sensitive to the image, not that a region causes it."
)


class RegionTable:
    """Heat maps go in one by one, the table comes out.

    Args:
        subject: the run and its rows. labels_dir: folder of label volumes, named as the images.
        names: sheet with the columns `index` and `name`; None: regions go by their numbers.
        group: a column of the table, such as sex; None: everybody together.
        seed: of the draws.
    Raises:
        AskedWronglyError: no such column, or one of many values; a sheet of names that is none. MedtfError: as `LabelVolumes`.
    """

    def __init__(self, subject: Subject, labels_dir, *, names=None, group: str | None = None, seed: int = 0):
        self.subject, self.group, self.seed = subject, group, seed
        self.names = names_of(names) if names is not None else {}
        self.groups = grouped(subject, group)
        self.labels = LabelVolumes(subject, labels_dir)
        self.people: dict[str, list[dict]] = {}  # patient -> what each of their volumes says
        self.counts = dict.fromkeys(("volumes", "without", "cold"), 0)

    def add(self, case: Case, heat: np.ndarray) -> Labels | None:
        """One more map, float (*case.grid) in [0, 1]; gives the case's labels, where it has any, for whoever needs them too."""
        labels = self.labels.of(case)
        if labels is None:
            self.counts["without"] += 1
            return None
        found = heat_by_region(case, heat, labels, self._voxel_ml(case))
        if found is None:
            self.counts["cold"] += 1
            return labels
        self.counts["volumes"] += 1
        self.people.setdefault(case.patient, []).append(found | {"number": case.number})
        return labels

    def result(self) -> dict:
        """The table: see `docs/explanations.md`; regions in order of their ratio, the hottest first.

        Raises:
            MedtfError: no map lay over labelled voxels.
        """
        if not self.people:
            raise MedtfError(self.nobody())
        people = sorted(self.people)
        indices = sorted({index for of in self.people.values() for one in of for index in one["regions"]})
        known = {name: self._by_person(people, indices, name) for name in ("ratio", "share", "ml", "shown")}
        regions = self._regions(people, indices, known)
        found = {"schema": SCHEMA, "words": WORDS, "people": len(people), "volumes": self.counts["volumes"]}
        outside = self._outside(people)
        found |= {
            "outside": outside,
            "notes": self._notes(indices) + warnings(outside, len(people), len(indices)),
            "group": None,
        }
        if self.group:
            found["group"] = self._compare(people, known["ratio"], regions)
        regions.sort(key=lambda one: (one["ratio"]["value"] is None, -(one["ratio"]["value"] or 0), one["index"]))
        return found | {"regions": regions}

    def nobody(self) -> str:
        """Why there is no table, where no map lay over labelled voxels."""
        return (
            f"{self.labels.folder}: no region to tell of: maps without a label volume: {self.counts['without']}; maps that are 0 in all labelled"
            f" voxels: {self.counts['cold']}"
        )

    def _regions(self, people, indices, known) -> list[dict]:
        draws = self._draws()
        means = numbers.over_people({name: known[name] for name in ("ratio", "share")}, people, **draws)
        ratios = numbers.adjusted(means["ratio"], numbers.against(known["ratio"], seed=self.seed))
        return [
            {
                "index": index,
                "name": self.names.get(index, f"region {index}"),
                "people": int((~np.isnan(known["ratio"][:, i])).sum()),
                "ml": float(np.nanmean(known["ml"][:, i])),
                "shown": float(np.nanmean(known["shown"][:, i])),
                "ratio": ratios[i],
                "share": means["share"][i],
            }
            for i, index in enumerate(indices)
        ]

    def _compare(self, people, ratio, regions) -> dict:
        """Each group's ratios into `regions`, and with two groups their difference; says who is in which."""
        member = np.array([self._group_of(patient) for patient in people], object)
        values = sorted({value for value in member if value})
        for value in values:
            found = numbers.over_people({"ratio": ratio}, people, where=member == value, **self._draws())["ratio"]
            for region, metric in zip(regions, found, strict=True):
                region.setdefault("groups", {})[value] = metric
        told = {"column": self.group, "people": {value: int((member == value).sum()) for value in values}}
        told["difference"] = f"{values[0]} - {values[1]}" if len(values) == 2 else None
        if len(values) == 2:
            inside = np.isin(member, values)
            kept, first, who = ratio[inside], (member == values[0])[inside], np.array(people)[inside]
            found = numbers.differences(kept, first, who, **self._draws())
            for region, metric in zip(
                regions, numbers.adjusted(found, numbers.between(kept, first, seed=self.seed)), strict=True
            ):
                region["difference"] = metric
        return told

    def _group_of(self, patient: str) -> str:
        """A person's group; none where it is unknown, or where their volumes say different ones."""
        said = {self.groups[one["number"]] for one in self.people[patient]}
        return said.pop() if len(said) == 1 else ""

    def _by_person(self, people, indices, name: str) -> np.ndarray:
        """(people, regions): the mean over a person's volumes; NaN where none has the region."""
        made = np.full((len(people), len(indices)), np.nan)
        at = {index: i for i, index in enumerate(indices)}
        for i, patient in enumerate(people):
            of: dict[int, list[float]] = {}
            for one in self.people[patient]:
                for index, numbers_of in one["regions"].items():
                    of.setdefault(index, []).append(numbers_of[name])
            for index, values in of.items():
                there = [value for value in values if not np.isnan(value)]
                made[i, at[index]] = np.mean(there) if there else np.nan
        return made

    def _outside(self, people) -> dict:
        values = np.array([[np.mean([one["outside"] for one in self.people[patient]])] for patient in people])
        return numbers.over_people({"outside": values}, people, **self._draws())["outside"][0]

    def _notes(self, indices) -> list[str]:
        notes = list(self.labels.notes)
        if self.counts["without"]:
            notes.append(f"volumes without labels: {self.counts['without']}; they are in no number of this table")
        if self.counts["cold"]:
            notes.append(
                f"maps that are 0 in all labelled voxels: {self.counts['cold']}; they are in no number of this table"
            )
        if self.group:
            without = sum(not self._group_of(patient) for patient in self.people)
            if without:
                notes.append(f"people in no group of {self.group}, or in several: {without}; left out of the groups")
        unnamed = [index for index in indices if self.names and index not in self.names]
        if unnamed:
            notes.append(f"regions without a name in the sheet: {len(unnamed)} of {len(indices)}, such as {unnamed[0]}")
        return notes

    def _voxel_ml(self, case: Case) -> float:
        affine = placing.network_affine(row_of(self.subject, case), self.subject.config)[1]
        return float(abs(np.linalg.det(affine[:3, :3])) / 1000)

    def _draws(self) -> dict:
        return {"replicates": self.subject.config.evaluate.replicates, "seed": self.seed}


def warnings(outside: dict, people: int, count: int) -> list[str]:
    """Lines about what a table of regions cannot tell: of heat outside all of them, and of too few people."""
    notes = []
    if outside["value"] > MOSTLY:
        notes.append(
            f"{100 * outside['value']:.0f} % of the heat lies outside all labelled voxels: the ratios share out the rest, and do not"
            " say that the network looks there"
        )
    if people <= numbers.EXACT and 2 / 2**people * count >= ALPHA:
        notes.append(
            f"{people} people are too few to tell any of {count} regions from the others: p of a region cannot be below {2 / 2**people:.2g},"
            f" or {min(1, 2 / 2**people * count):.2g} by Holm's correction"
        )
    return notes


def table(subject: Subject, heats: Iterable[tuple[Case, np.ndarray]], labels_dir, names=None, group=None) -> dict:
    """The table of regions of cases with their maps, which are taken one by one; see `RegionTable`."""
    made = RegionTable(subject, labels_dir, names=names, group=group)
    for case, heat in heats:
        made.add(case, heat)
    return made.result()


def heat_by_region(case: Case, heat: np.ndarray, labels: Labels, voxel_ml: float) -> dict | None:
    """What one map says of each region: {"regions": {index: {ratio, share, ml, shown}}, "outside": share}; None where all labelled voxels are 0.

    Only voxels count that the network was shown. `ml` is the whole region's volume, `shown` the share of it that the network was shown.

    Args:
        heat: float (*case.grid) in [0, 1]. voxel_ml: millilitres of a voxel of that grid.
    """
    seen = labels.inside(np.isfinite(case.image[..., 0]))
    values = np.where(seen, labels.at(heat), 0.0)
    indices, of = np.unique(labels.values, return_inverse=True)
    count, shown = np.bincount(of), np.bincount(of, weights=seen)
    sums = np.bincount(of, weights=values)
    if sums.sum() <= 0:
        return None
    rest = sums.sum() / shown.sum()
    mean = np.divide(sums, shown, out=np.full(len(indices), np.nan), where=shown > 0)
    mass = sums * labels.voxel_ml / (float(heat.sum(dtype=np.float64)) * voxel_ml)
    regions = {
        int(index): {
            "ratio": float(mean[i] / rest),
            "share": float(mass[i]) if shown[i] else np.nan,
            "ml": float(count[i] * labels.voxel_ml),
            "shown": float(shown[i] / count[i]),
        }
        for i, index in enumerate(indices)
    }
    return {"regions": regions, "outside": float(np.clip(1 - mass.sum(), 0, 1))}


def grouped(subject: Subject, column: str | None) -> list[str]:
    """The group of each row of a subject, empty where it is unknown; all empty without a column.

    Raises:
        AskedWronglyError: no such column, no values, or many.
    """
    frame = subject.table.frame
    if column is None:
        return [""] * len(frame)
    if column not in frame:
        known = [str(name) for name in frame if not str(name).startswith("read_")]
        raise AskedWronglyError(f"--group {column}: the table has no such column: {nearest(column, known)}")
    found = [
        "" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value) for value in frame[column]
    ]
    values = sorted(set(found) - {""})
    if not 1 <= len(values) <= GROUPS:
        said = f"{len(values):,} values" if values else "no value"
        raise AskedWronglyError(
            f"--group {column}: {said} in these rows: expected a column of at most {GROUPS} groups, such as sex"
        )
    return found
