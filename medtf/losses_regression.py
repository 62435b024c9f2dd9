"""Losses of a value in its unit: of one number, of bins with soft labels, of a Gaussian. Unknown labels (NaN) add nothing."""

import keras
from keras import ops

from medtf.losses_masked import MaskedLoss, positive

_package = keras.saving.register_keras_serializable(package="medtf")


@_package
class RegressionLoss(MaskedLoss):
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
        self.scale = positive("scale", scale)

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


@_package
class SoftBinsLoss(MaskedLoss):
    """Kullback-Leibler divergence of predicted bins from a soft label, KL(soft || softmax(logits)), in nats.

    The soft label of a value y is the share of a normal distribution (mean y, deviation sigma) in each bin: Peng 2021, Medical Image
    Analysis 68: 101871. Other than there it is divided by its sum, so that it is a distribution for ages near the ends too. A value beyond
    the ends counts as the end; `medtf.fitting.trainer` refuses such labels in the training fold.

    Args:
        bins: (lower edge, upper edge, width), in the label's unit.
        sigma: deviation of a soft label, in the label's unit.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    by_row = True

    def __init__(self, bins, sigma: float = 1.0, *, reduction="sum_over_batch_size", name="soft_bins"):
        super().__init__(reduction=reduction, name=name)
        low, high, width = (float(number) for number in bins)
        count = round((high - low) / positive("width", width))
        if count < 2:
            raise ValueError(f"`bins`: expected at least two, (lowest, highest, width), got {bins!r}")
        self.bins = (low, high, width)
        self.sigma = positive("sigma", sigma)
        self.edges = [low + i * width for i in range(count + 1)]

    def soft_labels(self, y_true):
        """Labels (batch, 1) in the unit, without NaN, to (batch, bins): each row sums to 1."""
        y_true = ops.clip(ops.cast(y_true, "float32"), self.edges[0], self.edges[-1])
        edges = ops.convert_to_tensor(self.edges, dtype="float32")
        below = ops.erf((edges - y_true) / (self.sigma * 2**0.5))  # 2 (share of the normal below an edge) - 1
        share = below[:, 1:] - below[:, :-1]
        return share / ops.sum(share, axis=-1, keepdims=True)

    def elementwise(self, y_true, y_pred):
        """The terms of the sum; of a bin without a share 0 log 0 = 0."""
        soft = self.soft_labels(y_true)
        return soft * (ops.log(ops.maximum(soft, 1e-30)) - ops.log_softmax(y_pred, axis=-1))

    def get_config(self) -> dict:
        """With `bins` and `sigma`."""
        return {**super().get_config(), "bins": list(self.bins), "sigma": self.sigma}


@_package
class GaussianLoss(MaskedLoss):
    """Negative log likelihood of a normal distribution with predicted mean m and deviation s: z^2 / 2 + log(s / scale), z = (y - m) / s.

    Nix and Weigend 1994, Estimating the mean and variance of the target probability distribution; Kendall and Gal 2017, arXiv 1703.04977. With s
    in the scale's unit it weighs like the losses of other heads: a half where m is the training mean and s the training deviation.
    The constant log(2 pi) / 2 is left out; below 0 is possible.

    Args:
        scale: in the label's unit, over 0: the standard deviation of the training labels.
        reduction: of `keras.losses.Loss`.
        name: of the loss.
    """

    by_row = True

    def __init__(self, scale: float = 1.0, *, reduction="sum_over_batch_size", name="gaussian"):
        super().__init__(reduction=reduction, name=name)
        self.scale = positive("scale", scale)

    def elementwise(self, y_true, y_pred):
        """Of labels (batch, 1) and [mean, deviation] (batch, 2), deviation over 0: (batch, 1)."""
        # what is masked comes as deviation 0: any number will do there, but not a NaN
        deviation = ops.maximum(y_pred[:, 1:], 1e-6 * self.scale)
        return 0.5 * ops.square((y_true - y_pred[:, :1]) / deviation) + ops.log(deviation / self.scale)

    def get_config(self) -> dict:
        """With `scale`."""
        return {**super().get_config(), "scale": self.scale}
