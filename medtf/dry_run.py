"""One batch through every stage, report included, in a folder that is thrown away."""

import tempfile
from pathlib import Path

from medtf import judging, prepare, runs
from medtf.config import Config
from medtf.train import Session, Told, refuse_model, small


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
        table, config = small(table, config)
        session = Session(config, table, root, told)
        run = runs.Run(Path(folder) / "run").create(config, table, root, runs.environment(**session.machine))
        session.train(run)
        fold = "test" if (table.frame["fold"] == "test").any() else "valid"
        metrics = judging.evaluate(run, fold=fold, allow_leaks=allow_leaks)
        told.say(
            f"judged {metrics['n']['examples']} examples; report of {run.report.stat().st_size / 1e6:.1f} MB written and thrown away"
        )
        return metrics
