"""The learning rate's course and the optimizer."""

import keras

from medtf.layer_decay import LayerwiseAdamW, LayerwiseSGD

# On TensorFlow Keras matches these against the whole path (`beta_conv/kernel:0`), elsewhere against the last name alone
NO_DECAY = r"(^|/)(bias|gamma|beta|scale|(\w+_)?token)(/replica_\d+)?(:\d+)?$"


def learning_rate(train, steps: int):
    """Linear warm-up, then a cosine to 0 (Loshchilov 2017, arXiv 1608.03983) or constant.

    Args:
        train: a `medtf.config.Train`: `learning_rate`, `warmup`, `schedule`.
        steps: batches in the whole run. Keras asks a schedule by the batch, also where `accumulate` batches make one
            update.

    Returns:
        A `LearningRateSchedule`; a float where the rate never changes, which callbacks may then set.

    Raises:
        ValueError: `steps` is under 1.
    """
    if steps < 1:
        raise ValueError(f"`steps`: expected 1 or more batches in the whole run, got {steps!r}")
    rate = train.learning_rate
    warmup = min(round(train.warmup * steps), steps - 1)
    if train.schedule == "constant" and not warmup:
        return rate
    # alpha is where the cosine ends, as a share of the rate: 1 makes it constant
    rest = {"decay_steps": steps - warmup, "alpha": float(train.schedule == "constant")}
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, **rest)
    # batch s gets (s + 1) / (warmup + 1) of the rate: from 0 the first batch would teach nothing
    return keras.optimizers.schedules.CosineDecay(rate / (warmup + 1), warmup_target=rate, warmup_steps=warmup, **rest)


def optimizer(train, steps: int, *, factors: tuple[float, ...] | None = None) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov 2019, arXiv 1711.05101), or SGD with Nesterov momentum 0.9; both with decoupled weight decay.

    Biases, the scales and offsets of norms, and class and mask tokens do not decay. Keras keeps that list out of the optimizer's config: an
    optimizer that comes out of a `.keras` file decays everything, so make it here and load its variables.

    With `ema` the weights stay raw until `fit` ends, and are then overwritten by their average
    (`ema_overwrite_frequency` None).

    Args:
        train: a `medtf.config.Train`.
        steps: batches in the whole run, see `learning_rate`.
        factors: of learning rate and weight decay, one a variable (`medtf.layer_decay.factors`); None: 1 for all.

    Returns:
        A `keras.optimizers.AdamW` or `keras.optimizers.SGD`, not built yet.
    """
    accumulate = train.accumulate
    common = {
        "learning_rate": learning_rate(train, steps),
        "global_clipnorm": train.clip_norm,
        "use_ema": train.ema > 0,
        # Keras averages at every batch, also between updates; the root makes it `ema` an update
        "ema_momentum": train.ema ** (1 / accumulate),
        "ema_overwrite_frequency": None,
        "gradient_accumulation_steps": accumulate if accumulate > 1 else None,
    }
    kinds = {"adamw": (keras.optimizers.AdamW, LayerwiseAdamW), "sgd": (keras.optimizers.SGD, LayerwiseSGD)}
    kind = kinds[train.optimizer][factors is not None]
    if factors is not None:
        common["factors"] = factors
    if train.optimizer == "adamw":
        made = kind(weight_decay=train.weight_decay, **common)
    else:
        made = kind(momentum=0.9, nesterov=True, weight_decay=train.weight_decay or None, **common)
    made.exclude_from_weight_decay(var_names=[NO_DECAY])
    return made
