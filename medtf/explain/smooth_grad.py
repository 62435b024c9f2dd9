"""SmoothGrad: the size of the mean slope at noisy copies of an image (Smilkov 2017)."""

import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain import copies
from medtf.explain.method import BATCH

SAMPLES = 16
NOISE = 0.15  # the paper's 10 to 20 %


class SmoothGrad(copies.InputMethod):
    """The size of the mean slope over copies with Gaussian noise, summed over channels.

    Its sign is left out, as in section 3.1 of the paper: whether brighter or darker would speak for the answer depends on the picture. So a map
    for an answer and one against it are the same.

    Args:
        samples: noisy copies of each image.
        noise: standard deviation, as a share of an image's range (highest less lowest value).
        seed: of the noise. Every image is given the same noise, scaled to its range: a map does not depend on what else is asked with it.
        batch_size: examples that are asked at once.
    Raises:
        AskedWronglyError: no samples, noise below 0.
    """

    name, label, paper = "smooth-grad", "SmoothGrad", "Smilkov 2017, arXiv 1706.03825"
    words = (
        "Shows pixels of which a small change would move the answer most, up or down. It shows what the answer is sensitive to, not what it was"
        " made of, and it likes edges."
    )

    def __init__(self, *, samples: int = SAMPLES, noise: float = NOISE, seed: int = 0, batch_size: int = BATCH):
        super().__init__(batch_size=batch_size)
        if samples < 1:
            raise AskedWronglyError(f"samples {samples}: expected 1 or more")
        if noise < 0:
            raise AskedWronglyError(f"noise {noise}: expected a share of the range of an image, 0 or more")
        self.samples, self.noise, self.seed = int(samples), float(noise), seed

    def of_images(self, model, score, images, classes):
        """See `InputMethod.of_images`."""
        values = images.reshape(len(images), -1)
        spread = (self.noise * np.ptp(values, axis=1)).reshape(-1, *[1] * (images.ndim - 1)).astype(np.float32)

        def changed(image, copy):
            drawn = {one: self._noise(one, images.shape[1:]) for one in set(copy.tolist())}
            return images[image] + spread[image] * np.stack([drawn[one] for one in copy.tolist()])

        weights = np.full(self.samples, 1 / self.samples)
        found = copies.slopes(model, score, images, classes, changed=changed, weights=weights, size=self.batch_size)
        return np.abs(found).sum(axis=-1)

    def _noise(self, copy: int, shape) -> np.ndarray:
        """NumPy's generator, so that both backends see the same."""
        return np.random.default_rng([self.seed, copy]).standard_normal(shape, np.float32)
