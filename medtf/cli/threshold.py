"""`medtf threshold`: choose where a run calls an example positive, on the validation fold alone."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Choose a run's threshold anew, on its validation fold alone.")
@click.argument("folder", metavar="RUN", type=UserPath())
@click.argument("rule", required=False)
@click.option("--target", help="For this binary target alone.  [default: all of them]")
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="With cost=N: share of positive examples where the model is meant for.  [default: the validation fold's]",
)
def command(folder, rule, target, prevalence):
    """Choose the threshold of RUN anew, from the stored predictions of its validation fold. The test fold is not looked at.

    \b
    RULE is one of
      youden             the largest sensitivity + specificity
      sensitivity=0.95   at least this sensitivity, then the highest specificity
      specificity=0.9    the other way round
      cost=5             a miss costs 5 false alarms: the least expected cost
      0.3                this number

    Without RULE it prints what stands. Writes thresholds.json, which keeps what stood before. A threshold that was chosen after the
    test fold had been judged is marked as such, there and in every report.
    """
    from medtf import rethreshold, runs
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError

    run = runs.finished(folder)
    if rule is None:
        if prevalence is not None:
            raise AskedWronglyError("--prevalence goes with a RULE: cost=5 --prevalence 0.1")
        for line in said_standing(*rethreshold.standing(run, target)):
            show.say(line)
        return
    asked = rethreshold.parse(rule, prevalence)
    runs.refuse_unwritable(run.folder, folder)
    with paths.writing(run.folder, "the threshold stays what it was"):
        changes = rethreshold.rethreshold(run, asked, target)
    for line in said_changes(changes, judged=(run.folder / "metrics.json").is_file(), folder=folder):
        show.say(line)


def said_standing(chosen: dict[str, dict], history: list[dict]) -> list[str]:
    """What stands, and how often it was chosen before."""
    said = []
    for name, choice in chosen.items():
        said += _lines(f"{name}: {_value(choice)}", choice)
        said += [f"  before: {_value(past)}, until {past.get('until')}" for past in history if past["target"] == name]
    return said


def said_changes(changes: dict, *, judged: bool, folder) -> list[str]:
    """Old and new, what the new one reaches on the validation fold, and what is no longer right."""
    said = []
    for name, (old, new) in changes.items():
        if old is new:
            said += _lines(f"{name}: {_value(new)}: stands already", new)
            continue
        before = "none" if old is None else _value(old)
        said += _lines(f"{name}: {before} -> {_value(new)}", new)
    changed = any(old is not new for old, new in changes.values())
    if changed and any(new.get("after_test") for _, new in changes.values()):
        said.append(
            "warning: the test fold had been judged before this choice: whoever has seen a result can choose by it. Report it as such."
        )
    if changed and judged:
        said.append(
            f"metrics.json and report.html still show the old threshold: `medtf evaluate {folder}` judges again"
        )
    return said


def _lines(first: str, choice: dict) -> list[str]:
    said = [first + (" (chosen after the test)" if choice.get("after_test") else "")]
    if choice.get("reached"):
        said.append(f"  validation: {_reached(choice['reached'])}")
    if choice.get("per_patient"):
        patients = choice["per_patient"]
        said.append(f"  patients: {_value(patients)}")
        if patients.get("reached"):
            said.append(f"  validation, patients: {_reached(patients['reached'])}")
        said += [f"  note, patients: {note}" for note in patients.get("notes", [])]
    return said + [f"  note: {note}" for note in choice.get("notes", [])]


def _value(choice: dict) -> str:
    return f"{choice['value']:.4g} ({choice.get('rule', 'fixed')})"


def _reached(reached: dict) -> str:
    from medtf.evaluate.pages.words import with_interval

    rates = ", ".join(f"{name} {with_interval(reached[name])}" for name in ("sensitivity", "specificity"))
    return f"{rates}; positives: {reached['positives']:,}, negatives: {reached['negatives']:,}"
