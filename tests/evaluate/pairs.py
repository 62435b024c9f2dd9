"""People with the answers of several runs, as `compare.compare` takes them."""

import numpy as np
import pandas as pd

from medtf.evaluate.compare_words import verdict


def paired(errors, truth=None) -> pd.DataFrame:
    """People whose run i is off by errors[i] (n,)."""
    n = len(errors[0])
    truth = np.linspace(20, 86, n) if truth is None else truth
    columns = {"patient": [f"p{i:05d}" for i in range(n)]}
    for i, error in enumerate(errors):
        columns |= {f"prediction_{i}": truth + error, f"truth_{i}": truth}
    return pd.DataFrame(columns)


def drawn(n, *sds, seed=0, common=0.0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, common, n)
    return [shared + generator.normal(0, sd, n) for sd in sds]


def words(found, kind="regression", target="age", people=100):
    pairs = found["pairs"]
    return [verdict(target, kind, pair, found["runs"], people=people, pairs=len(pairs)) for pair in pairs]


def binary(n=200, strengths=(3.0, 1.0), seed=0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    truth = (np.arange(n) % 2).astype(float)
    columns = {"patient": [f"p{i:05d}" for i in range(n)]}
    for i, strength in enumerate(strengths):
        logit = strength * (truth - 0.5) + generator.normal(size=n)
        columns |= {f"prediction_{i}": 1 / (1 + np.exp(-logit)), f"truth_{i}": truth}
    return pd.DataFrame(columns)


def several(n=150, k=3, strengths=(2.0, 0.5), seed=0) -> pd.DataFrame:
    """Runs that tell k classes apart, the more strongly the more rightly."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, n)
    columns = {"patient": [f"p{i:05d}" for i in range(n)]}
    for i, strength in enumerate(strengths):
        logits = strength * np.eye(k)[truth] + generator.normal(size=(n, k))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        columns |= {f"prediction_{i}_{j}": shares[:, j] for j in range(k)} | {f"truth_{i}": truth.astype(float)}
    return pd.DataFrame(columns)
