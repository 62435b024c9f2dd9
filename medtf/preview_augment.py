"""Each random change alone, at three strengths, on one example: what a config's `augment` does to its pictures or volumes."""

import warnings
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import betaincinv

from medtf import augment, preview_volumes
from medtf.config import Augment, Config


class Kind(NamedTuple):
    """A key of `augment:` as the sheet tells it."""

    words: str  # of a strength, which stands at {}
    usual: float  # where the config has 0
    volumes: float | None = None  # the usual strength of volumes, where it is another one


# in the order in which the layers follow each other
KINDS = {
    "flip": Kind("in {:.0%}", 0.5),
    "rotate": Kind("up to {:.3g} degrees", 10),
    "zoom": Kind("1 +-{:.3g}", 0.1),
    "translate": Kind("up to {:.3g} of the side", 0.05),
    "elastic": Kind("control points up to {:.3g} voxels", 5),
    "motion": Kind("up to {:.3g} degrees", 5),
    "ghosting": Kind("lines lose up to {:.0%}", 0.5),
    "low_resolution": Kind("slices up to {:.3g} voxels thicker", 3),
    "blur": Kind("sigma up to {:.3g} voxels", 1.5),
    "bias": Kind("coefficients up to {:.3g}", 0.4),
    "gamma": Kind("log up to {:.3g}", 0.3),
    "contrast": Kind("factor 1 +-{:.3g}", 0.2),
    "brightness": Kind("up to +-{:.3g}", 0.1, 0.3),
    "noise": Kind("deviation {:.3g}", 0.05, 0.1),
    "rician": Kind("sigma up to {:.3g}", 0.1),
    "erase": Kind("in {:.0%}", 0.25),
    "cutout": Kind("in {:.0%}", 0.25),
    "mixup": Kind("alpha {:.3g}; 1 pair in 10 more", 0.4),
    "cutmix": Kind("alpha {:.3g}; 1 box in 10 larger", 1.0),
}
CHANCES = ("flip", "erase", "cutout")  # their strength is a probability
TRIALS = 6  # draws of which the one that changes most is shown
CELLS = ("axial", "sagittal")  # planes of a volume that are shown: together they cut across all three axes
COLUMNS = ("not changed", "a third", "two thirds", "full strength")


class Row(NamedTuple):
    """One kind of change: its key, whether the config has it, three strengths and what they make of the example."""

    key: str
    configured: bool
    strengths: list[float]
    images: list[np.ndarray]


def rows(config: Config, images: np.ndarray) -> list[Row]:
    """Every kind of change of the first of `images`, at a third, two thirds and all of the config's strength.

    Draws are uniform, and most are small; of `TRIALS` seeds the one that changes most at full strength is taken, for all three.

    Args:
        config: `augment` and `model` count. A key that is 0 gets a usual strength.
        images: (n, height, width, channels) or (n, depth, height, width, channels); the second one is MixUp's partner.
    """
    absent = augment.PICTURES_ONLY if images.ndim == 5 else augment.VOLUMES_ONLY
    found = []
    for key, kind in KINDS.items():
        if key in absent:
            continue
        full = getattr(config.augment, key)
        strengths = [share * (full or _usual(key, kind, images)) for share in (1 / 3, 2 / 3, 1)]
        found.append(Row(key, bool(full), strengths, _changed(key, strengths, images, config.train.seed)))
    return found


def _usual(key: str, kind: Kind, images: np.ndarray) -> float:
    if key == "elastic":  # what does not fold a small volume
        return min(kind.usual, 0.1 * min(images.shape[1:4]))
    return kind.volumes if images.ndim == 5 and kind.volumes is not None else kind.usual


def _changed(key: str, strengths: list[float], images: np.ndarray, seed: int) -> list[np.ndarray]:
    """The example under each strength; where the strength is a probability, three draws of what happens then."""
    if key == "cutmix":
        return [_boxed(strength, images) for strength in strengths]
    if key == "mixup":
        return [_mixed(strength, images) for strength in strengths]
    chance = key in CHANCES
    trials = [_once(key, 1.0 if chance else strengths[-1], images, seed + number) for number in range(TRIALS)]
    most = np.argsort([-_difference(trial, images[0]) for trial in trials], kind="stable")
    if chance:
        return [trials[number] for number in most[: len(strengths)]]
    return [*(_once(key, strength, images, seed + int(most[0])) for strength in strengths[:-1]), trials[most[0]]]


