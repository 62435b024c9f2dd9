"""evaluate(parent): the folds of a cross-validation as one judgement of everybody, each by a model that never saw them."""

from medtf import config as configs
from medtf import folds, gallery, judging, pooling
from medtf.errors import AskedWronglyError
from medtf.evaluate import judge

BY_FOLD = "every fold's run has its own, fitted on its own validation fold: see the reports of the folds"


def evaluate(
    parent: folds.Parent,
    *,
    root=None,
    fold: str = "test",
    allow_leaks: bool = False,
    overrides: tuple[str, ...] = (),
    progress=None,
    say=lambda line: None,
) -> dict:
    """Judge what is not judged yet of the folds' runs, then all out-of-fold predictions together.

    Args:
        parent: whose folds are all trained.
        root, allow_leaks, progress: as of `judging.evaluate`.
        fold: test; the others belong to the folds' own runs.
        overrides: `evaluate.key=value` for the judgement of all.
        say: told which runs are judged.
    Returns:
        The content of the parent's metrics.json.
    Raises:
        MedtfError: as `judging.evaluate`. AskedWronglyError: another fold than test.
    """
    if fold != "test":
        raise AskedWronglyError(
            f"--split {fold}: a cross-validation is judged on everybody's test fold; judge one of its runs, such as {parent.child(0).folder}"
        )
    config, table = configs.judged_as(parent.run.config(), overrides), parent.table()
    judging.refuse_columns(config, table)
    for number in pooling.judge_missing(parent, root=root, allow_leaks=allow_leaks, progress=progress):
        say(f"fold {number}: judged")
    found = judging.with_covariates(pooling.pooled(parent), table, config)
    trained_on = pooling.mean_of_runs(parent, judging.prevalences_in_training)
    metrics = judge.judge(
        found,
        config,
        pooling.thresholds(parent),
        split="test",
        fingerprint=table.fingerprint(),
        undersampled_prevalence=trained_on if config.data.undersample.policy != "none" else {},
        why_no_valid=BY_FOLD,
        trained_on=trained_on,
        training_means=pooling.mean_of_runs(parent, judging.training_means),
        warnings=judging.warnings_of(table, "test"),
        leaks=parent.run.read_json("environment.json").get("leaks") or [],
    )
    pictures = gallery.make(found, table, parent.run.root(root), config, metrics, config.evaluate.gallery)
    network = parent.child(0).folder / "model.json"
    if network.is_file():  # the folds' networks are alike
        parent.run.write_json("model.json", parent.child(0).read_json("model.json"))
    judging.keep(parent.run, metrics, found, pictures)
    return metrics
