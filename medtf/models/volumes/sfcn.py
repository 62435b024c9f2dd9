"""SFCN, the simple fully convolutional network of brain age.

Peng, Gong, Beckmann, Vedaldi and Smith 2021, Accurate brain age prediction with lightweight deep neural networks, Medical Image
Analysis 68: 101871; their code is ha-ha-ha-han/UKBiobank_deep_pretrain, and with 40 bins the parameters are as many: 2,952,936.
There a pooling of 5 x 6 x 5 ends on 160 x 192 x 160 voxels; here the mean goes over what is left of any size, which is the same
on theirs. The paper trains with `head: bins` (40 bins of a year, sigma 1), `dropout: 0.5` and SGD.
"""

from keras import layers

from medtf.models.volumes.blocks import pool

WIDTHS = (32, 64, 128, 256, 256)
LAST = 64
LEAST = 2 ** len(WIDTHS)


def features(volume, blocks):
    """(batch, d, h, w, channels) -> (batch, d / 32, h / 32, w / 32, 64); sizes are rounded down."""
    x = volume
    for place, width in enumerate(WIDTHS, 1):
        # the bias before batch normalisation does nothing, and is in the published number of parameters
        x = blocks.conv(x, width, 3, f"block{place}_conv", bias=True)
        x = blocks.normed(x, f"block{place}")
        x = pool(x, 2, f"block{place}_pool")
        x = blocks.excited(layers.ReLU(name=f"block{place}_relu")(x), f"block{place}")
    x = blocks.conv(x, LAST, 1, "block6_conv", bias=True)
    return blocks.excited(blocks.active(x, "block6"), "block6")
