"""probe(config): frozen encoders -> features -> lines and neighbours, judged on the test fold: which weights know most of a target?

One encoder stays as it is for all examples, so a probe takes seconds where a training takes hours, and says what pretraining has learnt
before anything is fine-tuned.
"""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf import ensembling, lineage, pipeline, precision, predictions, prepare, runs
from medtf.config import Config, Target
from medtf.data.labels import encode
from medtf.errors import MedtfError
from medtf.evaluate import judge, probes, settings, thresholds
from medtf.evaluate.metrics import MAIN
from medtf.evaluate.paired_metrics import COMPARED
from medtf.evaluate.predictions import columns, sample
from medtf.evaluate.settings_words import of_probes
from medtf.evaluate.statistics.delong import paired_test
from medtf.evaluate.statistics.intervals import LEVEL, SEED
from medtf.faults import refuse_absent
from medtf.features import encoder, features
from medtf.starts import slug
from medtf.table import FOLDS, Table

SCHEMA = 1
Features = dict[str, np.ndarray]  # fold -> (rows, f)


def probe(
    config: Config,
    root,
    sources: dict[str, str],
    methods: tuple[str, ...],
    folder: Path,
    *,
    allow_leaks: bool = False,
    progress: prepare.Progress = prepare.quiet,
    say=print,
) -> dict:
    """Probe every source by every method, and write probe.json, probe.csv and the predictions.

    Args:
        config: of the targets, the folds, the input and the backbone.
        root: data root.
        sources: {name: none, imagenet, a run folder or a file}, as `starts.names` gives them; the others are compared to the first.
        methods: of `evaluate.probes.METHODS`.
        folder: where to; is made.
        allow_leaks: go on although patients or pictures stand in two folds.
        progress: title -> callback (done, all). say: takes a line.
    Returns:
        the content of probe.json.
    Raises:
        MedtfError: what is wrong with the data, the weights or the labels; no test fold.
    """
    config = plain_heads(ensembling.unkept(config))
    table, leaks = prepare.training_table(config, root, allow_leaks=allow_leaks, progress=progress, say=say)
    refuse_untested(table)
    past = [lineage.audited(source, table, allow=allow_leaks) for source in sources.values()]
    leaks += [leak for one in past for leak in one.leaks]
    found = {
        name: of_source(config, table, root, source, progress=progress, say=say) for name, source in sources.items()
    }
    labels = {fold: truths(predictions.of_fold(table, fold), config) for fold in FOLDS}
    made, targets = {}, {}
    for name, each in found.items():
        for method in methods:
            made[name, method], chosen = fitted(config, table, each, labels, method)
            judged = _judged(made[name, method], config, table, leaks)
            for target, numbers in judged["targets"].items():
                row = {"weights": name, "method": method, "chosen": chosen[target]}
                row |= {key: numbers[key] for key in COMPARED[config.targets[target].kind]}
                targets.setdefault(target, _about(config.targets[target], numbers))["probes"].append(row)
    for target, about in targets.items():
        about["comparisons"] = compared(
            target, config.targets[target], made, list(sources), methods, replicates=config.evaluate.replicates
        )
        about["words"] = of_probes(target, about)
    content = {
        "schema": SCHEMA,
        "split": "test",
        "model": config.model.name,
        "weights": list(sources),
        "methods": list(methods),
        "features": {name: int(each["train"].shape[1]) for name, each in found.items()},
        "n": {
            fold: {"examples": len(part), "patients": int(part.frame["patient"].nunique())}
            for fold, part in _folds(table)
        },
        "targets": targets,
        "intervals": {"replicates": config.evaluate.replicates, "level": LEVEL, "seed": SEED},
        "fingerprint": table.fingerprint(),
        "notes": [note for one in past for note in one.unchecked],
        "leaks": leaks,
    }
    _write(folder, content, made)
    return content


def plain_heads(config: Config) -> Config:
    """The same targets, each with the one value that a probe gives."""
    plain = {name: target.model_copy(update={"head": "value", "bins": None}) for name, target in config.targets.items()}
    return config.model_copy(update={"targets": plain})


def refuse_untested(table: Table) -> None:
    """There must be somebody to judge on.

    Raises:
        MedtfError: no test fold.
    """
    if not (table.frame["fold"] == "test").any():
        raise MedtfError("the table has no test fold to judge on: split it with `medtf split`, or set data.split.test")


def of_source(config: Config, table: Table, root, source: str, *, progress=prepare.quiet, say=print) -> Features:
    """Features of every fold, of one source."""
    policy, _, _ = precision.choose(config.train.precision, config.train.jit)
    keras.config.set_dtype_policy(policy)
    module, network, found = pipeline.find(config.pipeline), encoder(config, source, say), {}
    for fold, part in _folds(table):
        refuse_absent(part, root)
        found[fold] = features(network, part, root, config, module, progress=progress(f"features, {fold}"))
    return found


