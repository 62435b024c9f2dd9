"""Which share of the examples can be left to the machine at a given error, when it hands on those it is least sure of.

The risk-coverage curve (El-Yaniv and Wiener 2010, JMLR 11:1605): examples are taken from the surest down; the risk is the error among those
taken. Its mean over all coverages is the AURC (Geifman, Uziel and El-Yaniv 2019, ICLR).
"""

import numpy as np
from scipy.special import logit

from medtf.evaluate.binary import CLIP
from medtf.evaluate.predictions import Sample
from medtf.evaluate.selective_cut import at_cut, cut
from medtf.evaluate.statistics.grouping import Sums, equal_mass
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.ranks import Spearman
from medtf.evaluate.statistics.rates import share_interval

GROUPS = 1000  # of equally sure examples; with more distinct values neighbours are taken together
ERRORS = (0.01, 0.02, 0.05, 0.1)  # of classes: shares of wrong calls to ask for
PARTS = (0.5, 0.75, 0.9)  # of values: parts of the mean absolute error of all to ask for
COVERAGES = tuple(np.linspace(0.05, 1, 20).round(2))
NO_SPREAD = "nothing says how sure each value is: predict a standard deviation (head: gaussian), or ask for evaluate.mc_dropout or evaluate.tta"


def section(
    known: Sample,
    bootstrap: PatientBootstrap,
    threshold=None,
    uncertainty: np.ndarray | None = None,
    name: str = "",
    *,
    valid: tuple | None = None,
) -> dict:
    """The risk-coverage curve of one target and what follows from it.

    Args:
        known: the examples with a label. bootstrap: the draws of the fold's patients.
        threshold: of a binary target, from which on an example is called positive: a number, or (n,) one an example.
        uncertainty: (n,) larger where the model is less sure; None: of classes the prediction's own (how near the threshold it lies on the
            scale of logits, or how improbable the class called).
        name: of the uncertainty, for the reader.
        valid: (Sample, its uncertainty or None) of the validation fold, on which cuts are fixed for this one; a threshold must then be a
            number. None: no cut is.

    Returns:
        `risk` (share of wrong calls, or mean absolute error), `by` (what says how sure), `aurc`, `aurc_of_best` and `aurc_of_chance` (the
        order that knows each error, and none), `finds_errors` (AUC of the uncertainty for wrong calls; Spearman's r with the absolute
        error), `curve` (`coverage`, `risk`) and `left_to_machine` (`error`, `share`, `patients`, of calls `risk` among them; `fixed`, with
        `valid`: `cut`, `share` and `risk` of the cut that keeps the error there). A `reason` where nothing says how sure the model is, or
        nothing is known.
    """
    if not len(known.truth):
        return {"reason": "no example with a known label"}
    kind = "multiclass" if known.prediction.ndim > 1 else "regression" if threshold is None else "binary"
    if kind == "regression" and uncertainty is None:
        return {"reason": NO_SPREAD}
    risks, own = _risks(known, kind, threshold)
    unsure = own if uncertainty is None else np.asarray(uncertainty, np.float64)
    if not np.isfinite(unsure).all():
        return {"reason": f"{name or 'the uncertainty'} is not a finite number for every example"}
    by = "distance from the threshold" if kind == "binary" else "probability of the class called"
    found = {"risk": "absolute error" if kind == "regression" else "wrong calls"}
    found["by"] = by if uncertainty is None else name or "uncertainty"
    found |= _Curve(risks, unsure, bootstrap, known.at, kind != "regression").section()
    if valid is not None and len(valid[0].truth):
        before, own = _risks(valid[0], kind, threshold)
        of_valid = own if valid[1] is None else np.asarray(valid[1], np.float64)
        for row in found["left_to_machine"]:
            limit = cut(before, of_valid, row["error"])
            row["fixed"] = at_cut(risks, unsure, limit, bootstrap, known.at, kind != "regression")
    return found


def _risks(known: Sample, kind: str, threshold) -> tuple[np.ndarray, np.ndarray | None]:
    """What each example costs (n,), and how unsure its own prediction is (n,)."""
    if kind == "regression":
        return np.abs(known.prediction - known.truth), None
    if kind == "multiclass":
        called = known.prediction.argmax(axis=1)
        return (called != known.truth).astype(np.float64), -known.prediction.max(axis=1)
    wrong = (known.prediction >= threshold) != (known.truth == 1)
    apart = np.abs(_logit(known.prediction) - _logit(np.asarray(threshold)))
    return wrong.astype(np.float64), -np.round(apart, 9)  # else rounding would part 0.2 from 0.8


def _logit(p):
    return logit(np.clip(p, CLIP, 1 - CLIP))


