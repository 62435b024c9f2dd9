"""Heat maps while a network learns: the same few pictures after every so many epochs, as PNG and for TensorBoard."""

import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from medtf.errors import StoppedError
from medtf.explain import methods, pictures

LEAST = 128  # pixels of a picture's shorter side that can be looked at


class GradCAMCallback(keras.callbacks.Callback):
    """Writes `<output_dir>/epoch_0003.png` and an image of TensorBoard into `<output_dir>/tensorboard`, as tf-explain's callbacks do.

    A picture that cannot be drawn never ends a training: that is said once, and the training goes on. No randomness is drawn, so a training with
    pictures gives the weights of one without. Pictures show the weights as they are, not their moving average.

    Args:
        validation_data: (images, labels), images float (n, *spatial, channels), as the network takes them; the labels are not read. Or a function
            without arguments that gives them, called when the first picture is due.
        class_index: as for `Method.heatmap`.
        output_dir: folder; made when the first picture is.
        layer_name, target, against: as for `Method.heatmap`.
        every: epochs between two pictures.
        method: name of a method.
        network: what is explained where it is not the model under fit but shares its weights, such as a part that ends in probabilities.
        drawn: pictures of the images to draw under the maps, a function of them -> float (n, *spatial, channels); None: the images themselves.
        say: takes the line about a picture that failed; None: a warning.
    Raises:
        AskedWronglyError: a method that does not exist. ValueError: `every` below 1.
    """

    def __init__(
        self,
        validation_data,
        class_index=None,
        output_dir=".",
        layer_name=None,
        *,
        every: int = 1,
        target: str | None = None,
        against: bool = False,
        method: str = "grad-cam",
        network: keras.Model | None = None,
        drawn: Callable | None = None,
        say: Callable[[str], None] | None = None,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every: expected epochs between two pictures, 1 or more. Received: every={every}")
        self.method, self.every = methods.get(method)(), every
        self.validation_data, self.output_dir = validation_data, Path(output_dir)
        self.asked = {"class_index": class_index, "layer_name": layer_name, "target": target, "against": against}
        self.network, self.drawn, self.say = network, drawn, say or (lambda line: warnings.warn(line, stacklevel=2))
        self.images, self.failed = None, False

    def on_epoch_end(self, epoch, logs=None):
        """Draw, where it is time."""
        if (epoch + 1) % self.every or self.failed:
            return
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        try:
            self.write(epoch + 1)
        except StoppedError:
            raise
        except Exception as error:  # whatever it is: hours of training are worth more than a picture
            self.failed = True
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.say(f"no heat maps are drawn from epoch {epoch + 1} on: {said}")

    def write(self, epoch: int) -> Path:
        """The picture of an epoch, counted from 1, with the weights as they are; returns the path of the PNG."""
        if self.images is None:
            given = self.validation_data() if callable(self.validation_data) else self.validation_data
            self.images = np.asarray(given[0], np.float32)
        grid = self.grid()
        path = self.method.save(grid, self.output_dir, f"epoch_{epoch:04d}.png")
        from medtf.data import event_files  # TensorFlow, which writes the record

        name = f"explain/{self.method.name}"
        event_files.write_picture(self.output_dir / "tensorboard", name, path.read_bytes(), grid.shape[:2], step=epoch)
        return path

    def grid(self) -> np.ndarray:
        """uint8 (height, width, 3): the pictures under their maps, small ones enlarged by a whole number."""
        heat = self.method.heatmap(self.images, self.network or self.model, **self.asked)
        under = self.images if self.drawn is None else self.drawn(self.images)
        made = [pictures.overlay(image, one) for image, one in zip(under, heat, strict=True)]
        times = -(-LEAST // max(1, min(made[0].shape[:2])))
        return pictures.grid([one.repeat(times, axis=0).repeat(times, axis=1) for one in made])
