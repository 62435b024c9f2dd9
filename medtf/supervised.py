"""What a training with targets learns, and what it leaves in the run: a network, thresholds, calibration."""

from medtf import calibrating, keeping_models, layer_decay, predictions, runs
from medtf.beforehand import about_norms, channels_of
from medtf.config import Config
from medtf.data.labels import encode
from medtf.evaluate import thresholds
from medtf.explain.runs import watching
from medtf.fitting import trainer
from medtf.models import build, transfer
from medtf.models.facts import facts


class Supervised:
    """The network of the targets and its trainer; made ready by `__init__`, which writes nothing.

    Args:
        config: of this stage of the training.
        folds: {"train": table, "valid": table}.
        order: of the training fold.
        steps: batches of the whole stage.
        jit: compile the step.
        say: takes a line.
        fresh: begin with the weights that the config names; else they come from a checkpoint, and their source may be gone.
    """

    def __init__(self, config: Config, folds: dict, order, *, steps: int, jit: bool, say, fresh: bool = True):
        self.config, self.folds = config, folds
        self.labels = encode(folds["train"].frame, config.targets)
        trainer.refuse_labels(config, encode(folds["valid"].frame, config.targets))
        self.model = build.build(
            config.model,
            (*config.input.size, channels_of(config)),
            config.targets,
            priors=trainer.priors(config, self.labels, order.epoch(0)),
            momentum=build.norm_momentum(config.model, steps),
        )
        if config.explain.every:
            watching.refuse(config, self.model)
        if fresh:
            begin(self.model, config, say)
        for line in about_norms(self.model, config, steps) if config.train.freeze != "all" else ():
            say(line)
        if config.train.layer_decay < 1 and config.train.freeze != "all":
            say(layer_decay.line(self.model, config.train.layer_decay))
            if config.model.weights == "none":
                say("train.layer_decay with model.weights: none holds back layers that know nothing yet: set it to 1")
        self.trainer = trainer.make(self.model, config, self.labels, steps=steps, jit=jit)
        self.told = list(config.targets)  # whose metrics are shown after each epoch

    def callbacks(self, run: runs.Run, validation) -> list:
        """None of its own."""
        return []

    def finish(self, run: runs.Run, root, module, epoch: int) -> None:
        """Save the model, whose weights are those of the best epoch; then what is chosen on the validation fold alone."""
        config = self.config
        keeping_models.save(self.model, run.model)
        run.write_json("model.json", facts(self.model))
        found = predictions.predict(self.model, self.folds["valid"], root, config, module)
        found.to_parquet(run.folder / "valid_predictions.parquet", index=False)  # what `evaluate` fits is fitted on it
        chosen = thresholds.choose(
            found, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate
        )
        if config.evaluate.calibrate != "none":
            calibrating.fit(run, config, found)
        run.write_json("thresholds.json", {"schema": runs.SCHEMA, "epoch": epoch, "targets": chosen})


def begin(model, config: Config, say) -> None:
    """Weights from a run or a file, where the config names one; ImageNet's came with the network."""
    if config.model.weights not in ("none", "imagenet"):
        for line in transfer.load(model, config.model.weights).lines():
            say(line)
