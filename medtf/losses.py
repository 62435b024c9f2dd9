"""Losses that skip unknown labels.

y_true is (batch, k) with NaN = unknown, y_pred is (batch, k) logits, or values in their unit (`medtf.models.heads`). An unknown label adds
exactly 0 to the loss and its gradient is exactly 0. What is known is divided by k and by the batch, whatever is
unknown, so a label weighs the same in every batch. Everything is computed in float32 under every policy. Labels may
be soft (MixUp, label smoothing).
"""

import keras
import numpy as np
from keras import ops

from medtf.losses_masked import MaskedLoss, positive
from medtf.losses_regression import GaussianLoss, RegressionLoss, SoftBinsLoss

_package = keras.saving.register_keras_serializable(package="medtf")


@_package
class BinaryLogLoss(MaskedLoss):
    """Binary cross-entropy on logits: -w y log p - (1 - y) log(1 - p), p = sigmoid(logit).

    Args:
        positive_weight: w, the weight of a positive label; negatives to positives balances them. None: 1.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    def __init__(self, positive_weight: float | None = None, *, reduction="sum_over_batch_size", name="log_loss"):
        super().__init__(reduction=reduction, name=name)
        self.positive_weight = None if positive_weight is None else positive("positive_weight", positive_weight)

    def elementwise(self, y_true, y_pred):
        """log p = -softplus(-logit): no overflow, no log(0)."""
        weight = 1.0 if self.positive_weight is None else self.positive_weight
        return weight * y_true * ops.softplus(-y_pred) + (1.0 - y_true) * ops.softplus(y_pred)

    def get_config(self) -> dict:
        """With `positive_weight`."""
        return {**super().get_config(), "positive_weight": self.positive_weight}


@_package
class BinaryFocalLoss(MaskedLoss):
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
class CategoricalLogLoss(MaskedLoss):
    """Cross-entropy on logits of k classes: -sum w y log softmax(logits). A row with a NaN is unknown.

    Args:
        class_weight: k weights; None: 1 each.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    by_row = True

    def __init__(self, class_weight=None, *, reduction="sum_over_batch_size", name="log_loss"):
        super().__init__(reduction=reduction, name=name)
        self.class_weight = None if class_weight is None else [positive("class_weight", w) for w in class_weight]

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


def for_target(target, train, *, class_weight=None, scale: float = 1.0) -> keras.losses.Loss:
    """The loss of a target.

    Args:
        target: a `medtf.config.Target`.
        train: a `medtf.config.Train`: `loss`, `class_weight`, and `regression_loss`, which is of `head: value` alone.
        class_weight: what the caller counted in the training fold: of a binary target the weight of a positive
            (negatives to positives), of a multiclass one k weights. None: none.
        scale: of a regression, the standard deviation of the training labels.

    Raises:
        ValueError: `train.class_weight` asks for balance and `class_weight` is missing, or there are not k weights.
    """
    if target.kind == "regression":
        if target.head == "bins":
            return SoftBinsLoss(target.bins, target.sigma)
        return GaussianLoss(scale) if target.head == "gaussian" else RegressionLoss(train.regression_loss, scale)
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


def _gamma(value: float) -> float:
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"`gamma`: expected a finite number of 0 or more, got {value!r}")
    return float(value)
