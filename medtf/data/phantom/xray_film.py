"""From optical thickness to a picture: Beer-Lambert, scatter, quantum noise, the detector's blur, the tone curve, borders and letters."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medtf.data.phantom.xray_canvas import wide_blur

LETTERS = {  # 5 x 7 dots
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
    "E": ("11111", "10000", "10000", "11110", "10000", "10000", "11111"),
}


@dataclass(frozen=True)
class Exposure:
    """How a picture was taken and shown."""

    photons: float  # that reach a pixel of 256 behind the middle of the body, in thousands
    scatter: float  # scattered over primary radiation behind a body of usual thickness
    blur: float  # standard deviation of focus and detector, pixels of 256
    low: float  # share of the pixels below black
    high: float  # share of the pixels above white
    gamma: float  # of the tone curve
    slope: float  # of its middle: 0 is a straight line
    levelling: float  # share of the wide shades that the machine's processing takes out


def draw_exposure(rng) -> Exposure:
    """Another machine, tube setting and taste for every picture."""
    return Exposure(
        photons=float(np.exp(rng.normal(np.log(3.3), 0.45))),
        scatter=float(rng.uniform(0.15, 0.6)),
        blur=float(rng.uniform(0.45, 1.0)),
        low=float(rng.uniform(0.002, 0.03)),
        high=float(rng.uniform(0.0005, 0.01)),
        gamma=float(np.exp(rng.normal(0, 0.13))),
        slope=float(rng.uniform(0, 1)),
        levelling=float(rng.uniform(0.25, 0.6)),
    )


def expose(rng, depth, exposure: Exposure) -> np.ndarray:
    """A picture (n, n) float32 in [0, 1] of `depth`, the optical thickness along each ray; bone is bright, air is dark."""
    values = detect(rng, depth, exposure)
    return tone(values - np.float32(exposure.levelling) * wide_blur(values, 0.09), exposure)


def detect(rng, depth, exposure: Exposure) -> np.ndarray:
    """Minus the logarithm of the light at the detector (n, n): what came through, scatter, blur and quantum noise.

    An automatic exposure gives bodies of any thickness the same dose behind their middle, so the noise tells nothing of the body.
    """
    primary, size = np.exp(-depth), len(depth)
    middle = slice(size // 4, size - size // 4, 3)
    behind = np.float32(np.median(primary[middle, middle]))
    light = (primary + np.float32(exposure.scatter) * wide_blur(np.minimum(primary, 3 * behind), 0.08)) / behind
    light = ndimage.gaussian_filter(light, exposure.blur * size / 256, truncate=2.5)
    count = np.float32(1000 * exposure.photons * (256 / size) ** 2)  # photons a pixel where the light is 1
    light += np.sqrt(light / count) * rng.standard_normal(light.shape, dtype=np.float32)
    return -np.log(np.clip(light, np.float32(1e-4), 12))  # beyond that the detector is full


def tone(values, exposure: Exposure) -> np.ndarray:
    """[0, 1] between two percentiles, then a curve that steepens the middle and one that lightens or darkens."""
    sample = np.sort(values[::4, ::4], axis=None)
    low, high = (sample[round(share * (len(sample) - 1))] for share in (exposure.low, 1 - exposure.high))
    share = np.clip((values - low) / max(float(high - low), 1e-3), 0, 1)
    share += np.float32(0.35 * exposure.slope) * share * (1 - share) * (2 * share - 1)
    return share ** np.float32(exposure.gamma)


def shutter(image, *, left=0.0, right=0.0, top=0.0, bottom=0.0, value=0.0) -> None:
    """Black (or `value`) beyond the collimator's blades; each is a share of the side, changed in place."""
    size = len(image)
    image[: round(top * size)] = value
    image[size - round(bottom * size) :] = value
    image[:, : round(left * size)] = value
    image[:, size - round(right * size) :] = value


def letter(image, name: str, corner, share: float, value: float = 0.97) -> None:
    """A lead letter, `share` of the side high, with its upper left at `corner` (row, column as shares); in place."""
    size = len(image)
    dots = np.array([[dot == "1" for dot in row] for row in LETTERS[name]])
    high = max(round(share * size), 7)
    wide = max(round(high * 5 / 7), 5)
    shape = dots[np.arange(high) * 7 // high][:, np.arange(wide) * 5 // wide]
    row, column = (min(round(at * size), size - side) for at, side in zip(corner, (high, wide), strict=True))
    image[row : row + high, column : column + wide][shape] = value
