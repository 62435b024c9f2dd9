"""3D ResNet: the residual network with every kernel a cube.

He 2016, arXiv 1512.03385; in 3D Hara 2018, arXiv 1708.07577, and for medical volumes Chen 2019 (MedicalNet), arXiv 1904.00625. One
grey channel, a stem of 7^3 with stride 2 on all axes (Hara keeps the time axis where clips are short), strides in the 3^3
convolution of a bottleneck. All shortcuts that change a shape are projections (type B of He 2016); MedicalNet has type A,
without parameters, in its 18 and 34. The last stages have strides and not MedicalNet's dilation, which is for segmentation.
"""

from functools import partial

from keras import layers

from medtf.models.volumes.blocks import stem_pool

# name -> (blocks of the four stages, bottleneck)
DEPTHS = {
    "resnet3d_10": ((1, 1, 1, 1), False),
    "resnet3d_18": ((2, 2, 2, 2), False),
    "resnet3d_34": ((3, 4, 6, 3), False),
    "resnet3d_50": ((3, 4, 6, 3), True),
}
WIDTHS = (64, 128, 256, 512)
LEAST = 8


def of(name: str):
    """The function `features` of a name in DEPTHS."""
    depths, bottleneck = DEPTHS[name]
    return partial(features, depths=depths, bottleneck=bottleneck)


def features(volume, blocks, *, depths, bottleneck: bool):
    """(batch, d, h, w, channels) -> (batch, d / 32, h / 32, w / 32, 512, or 2048 with bottlenecks); sizes are rounded up."""
    x = blocks.conv(volume, 64, 7, "stem_conv", strides=2)
    x = stem_pool(blocks.active(x, "stem"), "stem_pool")
    block = _bottleneck if bottleneck else _basic
    for stage, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        for place in range(1, depth + 1):
            x = block(x, blocks, width, 2 if stage > 1 and place == 1 else 1, f"stage{stage}_block{place}")
    return x


def _basic(x, blocks, width: int, strides: int, name: str):
    inner = blocks.active(blocks.conv(x, width, 3, f"{name}_conv1", strides=strides), f"{name}_conv1")
    inner = blocks.normed(blocks.conv(inner, width, 3, f"{name}_conv2"), f"{name}_conv2")
    return _added(x, inner, blocks, strides, name)


def _bottleneck(x, blocks, width: int, strides: int, name: str):
    inner = blocks.active(blocks.conv(x, width, 1, f"{name}_conv1"), f"{name}_conv1")
    inner = blocks.active(blocks.conv(inner, width, 3, f"{name}_conv2", strides=strides), f"{name}_conv2")
    inner = blocks.normed(blocks.conv(inner, 4 * width, 1, f"{name}_conv3"), f"{name}_conv3")
    return _added(x, inner, blocks, strides, name)


def _added(x, inner, blocks, strides: int, name: str):
    if strides > 1 or x.shape[-1] != inner.shape[-1]:
        x = blocks.conv(x, inner.shape[-1], 1, f"{name}_shortcut", strides=strides)
        x = blocks.normed(x, f"{name}_shortcut")
    inner = blocks.excited(inner, name)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, inner]))
