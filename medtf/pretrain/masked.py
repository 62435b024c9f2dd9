"""What masked autoencoder and masked image modelling share: the loss over hidden patches alone, and the pictures."""

from keras import ops

from medtf.pretrain.masking import squares
from medtf.pretrain.patches import grid, hidden_error, moments, normalised, patchify, unpatchify
from medtf.pretrain.task import Task

GREY = 0.5  # of a hidden patch in a picture of what was given


class MaskedTask(Task):
    """Parts of an image are hidden, and predicted from the rest.

    A subclass writes `attempt`, which ends with `told`. Images stay float32 up to the target under every policy: 8 bits do not go into
    bfloat16, and a faint texture is what a normalised patch is about.

    Args:
        encoder, augmentation, name: of `Task`.
        side: of a patch, in pixels; it divides height and width of the encoder's images.
        normalise: predict each patch less its mean, over its deviation.
        key: what the side is called where it was asked for; it stands in the error.
    Raises:
        AskedWronglyError: `side` does not divide the image.
    """

    def __init__(self, encoder, *, side: int, normalise: bool, augmentation=(), name: str, key: str = "the patch"):
        super().__init__(encoder, augmentation=augmentation, name=name)
        self.height, self.width = encoder.inputs[0].shape[1:3]
        self.grid = grid(self.height, self.width, side, key=key)
        self.side, self.normalise = side, normalise

    def told(self, images, prediction, hidden) -> dict:
        """The outcome of an attempt, all float32.

        Args:
            images: (batch, height, width, channels) in [0, 1], nothing hidden.
            prediction: (batch, n, pixels) of every patch.
            hidden: (batch, n), 1 where a patch was hidden.
        """
        target = patchify(ops.cast(images, "float32"), self.side)
        return {
            "prediction": ops.cast(prediction, "float32"),
            "target": normalised(target) if self.normalise else target,
            "hidden": ops.cast(hidden, "float32"),
        }

    def example_losses(self, outcome: dict):
        """Mean square error over the pixels of hidden patches; what the network says of visible ones counts for nothing (He 2022)."""
        return hidden_error(outcome["prediction"], outcome["target"], outcome["hidden"])

    def example_baselines(self, outcome: dict):
        """The loss of saying each patch's own mean: 1 for a normalised patch, 0 where it is flat, as in a black border."""
        if not self.normalise:
            return None
        return hidden_error(ops.zeros_like(outcome["target"]), outcome["target"], outcome["hidden"])

    def given(self, images, hidden):
        """What a picture shows of an image of which pixels `hidden`, 1 or 0, (batch, height, width, 1), were hidden."""
        return images * (1 - hidden) + GREY * hidden

    def pictures(self, images) -> dict:
        """What was given, what was made of it with the visible patches as they are, and the original.

        A network that predicts normalised patches knows neither their brightness nor their contrast: its pictures take both from
        the original, and their title says so.
        """
        images = ops.cast(ops.convert_to_tensor(images), "float32")
        outcome = self.attempt(images, training=False)
        hidden = squares(outcome["hidden"], *self.grid, self.side)
        patches = outcome["prediction"]
        if self.normalise:
            mean, deviation = moments(patchify(images, self.side))
            patches = patches * deviation + mean
        made = unpatchify(patches, self.side, self.height, self.width)
        title = (
            "reconstructed (brightness and contrast of each patch are the original's)"
            if self.normalise
            else "reconstructed"
        )
        return {
            "given": self.given(images, hidden),
            title: ops.clip(made * hidden + images * (1 - hidden), 0, 1),
            "original": images,
        }
