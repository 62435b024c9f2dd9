"""95 % intervals hold the truth in about 95 % of data sets: tools/bench/coverage.py prints each."""

import importlib.util
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

LOW, HIGH = 0.92, 0.975
DATA_SETS = 500


@pytest.fixture
def simulation():
    path = Path(__file__).parents[2] / "tools" / "bench" / "coverage.py"
    spec = importlib.util.spec_from_file_location("bench_coverage", path)  # a package has the plain name
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_intervals_hold_the_truth_as_often_as_they_say(simulation):
    by_method = defaultdict(list)
    for scenario in simulation.SCENARIOS:
        for name, found in simulation.coverage(scenario, data_sets=DATA_SETS, replicates=300).items():
            assert found["given"] > 0.95, (scenario, name)
            # one of more than a hundred: two standard errors of 500 data sets to either side
            assert LOW - 0.024 < found["shown"] < HIGH + 0.014, (scenario, name, found)
            by_method[found["method"], "clustered" in scenario].append(found["shown"])
    assert len(by_method) >= 10
    for method, shares in by_method.items():
        assert LOW < np.mean(shares) < HIGH, (method, shares)


def test_a_wrong_interval_is_found_out(simulation, monkeypatch):
    """Rows taken for patients: what the simulation is for."""
    kind, draw, _, _ = simulation.SCENARIOS["normal ages, clustered"]

    def rows_as_patients(generator, patients, clustered):
        patient, truth, predicted = draw(generator, patients, clustered)
        return np.arange(len(patient)), truth, predicted

    monkeypatch.setattr(simulation, "MANY", 20_000)
    monkeypatch.setitem(simulation.SCENARIOS, "wrong", (kind, rows_as_patients, 30, True))
    found = simulation.coverage("wrong", data_sets=60, replicates=100)
    assert found["bias"]["shown"] < LOW - 0.024