class _Curve:
    """Risk over coverage, from the surest example down; equally sure ones come in together."""

    def __init__(self, risks, unsure, bootstrap: PatientBootstrap, at, calls: bool):
        units = bootstrap.units(at)
        self.risks, self.unsure, self.units, self.calls = risks, unsure, units, calls
        self.why_not = bootstrap.why_not(at)
        self.codes = equal_mass(unsure, GROUPS)
        by_risk = equal_mass(risks, GROUPS)
        self.best = Sums(np.column_stack([np.ones_like(risks), risks]), by_risk, units)
        self.sums = Sums(np.column_stack([np.ones_like(risks), risks]), self.codes, units)
        self.wanted = ERRORS if calls else tuple(part * float(risks.mean()) for part in PARTS)
        self.values = {name: value[0] for name, value in self._numbers(np.ones((1, int(units.max()) + 1))).items()}
        self.draws = bootstrap.replicate(self._numbers, at, by_patient=True)
        if not calls:
            self.values["finds_errors"] = Spearman(unsure, risks)(np.ones((1, len(risks))))[0]
            ranked = Spearman(self.codes, by_risk, units)  # a thousand ranks are enough for the draws
            self.draws |= bootstrap.replicate(lambda w: {"finds_errors": ranked(w)}, at, by_patient=True)

    def section(self) -> dict:
        """As of the function `section`."""
        undefined = "needs wrong calls and right ones" if self.calls else "all errors, or all uncertainties, are equal"

        def metric(name):
            draws = self.draws.get(name)
            return measured(self.values[name], draws, undefined=undefined, why_not=self.why_not)

        names = ("aurc", "aurc_of_best", "aurc_of_chance", "finds_errors")
        found = {name: metric(name) for name in names}
        found["curve"] = [{"coverage": float(c), "risk": metric(f"risk@{c}")} for c in COVERAGES]
        found["left_to_machine"] = [
            {"error": float(error), "share": metric(f"share@{i}")} | self._behind(i)
            for i, error in enumerate(self.wanted)
        ]
        return found

    def _behind(self, i: int) -> dict:
        """How many patients stand behind a share and, of calls, the error among those taken: none of three is no proof of 1 %."""
        n, risk = self.sums.once()
        enough = np.flatnonzero(np.cumsum(risk) <= self.wanted[i] * np.cumsum(n) + 1e-12)
        taken = self.codes <= (enough[-1] if len(enough) else -1)
        found = {"patients": len(np.unique(self.units[taken]))}
        own = share_interval(self.risks[taken], self.units[taken]) if self.calls else None
        return found | ({"risk": {"value": float(self.risks[taken].mean())} | own._asdict()} if own else {})

    def _numbers(self, weights) -> dict:
        n, risk = self.sums(weights)
        total, taken = n.sum(axis=1), np.cumsum(n, axis=1)
        mean = _risk(taken, np.cumsum(risk, axis=1))
        found = {"aurc": (n * mean).sum(axis=1) / total}
        best_n, best_risk = self.best(weights)
        best = _risk(np.cumsum(best_n, axis=1), np.cumsum(best_risk, axis=1))
        found["aurc_of_best"] = self._best(best_n, best, risk.sum(axis=1) / total)
        found["aurc_of_chance"] = risk.sum(axis=1) / total
        for c in COVERAGES:
            first = np.argmax(taken >= (c - 1e-9) * total[:, None], axis=1)
            found[f"risk@{c}"] = mean[np.arange(len(mean)), first]
        for i, error in enumerate(self.wanted):
            allowed = np.where((mean <= error + 1e-12) & (taken > 0), taken, 0)
            found[f"share@{i}"] = allowed.max(axis=1) / total
        if self.calls:
            found["finds_errors"] = _auc(risk, n - risk)
        return found

    def _best(self, n, mean, rate):
        """The AURC of the order that knows every error; of calls all wrong ones are a tie, so it is taken from the rate: r + (1 - r) ln(1 - r)."""
        if not self.calls:
            return (n * mean).sum(axis=1) / n.sum(axis=1)
        right = 1 - rate
        return rate + right * np.log(np.where(right > 0, right, 1))


def _risk(taken, risk):
    return np.divide(risk, taken, out=np.zeros_like(risk), where=taken > 0)


def _auc(wrong, right):
    """Chance that a wrong call is less sure than a right one, a tie counting one half; groups (r, g) from the surest on."""
    wrongs, rights = wrong.sum(axis=1), right.sum(axis=1)
    below = np.cumsum(right, axis=1) - right / 2
    pairs = wrongs * rights
    return np.divide((wrong * below).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
