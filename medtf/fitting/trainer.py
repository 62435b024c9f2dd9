"""The model that is fitted: augmentation -> network -> logits, with losses and metrics of each target."""

import keras
import numpy as np

from medtf import augment, layer_decay, losses, metrics
from medtf.augment import mix_either
from medtf.augment.mixing import Mixing
from medtf.config import Config, Target
from medtf.errors import MedtfError
from medtf.models.build import logits_model
from medtf.models.frozen import freeze
from medtf.schedule import optimizer


class Trainer(keras.Model):
    """Keras's own training step; only the loss speaks of both examples where two were mixed.

    The metrics of a training are told against the labels as they came, which under MixUp and CutMix are those of the larger part of each
    picture: they tell whether anything is learnt, and less than those of the validation fold, whose pictures are whole.
    """

    mixing: Mixing | None = None
    value_targets: tuple[str, ...] = ()  # regressions, whose labels are mixed and not the losses

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The compiled losses; of a mixture those of both its labels, by their shares."""
        if training and self.mixing is not None:
            y, y_pred, sample_weight = self.mixing.pairs(y, y_pred, sample_weight, values=self.value_targets)
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)


def make(model: keras.Model, config: Config, labels: dict[str, np.ndarray], *, steps: int, jit: bool) -> Trainer:
    """A compiled trainer that shares its weights with `model`.

    Args:
        model: what `models.build` gave, of images or of volumes.
        config: `targets`, `model`, `augment`, `train` count.
        labels: of the training fold, {target: (n, k)}; class weights and scales are counted there.
        steps: batches of the whole training.
        jit: compile the step with XLA.
    Raises:
        MedtfError: a label beyond the bins of its target.
    """
    refuse_labels(config, labels)
    if config.train.freeze == "all":  # of this stage: see `medtf.stages`
        freeze(model)
    image = keras.Input(model.input_shape[1:], name="image")
    x = image
    for layer in augment.build(config.augment, seed=config.train.seed + 1, dimensions=config.model.dimensions):
        x = layer(x)
    mixing = mix_either.layer(config.augment.mixup, config.augment.cutmix, seed=config.train.seed + 101)
    if mixing is not None:
        x = mixing(x)
    trainer = Trainer(inputs=image, outputs=logits_model(model, config.targets)(x), name="trainer")
    trainer.mixing = mixing
    trainer.value_targets = tuple(name for name, one in config.targets.items() if one.kind == "regression")
    of_target = {name: _loss(config, name, labels[name]) for name in config.targets}
    trainer.compile(
        optimizer=optimizer(
            config.train,
            steps,
            factors=layer_decay.factors(model, trainer.trainable_variables, config.train.layer_decay),
        ),
        loss=of_target,
        loss_weights={name: config.train.loss_weights.get(name, 1.0) for name in config.targets}
        if config.train.loss_weights
        else None,
        metrics=_metrics(config.targets),
        jit_compile=jit,
    )
    trainer.optimizer.build(trainer.trainable_variables)
    # On TensorFlow Keras would build the metrics while it traces the first step: too late for a checkpoint to put
    # the counts of a cut epoch back, and for a wrong `train.monitor` to be told before an hour is spent
    empty = {name: np.zeros((1, target.units), np.float32) for name, target in config.targets.items()}
    batch = (np.zeros((1, *model.input_shape[1:]), np.float32), empty, np.ones(1, np.float32))
    trainer._symbolic_build(data_batch=batch)
    return trainer


def _metrics(targets) -> dict[str, list[keras.metrics.Metric]]:
    """Metrics by target; their names in the logs are `<target>_<metric>`, which Keras forgets where there is one target only."""
    found = {name: metrics.for_target(target) for name, target in targets.items()}
    if len(found) > 1:
        return found
    return {
        name: [type(one).from_config(one.get_config() | {"name": f"{name}_{one.name}"}) for one in ones]
        for name, ones in found.items()
    }


def monitors(trainer: Trainer) -> list[str]:
    """What `train.monitor` may name: all that the trainer measures, in training and in validation."""
    names = list(trainer.get_metrics_result())
    return names + [f"val_{name}" for name in names]


def refuse_labels(config: Config, labels: dict[str, np.ndarray]) -> None:
    """Labels beyond the bins of a target with `head: bins` would all be learnt as the last bin.

    Args:
        labels: of any fold, {target: (n, k)}.
    Raises:
        MedtfError: names the target, the value and the range.
    """
    for name, target in config.targets.items():
        if target.bins is None:
            continue
        low, high, width = target.bins
        known = labels[name][~np.isnan(labels[name])]
        beyond = known[(known < low) | (known > high)]
        if len(beyond):
            furthest = beyond[np.abs(beyond - (low + high) / 2).argmax()]
            raise MedtfError(
                f"target {name!r}: {len(beyond)} of {len(known)} labels are beyond the bins {low:g} to {high:g}, as {furthest:g} is;"
                f" widen them: targets: {{{name}: {{regression: {{head: bins, bins: [{min(low, known.min()):g}, {max(high, known.max()):g},"
                f" {width:g}]}}}}}}"
            )


def priors(config: Config, labels: dict[str, np.ndarray], order=None) -> dict[str, np.ndarray]:
    """What each head starts from: class frequencies in the stream of the first epoch; of a regression [mean, deviation] in its unit.

    With `head: bins` it is the mean of the soft labels, (bins,): of all constant answers the one with the least loss.

    Args:
        labels: of the training fold.
        order: rows of the first epoch, so that undersampling counts; None: all rows.
    """
    found = {}
    for name, target in config.targets.items():
        values = labels[name] if order is None else labels[name][order]
        values = values[~np.isnan(values).any(axis=1)]
        if len(values) == 0:
            continue
        found[name] = _prior(target, values)
    return found


def _prior(target: Target, values: np.ndarray) -> np.ndarray:
    if target.kind != "regression":
        return values.mean(axis=0)
    if target.head == "bins":
        soft = losses.SoftBinsLoss(target.bins, target.sigma).soft_labels(values)
        return keras.ops.convert_to_numpy(soft).mean(axis=0)
    return np.array([values.mean(), _deviation(values)])


def _deviation(values: np.ndarray) -> float:
    """Standard deviation; 1, in the target's unit, where there is no value or only one of them."""
    found = float(values.std()) if len(values) else 0.0
    return found if found > 1e-6 else 1.0


def _loss(config: Config, name: str, values: np.ndarray):
    target = config.targets[name]
    known = values[~np.isnan(values).any(axis=1)]
    if target.kind == "regression":
        return losses.for_target(target, config.train, scale=_deviation(known))
    if config.train.class_weight == "none":
        return losses.for_target(target, config.train)
    if len(known) == 0:
        return losses.for_target(target, config.train, class_weight=[1.0] * target.units if target.units > 1 else 1.0)
    if target.kind == "binary":
        positive = max(float(known.sum()), 1.0)
        return losses.for_target(target, config.train, class_weight=max(len(known) - positive, 1.0) / positive)
    counts = np.maximum(known.sum(axis=0), 1.0)
    return losses.for_target(target, config.train, class_weight=list(len(known) / (len(counts) * counts)))
