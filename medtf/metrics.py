"""Metrics that skip unknown labels.

y_true is (batch, k) with NaN = unknown, y_pred is what the losses take (`medtf.models.heads`). They follow training.
What a report prints is computed on all predictions at once, in `medtf.evaluate`.
"""

import keras
from keras import ops

_package = keras.saving.register_keras_serializable(package="medtf")


def _known(y_true, sample_weight):
    """Labels with 0 for NaN, and the weight of each, 0 where unknown; both (batch, k), float32."""
    y_true = ops.cast(y_true, "float32")
    known = ops.logical_not(ops.isnan(y_true))
    weight = ops.cast(known, "float32")
    if sample_weight is not None:
        weight = weight * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
    return ops.where(known, y_true, 0.0), weight


@_package
class AUC(keras.metrics.AUC):
    """Area under the ROC curve, all k labels in one pool, by 200 buckets; a soft label over 1/2 is positive.

    With logits the buckets lie in logit / (4 + |logit|), not in the probability as Keras has them: the area knows
    order only, and the probabilities of a rare finding all fall into the first bucket of 0.005, where its area is 0.5
    whatever the model knows.

    Args:
        from_logits: whether `y_pred` are logits, or probabilities in [0, 1].
        name: of the metric.
        **kwargs: of `keras.metrics.AUC`.
    """

    def __init__(self, from_logits: bool = True, name: str = "auc", **kwargs):
        super().__init__(name=name, **kwargs)  # Keras would put logits through a sigmoid
        self.from_logits = from_logits

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; `sample_weight` (batch,)."""
        y_true, weight = _known(y_true, sample_weight)
        y_pred = ops.cast(y_pred, "float32")
        scores = 0.5 + 0.5 * y_pred / (4.0 + ops.abs(y_pred)) if self.from_logits else y_pred
        super().update_state(y_true > 0.5, scores, weight)

    def get_config(self) -> dict:
        """With `from_logits`."""
        return {**super().get_config(), "from_logits": self.from_logits}


class _MaskedMean(keras.metrics.Mean):
    """The mean over what is known, weighted."""

    def _add(self, values, weight):
        super().update_state(ops.reshape(values, (-1,)), ops.reshape(weight, (-1,)))


@_package
class Accuracy(_MaskedMean):
    """Share of examples whose largest logit is that of their class; y_true one-hot, a row with a NaN is unknown."""

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; `sample_weight` (batch,)."""
        y_true, weight = _known(y_true, sample_weight)
        self._add(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)), ops.min(weight, axis=-1))


@_package
class LogLoss(_MaskedMean):
    """Mean binary log loss of the known labels, in nats.

    Args:
        from_logits: whether `y_pred` are logits, or probabilities in [0, 1] (then kept 1e-7 off both ends).
        name: of the metric.
        dtype: of `keras.metrics.Metric`.
    """

    def __init__(self, from_logits: bool = True, name: str = "log_loss", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; `sample_weight` (batch,)."""
        y_true, weight = _known(y_true, sample_weight)
        y_pred = ops.cast(y_pred, "float32")
        if not self.from_logits:
            y_pred = ops.clip(y_pred, 1e-7, 1.0 - 1e-7)
            y_pred = ops.log(y_pred) - ops.log1p(-y_pred)
        self._add(y_true * ops.softplus(-y_pred) + (1.0 - y_true) * ops.softplus(y_pred), weight)

    def get_config(self) -> dict:
        """With `from_logits`."""
        return {**super().get_config(), "from_logits": self.from_logits}


@_package
class MeanAbsoluteError(_MaskedMean):
    """Mean absolute error of the known labels, in their unit.

    Args:
        name: of the metric.
        dtype: of `keras.metrics.Metric`.
        bin_centers: `y_pred` are logits of bins with these centres, in the unit; their expected value is judged. None: the first
            column of `y_pred` is the value (of `head: gaussian` the mean; what follows it is its deviation).
    """

    def __init__(self, name: str = "mean_absolute_error", dtype=None, *, bin_centers=None):
        super().__init__(name=name, dtype=dtype)
        self.bin_centers = None if bin_centers is None else [float(center) for center in bin_centers]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; `sample_weight` (batch,)."""
        y_true, weight = _known(y_true, sample_weight)
        y_pred = ops.cast(y_pred, "float32")
        if self.bin_centers is None:
            value = y_pred[:, :1]
        else:
            centers = ops.convert_to_tensor(self.bin_centers, dtype="float32")
            value = ops.sum(ops.softmax(y_pred, axis=-1) * centers, axis=-1, keepdims=True)
        self._add(ops.abs(y_true - value), weight)

    def get_config(self) -> dict:
        """With `bin_centers`."""
        return {**super().get_config(), "bin_centers": self.bin_centers}


def for_target(target) -> list[keras.metrics.Metric]:
    """The metrics that follow a `medtf.config.Target` in training: `auc`, `accuracy` or `mean_absolute_error` (in the unit, whatever the head)."""
    if target.kind == "regression":
        return [MeanAbsoluteError(bin_centers=target.bin_centers if target.head == "bins" else None)]
    return [{"binary": AUC, "multiclass": Accuracy}[target.kind]()]
