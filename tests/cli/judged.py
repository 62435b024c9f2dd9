"""Run folders that look judged, from synthetic predictions: nothing was trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import config as configs
from medtf import table as tables

AGE = {"age": "regression"}


def people(count=120, seed=0) -> pd.DataFrame:
    """`patient`, `age`, `sex` and `fold` (a quarter each in train and valid, half in test), and `hard`, what each is off by."""
    generator = np.random.default_rng(seed)
    fold = np.array(["train", "valid", "test", "test"])[np.arange(count) % 4]
    return pd.DataFrame({
        "patient": [f"{i:020x}" for i in range(count)],
        "age": generator.uniform(20, 86, count),
        "sex": generator.integers(0, 2, count).astype(float),
        "fold": fold,
        "hard": generator.normal(0, 4, count),
    })  # fmt: skip


def write(
    folder, who: pd.DataFrame, *, targets=None, noise=1.0, extra=0.0, seed=1, salt="one", split="test", scans=1
) -> Path:
    """A run folder whose predictions of `split` are off by `hard`, noise of its own, and `extra` years away from 0 on top."""
    folder, targets = Path(folder), targets or AGE
    folder.mkdir(parents=True)
    who = who.loc[who.index.repeat(scans)].reset_index(drop=True)
    generator = np.random.default_rng(seed)
    config = configs.parse({"pipeline": "table", "targets": targets})
    (folder / "config.yaml").write_text(configs.dump(config))
    frame = who.drop(columns="hard").assign(path=[f"{i}.nii.gz" for i in range(len(who))])
    table = tables.Table(frame, meta={"salt": salt} if salt else {})
    tables.save(table, folder / "table.parquet")
    error = who["hard"] + generator.normal(0, noise, len(who)) if noise else who["hard"]
    error = error + np.sign(error) * extra
    found = pd.DataFrame({"row": range(len(who)), "patient": who["patient"], "fold": who["fold"]})
    if "age" in targets:
        found = found.assign(age=who["age"] + error, age_true=who["age"])
    if "sex" in targets:
        logit = 2 * (2 * who["sex"] - 1) + error / 2
        found = found.assign(sex=1 / (1 + np.exp(-logit)), sex_true=who["sex"])
    found[found["fold"] == split].to_parquet(folder / "predictions.parquet", index=False)
    (folder / "metrics.json").write_text(json.dumps({"split": split, "leaks": []}))
    (folder / "thresholds.json").write_text('{"targets": {}}')
    (folder / "model.keras").touch()
    return folder
