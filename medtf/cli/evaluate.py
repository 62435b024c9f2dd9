"""`medtf evaluate`: judge."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Judge a run on patients it has never seen.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.option("--data", "root", type=UserPath(), help="Folder of the data, when it has moved since the training.")
@click.option("--split", "fold", default="test", show_default=True, help="Which fold to judge: train, valid or test.")
@click.option("--allow-leaks", is_flag=True, help="Judge although patients or pictures stand in two folds.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="evaluate.KEY=VALUE",
    help="Judge otherwise than the run's config says.",
)
def command(folder, root, fold, allow_leaks, overrides):
    """Judge a trained RUN on patients it has never seen; or an ensemble, or all folds of a cross-validation together; or the task of a pretraining.

    Writes metrics.json, predictions.parquet, plots/ and report.html into the run folder. Whatever is fitted (thresholds, lines, calibration,
    conformal sets) is fitted on the validation fold. Of the config the section evaluate may be changed:

    \b
      --set evaluate.calibrate=temperature   (platt, isotonic, none)
      --set evaluate.mc_dropout=20           (passes with dropout left on)
      --set evaluate.tta=10                  (passes over randomly changed images)
      --set evaluate.prevalence=0.144        (of the people the model is meant for)
      --set evaluate.intervals=percentile    (auto, bca)
    """
    from medtf import ensembling, runs
    from medtf.cli import paths, show

    several = runs.is_parent(folder)
    if several:
        from medtf import folds

        judged = folds.finished(folder)
        run = judged.run
    elif runs.is_pretraining(folder):
        return _pretraining(runs.existing(folder), root=root, fold=fold, allow_leaks=allow_leaks, overrides=overrides)
    else:
        run = judged = runs.finished(folder)
        if ensembling.is_ensemble(run):
            ensembling.refuse_trained(run, fold)
        run.rows_of(fold)
    runs.refuse_unwritable(run.folder, folder)
    run.root(root)
    show.quiet_tensorflow()
    from medtf import judging, judging_folds

    options = {"root": root, "fold": fold, "allow_leaks": allow_leaks, "overrides": overrides}
    options |= {"progress": show.progress("predictions")} | ({"say": show.say} if several else {})
    with paths.writing(run.folder, "make room and judge it again"):
        metrics = (judging_folds if several else judging).evaluate(judged, **options)
    for line in summary(metrics):
        show.say(line)
    show.say(f"report: {run.report}")


def _pretraining(run, **options) -> None:
    from medtf import runs
    from medtf.cli import paths, show

    run.rows_of(options["fold"])
    runs.refuse_unwritable(run.folder, run.folder)
    show.quiet_tensorflow()
    from medtf import judging_pretraining

    with paths.writing(run.folder, "make room and judge it again"):
        metrics = judging_pretraining.evaluate(run, **options, progress=show.progress("images"))
    for line in judging_pretraining.summary(metrics, run.config().pretrain.name):
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
    meant = {name: _meant(name, numbers) for name, numbers in metrics["targets"].items()}
    width = max(map(len, meant.values()), default=0)
    for name, numbers in metrics["targets"].items():
        said.append(f"  {meant[name]:<{width}}  {_line(numbers)}")
        said += [f"  {'':<{width}}  {line}" for line in _further(numbers)]
    if "weighted_log_loss" in metrics:
        said.append(f"  weighted log loss {_interval(metrics['weighted_log_loss'])}")
    said += [f"note: {warning}" for warning in metrics.get("warnings", [])]
    return said


def _meant(name: str, numbers: dict) -> str:
    """`any`, or `sex = M` where the positive class has a name of its own."""
    positive = numbers.get("positive", "1")
    return name if positive == "1" else f"{name} = {positive}"


def _line(numbers: dict) -> str:
    wanted = {key: numbers[key] for key in NAMES if isinstance(numbers.get(key), dict) and "value" in numbers[key]}
    wanted = dict(list(wanted.items())[:4])
    known = [f"{NAMES[key]} {_interval(metric)}" for key, metric in wanted.items() if metric["value"] is not None]
    undefined = [NAMES[key] for key, metric in wanted.items() if metric["value"] is None]
    if undefined:
        known.append(f"no {', '.join(undefined)}: {_why(numbers, wanted)}")
    return "   ".join(known)


def _further(numbers: dict) -> list[str]:
    """What stands beside the raw numbers: groups that differ, recalibrated, corrected, matched."""
    from medtf.evaluate.group_words import in_short

    said = in_short(numbers.get("subgroups", {}), numbers["kind"])
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
    said += _trust(numbers)
    matched = numbers.get("matched", {})
    if "auc_matched" in matched:
        said.append(
            f"matched on {matched['on']}: AUC {_interval(matched['auc_matched'])} in {matched['pairs']:,} pairs"
        )
    elif matched:
        said.append(f"not matched on {matched['on']}: {matched['reason']}")
    return said


def _trust(numbers: dict) -> list[str]:
    """Calibration where it was asked for, and what conformal sets or intervals keep of their promise."""
    said, calibrated, sets = [], numbers.get("calibrated", {}), numbers.get("conformal", {})
    if "after" in calibrated:
        before, after = (calibrated[when]["log_loss"]["value"] for when in ("before", "after"))
        said.append(f"calibrated on the validation fold ({calibrated['how']}): log loss {before:.3f} -> {after:.3f}")
    elif "reason" in calibrated:
        said.append(f"not calibrated: {calibrated['reason']}")
    if "coverage" in sets:
        what = f"intervals of half width {_interval(sets['half_width'])}" if "half_width" in sets else "sets of classes"
        said.append(
            f"conformal {what} hold {_interval(sets['coverage'])} of the truths; promised {1 - sets['miscoverage']:.0%}"
        )
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
