"""Masked image modelling for CNNs: squares of the image are filled with its mean, and a U-Net-like decoder tells their pixels.

A convolution cannot leave pixels out, so the encoder sees the whole image with holes, as in SimMIM (Xie 2022, arXiv 2111.09886) and Xiao 2023
(arXiv 2210.12843), and costs what it always costs.
"""

import keras
from keras import ops

from medtf.pretrain.masked import MaskedTask
from medtf.pretrain.masking import Masks, squares
from medtf.pretrain.patches import patchify
from medtf.pretrain.unet_decoder import Decoder, skips_model
from medtf.schema_pretrain import Pretrain


class Pretraining(MaskedTask):
    """Any 2D CNN, on images with holes.

    A hole has the mean of the image's visible pixels: no learnt value is needed, no border stands out more than it must, and nothing of
    what is hidden shows in it.

    Args:
        encoder: `medtf.models.build.encoder` of a 2D CNN: images (batch, height, width, channels) in [0, 1].
        pretrain: `mask`, `square` and `normalise` count.
        augmentation: layers that change the batch first, in training; the target is the changed image.
        seed: of the masks.
    Raises:
        AskedWronglyError: the encoder is no 2D CNN; the square does not divide the image.
    """

    def __init__(self, encoder: keras.Model, pretrain: Pretrain, *, augmentation=(), seed: int = 0):
        skips = skips_model(encoder)
        super().__init__(
            encoder,
            side=pretrain.square,
            normalise=pretrain.normalise,
            augmentation=augmentation,
            name="masked_cnn",
            key="pretrain.square",
        )
        self.skips = skips
        self.masks = Masks(self.grid[0] * self.grid[1], pretrain.mask, seed=seed, name="masks")
        self.decoder = Decoder(encoder, encoder.inputs[0].shape[-1])

    def attempt(self, images, *, training: bool) -> dict:
        """Fill the holes, look, tell everything: float32 `prediction` and `target` (batch, n, pixels), `hidden` (batch, n)."""
        _, hidden, _ = self.masks(images, training=training)
        holed = self.given(images, squares(hidden, *self.grid, self.side))
        maps = self.skips(holed, training=training)
        predicted = self.decoder(maps)
        return self.told(images, patchify(predicted, self.side), hidden)

    def given(self, images, hidden):
        """Images (batch, height, width, channels) with the mean of their visible pixels where `hidden` (batch, height, width, 1) is 1."""
        images = ops.cast(images, "float32")
        visible = 1 - hidden
        mean = ops.sum(images * visible, axis=(1, 2), keepdims=True) / ops.sum(visible, axis=(1, 2), keepdims=True)
        return images * visible + mean * hidden
