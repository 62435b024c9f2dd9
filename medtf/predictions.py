"""A model and a table to predictions: one row an example, named by row id, with what was true where it is known."""

import keras
import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.data.labels import encode
from medtf.faults import reading
from medtf.table import Table


def predict(model: keras.Model, table: Table, root, config: Config, module, *, progress=None) -> pd.DataFrame:
    """Outputs of `model` for every row of `table`, in its order.

    Returns:
        Columns `row`, `patient`, `fold`, and for each target: binary `<t>` (probability) and `<t>_true` (0, 1, NaN); multi-class
        `<t>_<i>` and `<t>_true` (index); regression `<t>` and `<t>_true` in its unit. Predictions are float32.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in config.targets}
    done = 0
    with reading(table, root):
        for images, _, _ in module.dataset(table, root, config, training=False):
            outputs = model.predict_on_batch(np.asarray(images) if keras.backend.backend() != "tensorflow" else images)
            for name in parts:
                parts[name].append(np.asarray(outputs[name], np.float32))
            done += len(images)
            if progress:
                progress(done, len(table))
    frame = pd.DataFrame(
        {"row": table.frame.get("row", pd.Series(range(len(table)))), "patient": table.frame["patient"]}
    )
    frame["fold"] = table.frame.get("fold", "")
    labels = encode(table.frame, config.targets)
    columns = {}
    for name, target in config.targets.items():
        columns |= _columns(name, target, np.concatenate(parts[name]), labels[name])
    return pd.concat([frame.reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def of_fold(table: Table, fold: str) -> Table:
    """The rows of one fold; column `row` keeps their ids in the whole table."""
    frame = table.frame.assign(row=np.arange(len(table)))
    return table.with_frame(frame[frame["fold"] == fold])


def _columns(name: str, target: Target, outputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    if target.kind != "multiclass":
        return {name: outputs[:, 0], f"{name}_true": labels[:, 0]}
    known = ~np.isnan(labels).any(axis=1)
    truth = np.where(known, np.nan_to_num(labels).argmax(axis=1), np.nan)
    return {f"{name}_{i}": outputs[:, i] for i in range(target.units)} | {f"{name}_true": truth}
