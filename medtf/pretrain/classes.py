"""Proxy tasks that ask which of several things was done to an image."""

import keras
from keras import ops

from medtf.pretrain.drawing import Draws, below, number_of
from medtf.pretrain.task import Task


class ClassTask(Task):
    """One of `classes` changes is made to each image, and a linear layer on the encoder's features tells which.

    A subclass writes `changed`. In training the class of each example is drawn; elsewhere it follows from the image and its place in the batch,
    so that every validation asks the same, and every class about as often.

    Args:
        encoder, augmentation, name: of `Task`.
        classes: how many changes there are.
        seed: of what is drawn.
    """

    score_names = ("accuracy",)

    def __init__(self, encoder: keras.Model, classes: int, *, augmentation=(), seed: int = 0, name: str = "classes"):
        super().__init__(encoder, augmentation=augmentation, name=name)
        self.classes = classes
        self.numbers = Draws(1, seed=seed, name="numbers")
        # logits in float32 under every policy, as those of a classifier
        self.head = keras.layers.Dense(classes, dtype="float32", name="head")
        self.head.build(encoder.output_shape)

    def changed(self, images, which, *, training: bool):
        """The images, each changed as its class says.

        Args:
            images: (batch, height, width, channels) in [0, 1].
            which: int32 (batch,), in [0, classes).
            training: draw anew what else is drawn; else it is fixed.
        """
        raise NotImplementedError

    def attempt(self, images, *, training: bool) -> dict:
        """Float32 `logits` (batch, classes) of the changed images, and int32 `which` (batch,)."""
        numbers = self.numbers(images, training=training)[:, 0]
        # by its place in the batch alone, no class beyond the batch's size would ever be asked
        which = numbers if training else number_of(images) + ops.arange(ops.shape(images)[0], dtype="int32")
        which = below(which, self.classes)
        features = self.encoder(self.changed(images, which, training=training), training=training)
        return {"logits": self.head(features), "which": which}

    def example_losses(self, outcome: dict):
        """Cross-entropy, in nats."""
        wanted = ops.one_hot(outcome["which"], self.classes, dtype="float32")
        return -ops.sum(wanted * ops.log_softmax(outcome["logits"], axis=-1), axis=-1)

    def example_scores(self, outcome: dict) -> dict:
        """`accuracy`: 1 where the largest logit is that of the class."""
        right = ops.equal(ops.cast(ops.argmax(outcome["logits"], axis=-1), "int32"), outcome["which"])
        return {"accuracy": ops.cast(right, "float32")}

    def baseline(self) -> float:
        """The accuracy of guessing."""
        return 1.0 / self.classes
