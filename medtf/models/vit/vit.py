"""Vision transformers (Dosovitskiy 2021, arXiv 2010.11929): an image as a row of patches, each of which looks at all others.

What differs from the paper, and why: positions are sines and cosines that are not learnt (He 2022, Chen 2021), since a few thousand
images do not teach a network where things are. Patches are normalised and then averaged, without a class token, which costs nothing
(Beyer 2022, Better plain ViT baselines for ImageNet-1k, arXiv 2205.01580); `pool: token` has it. He 2022 normalises after the mean when
fine-tuning. Here `norm` comes before it, as in Beyer 2022: it is then the very layer that pretraining taught, and the whole encoder goes
from one training to the next unchanged.
"""

from keras import layers

from medtf.errors import AskedWronglyError
from medtf.models.names import TRANSFORMERS
from medtf.models.vit import blocks
from medtf.models.vit.positions import Positions
from medtf.models.vit.tokens import ClassToken, FirstToken


def features(image, name: str, *, pool: str = "gap", drop_path: float = 0.0):
    """One vector of features an image; the layers are `scaling`, `patch_embedding`, `patches`, `positions`, with `pool: token` `class_token`,
    those of `blocks.layers_of`, and at the end `gap` or `token`.

    Args:
        image: KerasTensor (batch, height, width, channels) in [0, 1], of a size that `check` lets through; any number of channels.
        name: a key of `names.TRANSFORMERS`.
        pool: gap, the mean of the patches, or token, the class token.
        drop_path: rate of stochastic depth in the last block.
    Returns:
        KerasTensor (batch, width).
    """
    width, count, heads, patch = TRANSFORMERS[name]
    height, across, channels = image.shape[1:]
    grid = (height // patch, across // patch)
    x = layers.Rescaling(2.0, -1.0, name="scaling")(image)  # to [-1, 1]: one grey channel has no mean of ImageNet
    embedding = layers.Conv2D(
        width,
        patch,
        strides=patch,
        kernel_initializer=blocks.uniform(
            patch * patch * channels, width
        ),  # a dense layer on each patch, as in He 2022
        name="patch_embedding",
    )
    x = layers.Reshape((grid[0] * grid[1], width), name="patches")(embedding(x))
    x = Positions(grid, name="positions")(x)
    if pool == "token":
        x = ClassToken(name="class_token")(x)
    made = blocks.layers_of(width, count, heads, drop_path=drop_path)
    x = blocks.through(x, made.__getitem__, count)
    return FirstToken(name="token")(x) if pool == "token" else layers.GlobalAveragePooling1D(name="gap")(x)


def check(name: str, *, weights: str = "none", norm: str = "batch", input_shape) -> None:
    """Say what a vision transformer cannot do, without making one.

    Args:
        name: a key of `names.TRANSFORMERS`.
        weights: `model.weights` of the config.
        norm: `model.norm` of the config; `batch`, the default, means nothing here.
        input_shape: (height, width, channels).
    Raises:
        AskedWronglyError: sides that are no multiples of the patch, weights of ImageNet, another normalisation.
    """
    if weights == "imagenet":
        raise AskedWronglyError(
            f"model.weights: imagenet: there are none for {name}; pretrain it on your own images (pretrain.task: masked_autoencoder) and"
            " name that run, or take weights: none"
        )
    if norm != "batch":
        raise AskedWronglyError(
            f"model.norm: {norm}: {name} has layer normalisation throughout, and no batch normalisation to replace; remove the key"
        )
    patch, sides = TRANSFORMERS[name][3], tuple(input_shape[:2])
    if any(side % patch for side in sides):
        nearest = {tuple(max(patch, (side + more) // patch * patch) for side in sides) for more in (0, patch - 1)}
        raise AskedWronglyError(
            f"input.size {_times(sides)}: {name} cuts images into patches of {patch} x {patch} pixels, so each side must be a multiple of"
            f" {patch}: {' or '.join(map(_times, sorted(nearest)))}"
        )


def _times(sides) -> str:
    return " x ".join(map(str, sides))
