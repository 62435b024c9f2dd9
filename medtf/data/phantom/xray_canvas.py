"""The plane of a detector: where its pixels lie in a body, and how many millimetres of a shape a ray meets there.

Body coordinates are millimetres as the picture shows them: x to its right (the patient's left), y down. A ray is
perpendicular to the plane, so a sphere of radius r is met over 2 sqrt(r^2 - d^2) mm at a distance d from its centre: what is
summed along the ray gives bright rims to hollow bones and soft edges to organs without either being painted.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import fft


@dataclass(frozen=True)
class Canvas:
    """Pixels with the body coordinates of their centres, and the way back from the body to the pixels."""

    x: np.ndarray  # (rows, columns) float32, mm
    y: np.ndarray
    pixel: float  # mm in the body
    matrix: np.ndarray  # (2, 3): (column, row) = matrix @ (x, y, 1)

    def columns_rows(self, points) -> np.ndarray:
        """Body points (n, 2) mm -> (n, 2) column and row, in pixels of this canvas."""
        points = np.asarray(points, float).reshape(-1, 2)
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def around(self, points, margin):
        """The part within `margin` mm of the box around `points`, and its two slices; None off the canvas."""
        reach = margin / self.pixel + 1
        found = self.columns_rows(points)
        low = np.maximum(np.floor(found.min(axis=0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(found.max(axis=0) + reach) + 1, self.x.shape[::-1]).astype(int)
        if (low >= high).any():
            return None
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        moved = self.matrix.copy()
        moved[:, 2] -= low
        return replace(self, x=self.x[box], y=self.y[box], matrix=moved), box


def canvas(size, field_mm, *, shift=(0.0, 0.0), degrees=0.0, scale=1.0, mirror=False) -> Canvas:
    """A square detector that shows `field_mm` mm over `size` pixels.

    Args:
        size: pixels a side. field_mm: what they span at the detector, mm.
        shift: where the body's origin lies, mm right of and below the middle. degrees: the body turned clockwise.
        scale: body size times magnification, 1 = as described. mirror: left and right of the body exchanged.
    """
    step = field_mm / size
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]]) * scale / step
    if mirror:
        turn[:, 0] *= -1
    middle = (size - 1) / 2 + np.asarray(shift) / step
    back = np.linalg.inv(turn)
    steps = np.arange(size, dtype=np.float32)
    across, down = steps - np.float32(middle[0]), (steps - np.float32(middle[1]))[:, None]
    x, y = (np.float32(back[k, 0]) * across + np.float32(back[k, 1]) * down for k in range(2))
    return Canvas(x, y, step / scale, np.column_stack([turn, middle]))


def chord(radius, square) -> np.ndarray:
    """Millimetres inside a sphere or rod of `radius` mm, where `square` is the squared distance from its middle, mm^2."""
    return 2 * np.sqrt(np.maximum(radius * radius - square, 0))


def rod(part: Canvas, start, end, radius, last=None):
    """Squared distance (mm^2) to the line from `start` to `end`, and the radius there, which runs from `radius` to `last`."""
    x, y = part.x - np.float32(start[0]), part.y - np.float32(start[1])
    dx, dy = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    place = np.clip((x * dx + y * dy) * np.float32(1 / max(dx * dx + dy * dy, 1e-6)), 0, 1)
    x -= place * dx
    y -= place * dy
    thick = np.float32(radius) if last is None else np.float32(radius) + place * np.float32(last - radius)
    return x * x + y * y, thick


def ellipse(part: Canvas, center, radii, degrees=0.0) -> np.ndarray:
    """Squared distance from `center` in units of the semi-axes: below 1 inside; sqrt(1 - it) is the share of the depth."""
    x, y = part.x - np.float32(center[0]), part.y - np.float32(center[1])
    if degrees:
        cosine, sine = np.float32(np.cos(np.deg2rad(degrees))), np.float32(np.sin(np.deg2rad(degrees)))
        x, y = x * cosine + y * sine, y * cosine - x * sine
    return (x * np.float32(1 / radii[0])) ** 2 + (y * np.float32(1 / radii[1])) ** 2


def dome(square) -> np.ndarray:
    """Share in [0, 1] of an ellipsoid's depth where `ellipse` gave `square`."""
    return np.sqrt(np.maximum(1 - square, 0))


