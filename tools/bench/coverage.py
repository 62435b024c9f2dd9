"""How often 95 % intervals hold the truth: coverage.py [data sets [replicates]]; 500 and 500 unless told.

Data sets are drawn from models whose true numbers are known (from a formula, or from a sample of hundreds of thousands of patients of the same
model) and judged as medtf.evaluate judges them. Patients have one row each, or several that resemble each other. The standard error of a
coverage over 500 data sets is 1 %.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from medtf.evaluate.binary import judge_binary
from medtf.evaluate.multiclass import judge_multiclass
from medtf.evaluate.predictions import Sample
from medtf.evaluate.regression import judge_regression
from medtf.evaluate.statistics.intervals import PatientBootstrap

CLASSES = ["a", "b", "c"]
KINDS = ("shown", "bca", "percentile")
MANY = 200_000  # patients of the sample that the true numbers are taken from


def people(generator, patients: int, clustered: bool) -> np.ndarray:
    """(n,) patient of each row: one row each, or one to six."""
    return np.repeat(np.arange(patients), generator.integers(1, 7, patients) if clustered else 1)


def shared(generator, patient: np.ndarray, share: float) -> np.ndarray:
    """(n,) standard normal, of whose variance a share belongs to the patient."""
    own = generator.normal(size=patient.max() + 1)[patient]
    return np.sqrt(share) * own + np.sqrt(1 - share) * generator.normal(size=len(patient))


def binary(distance: float, prevalence: float = 0.4):
    """Scores of negatives N(0, 1), of positives N(distance, 1); half the variance of labels and scores is the patient's."""

    def draw(generator, patients, clustered):
        patient = people(generator, patients, clustered)
        truth = (shared(generator, patient, 0.5 * clustered) < stats.norm.ppf(prevalence)).astype(float)
        score = distance * truth + shared(generator, patient, 0.5 * clustered)
        return patient, truth, 1 / (1 + np.exp(distance / 2 - score))

    return draw


def ages(shape: str):
    """Truth of mean 50 and standard deviation 15, uniform or normal; predictions shrunk by a quarter and 3 too high, error 6."""

    def draw(generator, patients, clustered):
        patient = people(generator, patients, clustered)
        z = shared(generator, patient, 0.8 * clustered)
        truth = 50 + 15 * (z if shape == "normal" else np.sqrt(12) * (stats.norm.cdf(z) - 0.5))
        return patient, truth, 53 + 0.75 * (truth - 50) + 6 * shared(generator, patient, 0.5 * clustered)

    return draw


def three_classes(generator, patients, clustered):
    """Classes of 50, 30 and 20 %; logits a standard deviation and a half higher for the true one."""
    patient = people(generator, patients, clustered)
    truth = np.searchsorted([0.5, 0.8], stats.norm.cdf(shared(generator, patient, 0.5 * clustered)))
    noise = np.column_stack([shared(generator, patient, 0.5 * clustered) for _ in CLASSES])
    chances = np.exp(noise + 1.5 * np.eye(3)[truth])
    return patient, truth.astype(float), chances / chances.sum(axis=1, keepdims=True)


# name -> (kind, draw, patients, clustered)
SCENARIOS = {
    "binary": ("binary", binary(1.2), 150, False),
    "binary, clustered": ("binary", binary(1.2), 100, True),
    "binary, good": ("binary", binary(3.0), 100, False),
    "binary, good, clustered": ("binary", binary(3.0), 100, True),
    "normal ages": ("regression", ages("normal"), 100, False),
    "uniform ages": ("regression", ages("uniform"), 100, False),
    "normal ages, clustered": ("regression", ages("normal"), 100, True),
    "three classes": ("multiclass", three_classes, 150, False),
    "three classes, clustered": ("multiclass", three_classes, 100, True),
}


def judged(kind: str, patient, truth, prediction, replicates: int) -> dict[str, dict]:
    """{metric: as it stands in metrics.json}, by the real code."""
    bootstrap = PatientBootstrap(patient, replicates=replicates)
    known = Sample(truth, prediction, np.arange(len(truth)), bootstrap.patients, 0)
    if kind == "binary":
        found = judge_binary(known, 0.5, bootstrap, {"data": None, "given": 0.1})[0]
    elif kind == "multiclass":
        found = judge_multiclass(known, CLASSES, bootstrap)
    else:
        found = judge_regression(known, bootstrap, training_mean=45.0)
    return dict(_metrics(found))


def _metrics(node: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    for key, child in node.items():
        if isinstance(child, dict) and "value" in child:
            yield path + key, child
        elif isinstance(child, dict):
            yield from _metrics(child, f"{path}{key}.")


def true_values(kind: str, draw: Callable, clustered: bool) -> dict[str, float]:
    """Every metric in a sample so large that its error does not matter."""
    sample = draw(np.random.default_rng(1), MANY, clustered)
    return {name: metric["value"] for name, metric in judged(kind, *sample, replicates=0).items()}


def coverage(scenario: str, *, data_sets: int = 500, replicates: int = 500, seed: int = 0) -> dict[str, dict]:
    """{metric: {`shown`, `bca`, `percentile`: share of its intervals that hold the truth; `method`: the commonest; `given`: share}}."""
    kind, draw, patients, clustered = SCENARIOS[scenario]
    truth = true_values(kind, draw, clustered)
    held, methods = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    generator = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    for _ in range(data_sets):
        for name, metric in judged(kind, *draw(generator, patients, clustered), replicates=replicates).items():
            if metric["low"] is None:
                continue
            methods[name].append(metric.get("method", ""))
            ends = {"shown": (metric["low"], metric["high"])} | metric.get("bootstrap", {})
            for which in KINDS:
                if ends.get(which):
                    held[name][which].append(ends[which][0] <= truth[name] <= ends[which][1])
    return {
        name: {which: float(np.mean(seen)) for which, seen in each.items()}
        | {"method": max(set(methods[name]), key=methods[name].count), "given": len(methods[name]) / data_sets}
        for name, each in held.items()
    }


def main(data_sets: int = 500, replicates: int = 500) -> None:
    """Print `scenario, metric: coverage of the interval that is shown %`, its method, and that of both bootstrap intervals."""
    for scenario in SCENARIOS:
        for name, found in coverage(scenario, data_sets=data_sets, replicates=replicates).items():
            shown, bca, percentile = (f"{100 * found[which]:.1f}" if which in found else "-" for which in KINDS)
            print(
                f"{scenario}, {name}: {shown} %   {found['method']}, given {found['given']:.0%}; "
                f"bca {bca}, percentile {percentile}",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
