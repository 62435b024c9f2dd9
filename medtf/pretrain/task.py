"""What every proxy task is: a Keras model around an encoder, whose loss comes from the images alone."""

import keras
from keras import ops


class Task(keras.Model):
    """Images in, a dict of tensors out, and a loss for each example made of that dict.

    `keras.Model.fit` trains it as it is: only `compute_loss` is overridden, so mixed precision, compilation, gradient accumulation and both
    backends stay Keras's business. A subclass writes `attempt` and `example_losses`; `example_scores` and `pictures` where there is
    something to say or to show.

    In training what is drawn (masks, rotations, orders) comes from states that the checkpoint keeps; in validation it is the same
    in every epoch, so that two epochs can be compared.

    Args:
        encoder: `medtf.models.build.encoder`: images (batch, height, width, channels) in [0, 1] -> features (batch, f).
        augmentation: layers that change the batch first, in training.
        name: of the model.
    """

    score_names: tuple[
        str, ...
    ] = ()  # of what `example_scores` gives, more being better; in the history beside the loss

    def __init__(self, encoder: keras.Model, *, augmentation=(), name: str = "task"):
        super().__init__(name=name)
        self.autocast = False  # images stay float32 under every policy: they are also what is to be told
        self.encoder = encoder
        self.augmentation = list(augmentation)
        self.scores = {one: keras.metrics.Mean(name=one) for one in self.score_names}

    def call(self, images, training=False):
        """The augmented images through `attempt`."""
        for layer in self.augmentation:
            images = layer(images, training=training)
        return self.attempt(images, training=training)

    def attempt(self, images, *, training: bool) -> dict:
        """Make the task of the images, and try to solve it: tensors by name, each with the batch as its first axis.

        Args:
            images: float (batch, height, width, channels) in [0, 1].
            training: draw anew; else what is drawn is fixed.
        """
        raise NotImplementedError

    def example_losses(self, outcome: dict):
        """Float32 (batch,): the loss of each example."""
        raise NotImplementedError

    def example_scores(self, outcome: dict) -> dict:
        """{name of `score_names`: float32 (batch,)}, such as 1 where the answer is right."""
        return {}

    def baseline(self) -> float | None:
        """What guessing without looking reaches in the first score, or in the loss where there is none; None: not known beforehand."""
        return None

    def example_baselines(self, outcome: dict):
        """Float32 (batch,): the loss of an answer that does not look, where it depends on the image; None: `baseline` tells it."""
        return None

    def pictures(self, images) -> dict:
        """{title: (batch, height, width, channels) in [0, 1]} of the same images side by side: what was given, made of it, and wanted."""
        return {}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean loss over the batch; labels are not looked at."""
        for name, values in self.example_scores(y_pred).items():
            self.scores[name].update_state(values)
        return ops.mean(self.example_losses(y_pred))
