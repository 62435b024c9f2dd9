"""Whether probabilities mean what they say: of the examples given 0.2, are two in ten positive?

Brier score and what it is made of, expected calibration error, reliability table, and the line of truth on prediction. For one column of
probabilities here; targets with several classes are in calibration_classes.py.
"""

import numpy as np
from scipy.special import logit

from medtf.evaluate.binary import CLIP
from medtf.evaluate.statistics import logistic
from medtf.evaluate.statistics.folded import inverted
from medtf.evaluate.statistics.grouping import Sums, equal_mass
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.rates import share_interval

BINS = 10
ROUNDING = 1e-12
PATIENTS_A_BIN = 10  # fewer say nothing about a share
LINE_GROUPS = 512  # of equal mass, in which the line's draws take the logits together; its value takes each by itself

# what is a sum over bins of |part| or part squared, and so too large by chance: its power
LIFTED = {"ece": 1, "reliability": 2, "resolution": 2}
PARTS = ("reliability", "resolution", "uncertainty", "within_bin_variance", "within_bin_covariance")
LINE = ("slope", "intercept", "intercept_in_the_large")
_BOTH = "needs positive and negative examples; this fold has one class only"
_EMPTY = "no example with a known label"


def of_probabilities(truth: np.ndarray, probability: np.ndarray, bootstrap: PatientBootstrap, at: np.ndarray) -> dict:
    """How well probabilities of one event are calibrated.

    Args:
        truth: (n,) 0 or 1: whether it happened. probability: (n,) of it, in [0, 1].
        bootstrap: the draws of the fold's patients. at: (n,) positions of these rows in the fold.

    Returns:
        metrics `brier`, `decomposition` (PARTS, which add up to it), `ece`, `observed_over_expected`, LINE; `ece_if_calibrated`, `bins`,
        and `reliability`, a row a bin. docs/metrics.md explains each. Without rows a `reason` alone.
    """
    return Calibration(truth, probability, bootstrap, at).section()


