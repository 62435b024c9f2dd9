"""Run folders that look judged, from synthetic predictions: nothing was trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import config as configs
from medtf import table as tables

AGE = {"age": "regression"}
BOTH = {"age": "regression", "sex": "binary"}


def people(count=120, seed=0) -> pd.DataFrame:
    """`patient`, `age`, `sex`, `site` (0, 1, 2) and `fold` (a quarter each in train and valid, half in test), and `hard`, what each is off by."""
    generator = np.random.default_rng(seed)
    fold = np.array(["train", "valid", "test", "test"])[np.arange(count) % 4]
    return pd.DataFrame({
        "patient": [f"{i:020x}" for i in range(count)],
        "age": generator.uniform(20, 86, count),
        "sex": generator.integers(0, 2, count).astype(float),
        "site": generator.integers(0, 3, count).astype(float),
        "fold": fold,
        "hard": generator.normal(0, 4, count),
    })  # fmt: skip


def write(
    folder,
    who: pd.DataFrame,
    *,
    targets=None,
    noise=1.0,
    extra=0.0,
    seed=1,
    salt="one",
    split="test",
    scans=1,
    **judged,
) -> Path:
    """A run folder whose predictions of `split` are off by `hard`, noise of its own, and `extra` years away from 0 on top.

    Other words are keys of the config's section `evaluate`. The threshold of `sex` is 0.5, of patients too.
    """
    folder, targets = Path(folder), targets or AGE
    folder.mkdir(parents=True)
    who = who.loc[who.index.repeat(scans)].reset_index(drop=True)
    generator = np.random.default_rng(seed)
    config = configs.parse({"pipeline": "table", "targets": targets, "evaluate": judged})
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
    if "site" in targets:
        far = np.abs(np.arange(3) - who["site"].to_numpy()[:, None] - error.to_numpy()[:, None] / 6)
        shares = np.exp(-2 * far)
        shares /= shares.sum(axis=1, keepdims=True)
        found = found.assign(**{f"site_{k}": shares[:, k] for k in range(3)}, site_true=who["site"])
    found[found["fold"] == split].to_parquet(folder / "predictions.parquet", index=False)
    (folder / "metrics.json").write_text(json.dumps({"split": split, "leaks": []}))
    thresholds = {"sex": {"value": 0.5, "rule": "fixed"}} if "sex" in targets else {}
    (folder / "thresholds.json").write_text(json.dumps({"targets": thresholds}))
    (folder / "model.keras").touch()
    return folder


def two(folder) -> tuple[Path, Path]:
    """T1 better than TOF by two years; one person has no T1, another no TOF."""
    who = people(160)
    tested = who.index[who["fold"] == "test"]
    t1 = write(folder / "t1", who.drop(index=tested[0]), targets=BOTH)
    return t1, write(folder / "tof", who.drop(index=tested[1]), targets=BOTH, extra=2.0, seed=2)


def cross_validation(folder, who: pd.DataFrame, **written) -> Path:
    """The folder of three folds' pooled predictions of age and sex; thresholds of 0, 0.5 and 1.1."""
    folder = write(folder, who.assign(fold="test"), targets=BOTH, **written)
    (folder / "folds.json").write_text('{"schema": 1, "folds": 3}')
    found = pd.read_parquet(folder / "predictions.parquet")
    found.assign(cv_fold=np.arange(len(found)) % 3).to_parquet(folder / "predictions.parquet", index=False)
    for fold, value in enumerate((0.0, 0.5, 1.1)):
        child = folder / f"fold-{fold}"
        child.mkdir()
        (child / "model.keras").touch()
        (child / "thresholds.json").write_text(json.dumps({"targets": {"sex": {"value": value}}}))
    return folder