class Profile:
    """A smooth function of one body coordinate given by its corners, looked up every quarter of a millimetre."""

    def __init__(self, places, values, low=-320.0, high=320.0):
        self.low, self.steps = low, int((high - low) * 4)
        grid = np.linspace(low, high, self.steps + 1)
        line = np.interp(grid, places, values)
        kernel = np.hanning(83)[1:-1]  # rounds the corners over about 10 mm
        self.table = np.convolve(np.pad(line, 40, mode="edge"), kernel / kernel.sum(), mode="valid").astype(np.float32)

    def __call__(self, at) -> np.ndarray:
        """The function at `at` (any shape), mm; beyond the table its ends."""
        where = ((at - np.float32(self.low)) * np.float32(4)).astype(np.int32)
        return self.table[np.clip(where, 0, self.steps)]


@lru_cache(maxsize=8)
def _frequencies(size):
    """Cycles an image width of the half plane of `irfft2`: (|f|, angle), float32."""
    down, across = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None, :]
    return np.hypot(down, across).astype(np.float32), np.arctan2(down, across).astype(np.float32)


def band_noise(rng, size, *, cycles, width, degrees=(), lobe=0.35) -> np.ndarray:
    """A random field (size, size) of mean 0 and variance 1 that lives in a band of frequencies and of directions.

    Args:
        cycles: middle of the band, cycles an image width. width: its standard deviation, as a share of `cycles`.
        degrees: directions of the waves; none: all alike. lobe: standard deviation about each, radians.
    """
    frequency, angle = _frequencies(size)
    gain = np.exp(-0.5 * ((frequency - np.float32(cycles)) / np.float32(width * cycles)) ** 2)
    if degrees:
        turn = np.zeros_like(gain)
        for one in np.deg2rad(degrees):
            off = np.sin(angle - np.float32(one))  # the same for opposite waves
            turn += np.exp(-0.5 * (off / np.float32(lobe)) ** 2)
        gain *= turn
    gain[0, 0] = 0
    noise = rng.standard_normal((2, *gain.shape), dtype=np.float32)
    field = fft.irfft2((noise[0] + 1j * noise[1]) * gain, s=(size, size))
    return field / max(float(field.std()), 1e-6)


@lru_cache(maxsize=32)
def _spread(size, sigma, cells) -> tuple:
    """Matrices (cells, size) that gathers and (size, cells) that spreads, Gaussian of `sigma` pixels in all."""
    places, middles = np.arange(size) + 0.5, (np.arange(cells) + 0.5) * size / cells
    weight = np.exp(-0.5 * ((places[:, None] - middles) / max(sigma / np.sqrt(2), 0.7 * size / cells)) ** 2)
    gather, spread = weight / weight.sum(axis=0), weight / weight.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(gather.T, np.float32), spread.astype(np.float32)


def wide_blur(image, sigma_share) -> np.ndarray:
    """`image` (n, n) blurred by a Gaussian of `sigma_share` image widths (0.04 and more), over a coarse grid: cheap."""
    size = len(image)
    gather, spread = _spread(size, sigma_share * size, 32)
    return spread @ (gather @ image @ gather.T) @ spread.T


def cloud(rng, size, cells=12) -> np.ndarray:
    """A smooth random field (size, size) about 0 with standard deviation near 1, blobs of size / cells pixels."""
    _, spread = _spread(size, 1.0, cells)
    field = spread @ rng.standard_normal((cells, cells), dtype=np.float32) @ spread.T
    return field / max(float(field.std()), 1e-6)
