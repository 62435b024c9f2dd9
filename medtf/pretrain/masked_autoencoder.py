"""Masked autoencoder: a transformer sees a quarter of an image's patches, and a light decoder tells the pixels of the others.

He 2022, Masked Autoencoders Are Scalable Vision Learners, arXiv 2111.06377; for radiographs Xiao 2023, arXiv 2210.12843, who hide 90 %.
"""

import re

import keras

from medtf.errors import AskedWronglyError
from medtf.models.vit.blocks import through
from medtf.pretrain.masked import MaskedTask
from medtf.pretrain.masking import Masks, taken
from medtf.pretrain.token_decoder import decoder
from medtf.schema_pretrain import Pretrain

EMBEDDING = ("scaling", "patch_embedding", "patches", "positions")  # layers between an image and its tokens


class Pretraining(MaskedTask):
    """The encoder is run on visible patches alone, so that three quarters hidden make it four times cheaper, and it never meets a mask.

    Its blocks are the layers of `encoder` themselves: what is learnt stands in that model, under the names a classifier knows.

    Args:
        encoder: `medtf.models.build.encoder` of a vision transformer: images (batch, height, width, channels) in [0, 1].
        pretrain: `mask`, `normalise`, `decoder_width` and `decoder_depth` count.
        augmentation: layers that change the batch first, in training; the target is the changed image.
        seed: of the masks.
    Raises:
        AskedWronglyError: the encoder is no vision transformer.
    """

    def __init__(self, encoder: keras.Model, pretrain: Pretrain, *, augmentation=(), seed: int = 0):
        names = {layer.name for layer in encoder.layers}
        if not names.issuperset(EMBEDDING):
            raise AskedWronglyError(
                "pretrain.task: masked_autoencoder is for vision transformers (model.name: vit_s16); for this network: masked_cnn"
            )
        side = encoder.get_layer("patch_embedding").kernel_size[0]
        super().__init__(
            encoder, side=side, normalise=pretrain.normalise, augmentation=augmentation, name="masked_autoencoder"
        )
        self.blocks = sum(bool(re.fullmatch(r"block_\d+_norm_1", name)) for name in names)
        self.class_token = "class_token" in names
        self.masks = Masks(self.grid[0] * self.grid[1], pretrain.mask, seed=seed, name="masks")
        self.decoder = decoder(
            self.grid,
            tokens=encoder.get_layer("positions").output.shape[-1],
            width=pretrain.decoder_width,
            depth=pretrain.decoder_depth,
            pixels=side**2 * encoder.inputs[0].shape[-1],
            class_token=self.class_token,
        )

    def attempt(self, images, *, training: bool) -> dict:
        """Hide, look at the rest, tell everything: float32 `prediction` and `target` (batch, n, pixels), `hidden` (batch, n)."""
        ids, hidden, rank = self.draw(images, training=training)
        tokens = images
        for name in EMBEDDING:
            tokens = self.encoder.get_layer(name)(tokens)
        tokens = self.seen(taken(tokens, ids))
        return self.told(images, self.decoder([tokens, rank]), hidden)

    def draw(self, images, *, training: bool):
        """What the encoder sees: `ids` of the visible places (batch, v), `hidden` and `rank` (batch, n), as `masking.visible` tells them."""
        return self.masks(images, training=training)

    def seen(self, tokens):
        """Tokens with their positions, any number of them, through the encoder's blocks; the class token is put in front, where there is one."""
        if self.class_token:
            tokens = self.encoder.get_layer("class_token")(tokens)
        return through(tokens, self.encoder.get_layer, self.blocks)