def truths(table: Table, config: Config) -> dict[str, np.ndarray]:
    """{target: (rows,) 0/1, class index or value, NaN = unknown}."""
    found = {}
    for name, values in encode(table.frame, config.targets).items():
        known = ~np.isnan(values).any(axis=1)
        of_class = config.targets[name].kind == "multiclass"
        truth = np.nan_to_num(values).argmax(axis=1) if of_class else values[:, 0].astype(np.float64)
        found[name] = np.where(known, truth, np.nan)
    return found


def fitted(
    config: Config, table: Table, found: Features, labels: dict, method: str, rows=None
) -> tuple[pd.DataFrame, dict]:
    """Fit a probe for every target; predictions of the validation and test folds, and what validation chose.

    Args:
        config: its targets count. table: with folds.
        found: features of each fold. labels: truths of each fold.
        method: of `probes.METHODS`.
        rows: (training rows,) bool, those to learn from; None: all.
    """
    answers, chosen = {}, {}
    rows = np.ones(len(found["train"]), bool) if rows is None else rows
    for name, target in config.targets.items():
        train = probes.Known(found["train"][rows], labels["train"][name][rows])
        valid = probes.Known(found["valid"], labels["valid"][name])
        one = probes.fit(method, train, valid, kind=target.kind, classes=target.units, name=name)
        chosen[name] = one.chosen
        for fold in ("valid", "test"):
            answers[fold, name] = np.asarray(one.answer(found[fold]), np.float32)
    frames = []
    for fold in ("valid", "test"):
        part = predictions.of_fold(table, fold)
        frame = part.frame[["row", "patient", "fold"]].reset_index(drop=True)
        for name, target in config.targets.items():
            answer = answers[fold, name]
            each = answer.T if target.kind == "multiclass" else [answer]
            frame = frame.assign(
                **dict(zip(columns(name, target), each, strict=True)), **{f"{name}_true": labels[fold][name]}
            )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), chosen


def compared(name: str, target: Target, made: dict, weights: list[str], methods, *, replicates: int) -> list[dict]:
    """Every source against the first, method by method, on the same test examples; p of DeLong's test where it is of AUCs."""
    pairs = [((other, method), (weights[0], method)) for method in methods for other in weights[1:]]
    if not pairs:
        return []
    answers, truth, patients = {}, None, None
    for key, frame in made.items():
        part = frame[frame["fold"] == "test"].reset_index(drop=True)
        known = sample(part, name, target)
        answers[key], truth, patients = known.prediction[None], known.truth, part["patient"].to_numpy()[known.at]
    found = settings.together(target.kind, truth, patients, answers, pairs, replicates=replicates)[1]
    rows = []
    for (a, b), difference in zip(pairs, found, strict=True):
        difference |= {"test": "paired bootstrap"}
        if target.kind == "binary":
            tested = paired_test(truth, answers[a][0], answers[b][0], patients)
            difference |= {
                "p_bootstrap": difference["p"],
                "p": tested["p"],
                "test": f"DeLong's test ({tested['method']})",
            }
        rows.append(difference | {"weights": a[0], "against": b[0], "method": a[1]})
    return settings.with_holm(rows)


def _folds(table: Table):
    return [(fold, predictions.of_fold(table, fold)) for fold in FOLDS]


def _judged(frame: pd.DataFrame, config: Config, table: Table, leaks) -> dict:
    """As `evaluate` judges a run."""
    valid = frame[frame["fold"] == "valid"]
    chosen = thresholds.choose(valid, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate)
    about = {"split": "test", "fingerprint": table.fingerprint(), "valid": valid, "leaks": leaks}
    return judge.judge(frame, config, chosen, **about)


def _about(target: Target, numbers: dict) -> dict:
    kept = {key: numbers[key] for key in ("n", "patients", "unknown", "positives") if key in numbers}
    return {
        "kind": target.kind,
        "metric": MAIN[target.kind],
        "label": settings.label_of(target.kind),
        **kept,
        "probes": [],
    }


def _write(target: Path, content: dict, made: dict) -> None:
    """The folder with all its files, or none."""
    building = runs.Run(target.with_name(f".{target.name}.{os.getpid()}"))
    shutil.rmtree(building.folder, ignore_errors=True)
    try:
        building.folder.mkdir(parents=True)
        for (name, method), frame in made.items():
            frame.to_parquet(building.folder / f"predictions_{slug(name)}_{method}.parquet", index=False)
        runs.write_text(building.folder / "probe.csv", _sheet(content).to_csv(index=False))
        building.write_json("probe.json", content)
        building.folder.rename(target)
    finally:
        shutil.rmtree(building.folder, ignore_errors=True)


def _sheet(content: dict) -> pd.DataFrame:
    """A row a target, encoder and method."""
    rows = [
        {"target": target, "metric": about["metric"], "weights": one["weights"], "method": one["method"]}
        | {key: one[about["metric"]][key] for key in ("value", "low", "high")}
        for target, about in content["targets"].items()
        for one in about["probes"]
    ]
    return pd.DataFrame(rows)
