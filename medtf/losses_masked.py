"""What all losses have in common: unknown labels add nothing."""

import keras
import numpy as np
from keras import ops


class MaskedLoss(keras.losses.Loss):
    """A loss of labels (batch, k) with NaN = unknown; an unknown label adds exactly 0, and its gradient is exactly 0.

    Masked on the way in and on the way out: with one `where` only, the gradient of a masked NaN is 0 * NaN = NaN.

    Args:
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

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


def positive(name: str, value: float) -> float:
    """`value` as a float; a ValueError that names the argument where it is not a finite number over 0."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"`{name}`: expected a finite number over 0, got {value!r}")
    return float(value)