class Calibration:
    """The numbers of one column of probabilities, and their draws, so that two columns may be compared draw by draw.

    Args:
        truth, probability, bootstrap, at: as of `of_probabilities`.
    """

    def __init__(self, truth: np.ndarray, probability: np.ndarray, bootstrap: PatientBootstrap, at: np.ndarray):
        self.truth, self.probability = np.asarray(truth, np.float64), np.asarray(probability, np.float64)
        self.units, self.why_not = bootstrap.units(at), bootstrap.why_not(at)
        self.values, self.draws = {}, {}
        if not len(self.truth):
            return
        patients = int(self.units.max()) + 1
        self.bins = equal_mass(self.probability, int(np.clip(patients // PATIENTS_A_BIN, 1, BINS)))
        self.patients = [len(np.unique(self.units[self.bins == b])) for b in range(self.bins.max() + 1)]
        y, p = self.truth, self.probability
        sums = Sums(np.column_stack([np.ones_like(y), y, p, p**2, p * y]), self.bins, self.units)
        self.table = sums.once()  # (5, bins)
        self.values = {name: value[0] for name, value in _from_bins(self.table[:, None]).items()}
        line = _Line(y, p, self.units)
        self.values |= line.once()
        self.draws = bootstrap.replicate(lambda w: _from_bins(sums(w)) | line(w), at, by_patient=True)
        self.line_reason = line.reason

    def metric(self, name: str) -> dict:
        """One number as it stands in metrics.json."""
        undefined = self.line_reason if name in LINE and len(self.truth) else _EMPTY
        if name == "intercept_in_the_large":
            undefined = _BOTH
        if name == "observed_over_expected":
            undefined = "every probability is 0"
        own, reasons = None, {"undefined": undefined, "why_not": self.why_not}
        if name in LIFTED and self.draws:
            own = self._lifted(name)
        return measured(self.values.get(name), self.draws.get(name), **reasons, own=own, always_own=True)

    def _lifted(self, name: str):
        """The interval of a sum that chance lifts."""
        keys = [f"{name}@{b}" for b in range(self.table.shape[1])]
        parts = np.array([self.values[key] for key in keys])
        draws = np.column_stack([np.asarray(self.draws[key]) for key in keys])
        own, value = inverted(parts, draws, LIFTED[name], np.array(self.patients)), float(self.values[name])
        return own and own._replace(low=min(own.low, value), high=max(own.high, value))  # whatever rounding makes of it

    def section(self) -> dict:
        """All of it."""
        if not len(self.truth):
            return {"reason": _EMPTY}
        found = {name: self.metric(name) for name in ("brier", "ece", "observed_over_expected", *LINE)}
        found["decomposition"] = {name: self.metric(name) for name in PARTS}
        found["ece_if_calibrated"] = _by_chance(self.probability, self.bins)
        found["bins"] = {"count": self.table.shape[1], "rule": "equal mass, equal probabilities kept together"}
        return found | {"reliability": self._reliability()}

    def _reliability(self) -> list[dict]:
        """A row a bin: from, to, n, patients, mean probability, and the share that was positive."""
        rows = []
        for b, (n, positives, total) in enumerate(self.table[:3].T):
            inside = self.bins == b
            own = share_interval(self.truth[inside], self.units[inside])
            about = {"from": float(self.probability[inside].min()), "to": float(self.probability[inside].max())}
            about |= {"n": int(n), "patients": self.patients[b], "predicted": float(total / n)}
            observed = measured(positives / n, self.draws.get(f"observed@{b}"), why_not=self.why_not, own=own)
            rows.append(about | {"observed": observed})
        return rows


def decompose(n, y, p, pp, py) -> dict:
    """Brier score and its parts from sums within bins, each (r, bins): weight, y, p, p squared, p y.

    Brier = reliability - resolution + uncertainty + within-bin variance - within-bin covariance, exactly: the three terms are Murphy's
    (1973, J Appl Meteorol 12:595), the last two are what binning leaves out of them (Stephenson, Coelho and Jolliffe 2008, Weather
    Forecast 23:752; the covariance with its factor 2).
    """
    total = n.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = y.sum(axis=1) / total
        predicted, observed = _over(p, n), _over(y, n)
        variance, covariance = pp - n * predicted**2, 2 * (py - n * predicted * observed)
        mean = {
            "reliability": n * (predicted - observed) ** 2,
            "resolution": n * (observed - rate[:, None]) ** 2,
            # differences of squares: what is left of equal predictions is rounding
            "within_bin_variance": np.where(variance > ROUNDING * pp, variance, 0),
            "within_bin_covariance": np.where(np.abs(covariance) > ROUNDING * py, covariance, 0),
            "brier": pp - 2 * py + y,
        }
        return {name: of.sum(axis=1) / total for name, of in mean.items()} | {"uncertainty": rate * (1 - rate)}


def _from_bins(sums: np.ndarray) -> dict:
    """What follows from sums (5, r, bins)."""
    n, y, p, _, _ = sums
    total = n.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = decompose(*sums)
        found["ece"] = np.abs(y - p).sum(axis=1) / total[:, 0]
        expected = p.sum(axis=1)
        found["observed_over_expected"] = np.where(expected > 0, y.sum(axis=1) / expected, np.nan)
        by_bin = {"observed": np.where(n > 0, y / n, np.nan), "ece": (y - p) / total}
        by_bin["reliability"] = _over(y - p, np.sqrt(n * total))
        by_bin["resolution"] = (_over(y, n) - y.sum(axis=1, keepdims=True) / total) * np.sqrt(n / total)
    return found | {f"{name}@{b}": of[:, b] for name, of in by_bin.items() for b in range(n.shape[1])}


def _by_chance(probability: np.ndarray, bins: np.ndarray) -> float:
    """The expected calibration error that right probabilities would show on average on so few independent examples.

    In a bin the positives then scatter around the sum of probabilities with variance sum p (1 - p), and the mean distance of a normal
    number from its mean is sqrt(2 / pi) of its standard deviation. The error falls to 0 with more examples only.
    """
    variance = np.bincount(bins, weights=probability * (1 - probability))
    return float(np.sqrt(2 / np.pi * variance).sum() / len(probability))


class _Line:
    """Logistic regression of the truth on logit(probability) (Cox 1958, Biometrika 45:562; Van Calster 2019, BMC Med 17:230)."""

    def __init__(self, truth, probability, units):
        clipped = np.clip(probability, CLIP, 1 - CLIP)
        self.truth, self.x = truth, logit(clipped)
        codes = equal_mass(self.x, LINE_GROUPS)
        self.sums = Sums(np.column_stack([np.ones_like(truth), truth]), codes, units)
        self.middles = np.bincount(codes, weights=self.x) / np.bincount(codes)
        self.reason = _BOTH
        if np.ptp(truth) > 0:
            self.reason = "a value of the probability parts the classes wholly: the slope has no finite value"
        if np.ptp(truth) > 0 and np.ptp(self.x) == 0:
            self.reason = "all probabilities are equal"

    def once(self) -> dict:
        """{name: value}, each example at its own logit."""
        return {name: value[0] for name, value in _lines(self.x, self.truth[None], np.ones_like(self.x)[None]).items()}

    def __call__(self, weights) -> dict:
        trials, hits = self.sums(weights)
        return _lines(self.middles, hits, trials)


def _lines(x, hits, trials) -> dict:
    intercept, slope = logistic.fit(x, hits, trials)
    in_the_large, _ = logistic.fit(x, hits, trials, slope=1.0)
    return {"slope": slope, "intercept": intercept, "intercept_in_the_large": in_the_large}


def _over(part, whole):
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
