"""Run folders as `fit` and `evaluate` leave them, without a training: synthetic people, predictions and files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from medtf import config as configs
from medtf import runs, table
from medtf.evaluate import thresholds
from medtf.evaluate.judge import judge

TARGETS = {
    "any": {"binary": {"positive": "bleeding"}},
    "age_years": "regression",
    "site_type": {"classes": ["rural", "city", "sea"]},
}
MODEL = {
    "schema": 1,
    "parameters": 21_785_568,
    "all_parameters": 21_820_000,
    "layers": 315,
    "weighted_layers": 189,
    "multiply_adds": 5_713_000_000,
    "input": [32, 32, 3],
    "outputs": {"any": 1},
}


def people(patients=120, per=2, seed=0) -> pd.DataFrame:
    """An example table: `per` rows a patient, half of the patients in train, the rest in valid and test."""
    generator = np.random.default_rng(seed)
    n = patients * per
    owner = np.arange(n) // per
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(n)], "patient": [f"{i:020x}" for i in owner]})
    frame["fold"] = np.array(["train", "train", "valid", "test"])[owner % 4]
    frame["age"] = generator.uniform(20, 80, patients).round()[owner]
    frame["sex"] = np.array(["F", "M"])[(owner // 4) % 2]
    frame["site"] = np.array(["Guys", "HH", "IOP"])[(owner // 8) % 3]
    frame["any"] = np.where(generator.random(n) < 0.4, "bleeding", "none")
    frame["age_years"] = frame["age"]
    frame["site_type"] = np.array(["rural", "city", "sea"])[generator.integers(0, 3, n)]
    return frame


def predicted(frame: pd.DataFrame, targets, seed=1) -> pd.DataFrame:
    """Predictions that know something of the truth."""
    generator = np.random.default_rng(seed)
    n = len(frame)
    found = pd.DataFrame({"row": np.arange(n), "patient": frame["patient"], "fold": frame["fold"]})
    for name in ("age", "sex", "site"):
        found[f"covariate_{name}"] = frame[name]
    for name in (name for name, target in targets.items() if "binary" in target):
        truth = (frame[name] == targets[name]["binary"]["positive"]).astype(float)
        found[name] = 1 / (1 + np.exp(-(2 * truth - 1 + generator.normal(size=n))))
        found[f"{name}_true"] = truth.where(frame[name].notna())
    if "age_years" in targets:
        found["age_years"] = 50 + 0.7 * (frame["age_years"].fillna(50) - 50) + generator.normal(0, 6, n)
        found["age_years_true"] = frame["age_years"]
    if "site_type" in targets:
        truth = frame["site_type"].map({"rural": 0, "city": 1, "sea": 2}).to_numpy()
        logits = generator.normal(size=(n, 3)) + 1.5 * np.eye(3)[truth]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = found.assign(**{f"site_type_{i}": shares[:, i] for i in range(3)}, site_type_true=truth.astype(float))
    return found


def write(folder, *, targets=None, frame=None, replicates=50, **sections) -> runs.Run:
    """A judged run folder."""
    targets = TARGETS if targets is None else targets
    frame = people() if frame is None else frame
    config = configs.parse(
        {
            "pipeline": "table",
            "targets": targets,
            "input": {"size": 32, "windows": ["brain", "subdural", "soft"]},
            "augment": {"flip": 0.5, "rotate": 10},
            "evaluate": {"replicates": replicates, "prevalence": 0.1} | sections.pop("evaluate", {}),
            **sections,
        }
    )
    meta = {
        "salt": "one",
        "excluded": {"no pixels": 3, "not an image": 1},
        "selected": {"dropped": 60, "by": {"view": ["AP"]}},
    }
    environment = runs.environment(precision="float32", jit=False, backend="tensorflow", leaks=[])
    run = runs.Run(folder).create(config, table.Table(frame, meta=meta), folder.parent, environment)
    found = predicted(frame, targets)
    valid, tested = (found[found["fold"] == fold].reset_index(drop=True) for fold in ("valid", "test"))
    chosen = thresholds.choose(valid, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate)
    metrics = judge(
        tested, config, chosen, split="test", fingerprint=run.table().fingerprint(), valid=valid, warnings=["a warning"]
    )
    tested.to_parquet(run.predictions, index=False)
    valid.to_parquet(run.folder / "valid_predictions.parquet", index=False)
    run.write_json("thresholds.json", {"schema": 1, "epoch": 2, "targets": chosen})
    run.write_json("metrics.json", metrics)
    run.write_json("model.json", MODEL)
    pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.5], "val_loss": [0.6, 0.55]}).to_csv(run.history, index=False)
    return run


def rejudge(folder: Path, change) -> None:
    """metrics.json of a run, changed in place by `change(metrics)`."""
    path = Path(folder) / "metrics.json"
    metrics = json.loads(path.read_text())
    change(metrics)
    path.write_text(json.dumps(metrics))
