"""What holds for whatever hides parts of an image, transformer or CNN: who sees what, and what the loss is of."""

import keras
import numpy as np
from keras import layers, ops

from medtf.models import names
from medtf.models.vit import vit
from medtf.pretrain.masking import squares
from medtf.schema_pretrain import Pretrain

SHAPE = (16, 24, 2)


def transformer(pool: str = "gap", shape=SHAPE) -> keras.Model:
    """Two blocks of width 16 on patches of 8 x 8, by the code that makes ViT-S."""
    names.TRANSFORMERS["tiny"] = (16, 2, 2, 8)
    try:
        image = keras.Input(shape, name="image")
        return keras.Model(image, vit.features(image, "tiny", pool=pool), name="encoder")
    finally:
        del names.TRANSFORMERS["tiny"]


def cnn(shape=SHAPE) -> keras.Model:
    """Two strided convolutions."""
    x = image = keras.Input(shape, name="image")
    for number, count in enumerate((8, 16)):
        x = layers.Conv2D(count, 3, strides=2, padding="same", activation="relu", name=f"convolution_{number}")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="gap")(x), name="encoder")


def autoencoder(encoder=None, **changed):
    """A masked autoencoder of three visible patches of six, or what `changed` says."""
    from medtf.pretrain.masked_autoencoder import Pretraining

    options = {"mask": 0.5, "decoder_width": 16, "decoder_depth": 1} | changed
    return Pretraining(encoder or transformer(), Pretrain(task="masked_autoencoder", **options), seed=3)


def masked_cnn(encoder=None, **changed):
    """Masked image modelling with squares of 8 x 8."""
    from medtf.pretrain.masked_cnn import Pretraining

    options = {"mask": 0.5, "square": 8} | changed
    return Pretraining(encoder or cnn(), Pretrain(task="masked_cnn", **options), seed=3)


MAKERS = {"autoencoder": autoencoder, "cnn": masked_cnn}


def noise(count: int = 3, shape=SHAPE) -> np.ndarray:
    """Images in which no patch tells anything of another."""
    return np.random.default_rng(0).random((count, *shape), dtype=np.float32)


def stripes(count: int = 8, shape=SHAPE) -> np.ndarray:
    """Images of which one patch tells all: stripes 8 pixels wide, of a direction and a phase of their own."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    waves = [np.sin(2 * np.pi * ((row, column)[one % 2] + one) / 8) for one in range(count)]
    return np.repeat(0.5 + 0.4 * np.stack(waves)[..., None], shape[2], axis=-1).astype("float32")


def arrays(outcome: dict) -> dict[str, np.ndarray]:
    """An outcome or pictures as arrays."""
    return {name: np.asarray(ops.convert_to_numpy(one)) for name, one in outcome.items()}


def changed_where(images, hidden, made) -> np.ndarray:
    """The negative where `hidden` (batch, n) is 1, the same elsewhere."""
    pixels = np.asarray(ops.convert_to_numpy(squares(hidden, *made.grid, made.side)))
    return np.where(pixels == 1, 1 - images, images)
