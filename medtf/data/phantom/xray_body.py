"""Whose chest it is and how it stood before the detector: everything about a chest radiograph that is drawn at random."""

from dataclasses import dataclass

import numpy as np

from medtf.data.phantom.bone import Quality, draw_quality
from medtf.data.phantom.xray_person import CHEST, Person, rng_of


@dataclass(frozen=True)
class Body:
    """What stays from picture to picture. Sizes are shares of the usual, places are mm."""

    person: Person
    quality: Quality
    width: float
    height: float
    fat: float  # mm of the trunk beyond a thin one's
    heart: float
    cardiomegaly: bool
    knob: float  # radius of the aortic arch
    domes: tuple  # top of the right and the left diaphragm at full inspiration
    pitch: float  # between ribs
    clavicle: float  # height of its outer end
    breast: float  # depth of a breast, mm; 0 for men
    tree: int  # seed of the vessels


@dataclass(frozen=True)
class Picture:
    """How the body stood. AP pictures are of the bedridden: lower lungs, a larger heart, shoulder blades on the lungs."""

    view: str
    field: float  # mm
    shift: tuple
    degrees: float
    inspiration: float  # mm that the diaphragm stands above full inspiration
    heart: float  # magnification of the heart
    blades: float  # mm that the shoulder blades lie further in
    turn: float  # mm by which rotation about the long axis shifts what lies in front


def draw_body(seed: int, person: Person) -> Body:
    """The anatomy of one person."""
    rng = rng_of(seed, CHEST, person.number, 1)
    tall = (0.955 if person.female else 1.03) * (1 + 0.04 * rng.normal())
    base = 88 + 8 * rng.normal()
    large = bool(rng.random() < 0.07 + 0.0015 * (person.age - 50))
    return Body(
        person=person,
        quality=draw_quality(rng, person.t_score),
        width=float(tall * np.exp(0.035 * rng.normal())),
        height=float(tall * np.exp(0.05 * rng.normal())),
        fat=float(max(2.2 * (person.bmi - 21), -4)),
        heart=float(np.exp(0.06 * rng.normal()) * (rng.uniform(1.25, 1.45) if large else 1.0)),
        cardiomegaly=large,
        knob=float(np.clip(17 + 0.12 * (person.age - 50) + 2 * rng.normal(), 11, 30)),
        domes=(base, base + 11 + 5 * rng.normal()),
        pitch=float(22.5 + 1.2 * rng.normal()),
        clavicle=float(8 * rng.normal()),
        breast=float(np.clip(rng.normal(15, 6) + 0.9 * (person.bmi - 26), 4, 40)) if person.female else 0.0,
        tree=int(rng.integers(2**31)),
    )


def draw_picture(rng, body: Body) -> Picture:
    """The position for one exposure."""
    supine = bool(rng.random() < 0.25 + 0.003 * (body.person.age - 50))
    return Picture(
        view="AP" if supine else "PA",
        field=float(np.clip(rng.normal(385, 18) + 0.5 * body.fat, 330, 470)),
        shift=(float(8 * rng.normal()), float(-12 + 9 * rng.normal())),
        degrees=float((4.0 if supine else 1.6) * rng.normal()),
        inspiration=float(abs(rng.normal(28 if supine else 8, 9))),
        heart=1.14 if supine else 1.0,
        blades=float(rng.normal(-30 if supine else -6, 7)),
        turn=float((7 if supine else 3) * rng.normal()),
    )
