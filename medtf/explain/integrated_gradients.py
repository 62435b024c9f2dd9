"""Integrated gradients: what each pixel adds to the score on the way from an image without content (Sundararajan 2017)."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from medtf.errors import AskedWronglyError
from medtf.explain import copies, gradients, graph
from medtf.explain.method import BATCH, checked
from medtf.explain.score import Score

STEPS = 32  # the paper finds 20 to 300 enough; see `Attributions.gap` for whether they were
BLUR = 8  # the baseline `blur` has a Gaussian of a side / 8: forms are gone, large shades stay


class Attributions(NamedTuple):
    """What each number of the input adds, and whether the sum comes out.

    values: float32 (batch, *spatial, channels), signed. scores, baseline_scores: float32 (batch,), of the images and of the images without content.
    """

    values: np.ndarray
    scores: np.ndarray
    baseline_scores: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """float32 (batch,): how far the sum is from score - baseline's score, as a share of that; above some 0.05 take more steps."""
        said, sums = self.scores - self.baseline_scores, self.values.reshape(len(self.values), -1).sum(axis=1)
        return np.abs(sums - said) / np.maximum(np.abs(said), 1e-6)


class IntegratedGradients(copies.InputMethod):
    """(image - baseline) x the mean slope on the straight line from the baseline to the image: equation 1 of the paper.

    The attributions of an image sum up to its score less that of the baseline. The integral is taken by Gauss and Legendre's rule. A heat
    map is the sum over channels where that is positive: what raised the score.

    Args:
        baseline: an image without content: `black`, zeros (of volumes that are normalised to deviations: the mean); `mean`, each image's own
            mean of each channel; `blur`, each image blurred with a Gaussian of an eighth of its side; or an array, of one image or of
            as many as are explained. Where image and baseline are equal nothing can be shown: with `black`, no air.
        steps: on the line, 1 or more.
        batch_size: examples that are asked at once.
    Raises:
        AskedWronglyError: another baseline, no steps.
    """

    name, label, paper = "integrated-gradients", "Integrated gradients", "Sundararajan 2017, arXiv 1703.01365"
    words = (
        "Shows which pixels raised the answer in comparison with an image without content; the parts sum up to the difference of both answers."
        " It is grainy, and blind where the image is like the one without content."
    )

    def __init__(self, *, baseline="black", steps: int = STEPS, batch_size: int = BATCH):
        super().__init__(batch_size=batch_size)
        if isinstance(baseline, str) and baseline not in BASELINES:
            raise AskedWronglyError(f"baseline {baseline!r}: expected {', '.join(BASELINES)} or an array")
        if steps < 1:
            raise AskedWronglyError(f"steps {steps}: expected 1 or more")
        self.baseline, self.steps = baseline, int(steps)

    def attributions(self, images, model, class_index=None, *, target=None, against=False) -> Attributions:
        """Signed attributions of each channel, before anything is summed or left out.

        Args:
            images, model, class_index, target, against: as for `Method.heatmap`.
        Raises:
            AskedWronglyError: as `Method.heatmap`; a baseline of another shape.
        """
        model = graph.whole(model, images)
        images = checked(images, model)
        score = Score(model, target, against=against)
        classes, start = score.classes(class_index, len(images)), self._start(images)
        values, scores = np.zeros_like(images), np.zeros((2, len(images)), np.float32)
        for at in range(0, len(images), self.batch_size):
            part = slice(at, at + self.batch_size)
            asked = copies.settled(model, score, images[part], classes[part])
            values[part] = self._between(model, score, images[part], start[part], asked)
            for held, ends in zip(scores, (images, start), strict=True):
                held[part] = gradients.values(model, score, ends[part], asked)
        return Attributions(values, *scores)

    def of_images(self, model, score, images, classes):
        """See `InputMethod.of_images`."""
        found = self._between(model, score, images, self._start(images), classes)
        return np.maximum(found.sum(axis=-1), 0)

    def _between(self, model, score, images, start, classes) -> np.ndarray:
        places, weights = np.polynomial.legendre.leggauss(self.steps)  # on [-1, 1]
        places, way = ((places + 1) / 2).astype(np.float32), images - start

        def changed(image, step):
            return start[image] + places[step].reshape(-1, *[1] * (images.ndim - 1)) * way[image]

        size = self.batch_size
        return way * copies.slopes(model, score, images, classes, changed=changed, weights=weights / 2, size=size)

    def _start(self, images) -> np.ndarray:
        if isinstance(self.baseline, str):
            return BASELINES[self.baseline](images)
        given = np.asarray(self.baseline, np.float32)
        if given.shape not in (images.shape, images.shape[1:]):
            raise AskedWronglyError(
                f"baseline of shape {given.shape}: expected that of one image, {images.shape[1:]}, or of all, {images.shape}"
            )
        return np.broadcast_to(given, images.shape)


def _mean(images) -> np.ndarray:
    places = tuple(range(1, images.ndim - 1))
    return np.broadcast_to(images.mean(axis=places, keepdims=True), images.shape)


def _blur(images) -> np.ndarray:
    widths = [0, *(side / BLUR for side in images.shape[1:-1]), 0]
    return ndimage.gaussian_filter(images, widths, mode="nearest").astype(np.float32)


# name -> (images -> images without content)
BASELINES = {"black": np.zeros_like, "mean": _mean, "blur": _blur}
