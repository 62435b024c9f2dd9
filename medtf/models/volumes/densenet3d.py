"""3D DenseNet-121: every layer sees the maps of all layers before it in its block.

Huang 2017, arXiv 1608.06993, with every kernel a cube and one grey channel, as MONAI has it; parameters as many as there.
Squeeze-and-excitation, which the paper does not know, stands behind each of the four blocks.
"""

from keras import layers

from medtf.models.volumes.blocks import pool, stem_pool

DEPTHS = (6, 12, 24, 16)
GROWTH = 32
LEAST = 29  # one voxel is left after the stem's 4 and three halvings


def features(volume, blocks):
    """(batch, d, h, w, channels) -> (batch, d / 32, h / 32, w / 32, 1024); sizes are rounded."""
    x = blocks.conv(volume, 2 * GROWTH, 7, "stem_conv", strides=2)
    x = stem_pool(blocks.active(x, "stem"), "stem_pool")
    for stage, depth in enumerate(DEPTHS, 1):
        for place in range(1, depth + 1):
            name = f"stage{stage}_layer{place}"
            new = blocks.conv(blocks.active(x, f"{name}_conv1"), 4 * GROWTH, 1, f"{name}_conv1")
            new = blocks.conv(blocks.active(new, f"{name}_conv2"), GROWTH, 3, f"{name}_conv2")
            x = layers.Concatenate(name=f"{name}_concat")([x, new])
        x = blocks.excited(x, f"stage{stage}")
        if stage < len(DEPTHS):
            name = f"transition{stage}"
            x = blocks.conv(blocks.active(x, name), x.shape[-1] // 2, 1, f"{name}_conv")
            x = pool(x, 2, f"{name}_pool", mean=True)
    return blocks.active(x, "last")
