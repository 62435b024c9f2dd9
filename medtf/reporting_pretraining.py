"""report.html of a pretraining, from what lies in its folder."""

from pathlib import Path

from medtf import config as configs
from medtf import reporting, run_facts, runs, split
from medtf.errors import AskedWronglyError
from medtf.evaluate.pages import pretraining_report


def write(run: runs.Run, *, path: Path | None = None) -> Path:
    """Write the report.

    Args:
        run: a pretraining that was judged. path: where to; None: report.html in the run.
    Raises:
        AskedWronglyError: it was not judged.
    """
    told = run.read_json(runs.PRETRAINING)
    if "judged" not in told:
        raise AskedWronglyError(f"{run.folder}: not judged yet: `medtf evaluate {run.folder}` does it")
    config, environment, table = run.config(), run.read_json("environment.json"), run.table()
    history = reporting.history_of(run)
    return pretraining_report.write(
        path or run.report,
        metrics=told["judged"],
        task=told["task"],
        history=history,
        pictures=sorted(run.plots.glob("pretraining*.png"), key=lambda p: (p.stem != "pretraining", p.stem)),
        folds=split.counts(table, config.targets),
        facts=run_facts.facts(
            config, environment, model=reporting.if_there(run, "model.json"), history=history, best_epoch=told["epoch"]
        ),
        config_text=configs.dump(config),
        environment=environment,
        title=f"{run.folder.absolute().name}: {config.model.name} pretrained by {told['task']} on {config.pipeline}",
        run_name=run.folder.absolute().name,
    )
