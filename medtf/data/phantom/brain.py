"""One person: age and sex, and what follows from them, with noise. Every number of the phantom's difficulty is here.

Age is uniform over 20-86 years, sexes are equally likely.

**Age in T1.** The brain's own age is age + N(0, 3.4 years). Three features follow it, each with noise of its own, given
as the years that it is worth: lateral ventricles 12 ml x exp(1.3 t) (11 years), sulci (8 years), cortical thickness
3.2 - 0.8 t mm (9 years), with t = (brain age - 20) / 66. Together the noises are sqrt(3.4^2 + 5.3^2) = 6.3 years against
a standard deviation of 19 of age itself: who reads all three without error reaches r = 0.95.

**Age in TOF.** The vessels' age is age + N(0, 8 years), drawn apart from the brain's. Calibre (12 years) and number of
branches (14 years) fall with it: together 12.1 years, r = 0.84. A TOF image shows flowing blood alone: tissue and CSF
are suppressed alike, so that ventricles and sulci, which would give T1's answer away, are not to be seen in it.

**Sex.** Intracranial volume is 12 % larger in men (Ruigrok 2014, Neurosci Biobehav Rev 39:34, table 3; the whole brain
10.8 %). Its standard deviation of 8 % is chosen for d = 1.4: the considerable overlap of single large samples (Ritchie
2018, Cereb Cortex 28:2959). Two shape cues remain after matching on head size and are made up for the purpose, each
weaker than it: women's brains are relatively wider (d = 1.3) and their cerebellum relatively larger (d = 1.3). An ideal
reader of head size alone has an area under the curve of 0.84, of the two cues 0.90, of all three 0.95.
"""

from dataclasses import dataclass, field

import numpy as np

from medtf.data.phantom.geometry import Waves

AGES = (20.0, 86.0)
BRAIN_YEARS, VENTRICLE_YEARS, SULCI_YEARS, CORTEX_YEARS = 3.4, 11.0, 8.0, 9.0
VESSEL_YEARS, CALIBRE_YEARS, BRANCH_YEARS = 8.0, 12.0, 14.0
VENTRICLES_ML, VENTRICLE_GROWTH = 12.0, 1.3  # of a head of INTRACRANIAL_ML at 20 years; logarithm gained by 86
CORTEX_MM, CORTEX_LOSS = 3.2, 0.8
INTRACRANIAL_ML, MEN_LARGER, HEAD_SPREAD = 1430.0, 0.12, 0.08
CUE, CUE_SPREAD = 1.3, 0.035  # d of each shape cue; standard deviation of the logarithm


@dataclass
class Person:
    """Sizes and random fields of one head; all randomness of the anatomy is drawn here."""

    age: float  # years
    female: bool
    intracranial_ml: float
    widen: float  # of width over length, 1 = mean
    hindbrain: float  # relative size of the cerebellum, 1 = mean
    lateral_ml: tuple  # lateral ventricles, left and right
    sulci: float  # 0 narrow at 20 .. 1 wide at 86
    cortex_mm: float
    calibre: float  # of the arteries, 1 = mean
    branches: int
    vessel_seed: int
    waves: dict = field(default_factory=dict)


def draw(rng) -> Person:
    """A person at random."""
    age = round(float(rng.uniform(*AGES)), 2)
    female = bool(rng.random() < 0.5)
    cue = CUE * CUE_SPREAD * (0.5 if female else -0.5)

    def share(years, of):  # 0 at 20, 1 at 86
        return float((of + rng.normal(0, years) - AGES[0]) / (AGES[1] - AGES[0]))

    brain, vessels = age + rng.normal(0, BRAIN_YEARS), age + rng.normal(0, VESSEL_YEARS)
    mean = INTRACRANIAL_ML / (1 + MEN_LARGER / 2) * (1 if female else 1 + MEN_LARGER)
    intracranial = mean * np.exp(rng.normal(0, HEAD_SPREAD))
    lateral = VENTRICLES_ML * np.exp(VENTRICLE_GROWTH * share(VENTRICLE_YEARS, brain)) * intracranial / INTRACRANIAL_ML
    left = float(rng.uniform(0.53, 0.58))  # the left one is the larger, as in most people
    person = Person(
        age=age,
        female=female,
        intracranial_ml=float(intracranial),
        widen=float(np.exp(cue + rng.normal(0, CUE_SPREAD))),
        hindbrain=float(np.exp(cue + rng.normal(0, CUE_SPREAD))),
        lateral_ml=(float(lateral * left), float(lateral * (1 - left))),
        sulci=max(share(SULCI_YEARS, brain), -0.2),
        cortex_mm=CORTEX_MM - CORTEX_LOSS * share(CORTEX_YEARS, brain),
        calibre=1.22 - 0.44 * share(CALIBRE_YEARS, vessels),
        branches=max(round(64 - 44 * share(BRANCH_YEARS, vessels)), 6),
        vessel_seed=int(rng.integers(2**63)),
    )
    for axis in "xyz":
        person.waves[f"bend {axis}"] = Waves(rng, 75, 10)
        person.waves[f"wrinkle {axis}"] = Waves(rng, 36, 12)
    person.waves |= {
        "sulci": Waves(rng, 21, 40, 0.25),
        "depth": Waves(rng, 40, 10),
        "folia": Waves(rng, 8, 12),
        "tissue": Waves(rng, 30, 12),
        "skull": Waves(rng, 60, 10),
    }
    return person
