"""Predicted ages with a planted fault."""

import numpy as np
import pandas as pd


def ages(n=300, *, fold="test", shrink=1.0, noise=5.0, shift=0.0, seed=0) -> pd.DataFrame:
    """Ages 20 to 86; prediction = 53 + shrink (age - 53) + shift + noise. One row a person."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(20, 86, n)
    predicted = 53 + shrink * (truth - 53) + shift + generator.normal(0, noise, n)
    patients = [f"{fold}{i:05d}" for i in range(n)]
    return pd.DataFrame({"row": range(n), "patient": patients, "fold": fold, "age": predicted, "age_true": truth})
