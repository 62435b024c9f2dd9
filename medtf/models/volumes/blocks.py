"""What the networks of volumes are made of: convolution, normalisation, squeeze-and-excitation, each under its name."""

import dataclasses

import keras
from keras import layers

_INIT = {"he": "he_normal", "glorot": "glorot_uniform"}


@dataclasses.dataclass(frozen=True)
class Blocks:
    """The choices that hold for a whole network; its methods put one layer, or a few, behind a KerasTensor.

    Args:
        norm: `batch`; `group` (Wu 2018, arXiv 1803.08494: at most 32 groups of at least 4 channels, as many as divide the channels);
            `instance` (Ulyanov 2016, arXiv 1607.08022: each channel of each volume by itself).
        se: squeeze-and-excitation after each block.
        init: of the convolutions: `he` (normal, He 2015, arXiv 1502.01852) or `glorot` (uniform, Glorot 2010).
        momentum: of batch normalisation's moving averages.
    """

    norm: str = "batch"
    se: bool = False
    init: str = "he"
    momentum: float = 0.99

    def conv(self, x, filters: int, kernel: int, name: str, *, strides: int = 1, dilation: int = 1, bias: bool = False):
        """A convolution that keeps the size, or divides it by `strides`.

        With a stride the border is put on both sides alike: "same" would shift the grid by half a voxel on even sizes, and weights
        of networks trained elsewhere would not fit.
        """
        padding = "same"
        if strides > 1 and kernel > 1:
            x, padding = layers.ZeroPadding3D(kernel // 2, name=f"{name}_pad")(x), "valid"
        return layers.Conv3D(
            filters,
            kernel,
            strides=strides,
            padding=padding,
            dilation_rate=dilation,
            use_bias=bias,
            kernel_initializer=_INIT[self.init],
            name=name,
        )(x)

    def normed(self, x, name: str):
        """`x` normalised; the layer's name tells which normalisation it is."""
        if self.norm == "batch":
            # 1e-5 as in the networks' own code (Keras has 1e-3)
            return layers.BatchNormalization(momentum=self.momentum, epsilon=1e-5, name=f"{name}_batch_norm")(x)
        groups = -1 if self.norm == "instance" else groups_of(x.shape[-1])
        return layers.GroupNormalization(groups, epsilon=1e-5, name=f"{name}_{self.norm}_norm")(x)

    def active(self, x, name: str):
        """`x` normalised, then rectified."""
        return layers.ReLU(name=f"{name}_relu")(self.normed(x, name))

    def excited(self, x, name: str):
        """Squeeze-and-excitation (Hu 2018, arXiv 1709.01507) where it is wanted, with a reduction of 16 and at least 4 channels between."""
        if not self.se:
            return x
        channels = x.shape[-1]
        weight = layers.GlobalAveragePooling3D(keepdims=True, name=f"{name}_squeeze")(x)
        weight = layers.Dense(max(channels // 16, 4), activation="relu", name=f"{name}_excite1")(weight)
        weight = layers.Dense(channels, activation="sigmoid", name=f"{name}_excite2")(weight)
        return layers.Multiply(name=f"{name}_excited")([x, weight])


def pool(x, size: int, name: str, *, mean: bool = False):
    """The largest (or the mean) of size^3 voxels at every second one.

    On CPUs TensorFlow pools volumes in float32 and bfloat16 alone: under float16 the layer works in float32, or a model that was
    trained on a GPU could not be used without one.
    """
    layer = layers.AveragePooling3D if mean else layers.MaxPooling3D
    dtype = "float32" if keras.config.dtype_policy().compute_dtype == "float16" else None
    return layer(size, strides=2, dtype=dtype, name=name)(x)


def stem_pool(x, name: str):
    """Behind the stem of ResNet and DenseNet: the largest of 3^3 at every second voxel, the border on both sides alike.

    Args:
        x: rectified, so that the zeros of the border never are the largest.
        name: of the layer.
    """
    return pool(layers.ZeroPadding3D(1, name=f"{name}_pad")(x), 3, name)


def groups_of(channels: int) -> int:
    """Groups of group normalisation: at most 32, of at least 4 channels each; with one channel each it would be instance normalisation."""
    return max(g for g in range(1, 33) if channels % g == 0 and (g == 1 or channels // g >= 4))
