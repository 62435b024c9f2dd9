"""All points of a label-fraction curve -> curve.json, curve.csv, curve.png, curve.html."""

from itertools import pairwise

import pandas as pd

from medtf import label_share
from medtf.curves import Curve
from medtf.errors import MedtfError
from medtf.evaluate import label_curve
from medtf.evaluate.pages import curve_report
from medtf.evaluate.settings_words import of_curve, share
from medtf.evaluate.statistics.intervals import LEVEL, SEED

SCHEMA = 1
FEW_STEPS = 100  # a training of fewer shows how little was trained as much as how few labels there were


def judge(curve: Curve) -> dict:
    """Judge what every point said of the test fold, and write it all.

    Args:
        curve: with no point missing.
    Returns:
        the content of curve.json.
    Raises:
        MedtfError: points are missing, damaged, or of other people.
    """
    missing = curve.missing()
    if missing:
        raise MedtfError(
            f"{curve.folder}: {len(missing)} of {len(curve.points)} points are missing, such as {curve.points[missing[0]]}"
        )
    config, plan = curve.run.config(), curve.plan
    counts = _counts(curve, config)
    frames, of_point = {}, {}
    for number, point in enumerate(curve.points):
        key = (point.weights, point.share)
        frames.setdefault(key, []).append(_read(curve, number))
        of_point.setdefault(key, []).append(counts[point.share, point.seed])
    targets = label_curve.curve(frames, of_point, config.targets, replicates=config.evaluate.replicates)
    for name, found in targets.items():
        found["words"] = of_curve(name, found)
    content = {
        "schema": SCHEMA,
        "split": "test",
        "model": config.model.name,
        "weights": list(plan.weights),
        "shares": list(plan.shares),
        "seeds": plan.seeds,
        "probe": plan.probe,
        "least_steps": plan.least_steps,
        "targets": targets,
        "intervals": {"replicates": config.evaluate.replicates, "level": LEVEL, "seed": SEED},
        "notes": _notes(curve, config, of_point),
        "fingerprint": curve.run.table().fingerprint(),
        "leaks": list(curve.run.read_json("environment.json").get("leaks", [])),
    }
    curve_report.write(curve.folder, content, f"Labels and {', '.join(targets)}: {config.model.name}")
    return content


def _counts(curve: Curve, config) -> dict:
    """{(share, seed): {"patients", "examples"}} of the training fold; of all starts alike."""
    table, found = curve.run.table(), {}
    for point in curve.points:
        if (point.share, point.seed) not in found:
            kept, _ = label_share.keep(table, curve.labels(point), config.targets)
            found[point.share, point.seed] = kept.meta["labels"]
    return found


def _read(curve: Curve, number: int) -> pd.DataFrame:
    path = curve.predictions(number)
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise MedtfError(f"{path}: damaged: not a Parquet file; delete it and give the command again") from error


def _notes(curve: Curve, config, counts: dict) -> list[str]:
    """What a reader should know before the first number."""
    notes = list(curve.run.read_json("environment.json").get("unchecked", []))
    reached: dict[float, float] = {}
    for (_, part), each in counts.items():
        reached[part] = each[0]["patients"]
    shares = sorted(reached)
    for smaller, larger in pairwise(shares):
        if reached[smaller] == reached[larger]:
            notes.append(
                f"{share(smaller)} and {share(larger)} are the same {reached[smaller]:,} patients: fewer would leave a class without one."
            )
    steps = {} if curve.plan.probe else _steps(curve)
    few = [part for part, count in steps.items() if count < FEW_STEPS]
    if few:
        listed = ", ".join(f"{share(part)}: {steps[part]:,} steps" for part in few)
        notes.append(
            f"Short trainings ({listed}): they show how little was trained as much as how few labels there were; --min-steps makes them longer."
        )
    return notes


def _steps(curve: Curve) -> dict[float, int]:
    """{share: steps of its shortest training}, from what the runs wrote."""
    found: dict[float, int] = {}
    for number, point in enumerate(curve.points):
        run = curve.child(number)
        if not run.history.is_file():
            continue
        epochs = len(pd.read_csv(run.history))
        config, training = run.config(), run.table().frame["fold"].eq("train").sum()
        steps = epochs * max(1, int(training) // config.train.batch_size) // config.train.accumulate
        found[point.share] = min(found.get(point.share, steps), steps)
    return found
