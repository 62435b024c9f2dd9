"""Do 95 % intervals of net benefits and predictive values hold the truth in 95 % of data sets? Two normal classes, whose truth is known."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import norm

from medtf.evaluate.decision import section
from medtf.evaluate.predictions import Sample
from medtf.evaluate.prevalence import predictive_values_over
from medtf.evaluate.statistics.intervals import PatientBootstrap

PREVALENCE, GAP, SHARED = 0.3, 1.5, 0.7  # SHARED: how much the slices of a patient have in common
SETS = 500
AT = (0.1, 0.2, 0.3, 0.5)


def rates(threshold):
    """Sensitivity and false positive rate of the true posterior probability, cut at a threshold."""
    odds = threshold / (1 - threshold) * (1 - PREVALENCE) / PREVALENCE
    cut = (np.log(odds) + GAP**2 / 2) / GAP
    return norm.sf(cut - GAP), norm.sf(cut)


def gains(threshold, prevalence):
    """Net benefit, and what it is more than that of treating everyone or no one."""
    found, alarms = rates(threshold)
    exchange = threshold / (1 - threshold)
    worth = prevalence * found - (1 - prevalence) * alarms * exchange
    return worth, worth - max(0, prevalence - (1 - prevalence) * exchange)


def drawn(generator, patients, per):
    truth = np.repeat((generator.random(patients) < PREVALENCE).astype(float), per)
    noise = SHARED * np.repeat(generator.normal(size=patients), per)
    noise += np.sqrt(1 - SHARED**2) * generator.normal(size=patients * per)
    odds = np.exp(GAP * (noise + GAP * truth) - GAP**2 / 2) * PREVALENCE / (1 - PREVALENCE)
    return Sample(truth, odds / (1 + odds), np.arange(len(truth)), patients, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "per"), [(150, 1), (100, 4)])
def test_intervals_hold_the_truth(patients, per):
    generator, held = np.random.default_rng(0), defaultdict(list)
    for _ in range(SETS):
        known = drawn(generator, patients, per)
        bootstrap = PatientBootstrap(np.repeat(np.arange(patients), per), replicates=20)  # net benefits need no draws
        for prevalence in (None, 0.1):
            for row in section(known, bootstrap, prevalence)["curve"]:
                if row["threshold"] in AT:
                    for name, truth in zip(
                        ("model", "gain"), gains(row["threshold"], prevalence or PREVALENCE), strict=True
                    ):
                        held[name, prevalence, row["threshold"]].append(row[name]["low"] <= truth <= row[name]["high"])
        bootstrap = PatientBootstrap(np.repeat(np.arange(patients), per), replicates=300)
        found, alarms = rates(0.3)
        for row in predictive_values_over(known, 0.3, [0.02], bootstrap):
            p = row["prevalence"]
            right = {
                "ppv": found * p / (found * p + alarms * (1 - p)),
                "npv": (1 - alarms) * (1 - p) / ((1 - alarms) * (1 - p) + (1 - found) * p),
            }
            for name, truth in right.items():
                held[name, p].append(row[name]["low"] <= truth <= row[name]["high"])
    coverage = {key: float(np.mean(hits)) for key, hits in held.items()}
    # the gain's interval is the wider of two, so it may hold the truth more often
    assert {key: c for key, c in coverage.items() if not 0.92 <= c <= (0.995 if key[0] == "gain" else 0.975)} == {}
