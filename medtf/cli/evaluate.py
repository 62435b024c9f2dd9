"""`medtf evaluate`: judge."""

import click


@click.command()
@click.argument("folder", metavar="RUN")
@click.option("--data", "root", type=click.Path(), help="Folder of the data, when it has moved since the training.")
@click.option("--split", "fold", default="test", show_default=True, help="Which fold to judge: train, valid or test.")
@click.option("--allow-leaks", is_flag=True, help="Judge although patients or pictures stand in two folds.")
def command(folder, root, fold, allow_leaks):
    """Judge a trained RUN on patients it has never seen.

    Writes metrics.json, predictions.parquet, plots/ and report.html into the run folder.
    """
    from medtf import runs
    from medtf.cli import show

    run = runs.existing(folder)
    show.quiet_tensorflow()
    from medtf import judging

    metrics = judging.evaluate(
        run, root=root, fold=fold, allow_leaks=allow_leaks, progress=show.progress("predictions")
    )
    for line in summary(metrics):
        show.say(line)
    show.say(f"report: {run.report}")


def summary(metrics: dict) -> list[str]:
    """A line for each target: what a user wants to know first."""
    said = [f"{metrics['split']} fold: {metrics['n']['examples']:,} examples of {metrics['n']['patients']:,} patients"]
    said += [f"LEAK: {leak}" for leak in metrics["leaks"]]
    wanted = (
        "auc",
        "average_precision",
        "sensitivity",
        "specificity",
        "auc_macro",
        "accuracy",
        "cohen_kappa",
        "mean_absolute_error",
        "pearson_r",
    )
    for name, numbers in metrics["targets"].items():
        shown = [
            f"{key} {_interval(numbers[key])}"
            for key in wanted
            if isinstance(numbers.get(key), dict) and "value" in numbers[key]
        ]
        said.append(f"  {name}: " + "  ".join(shown[:4]))
    if "weighted_log_loss" in metrics:
        said.append(f"  weighted log loss {_interval(metrics['weighted_log_loss'])}")
    return said


def _interval(metric: dict) -> str:
    if metric["value"] is None:
        return f"undefined ({metric.get('reason', 'one class only')})"
    if metric.get("low") is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"
