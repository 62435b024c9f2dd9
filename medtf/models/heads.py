"""The end of a network for one target: logits, then what a user reads. All of it is float32 under every policy.

| target | `<t>_logits` | `<t>` | the losses take |
|---|---|---|---|
| binary | (batch, 1) | probability, sigmoid | logits |
| multiclass | (batch, k) | probabilities, softmax | logits |
| regression, `head: value` | (batch, 1) | value in the unit | value |
| regression, `head: bins` | (batch, bins) | expected value over the bins' centres, in the unit (batch, 1) | logits |
| regression, `head: gaussian` | (batch, 2) | mean and standard deviation in the unit (batch, 2) | both |

Only layers of Keras itself are used, so that a saved model opens without medtf.
"""

import math

import keras
import numpy as np
from keras import layers

from medtf.config import Target

# The least standard deviation that a Gaussian head can tell, as a share of that of the training labels: without a floor one example
# that is hit by chance makes the likelihood, and its gradient, grow without bound.
LEAST_DEVIATION = 0.01


def head(features, name: str, target: Target, prior=None):
    """Put a head behind pooled features.

    Args:
        features: KerasTensor (batch, f).
        name: of the target; the outcome is the layer of this name.
        target: what it is.
        prior: what an untrained head says, as in `build.build`; None: 0 (deviation 1), or all classes and bins alike.
    Returns:
        KerasTensor, see the table above.
    """
    if target.kind != "regression":
        bias = 0.0 if prior is None else _log_odds(np.asarray(prior, float), target)
        logits = _dense(features, target.units, name, bias)
        return layers.Activation("sigmoid" if target.kind == "binary" else "softmax", dtype="float32", name=name)(
            logits
        )
    return {"value": _value, "bins": _bins, "gaussian": _gaussian}[target.head](features, name, target, prior)


def names(name: str, target: Target) -> list[str]:
    """Every layer that `head` makes."""
    further = {"bins": ("bins", "weighted"), "gaussian": ("mean", "softplus", "deviation")}.get(target.head, ())
    return [name, f"{name}_logits", *(f"{name}_{more}" for more in further)]


def before_loss(model: keras.Model, name: str, target: Target):
    """The KerasTensor of a built model that the loss of this target takes."""
    of_value = target.kind == "regression" and target.head != "bins"
    return model.get_layer(name if of_value else f"{name}_logits").output


def _dense(features, units: int, name: str, bias=0.0):
    start = keras.initializers.Constant(bias)
    return layers.Dense(units, dtype="float32", bias_initializer=start, name=f"{name}_logits")(features)


def _value(features, name: str, target: Target, prior):
    mean, deviation = _mean_and_deviation(prior)
    return layers.Rescaling(deviation, mean, dtype="float32", name=name)(_dense(features, 1, name))


def _bins(features, name: str, target: Target, prior):
    """Peng 2021 (see `volumes.sfcn`): the mean of the centres, weighted with the softmax."""
    centers = target.bin_centers
    # a bin that no label came near is rare, not impossible: at probability 0 its gradient would be 0 for ever
    bias = 0.0 if prior is None else np.log(np.clip(np.asarray(prior, float), 1e-4, 1)).tolist()
    x = layers.Activation("softmax", dtype="float32", name=f"{name}_bins")(_dense(features, len(centers), name, bias))
    x = layers.Rescaling(list(centers), dtype="float32", name=f"{name}_weighted")(x)
    return layers.Activation("linear", dtype="float32", name=name)(keras.ops.sum(x, axis=-1, keepdims=True))


def _gaussian(features, name: str, target: Target, prior):
    """Mean and standard deviation (Nix and Weigend 1994); softplus keeps the deviation positive, and grows no faster than its input."""
    mean, deviation = _mean_and_deviation(prior)
    start = math.log(math.expm1(1 - LEAST_DEVIATION))  # softplus of it + the floor = 1 deviation
    raw = _dense(features, 2, name, [0.0, start])
    middle = layers.Rescaling(deviation, mean, dtype="float32", name=f"{name}_mean")(raw[:, :1])
    spread = layers.Activation("softplus", dtype="float32", name=f"{name}_softplus")(raw[:, 1:])
    spread = layers.Rescaling(deviation, LEAST_DEVIATION * deviation, dtype="float32", name=f"{name}_deviation")(spread)
    return layers.Concatenate(dtype="float32", name=name)([middle, spread])


def _mean_and_deviation(prior) -> tuple[float, float]:
    return (0.0, 1.0) if prior is None else (float(prior[0]), float(prior[1]))


def _log_odds(prior: np.ndarray, target: Target):
    prior = np.clip(prior, 0.01, 0.99)
    if target.kind == "binary":
        return math.log(prior[0] / (1 - prior[0]))
    return np.log(prior / prior.sum()).tolist()