def _difference(image: np.ndarray, example: np.ndarray) -> float:
    """How much of a change can be seen: the mean over what the sheet shows."""
    change = np.abs(image.astype(np.float32) - example)
    if change.ndim == 3:
        return float(change.mean())
    return float(np.mean([preview_volumes.plane(change[..., 0], name).mean() for name in CELLS]))


def _boxed(alpha: float, images: np.ndarray) -> np.ndarray:
    """The example with its partner's box in the middle, of the size that one pair in ten exceeds."""
    from medtf.augment.cutmix import CutMix

    draws = {"share": _greater_share(alpha), "center": np.full(images.ndim - 2, 0.5, np.float32)}
    return np.asarray(CutMix(alpha).apply(_pair(images), draws))[0]


def _mixed(alpha: float, images: np.ndarray) -> np.ndarray:
    """The example with its partner's share at the 90th percentile of what alpha draws: one pair in ten is mixed more."""
    from medtf.augment.mixup import MixUp

    return np.asarray(MixUp(alpha).apply(_pair(images), {"share": _greater_share(alpha)}))[0]


def _pair(images: np.ndarray) -> np.ndarray:
    return images[:2] if len(images) > 1 else np.concatenate([images, images[:, ::-1]])


def _greater_share(alpha: float) -> np.float32:
    """Of the example's own, where its lesser partner's is at the 90th percentile below 1/2, about which Beta(alpha, alpha) is symmetric."""
    return np.float32(1 - betaincinv(alpha, alpha, 0.45))


def _once(key: str, strength: float, images: np.ndarray, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a displacement may fold: the picture shows it
        (layer,) = augment.build(Augment(**{key: strength}, share=1), seed=seed, dimensions=images.ndim - 2)
        return np.asarray(layer(images[:1], training=True))[0]


def sheet(found: list[Row], example: np.ndarray, title: str, spacing=(1.0, 1.0, 1.0), *, colour=True) -> Figure:
    """A row a kind, the example itself in the first column; of volumes the axial and the sagittal plane.

    Args:
        found: what `rows` gave.
        example: (height, width, channels) or (depth, height, width, 1).
        title: above all of it.
        spacing: of a volume, mm.
        colour: three channels of a picture are red, green and blue; else the first one is shown.
    """
    volume = example.ndim == 4
    cells = CELLS if volume else (None,)
    ratios = [1.0] * len(COLUMNS)
    if volume:
        sides = np.array(example.shape[:3]) * spacing
        ratios = [sides[0] / sides[1], sides[1] / sides[2]] * len(COLUMNS)  # widths of pictures of equal height
    wide, tall = (15.5, 1.95) if volume else (8.6, 1.95)
    figure = Figure(figsize=(wide, tall * len(found) + 0.6), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    axes = figure.subplots(len(found), len(ratios) + 1, squeeze=False, width_ratios=[0.9 * max(ratios), *ratios])
    shown = preview_volumes.shown_range(example) if volume else (0, 1)
    for r, row in enumerate(found):
        _words(axes[r, 0], row)
        for column, image in enumerate([example, *row.images]):
            for number, name in enumerate(cells):
                axis = axes[r, 1 + column * len(cells) + number]
                if volume:
                    preview_volumes.show(axis, image[..., 0], name, spacing, shown, letters=r == 0 and column == 0)
                else:
                    _picture(axis, image, colour)
                if r == 0 and number == 0:
                    axis.set_title(COLUMNS[column], fontsize=9, loc="left")
                if column and number == 0:
                    axis.set_xlabel(KINDS[row.key].words.format(row.strengths[column - 1]), fontsize=7, loc="left")
    return figure


def _words(axis, row: Row) -> None:
    axis.axis("off")
    axis.text(0, 1, row.key, va="top", fontsize=9, weight="bold", transform=axis.transAxes)
    note = "in the config" if row.configured else "not in the config:\na usual strength"
    if row.key in CHANCES:
        note += "\n(pictures: when\nit happens)"
    axis.text(
        0, 0.84, note, va="top", fontsize=7, color="black" if row.configured else "#777777", transform=axis.transAxes
    )


def _picture(axis, image: np.ndarray, colour: bool) -> None:
    """The first channel as grey, or three as red, green and blue."""
    colour = colour and image.shape[-1] == 3
    axis.imshow(image if colour else image[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
