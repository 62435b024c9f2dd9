"""Losses that skip unknown labels.

y_true is (batch, k) with NaN = unknown, y_pred is (batch, k) logits, or values in their unit. An unknown label adds
exactly 0 to the loss and its gradient is exactly 0. What is known is divided by k and by the batch, whatever is
unknown, so a label weighs the same in every batch. Everything is computed in float32 under every policy. Labels may
be soft (MixUp, label smoothing).
"""

import keras
import numpy as np
from keras import ops

_package = keras.saving.register_keras_serializable(package="medtf")


class _MaskedLoss(keras.losses.Loss):
    """Mask on the way in and on the way out: with one `where` only, the gradient of a masked NaN is 0 * NaN = NaN."""

    by_row = False  # whether one NaN makes the whole row unknown

    def __init__(self, *, reduction="sum_over_batch_size", name=None):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true, y_pred):
        """Loss by example, (batch,)."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        known = ops.logical_not(ops.isnan(y_true))
        if self.by_row:
            known = ops.logical_and(ops.all(known, axis=-1, keepdims=True), ops.ones_like(known))
        values = self.elementwise(ops.where(known, y_true, 0.0), ops.where(known, y_pred, 0.0))
        values = ops.where(known, values, 0.0)
        return ops.sum(values, axis=-1) if self.by_row else ops.mean(values, axis=-1)

    def elementwise(self, y_true, y_pred):
        """Loss by label, (batch, k), of labels without NaN."""
        raise NotImplementedError


@_package
class BinaryLogLoss(_MaskedLoss):
    """Binary cross-entropy on logits: -w y log p - (1 - y) log(1 - p), p = sigmoid(logit).

    Args:
        positive_weight: w, the weight of a positive label; negatives to positives balances them. None: 1.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    def __init__(self, positive_weight: float | None = None, *, reduction="sum_over_batch_size", name="log_loss"):
        super().__init__(reduction=reduction, name=name)
        self.positive_weight = None if positive_weight is None else _positive("positive_weight", positive_weight)

    def elementwise(self, y_true, y_pred):
        """log p = -softplus(-logit): no overflow, no log(0)."""
        weight = 1.0 if self.positive_weight is None else self.positive_weight
        return weight * y_true * ops.softplus(-y_pred) + (1.0 - y_true) * ops.softplus(y_pred)

    def get_config(self) -> dict:
        """With `positive_weight`."""
        return {**super().get_config(), "positive_weight": self.positive_weight}


@_package
class BinaryFocalLoss(_MaskedLoss):
    """Focal loss on logits: -a y (1 - p)^gamma log p - (1 - a)(1 - y) p^gamma log(1 - p).

    What is easy counts little. Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv 1708.02002, equations 4
    and 5; they take gamma 2, alpha 0.25.

    Args:
        gamma: 0 or more; 0 is the log loss.
        alpha: weight of positive labels in (0, 1), that of negative ones is 1 - alpha. None: both 1.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    def __init__(self, gamma: float = 2.0, alpha=None, *, reduction="sum_over_batch_size", name="focal"):
        super().__init__(reduction=reduction, name=name)
        self.gamma = _gamma(gamma)
        if alpha is not None and not 0 < alpha < 1:
            raise ValueError(f"`alpha`: expected None or a number in (0, 1), got {alpha!r}")
        self.alpha = alpha

    def elementwise(self, y_true, y_pred):
        """(1 - p)^gamma = exp(-gamma softplus(logit)), whose gradient is finite for every gamma."""
        positive, negative = (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)
        no, yes = ops.softplus(y_pred), ops.softplus(-y_pred)  # -log(1 - p), -log p
        focal = positive * y_true * ops.exp(-self.gamma * no) * yes
        return focal + negative * (1.0 - y_true) * ops.exp(-self.gamma * yes) * no

    def get_config(self) -> dict:
        """With `gamma` and `alpha`."""
        return {**super().get_config(), "gamma": self.gamma, "alpha": self.alpha}


@_package
class CategoricalLogLoss(_MaskedLoss):
    """Cross-entropy on logits of k classes: -sum w y log softmax(logits). A row with a NaN is unknown.

    Args:
        class_weight: k weights; None: 1 each.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    by_row = True

    def __init__(self, class_weight=None, *, reduction="sum_over_batch_size", name="log_loss"):
        super().__init__(reduction=reduction, name=name)
        self.class_weight = None if class_weight is None else [_positive("class_weight", w) for w in class_weight]

    def elementwise(self, y_true, y_pred):
        """The terms of the sum."""
        weight = 1.0 if self.class_weight is None else ops.convert_to_tensor(self.class_weight, dtype="float32")
        return -weight * y_true * ops.log_softmax(y_pred, axis=-1)

    def get_config(self) -> dict:
        """With `class_weight`."""
        return {**super().get_config(), "class_weight": self.class_weight}


