"""Out-of-fold predictions of the runs of one k-fold split, pooled and judged: pooled_folds.py RUN RUN ...

Each run must have been judged on its own test fold (`medtf evaluate RUN`). Prints each fold's AUC, and of all folds together the AUC with its
interval over patients. Thresholds are not pooled: each run has its own.
"""

import sys

import pandas as pd

from medtf import runs
from medtf.errors import MedtfError
from medtf.evaluate.judge import judge


def main(folders: list[str]) -> None:
    """Pool and print."""
    found = [runs.existing(folder) for folder in folders]
    tables = {run.table().frame["path"].sort_values().str.cat() for run in found}
    if len(tables) != 1:
        raise MedtfError("the runs are not of one table")
    predictions = pd.concat([pd.read_parquet(run.predictions) for run in found], ignore_index=True)
    if predictions["row"].duplicated().any():
        raise MedtfError("an example was judged in two runs: are the test folds the same?")
    config = found[0].config()
    binary = {name: target for name, target in config.targets.items() if target.kind == "binary"}
    config = config.model_copy(update={"targets": binary})
    one_half = {name: {"value": 0.5, "rule": "fixed"} for name in binary}
    metrics = judge(predictions, config, one_half, split="test", fingerprint=found[0].table().fingerprint())
    print(f"{len(found)} folds, {len(predictions):,} examples of {predictions['patient'].nunique():,} patients")
    for name in binary:
        auc = metrics["targets"][name]["auc"]
        each = [run.read_json("metrics.json")["targets"][name]["auc"]["value"] for run in found]
        folds = ", ".join(f"{value:.3f}" for value in each)
        print(f"{name}: AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})   by fold {folds}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MedtfError as error:
        sys.exit(str(error))
