"""Predictions that look like a run's, without one."""

import numpy as np
import pandas as pd
import pytest

from medtf.config import parse


@pytest.fixture
def config():
    def build(targets=("any",), **sections):
        named = targets if isinstance(targets, dict) else dict.fromkeys(targets, "binary")
        sections["evaluate"] = {"replicates": 300} | sections.get("evaluate", {})  # enough for an interval, and quick
        return parse({"pipeline": "table", "targets": named, **sections})

    return build


@pytest.fixture
def predicted():
    """Frame of binary predictions; `per` rows a patient, labels and probabilities given or drawn."""

    def build(patients=40, per=3, targets=("any",), fold="test", seed=0):
        generator = np.random.default_rng(seed)
        n = patients * per
        columns = {"row": np.arange(n), "patient": [f"p{i // per:05d}" for i in range(n)], "fold": fold}
        for name in targets:
            truth = (generator.random(n) < 0.4).astype(float)
            columns[name] = 1 / (1 + np.exp(-(2 * truth - 1 + generator.normal(size=n))))
            columns[f"{name}_true"] = truth
        return pd.DataFrame(columns)

    return build


@pytest.fixture
def at():
    """Thresholds at one value for the given targets."""

    def build(*names, value=0.5):
        return {name: {"value": value, "rule": "fixed", "fold": None, "n": 0, "patients": 0} for name in names}

    return build
