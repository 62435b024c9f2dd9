"""Tiny networks of every kind that a heat map is made of, and Grad-CAM in plain NumPy to compare with."""

import keras
import numpy as np
from keras import layers

from medtf.models.vit import blocks, positions, tokens

KINDS = ("flat", "nested", "volume", "patches", "class token", "nested transformer", "class")


def made(kind: str, *, end: str = "softmax", units: int = 3, dtype: str = "float32", seed: int = 1) -> keras.Model:
    """A network of KINDS with weights that are drawn from a seed, in a policy."""
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)
    try:
        model = _BUILDERS[kind](end, units)
    finally:
        keras.config.set_dtype_policy(before)
    generator = np.random.default_rng(seed)
    for (
        variable
    ) in model.trainable_variables:  # without constants a network of ReLUs would be linear from black to an image
        if variable.path.endswith("bias"):
            variable.assign(generator.normal(0, 0.1, variable.shape))
    return model


def images_of(kind: str, count: int = 3, seed: int = 0) -> np.ndarray:
    """Float32 in [0, 1]: 16 x 16 in one channel, or volumes 8 x 8 x 8."""
    shape = (8, 8, 8, 1) if kind == "volume" else (16, 16, 1)
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)


def head(x, end: str, units: int):
    return layers.Activation(end, dtype="float32", name="answer")(
        layers.Dense(units, dtype="float32", name="logits")(x)
    )


def convolutions(x):
    x = layers.Conv2D(4, 3, activation="relu", padding="same", name="first")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    return layers.Conv2D(6, 3, activation="relu", padding="same", name="last")(x)


def _flat(end, units):
    image = keras.Input((16, 16, 1), name="image")
    x = layers.GlobalAveragePooling2D(name="gap")(convolutions(image))
    return keras.Model(image, head(layers.Dropout(0.5)(x), end, units), name="flat")


def _nested(end, units):
    image = keras.Input((16, 16, 1))
    inner = keras.Model(image, convolutions(image), name="backbone")
    outer = [keras.Input((16, 16, 1)), layers.Rescaling(2.0, -1.0), inner, layers.GlobalAveragePooling2D()]
    return keras.Sequential(
        [*outer, layers.Dense(units, dtype="float32", name="logits"), layers.Activation(end, dtype="float32")]
    )


def _volume(end, units):
    volume = keras.Input((8, 8, 8, 1), name="volume")
    x = layers.Conv3D(4, 3, activation="relu", padding="same", name="first")(volume)
    x = layers.Conv3D(4, 2, strides=2, name="pool")(x)  # TensorFlow pools no float16 volumes on a CPU
    x = layers.Conv3D(6, 3, activation="relu", padding="same", name="last")(x)
    return keras.Model(volume, head(layers.GlobalAveragePooling3D(name="gap")(x), end, units), name="volume")


def _transformer(end, units, *, token=False):
    """16 patches of 4 x 4, two blocks, built of medtf's own parts."""
    image = keras.Input((16, 16, 1), name="image")
    x = layers.Reshape((16, 8), name="patches")(layers.Conv2D(8, 4, strides=4, name="patch_embedding")(image))
    x = positions.Positions((4, 4), name="positions")(x)
    x = tokens.ClassToken(name="class_token")(x) if token else x
    x = blocks.through(x, blocks.layers_of(8, 2, 2).__getitem__, 2)
    x = tokens.FirstToken(name="token")(x) if token else layers.GlobalAveragePooling1D(name="gap")(x)
    return keras.Model(image, head(x, end, units), name="transformer")


def _nested_transformer(end, units):
    inner = _transformer(end, units, token=True)
    backbone = keras.Model(inner.inputs, inner.get_layer("token").output, name="backbone")
    image = keras.Input((16, 16, 1))
    return keras.Model(image, {"finding": head(backbone(image), end, units)}, name="around")


class Written(keras.Model):
    """As "flat", but written as a class, whose layers are made in another order than they run."""

    def __init__(self, end, units):
        super().__init__(name="written")
        self.answer = layers.Dense(units, activation=end, dtype="float32", name="answer")
        self.gap = layers.GlobalAveragePooling2D(name="gap")
        self.last = layers.Conv2D(6, 3, activation="relu", padding="same", name="last")
        self.pool = layers.MaxPooling2D(name="pool")
        self.first = layers.Conv2D(4, 3, activation="relu", padding="same", name="first")

    def call(self, images):
        return self.answer(self.gap(self.last(self.pool(self.first(images)))))


def _class(end, units):
    model = Written(end, units)
    model(images_of("class"))
    return model


_BUILDERS = {
    "flat": _flat,
    "nested": _nested,
    "volume": _volume,
    "patches": _transformer,
    "class token": lambda end, units: _transformer(end, units, token=True),
    "nested transformer": _nested_transformer,
    "class": _class,
}


def numpy_grad_cam(activations, slopes, size) -> np.ndarray:
    """Selvaraju 2017, equations 1 and 2, in NumPy; enlarged by TensorFlow's own bilinear resize, plane by plane, each map by its maximum.

    Args:
        activations, slopes: (batch, *places, channels). size: of the image.
    """
    places = tuple(range(1, activations.ndim - 1))
    weights = np.asarray(slopes, np.float64).mean(axis=places, keepdims=True)
    small = np.maximum((weights * np.asarray(activations, np.float64)).sum(axis=-1), 0)
    large = resized(small, size)
    top = large.max(axis=tuple(range(1, large.ndim)), keepdims=True)
    return np.divide(large, top, out=np.zeros_like(large), where=top > 0)


def resized(maps, size) -> np.ndarray:
    """`tf.image.resize`, bilinear, of the last two axes; of a third one before them, likewise."""
    import tensorflow as tf

    if maps.ndim == 4:
        flat = resized(maps.reshape(-1, *maps.shape[2:]), size[1:]).reshape(*maps.shape[:2], *size[1:])
        turned = flat.transpose(0, 2, 3, 1).reshape(len(maps), -1, maps.shape[1], 1)
        turned = tf.image.resize(turned, (turned.shape[1], size[0])).numpy()[..., 0]
        return turned.reshape(len(maps), *size[1:], size[0]).transpose(0, 3, 1, 2)
    return tf.image.resize(maps[..., None], size).numpy()[..., 0]
