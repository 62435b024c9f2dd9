"""Rotation: by how many quarters of a turn was the image turned?"""

import keras
from keras import ops

from medtf.errors import AskedWronglyError
from medtf.pretrain.classes import ClassTask
from medtf.schema_pretrain import Pretrain


class Pretraining(ClassTask):
    """Each image is turned by 0, 90, 180 or 270 degrees, and the network tells which. Who knows how a thorax hangs can tell.

    Gidaris 2018, Unsupervised Representation Learning by Predicting Image Rotations, arXiv 1803.07728. There each image comes with all four
    rotations in one batch; here each draws one, so that a batch holds four times as many patients.

    What tells the rotation without any anatomy is learnt first: black bars of `input.aspect: pad`, letters in a corner. Radiographs that are
    stretched or cropped to the square, or augmented by rotations, teach more.

    Args:
        encoder: images (batch, side, side, channels) in [0, 1] -> features (batch, f).
        pretrain: nothing of it counts.
        augmentation: layers that change the batch first, in training.
        seed: of the rotations.
    Raises:
        AskedWronglyError: the images are not square.
    """

    def __init__(self, encoder: keras.Model, pretrain: Pretrain, *, augmentation=(), seed: int = 0):
        height, width = encoder.inputs[0].shape[1:3]
        if height != width:
            raise AskedWronglyError(
                f"pretrain.task: rotation turns images by a quarter, and input.size is [{height}, {width}]: make both sides equal, or take"
                " another task"
            )
        super().__init__(encoder, 4, augmentation=augmentation, seed=seed, name="rotation")

    def changed(self, images, which, *, training):
        """Turned by `which` quarters."""
        return turned(images, which)

    def pictures(self, images) -> dict:
        """As given, turned back as the network says, and the original."""
        images = ops.convert_to_tensor(images)
        outcome = self.attempt(images, training=False)
        given = turned(images, outcome["which"])
        answer = ops.cast(ops.argmax(outcome["logits"], axis=-1), "int32")
        back = turned(given, ops.mod(4 - answer, 4))
        return {"given": given, "the network's answer": back, "original": images}


def turned(images, quarters):
    """Square images turned counterclockwise.

    Args:
        images: (batch, side, side, channels).
        quarters: int32 (batch,): 0, 1, 2 or 3 quarters of a turn.

    A quarter is the picture mirrored at its diagonal, and then upside down; two flips and a transposition make all four.
    """
    one_of = ops.reshape(quarters, (-1, 1, 1, 1))
    images = ops.where(ops.equal(ops.mod(one_of, 2), 1), ops.transpose(images, (0, 2, 1, 3)), images)
    rows = ops.logical_or(ops.equal(one_of, 1), ops.equal(one_of, 2))
    images = ops.where(rows, ops.flip(images, axis=1), images)
    return ops.where(one_of >= 2, ops.flip(images, axis=2), images)
