"""A case under its heat map as a picture that is large enough to be looked at: plain beside it, every window of a CT, planes of a volume."""

import numpy as np
from PIL import Image

from medtf import gallery_pictures, preview, preview_volumes
from medtf.config import Config
from medtf.explain import pictures
from medtf.explain.runs.cases import Case
from medtf.explain.runs.subject import Subject

SIDE = 256  # pixels of the shorter side of each picture at the least


def picture(subject: Subject, case: Case, heat: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3).

    Args:
        case: of the subject. heat: (*grid of the case) in [0, 1].
    """
    if heat.ndim == 3:
        from medtf.explain.runs.montage import montage

        row = subject.table.with_frame(subject.table.frame.iloc[[case.number]])
        spacing = preview_volumes.spacings_of(subject.config, row)[0]
        return montage(case.image[..., 0], heat, spacing)
    return flat(case.image, heat, windows=subject.config.input.windows is not None)


def flat(image: np.ndarray, heat: np.ndarray, *, windows: bool) -> np.ndarray:
    """The plain picture with the overlay to its right; of several windows the plain ones in a row with the overlays under them.

    A pixel of the network stays a square, so that nobody takes blur for a finding; the heat is enlarged linearly, for it never had the pixels'
    resolution.

    Args:
        image: float (height, width, channels) in [0, 1]. heat: (height, width) in [0, 1]. windows: are the channels windows of one picture?
    """
    factor = -(-SIDE // min(heat.shape))
    image = np.clip(image, 0, 1).repeat(factor, axis=0).repeat(factor, axis=1)
    size = heat.shape[1] * factor, heat.shape[0] * factor
    heat = np.asarray(Image.fromarray(np.asarray(heat, np.float32)).resize(size, Image.Resampling.BILINEAR))
    if not windows or image.shape[-1] == 1:
        plain = pictures.shown(image)
        return pictures.row([_unheated(plain), pictures.over(plain, heat)])
    channels = [image[..., i : i + 1] for i in range(image.shape[-1])]
    upper = pictures.row([_unheated(one) for one in channels])
    lower = pictures.row([pictures.over(one, heat) for one in channels])
    return np.concatenate([upper, np.zeros((pictures.GAP, *upper.shape[1:]), np.uint8), lower])


def _unheated(plain: np.ndarray) -> np.ndarray:
    return pictures.over(plain, np.zeros(plain.shape[:2], np.float32))


def words(config: Config) -> str:
    """What a picture of a case shows."""
    if config.model.dimensions == 3:
        return _of_volumes(config)
    seen = "Left: what the network is given; right: the map over it."
    if config.input.windows is not None and len(config.input.windows) > 1:
        names = ", ".join(preview.channel_names(config))
        seen = f"Above: what the network is given, windows from left to right: {names}; below: the map over each."
    return f"{seen} A square is a pixel of the network's input."


def _of_volumes(config: Config) -> str:
    """Of montages."""
    patches = (
        " Patches are put together to the whole volume, the mean where they overlap." if config.input.patches else ""
    )
    return f"Slices from below to above, and the three planes through the hottest voxel; R and L are the patient's.{patches}"


def legend() -> str:
    """The colours from 0 to 1 over middle grey, as a data URI."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (14, 1))
    return gallery_pictures.encoded(pictures.over(np.full((14, 256, 1), 0.5, np.float32), ramp))
