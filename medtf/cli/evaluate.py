"""`medtf evaluate`: judge."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Judge a run on patients it has never seen.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.option("--data", "root", type=UserPath(), help="Folder of the data, when it has moved since the training.")
@click.option("--split", "fold", default="test", show_default=True, help="Which fold to judge: train, valid or test.")
@click.option("--allow-leaks", is_flag=True, help="Judge although patients or pictures stand in two folds.")
def command(folder, root, fold, allow_leaks):
    """Judge a trained RUN on patients it has never seen.

    Writes metrics.json, predictions.parquet, plots/ and report.html into the run folder. Numbers with a unit, such as age, also come
    recalibrated by a line that was fitted on the validation fold, beside the raw ones (valid_predictions.parquet).
    """
    from medtf import runs
    from medtf.cli import paths, show

    run = runs.finished(folder)
    runs.refuse_unwritable(run.folder, folder)
    run.root(root)
    run.rows_of(fold)
    show.quiet_tensorflow()
    from medtf import judging

    with paths.writing(run.folder, "make room and judge it again"):
        metrics = judging.evaluate(
            run, root=root, fold=fold, allow_leaks=allow_leaks, progress=show.progress("predictions")
        )
    for line in summary(metrics):
        show.say(line)
    show.say(f"report: {run.report}")


# metric -> what a reader calls it, the most wanted first; a line shows the first four that a target has
NAMES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "auc_macro": "AUC (mean of the classes)",
    "accuracy": "accuracy",
    "cohen_kappa": "Cohen's kappa",
    "mean_absolute_error": "mean absolute error",
    "pearson_r": "Pearson r",
    "bias": "bias",
    "mean_absolute_error_of_median": "always guessing the median",
}


def summary(metrics: dict) -> list[str]:
    """A line for each target: what a user wants to know first, with the reason, once, for what cannot be known."""
    from medtf.cli.show import counted

    n, level = metrics["n"], metrics.get("intervals", {}).get("level", 0.95)
    said = [
        f"{metrics['split']} fold: {counted(n['examples'], 'example')} of {counted(n['patients'], 'patient')}"
        f" (in brackets: {level:.0%} intervals over patients)"
    ]
    said += [f"LEAK: {leak}" for leak in metrics["leaks"]]
    width = max((len(name) for name in metrics["targets"]), default=0)
    for name, numbers in metrics["targets"].items():
        said.append(f"  {name:<{width}}  {_line(numbers)}")
        said += [f"  {'':<{width}}  {line}" for line in _further(numbers)]
    if "weighted_log_loss" in metrics:
        said.append(f"  weighted log loss {_interval(metrics['weighted_log_loss'])}")
    said += [f"note: {warning}" for warning in metrics.get("warnings", [])]
    return said


def _line(numbers: dict) -> str:
    wanted = {key: numbers[key] for key in NAMES if isinstance(numbers.get(key), dict) and "value" in numbers[key]}
    wanted = dict(list(wanted.items())[:4])
    known = [f"{NAMES[key]} {_interval(metric)}" for key, metric in wanted.items() if metric["value"] is not None]
    undefined = [NAMES[key] for key, metric in wanted.items() if metric["value"] is None]
    if undefined:
        known.append(f"no {', '.join(undefined)}: {_why(numbers, wanted)}")
    return "   ".join(known)


def _further(numbers: dict) -> list[str]:
    """What stands beside the raw numbers: recalibrated, corrected, matched."""
    said = []
    for key, how in (
        ("recalibrated", "recalibrated on the validation fold"),
        ("corrected", "corrected with the truth"),
    ):
        if "slope" in numbers.get(key, {}):
            metrics = ("mean_absolute_error", "pearson_r")
            values = "   ".join(f"{NAMES[metric]} {_interval(numbers[key][metric])}" for metric in metrics)
            said.append(f"{how}: {values}" + (" (flatters any model)" if key == "corrected" else ""))
    if numbers.get("n") and "reason" in numbers.get("recalibrated", {}):
        said.append(f"not recalibrated: {numbers['recalibrated']['reason']}")
    matched = numbers.get("matched", {})
    if "auc_matched" in matched:
        said.append(
            f"matched on {matched['on']}: AUC {_interval(matched['auc_matched'])} in {matched['pairs']:,} pairs"
        )
    elif matched:
        said.append(f"not matched on {matched['on']}: {matched['reason']}")
    return said


def _why(numbers: dict, wanted: dict) -> str:
    if numbers.get("kind") == "binary" and numbers.get("n"):
        if numbers.get("positives") == 0:
            return f"none of the {numbers['n']:,} examples is positive"
        if numbers.get("positives") == numbers["n"]:
            return f"all {numbers['n']:,} examples are positive"
    reasons = [metric.get("reason", "undefined") for metric in wanted.values() if metric["value"] is None]
    return "; ".join(dict.fromkeys(reasons))


def _interval(metric: dict) -> str:
    if metric["value"] is None:
        return f"undefined ({metric.get('reason', 'one class only')})"
    if metric.get("low") is None:
        return f"{metric['value']:.3f} (no interval)"
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"
