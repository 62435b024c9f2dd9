"""The annotated place of each case changed, equal places elsewhere, and where a map is hottest: what the answer of the run makes of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from medtf.errors import AskedWronglyError, MedtfError, nearest
from medtf.explain.intervention import curves, effect
from medtf.explain.intervention.change import HOW
from medtf.explain.runs import maps
from medtf.explain.runs.cases import Case, cases
from medtf.explain.runs.subject import Subject

DONORS = 8  # pictures of the other class that transplants are taken from
CURVED = 32  # cases at the most of deletion and insertion: each asks the network 126 times
AREAS = ("deletion_area", "insertion_area", "deletion_random_area", "insertion_random_area")
COLUMNS = ("annotated", "elsewhere", "hottest")


def refuse(hows, subject_targets: dict, target: str) -> None:
    """What cannot be done shows before a model is loaded.

    Raises:
        AskedWronglyError: an unknown way, or transplants for a target that has no other class.
    """
    for how in hows:
        if how not in HOW:
            raise AskedWronglyError(f"--how {how}: {nearest(how, HOW)}")
        if how == "transplant" and subject_targets[target].kind != "binary":
            raise AskedWronglyError(
                f"--how transplant: {target} has no other class to take pictures from; take erase, blur or inpaint"
            )


@dataclass(frozen=True)
class Asked:
    """What is done to every case of a run.

    hows: keys of `change.HOW`. controls: equal regions elsewhere. seed: of the places and orders.
    donors: [(patient, image)] for transplants.
    """

    hows: tuple[str, ...]
    controls: int
    seed: int
    donors: list[tuple[str, np.ndarray]]


def asked(subject: Subject, target: str, hows, *, controls: int, seed: int) -> Asked:
    """The same, with donors read where one is needed.

    Raises:
        MedtfError: nobody in the fold is without what the target means.
    """
    donors = donors_of(subject, target, seed) if "transplant" in hows else []
    return Asked(tuple(hows), controls, seed, donors)


def donors_of(subject: Subject, target: str, seed: int) -> list[tuple[str, np.ndarray]]:
    """(patient, image) of rows without what the target means, drawn by chance."""
    numbers = np.flatnonzero(subject.predictions[f"{target}_true"].to_numpy(np.float64) == 0)
    if not len(numbers):
        raise MedtfError(f"--how transplant: nobody in the fold is without {target}: take erase, blur or inpaint")
    drawn = np.random.default_rng(seed).permutation(numbers)[:DONORS]
    return [(case.patient, np.nan_to_num(case.image)) for case in cases(subject.at(np.sort(drawn)))]


def of_case(
    subject: Subject,
    case: Case,
    mask: np.ndarray,
    heats: dict[str, np.ndarray],
    asked: Asked,
    *,
    target: str,
    unit: int,
) -> dict[str, dict[str, float]]:
    """{method: {`<how>_annotated`, `<how>_elsewhere`, `<how>_hottest`: change of the score}}, NaN where there was no room.

    Args:
        case: of the subject. mask: bool (*grid). heats: {method: (*grid)}. unit: of the target's output.
    """
    image = np.nan_to_num(case.image)  # of a volume what no block covers, which nobody is shown

    def ask(images):
        return maps.scores(subject, case, images, target=target, class_index=unit)

    found = {method: {} for method in heats}
    if mask.all():
        return {method: {f"{how}_{name}": np.nan for how in asked.hows for name in COLUMNS} for method in heats}
    for how in asked.hows:
        same = {
            "how": how,
            "seed": asked.seed + case.row,
            "donor": _donor(case, asked) if how == "transplant" else None,
        }
        first = None
        for method, heat in heats.items():  # what is annotated and what lies elsewhere is the same for every map
            one = effect.effects(ask, image, mask, heat, controls=asked.controls if first is None else 0, **same)
            first = first or one
            values = {"annotated": first["annotated"], "elsewhere": first["elsewhere"], "hottest": one["hottest"]}
            found[method] |= {f"{how}_{name}": values[name] for name in COLUMNS}
    return found


def curve(subject: Subject, case: Case, heat: np.ndarray, *, target: str, unit: int, seed: int) -> dict:
    """Deletion and insertion of one case, as `curves.curves`; of a binary target in probabilities, else in the score's own unit."""
    link = expit if subject.config.targets[target].kind == "binary" else np.asarray

    def ask(images):
        return link(maps.scores(subject, case, images, target=target, class_index=unit))

    return curves.curves(ask, np.nan_to_num(case.image), heat, seed=seed + case.row)


def summarised(frame: pd.DataFrame, hows, *, seed: int) -> dict[str, dict]:
    """{how: `effect.summarised`} of the columns that `of_case` gives.

    Args:
        frame: one row a case, with `patient`.
    """
    return {
        how: effect.summarised(
            frame[["patient"]].assign(**{name: frame[f"{how}_{name}"].astype(float) for name in COLUMNS}), seed=seed
        )
        for how in hows
    }


def _donor(case: Case, asked: Asked) -> np.ndarray:
    fitting = [image for patient, image in asked.donors if patient != case.patient and image.shape == case.image.shape]
    if not fitting:
        raise MedtfError(
            f"--how transplant: row {case.row}: no picture of another person on the same grid to take the place from;"
            " take erase, blur or inpaint"
        )
    return fitting[case.row % len(fitting)]
