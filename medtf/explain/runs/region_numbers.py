"""Heat by region over people: means with intervals, tests against "as hot as the rest", groups and their difference. Numbers alone.

A region's number is a ratio, 1 where it is as hot as all labelled voxels of that person are on average. People are the unit. Regions that
somebody lacks (NaN) count for those who have them.
"""

import numpy as np

from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.paired import holm
from medtf.evaluate.statistics.patient_means import PatientMeans

DRAWS = 19_999  # of a test: p of 0.00005 at least, which Holm's correction of 150 regions leaves below 0.01
EXACT = 14  # people up to whom all 2^n changes of signs are gone through
BLOCK = 500  # draws at once
NOBODY = "no person has this region"


def over_people(values: dict[str, np.ndarray], people, *, replicates: int, seed: int, where=None) -> dict[str, list]:
    """Means over people with their intervals.

    Args:
        values: {name: (people, regions)}, NaN where somebody lacks a region. people: (people,) ids.
        replicates, seed: of the bootstrap. where: bool (people,), who counts; None: all.
    Returns:
        {name: a metric (value, low, high) for each region}.
    """
    where = np.ones(len(people), bool) if where is None else where
    # the group by itself is what is drawn from: drawn with the others, its own number would vary too
    bootstrap = PatientBootstrap(np.asarray(people)[where], replicates=replicates, seed=seed)
    means = PatientMeans(bootstrap, np.arange(int(where.sum())))
    for name, of in values.items():
        for region, column in enumerate(of[where].T):
            means.add(f"{name}@{region}", np.nan_to_num(column), where=~np.isnan(column), undefined=NOBODY)
    found = means.metrics()
    return {name: [found[f"{name}@{region}"] for region in range(of.shape[1])] for name, of in values.items()}


def against(values: np.ndarray, rest: float = 1.0, *, seed: int) -> list[float | None]:
    """Two-sided p of "the mean is `rest`" for each region, by changing signs (Fisher 1935, The Design of Experiments, section 21).

    Each person's distance from `rest` may as well have had the other sign: p is the share of such changes, the observed one among them, whose
    sum is as far from 0. All of them up to 14 people, else 19,999 at random. The sum orders them as Student's t does, whose squares are
    the same in all of them.

    Args:
        values: (people, regions), NaN where somebody lacks a region.
    Returns:
        For each region; None where fewer than two people have it.
    """
    apart = np.nan_to_num(values - rest)
    observed, people = np.abs(apart.sum(axis=0)), len(apart)
    near = 1e-9 * np.abs(apart).sum(axis=0)  # rounding must not break a tie with what was observed
    as_far, drawn = np.zeros(apart.shape[1]), 0
    for signs in _signs(people, seed):
        as_far += (np.abs(signs @ apart) >= observed - near).sum(axis=0)
        drawn += len(signs)
    exact = people <= EXACT
    p = as_far / drawn if exact else (1 + as_far) / (1 + drawn)
    have = (~np.isnan(values)).sum(axis=0)
    return [float(one) if count > 1 else None for one, count in zip(p, have, strict=True)]


def between(values: np.ndarray, first: np.ndarray, *, seed: int) -> list[float | None]:
    """Two-sided p of "both groups have one mean" for each region, by giving the groups away anew.

    What is compared is Welch's t, with which the test holds for groups of unequal spread too (Janssen 1997, Stat Probab Lett 36:9).

    Args:
        values: (people, regions), NaN where somebody lacks a region. first: bool (people,), the first group; all others are the second.
    Returns:
        For each region; None where a group has fewer than two people with it.
    """
    have = ~np.isnan(values)
    centre = np.nanmean(np.where(have.any(axis=0), values, 0), axis=0)  # sums of squares of what lies near 0 are exact
    filled = np.where(have, values - centre, 0.0)

    def welch(member):
        sums = []
        for one in (member, 1.0 - member):
            count = one @ have
            mean = np.divide(one @ filled, count, out=np.zeros(count.shape), where=count > 0)
            spread = np.maximum(one @ filled**2 - count * mean**2, 0)
            enough = count > 1
            error = np.divide(spread, count * (count - 1), out=np.full(count.shape, np.nan), where=enough)
            sums.append((mean, error))
        (a, of_a), (b, of_b) = sums
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(a - b) / np.sqrt(of_a + of_b)

    generator = np.random.default_rng(seed)
    member = first.astype(np.float64)
    observed = welch(member[None])[0]
    as_far, drawn = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for _ in range(0, DRAWS, BLOCK):
        found = welch(generator.permuted(np.tile(member, (BLOCK, 1)), axis=1))
        drawn += (~np.isnan(found)).sum(axis=0)
        as_far += (found >= observed * (1 - 1e-9)).sum(axis=0)
    return [
        None if np.isnan(t) else float((1 + more) / (1 + of))
        for t, more, of in zip(observed, as_far, drawn, strict=True)
    ]


def differences(values: np.ndarray, first: np.ndarray, people, *, replicates: int, seed: int) -> list[dict]:
    """The first group's mean less the second's, with the bootstrap's interval over all people, for each region."""
    have = ~np.isnan(values)
    filled = np.nan_to_num(values)

    def statistic(weights):
        means = []
        for member in (first, ~first):
            count = (weights * member) @ have
            sums = (weights * member) @ filled
            means.append(np.divide(sums, count, out=np.full(count.shape, np.nan), where=count > 0))
        return {str(region): column for region, column in enumerate((means[0] - means[1]).T)}

    bootstrap = PatientBootstrap(people, replicates=replicates, seed=seed)
    draws = bootstrap.replicate(statistic)
    point = statistic(np.ones((1, len(people))))
    why_not = bootstrap.why_not()
    return [
        measured(point[name][0], draws.get(name), undefined="a group lacks this region", why_not=why_not)
        for name in point
    ]


def adjusted(metrics: list[dict], ps: list[float | None]) -> list[dict]:
    """Metrics with `p`, and `p_holm` of all regions."""
    return [metric | {"p": p, "p_holm": q} for metric, p, q in zip(metrics, ps, holm(ps), strict=True)]


def _signs(people: int, seed: int):
    """Blocks (draws, people) of 1 and -1: every one there is, or DRAWS at random."""
    if people <= EXACT:
        numbers = np.arange(2**people)[:, None] >> np.arange(people)
        yield 1.0 - 2.0 * (numbers & 1)
        return
    generator, left = np.random.default_rng(seed), DRAWS
    while left:
        count = min(BLOCK, left)
        left -= count
        yield 1.0 - 2.0 * generator.integers(0, 2, (count, people))
