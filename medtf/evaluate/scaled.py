"""Raw and calibrated probabilities of one target, judged side by side."""

import dataclasses

import numpy as np

from medtf.config import Target
from medtf.evaluate.binary import CLIP
from medtf.evaluate.calibration import Calibration
from medtf.evaluate.calibration_classes import UNKNOWN, top_label
from medtf.evaluate.predictions import Sample
from medtf.evaluate.scaling import apply
from medtf.evaluate.statistics.grouping import equal_mass
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured
from medtf.evaluate.statistics.ranking import Ranking

NUMBERS = ("log_loss", "brier", "ece", "slope", "intercept", "auc")
GROUPS = 1000  # of neighbouring probabilities, in which the AUC's draws take them
COMPARED = ("log_loss", "brier")  # whose difference has an interval of its own
_ONE = "needs positive and negative examples; this fold has one class only"
_MISSING = "a class is missing from this fold"


def section(
    known: Sample, target: Target, parameters: dict, bootstrap: PatientBootstrap, *, fold: str = "test"
) -> dict:
    """The numbers of raw and calibrated probabilities, side by side.

    Args:
        known, target, bootstrap: as of `calibration_classes.section`.
        parameters: as `scaling.fit` gives them. fold: the fold judged.

    Returns:
        `how`, `parameters`, `fitted_on` (`fold`, `n`, `patients`, `judged_too`), `before` and `after` (NUMBERS; of several classes `ece`,
        `slope` and `intercept` are those of the top label, `auc` is the plain mean over the classes), `difference` (after - before, draw by
        draw) and `reliability` after. With a `reason` in place of them where there is no rule, or no example.
    """
    if "reason" in parameters:
        return {name: parameters[name] for name in ("how", "reason") if name in parameters}
    found = {"how": parameters["how"], "parameters": parameters}
    found["fitted_on"] = {"fold": "valid", "n": parameters["n"], "patients": parameters["patients"]}
    found["fitted_on"]["judged_too"] = fold in ("valid", "all")
    if not len(known.truth):
        return found | {"reason": UNKNOWN}
    changed = dataclasses.replace(known, prediction=apply(parameters, known.prediction))
    before, after = _Numbers(known, target, bootstrap), _Numbers(changed, target, bootstrap)
    found |= {"before": before.metrics(), "after": after.metrics()}
    difference = {}
    for name in COMPARED:
        draws = after.draws[name] - before.draws[name] if before.draws else None
        value = after.values[name] - before.values[name]
        difference[name] = measured(value, draws, why_not=before.why_not)
    return found | {"difference": difference, "reliability": after.table.section()["reliability"]}


class _Numbers:
    """NUMBERS of one column of probabilities or of several, with their draws."""

    def __init__(self, known: Sample, target: Target, bootstrap: PatientBootstrap):
        truth, p, self.several = known.truth, known.prediction, target.kind == "multiclass"
        units, self.why_not = bootstrap.units(known.at), bootstrap.why_not(known.at)
        if self.several:
            self.table = Calibration(*top_label(known), bootstrap, known.at)
            clipped = np.clip(p, CLIP, 1)
            right = (clipped / clipped.sum(axis=1, keepdims=True))[np.arange(len(truth)), truth.astype(int)]
            squared = ((p - np.eye(p.shape[1])[truth.astype(int)]) ** 2).sum(axis=1)
            columns = [(truth == i, p[:, i]) for i in range(p.shape[1])]
        else:
            self.table = Calibration(truth, p, bootstrap, known.at)
            right, squared = np.where(truth == 1, p, 1 - p), (p - truth) ** 2
            columns = [(truth, p)]
        of = (-np.log(np.clip(right, CLIP, 1 - CLIP)), squared, np.ones_like(squared))
        sums = np.column_stack([np.bincount(units, weights=column) for column in of])
        # neighbours among a thousand groups may tie in a draw: the AUC's fourth digit
        rankings = [Ranking(hits, equal_mass(scores, GROUPS), units) for hits, scores in columns]

        def statistic(weights):
            loss, brier, total = (weights @ sums).T
            auc = np.mean([ranking(weights, precision=False)[0] for ranking in rankings], axis=0)
            return {"log_loss": loss / total, "brier": brier / total, "auc": auc}

        once = np.ones((1, len(sums)))
        self.values = {name: value[0] for name, value in statistic(once).items()}
        self.values["auc"] = np.mean(
            [Ranking(hits, scores, units)(once, precision=False)[0][0] for hits, scores in columns]
        )
        self.draws = bootstrap.replicate(statistic, known.at, by_patient=True)

    def metrics(self) -> dict:
        found = {}
        for name in NUMBERS:
            if name in self.values:
                undefined = _MISSING if self.several else _ONE
                found[name] = measured(
                    self.values[name], self.draws.get(name), undefined=undefined, why_not=self.why_not
                )
            else:
                found[name] = self.table.metric(name)
        return found
