"""HighRes3DNet: nine residual blocks at full resolution whose kernels reach further by dilation, not by pooling.

Li 2017, arXiv 1707.01992. 19 of the paper's 20 convolutions: the last, 1^3 to 160 labels of each voxel, gives way to the mean over all
voxels and a linear head. Blocks are normalisation - rectifier - convolution, twice; where the channels double, the shortcut
is padded with zeros, half before and half behind (no parameters). A normalisation and a rectifier follow the last sum, as in He 2016, arXiv
1603.05027 (128 parameters): the paper's classifier has its own.
Nothing is pooled, so it is costly: 0.8 M parameters meet every voxel, 0.7 trillion multiply-adds at 96^3.
"""

from keras import layers

# dilation -> channels; three blocks each
STAGES = {1: 16, 2: 32, 4: 64}
LEAST = 8


def features(volume, blocks):
    """(batch, d, h, w, channels) -> (batch, d, h, w, 64)."""
    x = blocks.active(blocks.conv(volume, 16, 3, "stem_conv"), "stem")
    for stage, (dilation, width) in enumerate(STAGES.items(), 1):
        for place in range(1, 4):
            name = f"stage{stage}_block{place}"
            inner = x
            for conv in (f"{name}_conv1", f"{name}_conv2"):
                inner = blocks.conv(blocks.active(inner, conv), width, 3, conv, dilation=dilation)
            inner = blocks.excited(inner, name)
            x = layers.Add(name=f"{name}_add")([_widened(x, width, name), inner])
    return blocks.active(x, "last")


def _widened(x, width: int, name: str):
    """`x` with channels of zeros on both sides: a channel axis is padded where it stands between two others."""
    missing = width - x.shape[-1]
    if not missing:
        return x
    sides = tuple(x.shape[1:4])
    x = layers.Reshape((sides[0] * sides[1] * sides[2], x.shape[-1], 1), name=f"{name}_flat")(x)
    x = layers.ZeroPadding2D(((0, 0), (missing // 2, missing - missing // 2)), name=f"{name}_widened")(x)
    return layers.Reshape((*sides, width), name=f"{name}_wide")(x)
