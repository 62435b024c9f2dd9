"""Occlusion: cover a part of the image, ask again, and note by how much the score falls (Zeiler and Fergus 2014)."""

from itertools import product

import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain import copies, gradients
from medtf.explain.method import BATCH

PATCH = 1 / 8  # of a side


class Occlusion(copies.InputMethod):
    """The fall of the score when a window over the place is covered, the mean over all windows that cover it; a rise counts as 0.

    It needs no gradient and asks the network once for each window: 225 times for a picture with the defaults, 3,375 times for a volume.

    Args:
        patch: side of a window, in pixels (int, or one for each axis) or as a share of each side (float under 1).
        stride: from window to window, likewise; None: half a window. The last windows end at the image's edge.
        fill: `black` (0), `mean` (each image's own mean of each channel) or a number.
        batch_size: examples that are asked at once.
    Raises:
        AskedWronglyError: a patch or stride of 0 or below, another fill; a patch that is larger than the image, or a stride that leaves gaps.
    """

    name, label, paper = "occlusion", "Occlusion", "Zeiler and Fergus 2014, arXiv 1311.2901"
    words = (
        "Shows the parts that the answer falls without, found by covering them one after the other. A covered part is itself something that the"
        " network has never seen, and a finding that two parts tell of alike is missed."
    )

    def __init__(self, *, patch=PATCH, stride=None, fill="black", batch_size: int = BATCH):
        super().__init__(batch_size=batch_size)
        for name, value in (("patch", patch), ("stride", stride)):
            if value is not None and (np.asarray(value) <= 0).any():
                raise AskedWronglyError(f"{name} {value}: expected pixels, 1 or more, or a share of a side")
        if isinstance(fill, str) and fill not in ("black", "mean"):
            raise AskedWronglyError(f"fill {fill!r}: expected black, mean or a number")
        self.patch, self.stride, self.fill = patch, stride, fill

    def windows(self, sides: tuple[int, ...]) -> list[tuple[slice, ...]]:
        """All windows over an image of these sides, which together cover it.

        Raises:
            AskedWronglyError: a patch that is larger than the image, a stride larger than the patch.
        """
        patch = _pixels(self.patch, sides, "patch")
        stride = [-(-side // 2) for side in patch] if self.stride is None else _pixels(self.stride, sides, "stride")
        for side, window, step in zip(sides, patch, stride, strict=True):
            if window > side:
                raise AskedWronglyError(f"patch {self.patch}: a window of {window} pixels on a side of {side}")
            if step > window:
                raise AskedWronglyError(
                    f"stride {self.stride}: {step} pixels leave gaps between windows of {window}: expected {window} or less"
                )
        axes = [_along(side, window, step) for side, window, step in zip(sides, patch, stride, strict=True)]
        return list(product(*axes))

    def of_images(self, model, score, images, classes):
        """See `InputMethod.of_images`."""
        windows = self.windows(images.shape[1:-1])
        whole = gradients.values(model, score, images, classes)
        fill = self._fill(images)
        total, count = np.zeros(images.shape[:-1], np.float64), np.zeros(images.shape[1:-1])
        for window in windows:
            count[window] += 1
        for image, copy in copies.pairs(len(images), len(windows), self.batch_size):
            covered = images[image]  # picked by numbers, so a copy
            for one, number, at in zip(covered, image, copy, strict=True):
                one[windows[at]] = fill[number]
            fall = whole[image] - gradients.values(model, score, covered, classes[image])
            for number, at, by in zip(image, copy, fall, strict=True):
                total[number][windows[at]] += by
        return np.maximum(total / count, 0).astype(np.float32)

    def _fill(self, images) -> np.ndarray:
        """float32 (batch, channels)."""
        if self.fill == "mean":
            return images.mean(axis=tuple(range(1, images.ndim - 1)))
        return np.full((len(images), images.shape[-1]), 0.0 if self.fill == "black" else self.fill, np.float32)


def _pixels(value, sides: tuple[int, ...], name: str) -> list[int]:
    given = np.asarray(value)
    if given.ndim and given.shape != (len(sides),):
        raise AskedWronglyError(f"{name} {value}: expected one number, or {len(sides)}, one for each axis")
    return [
        int(one) if one == int(one) else max(1, round(one * side))
        for one, side in zip(np.broadcast_to(given, len(sides)).tolist(), sides, strict=True)
    ]


def _along(side: int, window: int, step: int) -> list[slice]:
    starts = [*range(0, side - window, step), side - window]
    return [slice(start, start + window) for start in starts]
