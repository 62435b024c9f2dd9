"""Logistic regression on one number, for many weightings at once: what scikit-learn does for one at a time, without a penalty."""

import numpy as np
from scipy.special import expit, logit

STEPS = 60  # Newton's, of which about eight are needed
NEAR = 1e-9  # of a step in units of the number's own spread, at which the work is done


def fit(
    x: np.ndarray, hits: np.ndarray, trials: np.ndarray, *, slope: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood of logit P(hit) = intercept + slope x, by Newton's method with halved steps.

    Args:
        x: (g,) finite. hits: (r, g) weighted hits at each x, and trials: (r, g), at least as many; need not be whole.
        slope: held fixed; None: it is fitted.

    Returns:
        intercepts (r,) and slopes (r,); NaN where the likelihood has no finite maximum: one outcome only, or, of a slope, all x equal or
        the outcomes parted by a value of x.
    """
    hits, trials = np.atleast_2d(hits), np.atleast_2d(trials)
    centre, scale = x.mean(), x.std()
    z = (x - centre) / (scale if scale > 0 else 1.0)
    exists = _mixed(hits, trials) if slope is not None else _overlap(x, hits, trials)
    a, b = np.full(len(hits), np.nan), np.full(len(hits), np.nan)
    if exists.any():
        a[exists], b[exists] = _newton(z, hits[exists], trials[exists], None if slope is None else slope * scale)
    if slope is not None:
        return a - slope * centre, np.where(exists, slope, np.nan)
    return a - b * centre / (scale if scale > 0 else 1.0), b / (scale if scale > 0 else 1.0)


def _newton(z, hits, trials, fixed):
    share = hits.sum(axis=1) / trials.sum(axis=1)
    a, b = logit(share), np.full(len(hits), 0.0 if fixed is None else fixed)
    loss = _loss(a, b, z, hits, trials)
    going = np.ones(len(hits), bool)
    for _ in range(STEPS):
        at = np.flatnonzero(going)
        if not len(at):
            break
        da, db = _step(a[at], b[at], z, hits[at], trials[at], fixed is None)
        size = np.ones(len(at))
        for _ in range(STEPS):  # shorter until the loss does not rise
            tried = _loss(a[at] + size * da, b[at] + size * db, z, hits[at], trials[at])
            worse = ~(tried <= loss[at] + 1e-12 * np.abs(loss[at]))
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        a[at], b[at], loss[at] = a[at] + size * da, b[at] + size * db, tried
        going[at] = np.maximum(np.abs(da), np.abs(db)) > NEAR
    return np.where(going, np.nan, a), np.where(going, np.nan, b)


def _step(a, b, z, hits, trials, both: bool):
    """One Newton step of intercept and slope, each (r,)."""
    share = expit(a[:, None] + b[:, None] * z)
    left, spread = hits - trials * share, trials * share * (1 - share)
    g, h = left.sum(axis=1), np.maximum(spread.sum(axis=1), 1e-300)
    if not both:
        return g / h, np.zeros_like(g)
    gz, hz, hzz = left @ z, spread @ z, spread @ z**2
    det = np.maximum(h * hzz - hz**2, 1e-12 * h * np.maximum(hzz, 1e-300))
    return (hzz * g - hz * gz) / det, (h * gz - hz * g) / det


def _loss(a, b, z, hits, trials):
    """Negative log likelihood (r,)."""
    line = a[:, None] + b[:, None] * z
    return (trials * np.logaddexp(0, line) - hits * line).sum(axis=1)


def _mixed(hits, trials):
    total, of = hits.sum(axis=1), trials.sum(axis=1)
    return (total > 0) & (total < of)


def _overlap(x, hits, trials):
    """Whether no value of x parts hits from misses, or meets them at one tie alone (Albert and Anderson 1984, Biometrika 71:1)."""
    hit, miss = hits > 0, trials - hits > 1e-9 * trials
    lows = [np.where(some, x, np.inf).min(axis=1) for some in (hit, miss)]
    highs = [np.where(some, x, -np.inf).max(axis=1) for some in (hit, miss)]
    return (highs[1] > lows[0]) & (highs[0] > lows[1]) & _mixed(hits, trials)
