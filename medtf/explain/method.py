"""What all methods share: arrays in, arrays out, in batches; and the pictures that tf-explain's users know."""

from pathlib import Path

import keras
import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain import graph, pictures
from medtf.explain.score import Score

BATCH = 16  # examples at once: what fits a small GPU at 299 pixels


class Method:
    """A way to say which places of an input a network's answer comes from.

    A method defines `relevances`. `heatmap` is for numbers, `explain` and `save` are for looking, as in tf-explain.

    Args:
        batch_size: examples that are asked at once.
    """

    name: str  # as `--method` and reports call it
    label: str  # as a reader calls it
    paper: str
    words: str  # for a report: what it shows, and what it does not
    of_layers = True  # does it look into a layer?
    of_classes = True  # has another class another map?

    def __init__(self, *, batch_size: int = BATCH):
        self.batch_size = batch_size

    def heatmap(self, images, model, class_index=None, layer_name=None, *, target=None, against=False) -> np.ndarray:
        """Heat maps, each divided by its own maximum.

        Args:
            images: float (batch, height, width, channels) or volumes (batch, x, y, z, channels), as the network takes them.
            model: Keras model of any precision; nested or not.
            class_index: unit of the output, for all or (batch,) for each; None: the only one, or the highest of each example.
            layer_name: of a layer, or its path where it is not unique; None: the last one that has places.
            target: which output of a model with several.
            against: what speaks against the class, or for a lower value.
        Returns:
            float32 (batch, *spatial of the input) in [0, 1]; all 0 where nothing speaks for it.
        Raises:
            AskedWronglyError: a layer, class or target that is none; images of another shape.
        """
        found = self.relevance(images, model, class_index, layer_name, target=target, against=against)
        return scaled(found)

    def relevance(self, images, model, class_index=None, layer_name=None, *, target=None, against=False) -> np.ndarray:
        """As `heatmap`, before the division: float32 (batch, *spatial), 0 or more, comparable between the parts of one image."""
        model = graph.whole(model, images)
        images = checked(images, model)
        score = Score(model, target, against=against)
        classes = score.classes(class_index, len(images))
        ask = self.prepared(model, score, layer_name)
        parts = [
            ask(images[at : at + self.batch_size], classes[at : at + self.batch_size])
            for at in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros(images.shape[:-1], np.float32)

    def prepared(self, model: keras.Model, score: Score, layer_name: str | None):
        """What `relevance` asks of each batch: (images, classes) -> float32 (batch, *spatial of the input), 0 or more."""
        raise NotImplementedError

    def explain(
        self, validation_data, model, class_index=None, layer_name=None, *, target=None, against=False
    ) -> np.ndarray:
        """A grid of pictures under their heat maps.

        Args:
            validation_data: (images, labels), of which the labels are not read, as in tf-explain.
        Returns:
            uint8 (height, width, 3).
        """
        images = np.asarray(validation_data[0], np.float32)
        heat = self.heatmap(images, model, class_index, layer_name, target=target, against=against)
        return pictures.grid([pictures.overlay(image, one) for image, one in zip(images, heat, strict=True)])

    def save(self, grid: np.ndarray, output_dir, output_name: str) -> Path:
        """Write a grid as PNG; the folder is made where it is not there."""
        return pictures.save(grid, Path(output_dir) / output_name)


def checked(images, model: keras.Model) -> np.ndarray:
    """Float32 images of the network's shape.

    Raises:
        AskedWronglyError: another rank, size or number of channels.
    """
    images = np.asarray(images, np.float32)
    wanted, given = tuple(model.input_shape[1:]), images.shape[1:]
    if len(wanted) != len(given) or any(w not in (None, g) for w, g in zip(wanted, given, strict=True)):
        words = ", ".join("any" if side is None else str(side) for side in wanted)
        raise AskedWronglyError(f"images of shape {images.shape}: the network takes (batch, {words})")
    return images


def scaled(relevance: np.ndarray) -> np.ndarray:
    """Each map divided by its own maximum: float32 in [0, 1]; a map of zeros stays one."""
    top = relevance.max(axis=tuple(range(1, relevance.ndim)), keepdims=True, initial=0)
    return np.divide(relevance, top, out=np.zeros_like(relevance, np.float32), where=top > 0)