@_package
class CategoricalFocalLoss(CategoricalLogLoss):
    """Focal loss on logits of k classes: -sum w y (1 - p)^gamma log p, p = softmax(logits).

    Lin et al. 2017, arXiv 1708.02002.

    Args:
        gamma: 0 or more; 0 is the log loss.
        class_weight: k weights; None: 1 each.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    def __init__(self, gamma: float = 2.0, class_weight=None, *, reduction="sum_over_batch_size", name="focal"):
        super().__init__(class_weight, reduction=reduction, name=name)
        self.gamma = _gamma(gamma)

    def elementwise(self, y_true, y_pred):
        """The terms of the sum."""
        # float32 knows 1 - p to 6e-8; the floor keeps the gradient of a power below 1 finite
        other = ops.maximum(1.0 - ops.softmax(y_pred, axis=-1), 1e-7)
        return ops.power(other, self.gamma) * super().elementwise(y_true, y_pred)

    def get_config(self) -> dict:
        """With `gamma`."""
        return {**super().get_config(), "gamma": self.gamma}


@_package
class RegressionLoss(_MaskedLoss):
    """Loss of a value in its unit, divided by a scale in the same unit: e = (y - value) / scale.

    So the loss of an age in years and that of a volume in ml weigh alike, and a learning rate fits both.

    Args:
        kind: absolute, |e|; squared, e^2; huber, e^2 / 2 up to |e| = 1 and |e| - 1/2 beyond (Huber 1964).
        scale: in the label's unit, over 0: the standard deviation of the training labels.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    def __init__(self, kind="absolute", scale: float = 1.0, *, reduction="sum_over_batch_size", name="regression"):
        super().__init__(reduction=reduction, name=name)
        if kind not in ("absolute", "squared", "huber"):
            raise ValueError(f"`kind`: expected absolute, squared or huber, got {kind!r}")
        self.kind = kind
        self.scale = _positive("scale", scale)

    def elementwise(self, y_true, y_pred):
        """By `kind`."""
        error = ops.abs(y_true - y_pred) / self.scale
        if self.kind == "absolute":
            return error
        if self.kind == "squared":
            return ops.square(error)
        inner = ops.minimum(error, 1.0)  # inner^2 / 2 + what is beyond
        return 0.5 * ops.square(inner) + (error - inner)

    def get_config(self) -> dict:
        """With `kind` and `scale`."""
        return {**super().get_config(), "kind": self.kind, "scale": self.scale}


def for_target(target, train, *, class_weight=None, scale: float = 1.0) -> keras.losses.Loss:
    """The loss of a target.

    Args:
        target: a `medtf.config.Target`.
        train: a `medtf.config.Train`: `loss`, `regression_loss`, `class_weight`.
        class_weight: what the caller counted in the training fold: of a binary target the weight of a positive
            (negatives to positives), of a multiclass one k weights. None: none.
        scale: of a regression, the standard deviation of the training labels.

    Raises:
        ValueError: `train.class_weight` asks for balance and `class_weight` is missing, or there are not k weights.
    """
    if target.kind == "regression":
        return RegressionLoss(train.regression_loss, scale)
    if train.class_weight == "balanced" and class_weight is None:
        raise ValueError("train.class_weight is balanced: expected `class_weight`, counted in the training fold")
    focal = train.loss == "focal"
    if target.kind == "multiclass":
        if class_weight is not None and len(class_weight) != target.units:
            raise ValueError(f"`class_weight`: expected {target.units} weights, one a class, got {len(class_weight)}")
        return (CategoricalFocalLoss if focal else CategoricalLogLoss)(class_weight=class_weight)
    if not focal:
        return BinaryLogLoss(class_weight)
    # the same ratio of positives to negatives, w : 1
    return BinaryFocalLoss(alpha=None if class_weight is None else class_weight / (1.0 + class_weight))


def _positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"`{name}`: expected a finite number over 0, got {value!r}")
    return float(value)


def _gamma(value: float) -> float:
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"`gamma`: expected a finite number of 0 or more, got {value!r}")
    return float(value)
