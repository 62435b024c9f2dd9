"""Bone on a radiograph: a bright cortex, trabeculae inside it, and how both waste as the T-score falls.

Three signs follow one latent quality of a person's bone: the thickness of the cortex (cortical bone thickness average of
the humerus, Tingart 2003; deltoid tuberosity index, Spross 2015), the strength and the spacing of the trabecular pattern
(Singh 1970), and the mineral in the ray. Chest and shoulder share this file: what an encoder learns of bone on one it can
use on the other.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medtf.data.phantom.xray_canvas import Canvas, band_noise, chord, rod

# Standard deviations in T-score units of what a picture shows about the T-score at the spine or hip. They cap what any reader
# can reach: the shared one is between the sites of a body, the others are between its signs.
SHARED, CORTEX, TEXTURE, MINERAL = 0.40, 0.90, 0.40, 0.90
CYCLES = 36.0  # of the trabecular pattern in an image's width, at a T-score of -1


@dataclass(frozen=True)
class Quality:
    """What a person's bones look like; 1 is a T-score of -1."""

    cortex: float  # share of a cortex's usual thickness
    mineral: float  # share of the usual attenuation of trabecular bone
    texture: float  # share of the usual strength of the trabecular pattern
    spacing: float  # share of its usual wavelength


def draw_quality(rng, t_score: float) -> Quality:
    """How the bones of somebody of that T-score look: each sign follows it and strays by itself."""
    seen = t_score + 1 + SHARED * rng.normal()
    cortex, mineral, texture = (seen + sd * rng.normal() for sd in (CORTEX, MINERAL, TEXTURE))
    return Quality(
        cortex=float(np.clip(1 + 0.16 * cortex, 0.4, 1.6)),
        mineral=float(np.clip(1 + 0.08 * mineral, 0.6, 1.5)),
        texture=float(np.exp(np.clip(0.6 * texture, -2.0, 1.0))),
        spacing=float(np.exp(np.clip(-0.05 * texture, -0.15, 0.2))),
    )


def trabeculae(rng, size: int, quality: Quality, degrees: float) -> np.ndarray:
    """The pattern (size, size), mean 0, variance 1: two crossing families of plates, one stronger, as loads lay them.

    Real trabeculae are 0.1-0.2 mm thick and 0.6-1 mm apart: no picture of 256 pixels shows them. The wavelength is therefore a share of
    the image (1/36: 7 pixels of 256, 3.6 of 128), and so the same on the small field of a shoulder and the large one of a chest.
    """
    return band_noise(rng, size, cycles=CYCLES / quality.spacing, width=0.2, degrees=(degrees, degrees, degrees + 80))


@dataclass
class Bones:
    """Millimetres of bone along each ray of a canvas: hard cortex and what it encloses."""

    canvas: Canvas
    quality: Quality
    cortical: np.ndarray
    trabecular: np.ndarray

    @classmethod
    def none(cls, canvas: Canvas, quality: Quality) -> "Bones":
        """A canvas without a bone yet."""
        return cls(canvas, quality, np.zeros_like(canvas.x), np.zeros_like(canvas.x))

    def add(self, pieces, *, depth=1.0) -> None:
        """One bone, the union of rods: [(start, end, radius, last radius, cortex at start, cortex at end)], all in mm.

        `depth` is the bone's depth along the ray over its width in the picture. Cortices are those of a T-score of -1.
        """
        ends = np.array([end for piece in pieces for end in piece[:2]])
        found = self.canvas.around(ends, max(max(piece[2], piece[3]) for piece in pieces))
        if not found:
            return
        part, box = found
        outer, inner = np.zeros_like(part.x), np.zeros_like(part.x)
        for start, end, radius, last, first_cortex, last_cortex in pieces:
            square, thick = rod(part, start, end, radius, last)
            hollow = rod(part, start, end, radius - self.shell(first_cortex), last - self.shell(last_cortex))[1]
            np.maximum(outer, chord(thick, square), out=outer)
            np.maximum(inner, chord(hollow, square), out=inner)
        self.cortical[box] += np.float32(depth) * (outer - inner)
        self.trabecular[box] += np.float32(depth) * inner

    def tube(self, points, radius, cortex, *, depth=1.0) -> None:
        """A long bone of one radius and one cortex (mm) through `points` (n, 2)."""
        steps = pairwise(points)
        self.add([(start, end, radius, radius, cortex, cortex) for start, end in steps], depth=depth)

    def shell(self, cortex: float) -> float:
        """Thickness in mm of a cortex that is `cortex` mm thick at a T-score of -1."""
        return cortex * self.quality.cortex

    def attenuation(self, pattern, *, hard: float, spongy: float, strength: float) -> np.ndarray:
        """Optical thickness along each ray beyond that of soft tissue.

        Plates along a ray add at random, so their pattern grows with the square root of the way through spongy bone.

        Args:
            pattern: of `trabeculae`. hard, spongy: excess attenuation of cortical and trabecular bone, 1/mm.
            strength: standard deviation of the pattern over 10 mm of spongy bone, as a share of their attenuation.
        """
        quality = self.quality
        plates = np.float32(spongy * strength * quality.texture * np.sqrt(10)) * np.sqrt(self.trabecular) * pattern
        return np.float32(hard) * self.cortical + np.float32(spongy * quality.mineral) * self.trabecular + plates
