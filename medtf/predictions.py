"""A model and a table to predictions: one row an example, named by row id, with what was true where it is known."""

import keras
import numpy as np
import pandas as pd

from medtf.config import Config, Target
from medtf.data.labels import encode
from medtf.evaluate import answers
from medtf.faults import reading
from medtf.quiet import silent_tracing
from medtf.table import Table
from medtf.uncertainty import Passes


def predict(
    model: keras.Model, table: Table, root, config: Config, module, *, progress=None, mc_dropout=0, tta=0, seed=None
) -> pd.DataFrame:
    """Outputs of `model` for every row of `table`, in its order; the patches of a volume are gathered to one answer.

    Args:
        model: as `medtf.models.build` makes them, with its weights.
        table: examples, with labels or without.
        root: data root.
        config: what the model was trained with.
        module: the pipeline.
        progress: called with (done, all).
        mc_dropout: passes with dropout left on; 0: none. See `medtf.uncertainty`.
        tta: passes over images changed by the config's `augment`; 0: none.
        seed: of these passes; None: train.seed.
    Returns:
        Columns `row`, `patient`, `fold`, `series` where the table has it, and for each target: binary `<t>` (probability) and
        `<t>_true` (0, 1, NaN); multi-class
        `<t>_<i>` and `<t>_true` (index); regression `<t>` and `<t>_true` in its unit, and with a Gaussian head `<t>_sd`, the predicted
        standard deviation. Predictions are float32. All of these are of one plain pass; where more are asked for, `<t>_mc...` and
        `<t>_tta...` follow, see `medtf.evaluate.answers.summary`.
    Raises:
        AskedWronglyError: passes that would all be the same.
    """
    network = _plain(model)
    if mc_dropout or tta:
        network = Passes(
            model, config, mc_dropout=mc_dropout, tta=tta, seed=config.train.seed if seed is None else seed
        )
    parts: dict[tuple[str, str], list[np.ndarray]] = {}  # (kind of passes, target): batches (T, b, k)
    weights: list[np.ndarray] = []
    rows = rows_of_blocks(table, config)
    done = 0
    with reading(table, root), silent_tracing():
        for images, _, weight in module.dataset(table, root, config, training=False):
            outputs, passes = network(images)
            for name in config.targets:
                parts.setdefault(("", name), []).append(outputs[name][None])
                for key, found in passes.items():
                    parts.setdefault((key, name), []).append(found[name])
            weights.append(np.asarray(weight))
            done += len(images)
            if progress:
                progress(done, len(rows))
    weight = np.concatenate(weights)
    gathered = {
        (key, name): np.stack(
            [gather(one, rows, weight, len(table), config.targets[name]) for one in np.concatenate(found, axis=1)]
        )
        for (key, name), found in parts.items()
    }
    frame = pd.DataFrame(
        {"row": table.frame.get("row", pd.Series(range(len(table)))), "patient": table.frame["patient"]}
    )
    frame["fold"] = table.frame.get("fold", "")
    if "series" in table.frame:  # the examples of a series may be judged as one
        frame["series"] = table.frame["series"].to_numpy()
    labels = encode(table.frame, config.targets)
    columns = {}
    for (key, name), found in gathered.items():
        target = config.targets[name]
        columns |= answers.summary(found, name, target, key) if key else _columns(name, target, found[0], labels[name])
    return pd.concat([frame.reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def _plain(model: keras.Model):
    """One pass, without anything beside it."""

    def network(images):
        given = images if keras.backend.backend() == "tensorflow" else np.asarray(images)
        return {name: np.asarray(values, np.float32) for name, values in model.predict_on_batch(given).items()}, {}

    return network


def rows_of_blocks(table: Table, config: Config) -> np.ndarray:
    """int64: the row of each block that evaluation reads, in its order; a row has many where it is read in patches."""
    if config.model.dimensions == 3 and config.input.patches is not None:
        from medtf.data.volume_grid import blocks

        return blocks(table.frame, config)[0]
    return np.arange(len(table))


def gather(outputs: np.ndarray, rows: np.ndarray, weights: np.ndarray, count: int, target: Target) -> np.ndarray:
    """Float32 (count, k): the answers of the blocks of each row as one, the mean weighted by how much of a block is foreground.

    The standard deviation of a Gaussian head follows the law of total variance: what the blocks say of their own error, and how far they
    differ.

    Args:
        outputs: (blocks, k). rows: (blocks,) of each block. weights: (blocks,), 0 or more.
        count: rows in all.
        target: of the outputs.
    """
    if len(rows) == count:
        return outputs
    total = np.bincount(rows, weights, count)
    weights = np.where(total[rows] > 0, weights, 1.0)  # of a volume without foreground every block counts alike
    total = np.bincount(rows, weights, count)

    def mean(values):
        return np.bincount(rows, weights * values, count) / total

    if target.head != "gaussian":
        return np.stack([mean(column) for column in outputs.T.astype(np.float64)], axis=1).astype(np.float32)
    value, deviation = outputs.T.astype(np.float64)
    middle = mean(value)
    variance = mean(deviation**2) + mean((value - middle[rows]) ** 2)
    return np.stack([middle, np.sqrt(variance)], axis=1).astype(np.float32)


def of_fold(table: Table, fold: str) -> Table:
    """The rows of one fold; column `row` keeps their ids in the whole table."""
    frame = table.frame.assign(row=np.arange(len(table)))
    return table.with_frame(frame[frame["fold"] == fold])


def _columns(name: str, target: Target, outputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    if target.head == "gaussian":
        return {name: outputs[:, 0], f"{name}_sd": outputs[:, 1], f"{name}_true": labels[:, 0]}
    if target.kind != "multiclass":
        return {name: outputs[:, 0], f"{name}_true": labels[:, 0]}
    known = ~np.isnan(labels).any(axis=1)
    truth = np.where(known, np.nan_to_num(labels).argmax(axis=1), np.nan)
    return {f"{name}_{i}": outputs[:, i] for i in range(target.units)} | {f"{name}_true": truth}
