"""What the methods share that look at the input itself: many changed copies of each image, asked in full batches."""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain import gradients
from medtf.explain.method import Method
from medtf.explain.score import HIGHEST, Score


class InputMethod(Method):
    """A method that reads the input, and no layer. A subclass defines `of_images`."""

    of_layers = False

    def prepared(self, model, score, layer_name):
        """See `Method.prepared`; a layer is refused, for it would change nothing."""
        if layer_name is not None:
            raise AskedWronglyError(f"layer {layer_name!r}: {self.name} reads no single layer: leave the layer out")
        return lambda images, classes: self.of_images(model, score, images, settled(model, score, images, classes))

    def of_images(self, model: keras.Model, score: Score, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """float32 (batch, *spatial), 0 or more, of one batch; every example has a class."""
        raise NotImplementedError


def settled(model: keras.Model, score: Score, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """int32 (batch,): "the highest class" as that of the image itself, since a changed copy may have another."""
    if not (classes == HIGHEST).any():
        return classes
    highest = gradients.ask(
        model, ("highest", *score.key), lambda call, images: score.highest(lambda: call(images)), images
    )
    return np.where(classes == HIGHEST, highest, classes).astype(np.int32)


def pairs(images: int, copies: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every image with each of its copies, in batches of `size`: (number of the image, number of the copy), int arrays; copy by copy."""
    for at in range(0, images * copies, size):
        copy, image = np.divmod(np.arange(at, min(at + size, images * copies)), images)
        yield image, copy


def slopes(model, score: Score, images, classes, *, changed: Callable, weights, size: int) -> np.ndarray:
    """The slope at changed copies of each image, their weighted sum; float32 as `images`.

    Args:
        classes: int32 (batch,), settled.
        changed: (numbers of images, numbers of copies) -> those copies, float32.
        weights: (copies,). size: of a batch.
    """
    total = np.zeros(images.shape, np.float64)
    for image, copy in pairs(len(images), len(weights), size):
        found = gradients.of_input(model, score, changed(image, copy), classes[image])
        np.add.at(total, image, np.asarray(weights)[copy].reshape(-1, *[1] * (images.ndim - 1)) * found)
    return total.astype(np.float32)
