"""One batch through every stage, report included, in a folder that is thrown away."""

import tempfile
from pathlib import Path

import pandas as pd

from medtf import judging, judging_pretraining, lineage, predictions, prepare, runs
from medtf.beforehand import refuse_model
from medtf.config import Config
from medtf.data.dataset import steps_an_epoch
from medtf.data.labels import encode
from medtf.data.order import classes_of
from medtf.table import FOLDS, Table
from medtf.train import Session, Told, through


def dry_run(config: Config, root, *, told: Told, allow_leaks: bool = False) -> dict:
    """Index, pixel pass, split, audit, one step, validation, threshold, judgement and report; returns the metrics.

    Raises:
        MedtfError: whatever `fit` or `evaluate` would raise.
    """
    refuse_model(config)
    with tempfile.TemporaryDirectory(prefix="medtf-dry-run-") as folder:
        table, _ = prepare.training_table(
            config, root, parts=Path(folder) / "index", allow_leaks=allow_leaks, progress=told.progress, say=told.say
        )
        past = lineage.audited(config.model.weights, table, allow=allow_leaks)
        for line in past.unchecked:
            told.say(line)
        steps_an_epoch(
            predictions.of_fold(table, "train"), config
        )  # undersampling of the whole fold, which one batch cannot show
        table, config = one_batch(table, config)
        session = Session(config, table, root, told)
        run = runs.Run(Path(folder) / "run").create(
            config, table, root, runs.environment(**session.machine, leaks=past.leaks), beside=past.write
        )
        through(session, run)
        fold = "test" if (table.frame["fold"] == "test").any() else "valid"
        judge = judging_pretraining if config.pretrain else judging
        metrics = judge.evaluate(run, fold=fold, allow_leaks=allow_leaks)
        told.say(
            f"judged {metrics['n']['examples']} examples; report of {run.report.stat().st_size / 1e6:.1f} MB written and thrown away"
        )
        return metrics


def one_batch(table: Table, config: Config) -> tuple[Table, Config]:
    """At most one batch of each fold, the classes of the first target in turn, and a config of one epoch."""
    name, target = next(iter(config.targets.items()), (None, None))  # a pretraining has none
    kept = []
    for fold in FOLDS:
        frame = table.frame[table.frame["fold"] == fold]
        classes = pd.Series(0, frame.index)
        if target and target.kind != "regression":
            classes = pd.Series(classes_of(encode(frame, {name: target})[name]), frame.index)
        in_turn = classes.groupby(classes).cumcount().sort_values(kind="stable")
        # the step takes a whole batch, as memory is to be tried too; to judge, eight are enough
        kept += sorted(in_turn.index[: config.train.batch_size if fold == "train" else 8])
    frame = table.frame.loc[kept]
    raw = config.model_dump()
    held = (
        config.train.freeze if config.train.freeze in (0, "all") else 1
    )  # an epoch with the encoder held, and one without
    raw["train"] |= {
        "epochs": 2 if held == 1 else 1,
        "freeze": held,
        "accumulate": 1,
        "batch_size": min(config.train.batch_size, int((frame["fold"] == "train").sum())),
        "warmup": 0.0,
        "stages": [stage | {"epochs": 1} for stage in raw["train"]["stages"]],
    }
    raw["data"] |= {"undersample": {"policy": "none"}}
    # two passes are enough to see that there can be several
    passes = {name: min(raw["evaluate"][name], 2) for name in ("mc_dropout", "tta")}
    raw["evaluate"] |= {"replicates": 40, **passes}
    return table.with_frame(frame), Config.model_validate(raw)
