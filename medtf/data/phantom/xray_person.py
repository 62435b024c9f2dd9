"""Who is X-rayed: age, sex, body mass index and a T-score that follows from them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

CHEST, SHOULDER = 1, 2  # the archives' numbers in seeds
WHO = -2.5  # osteoporosis is a T-score of -2.5 or lower (WHO Technical Report 843, 1994)
BMD_MEAN, BMD_SD = (
    0.858,
    0.120,
)  # femoral neck of women of 20-29, g/cm^2 (NHANES III, Looker 1998): T-score = (BMD - mean) / SD
RESIDUAL = 1.05  # standard deviation of the T-score at one age, sex and body mass index


@dataclass(frozen=True)
class Person:
    """One patient; T-scores are written to a tenth, as reports of densitometry are."""

    number: int
    age: int
    female: bool
    bmi: float
    t_score: float

    @property
    def osteoporosis(self) -> bool:
        """The WHO's definition, on the T-score as written."""
        return self.t_score <= WHO


def rng_of(seed: int, archive: int, *parts) -> np.random.Generator:
    """The randomness of one thing of one archive, and of nothing else."""
    return np.random.default_rng(np.random.SeedSequence([seed, archive, *parts]))


def expected_t_score(age, female, bmi):
    """Older, female and thin: lower. Arrays or numbers."""
    return -0.5 - 0.045 * np.maximum(age - 45, 0) - 0.45 * female + 0.05 * (bmi - 26)


@lru_cache(maxsize=16)
def shift_for(share: float) -> float:
    """What to add to every T-score of the shoulder archive so that `share` of its people have osteoporosis."""
    rng = np.random.default_rng(0)
    age, female, bmi = _covariates(rng, 20_000, 50, 90, 69, 9)
    expected = expected_t_score(age, female, bmi)
    low, high = -15.0, 15.0
    for _ in range(50):
        middle = (low + high) / 2
        found = stats.norm.cdf((WHO + 0.05 - middle - expected) / RESIDUAL).mean()  # rounding takes half a tenth in
        low, high = (middle, high) if found > share else (low, middle)
    return (low + high) / 2


def _covariates(rng, count, youngest, oldest, mean, deviation):
    age = np.clip(rng.normal(mean, deviation, count), youngest, oldest).round()
    female = rng.random(count) < (0.65 if youngest == 50 else 0.45)
    return age, female, np.clip(rng.normal(26.5, 4.3, count), 16, 45).round(1)


def draw_person(seed: int, archive: int, number: int, *, osteoporosis: float | None = None) -> Person:
    """Patient `number` of an archive: adults of all ages for chests, of 50 and more for shoulders.

    `osteoporosis` in (0, 1) is the share of people who have it; None leaves T-scores as they come.
    """
    rng = rng_of(seed, archive, number)
    about = (50, 90, 69, 9) if archive == SHOULDER else (18, 94, 51, 17)
    age, female, bmi = (values[0] for values in _covariates(rng, 1, *about))
    t_score = expected_t_score(age, female, bmi) + RESIDUAL * rng.normal()
    if osteoporosis is not None:
        t_score += shift_for(osteoporosis)
    return Person(number, int(age), bool(female), float(bmi), round(float(np.clip(t_score, -6, 4)), 1) + 0.0)


def bmd_of(t_score: float) -> float:
    """Bone mineral density in g/cm^2 of a T-score."""
    return round(BMD_MEAN + BMD_SD * t_score, 3)
